#[cfg(feature = "regex")]
mod parse;

use std::{
    cmp::Ordering,
    fmt,
    hash::{Hash, Hasher},
};

#[cfg(feature = "regex")]
use ::regex::bytes::Regex as Engine;

#[cfg(feature = "regex")]
pub use parse::{Captures, InvalidRegex};

/// Without the feature, a [`PathRegex`] cannot exist.
#[cfg(not(feature = "regex"))]
#[derive(Clone)]
enum Engine {}

/// A regular expression for paths. Parsing one requires the `regex` feature.
///
/// The syntax is that of the [`regex`](https://docs.rs/regex/latest/regex/#syntax) crate, which matches in linear time
/// and so has no look-around or backreferences. As in other proxies, an expression can match any part of the path; use
/// `^` and `$` for its start and end. It is case-sensitive, except after `(?i)`.
///
/// It is applied to the whole path as written in the request, percent-encoded and without the query, so `\d` and `\w`
/// are ASCII only. A [`RouteTable`](super::RouteTable) rejects [ambiguous](super::NoRoute::Ambiguous) paths. So an
/// expression for text that can be read differently, such as `%41` or `//`, matches only in a
/// [literal](super::Rule::literal) rule.
///
/// An expression that names letters in upper case is compiled a second time, so that a table can tell whether a path differs
/// from the expression only in case.
///
/// Two expressions are equal if their texts are.
///
/// ```
/// use pmesh_layers::route::{PathPrefix, PathRegex, RoutePath, RouteTable};
///
/// let user: PathRegex = "^/users/([0-9]+)$".parse()?;
/// let captures = user.captures("/users/42").unwrap();
/// assert_eq!(captures.get(1), Some("42"));
///
/// let mut table = RouteTable::new();
/// table.insert("a.example".parse()?, PathPrefix::root(), "app")?;
/// table.insert("a.example".parse()?, user, "user")?;
/// assert_eq!(table.find("a.example", "/users/42"), Ok(&"user"));
/// assert_eq!(table.find("a.example", "/users/new"), Ok(&"app"));
/// # Ok::<_, Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone)]
pub struct PathRegex {
    text: Box<str>,
    engine: Engine,
    /// The expression without regard to case, if it names letters in upper case.
    any_case: Option<Engine>,
}

impl PathRegex {
    /// The expression as it was written.
    pub fn as_str(&self) -> &str {
        &self.text
    }

    #[cfg(feature = "regex")]
    pub(super) fn is_match(&self, path: &str) -> bool {
        self.engine.is_match(path.as_bytes())
    }

    /// Whether it matches `path` as written or in another case. `folded` is the path in lower case.
    #[cfg(feature = "regex")]
    pub(super) fn is_match_in_any_case(&self, path: &str, folded: &str) -> bool {
        self.is_match(path)
            || (path != folded && self.is_match(folded))
            || self.any_case.as_ref().is_some_and(|engine| engine.is_match(path.as_bytes()))
    }

    /// Whether it could match lower-case paths when case is ignored, although it does not match them as written.
    pub(super) fn has_upper_case(&self) -> bool {
        self.any_case.is_some()
    }

    #[cfg(not(feature = "regex"))]
    pub(super) fn is_match(&self, _: &str) -> bool {
        match self.engine {}
    }

    #[cfg(not(feature = "regex"))]
    pub(super) fn is_match_in_any_case(&self, _: &str, _: &str) -> bool {
        match self.engine {}
    }
}

impl PartialEq for PathRegex {
    fn eq(&self, other: &Self) -> bool {
        self.text == other.text
    }
}

impl Eq for PathRegex {}

impl PartialOrd for PathRegex {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for PathRegex {
    fn cmp(&self, other: &Self) -> Ordering {
        self.text.cmp(&other.text)
    }
}

impl Hash for PathRegex {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.text.hash(state);
    }
}

impl fmt::Debug for PathRegex {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("PathRegex").field(&self.text).finish()
    }
}

impl fmt::Display for PathRegex {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}
