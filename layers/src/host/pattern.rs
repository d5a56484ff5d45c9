use std::{fmt, str::FromStr};

use crate::host_name::{Fault, HostName, InvalidHost, is_ipv4_shaped};

/// One configured host: a name or a wildcard.
///
/// ```
/// use pmesh_layers::host::{HostName, HostPattern};
///
/// let pattern: HostPattern = "*.example.com".parse()?;
/// assert!(pattern.matches(&"a.b.example.com".parse()?));
/// assert!(!pattern.matches(&"example.com".parse()?));
/// # Ok::<(), pmesh_layers::host::InvalidHost>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum HostPattern {
    /// Only this name: `example.com`.
    Exact(HostName),
    /// Every name below this one, at any depth, but not the name itself: `*.example.com`.
    Below(HostName),
}

impl HostPattern {
    /// Whether the pattern matches `name`.
    pub fn matches(&self, name: &HostName) -> bool {
        match self {
            Self::Exact(own) => own == name,
            Self::Below(parent) => name
                .as_str()
                .strip_suffix(parent.as_str())
                .is_some_and(|labels| labels.len() > 1 && labels.ends_with('.')),
        }
    }
}

impl FromStr for HostPattern {
    type Err = InvalidHost;

    fn from_str(text: &str) -> Result<Self, InvalidHost> {
        let Some(parent) = text.strip_prefix("*.") else {
            return if text.contains('*') { Err(InvalidHost(Fault::Wildcard)) } else { text.parse().map(Self::Exact) };
        };
        let parent: HostName = parent.parse().map_err(|error| match error {
            InvalidHost(Fault::Byte(b'*') | Fault::Empty) => InvalidHost(Fault::Wildcard),
            other => other,
        })?;
        // No names exist below an address, and "*.0.0.1" would match addresses such as 127.0.0.1.
        if parent.is_ip() || is_ipv4_shaped(parent.as_str().as_bytes()) {
            return Err(InvalidHost(Fault::Wildcard));
        }
        Ok(Self::Below(parent))
    }
}

impl fmt::Display for HostPattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Exact(name) => name.fmt(f),
            Self::Below(parent) => write!(f, "*.{parent}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_wildcard_matches_one_label_or_more_and_never_the_bare_name() {
        let pattern: HostPattern = "*.Example.com.".parse().expect("valid");
        assert_eq!(pattern.to_string(), "*.example.com");
        for (name, expected) in [
            ("a.example.com", true),
            ("a.b.example.com", true),
            ("example.com", false),
            ("badexample.com", false),
            ("example.com.evil", false),
        ] {
            assert_eq!(pattern.matches(&name.parse().expect("valid")), expected, "{name}");
        }
    }

    #[test]
    fn invalid_patterns_are_rejected() {
        for text in ["*", "*.", "*.*.com", "a.*.com", "*a.com", "", "*.127.0.0.1", "*.1", "*.[::1]", "a:80", "*.a:80"] {
            assert!(text.parse::<HostPattern>().is_err(), "{text}");
        }
    }
}
