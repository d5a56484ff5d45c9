use std::{borrow::Borrow, fmt, str::FromStr, sync::Arc};

use rustls::pki_types::DnsName;

/// The maximum length of a label (RFC 1035, 2.3.4).
const MAX: usize = 63;

/// The name of a node: one DNS label, in lower case.
///
/// 1 to 63 characters from `a` to `z`, `0` to `9` and `-`, with no `-` at either end. Numbers, such as `7` or `0x7`,
/// are not allowed: they could be read as IPv4 addresses, so certificates cannot name them.
///
/// Cloning only increments a reference count.
///
/// ```
/// use pmesh_layers::identity::NodeName;
///
/// let name: NodeName = "Berlin-1".parse()?;
/// assert_eq!(name.as_str(), "berlin-1");
/// assert!("berlin.example".parse::<NodeName>().is_err());
/// # Ok::<(), pmesh_layers::identity::InvalidNodeName>(())
/// ```
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct NodeName(Arc<str>);

impl NodeName {
    /// The canonical text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for NodeName {
    type Err = InvalidNodeName;

    fn from_str(text: &str) -> Result<Self, InvalidNodeName> {
        if text.is_empty() {
            return Err(InvalidNodeName::Empty);
        }
        if let Some(other) = text.chars().find(|c| !c.is_ascii_alphanumeric() && *c != '-') {
            return Err(InvalidNodeName::Character(other));
        }
        if text.len() > MAX {
            return Err(InvalidNodeName::TooLong { characters: text.len() });
        }
        if text.starts_with('-') || text.ends_with('-') {
            return Err(InvalidNodeName::Hyphen);
        }
        let name = text.to_ascii_lowercase();
        // Everything else that is wrong with a label has its own error above.
        DnsName::try_from(name.as_str()).map_err(|_| InvalidNodeName::Number)?;
        Ok(Self(name.into()))
    }
}

impl Borrow<str> for NodeName {
    fn borrow(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for NodeName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for NodeName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&self.0, f)
    }
}

/// Text that is not a node name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum InvalidNodeName {
    /// The text is empty.
    #[error("the name of the node is empty")]
    Empty,
    /// More than 63 characters.
    #[error("a node name has at most 63 characters, but this one has {characters}")]
    TooLong {
        /// The number of characters.
        characters: usize,
    },
    /// A character that is not allowed in a node name.
    #[error("{0:?} is not allowed in a node name; use letters from a to z, digits and hyphens")]
    Character(char),
    /// A hyphen at the beginning or the end.
    #[error("a node name cannot begin or end with a hyphen")]
    Hyphen,
    /// A number.
    #[error("a node name cannot be a number; put a letter before it, as in n7")]
    Number,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_labels_in_lower_case() {
        let longest = "a".repeat(63);
        for (text, name) in
            [("a", "a"), ("B", "b"), ("3d", "3d"), ("a--1", "a--1"), ("1-2", "1-2"), (&longest, &longest)]
        {
            let parsed: NodeName = text.parse().unwrap();
            assert_eq!((parsed.as_str(), parsed.to_string().as_str()), (name, name));
        }
    }

    #[test]
    fn invalid_names_are_refused() {
        for (text, expected) in [
            ("", InvalidNodeName::Empty),
            (&"a".repeat(64), InvalidNodeName::TooLong { characters: 64 }),
            ("a.b", InvalidNodeName::Character('.')),
            ("a_b", InvalidNodeName::Character('_')),
            (" a", InvalidNodeName::Character(' ')),
            ("*", InvalidNodeName::Character('*')),
            ("é", InvalidNodeName::Character('é')),
            ("a\0", InvalidNodeName::Character('\0')),
            ("-a", InvalidNodeName::Hyphen),
            ("a-", InvalidNodeName::Hyphen),
            ("-", InvalidNodeName::Hyphen),
            ("0", InvalidNodeName::Number),
            ("12345", InvalidNodeName::Number),
            ("0x1F", InvalidNodeName::Number),
        ] {
            assert_eq!(text.parse::<NodeName>(), Err(expected), "{text:?}");
        }
    }
}
