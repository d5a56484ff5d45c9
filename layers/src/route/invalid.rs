use super::readings;

/// The error for text that is not a valid [`PathPrefix`](super::PathPrefix) or [`ExactPath`](super::ExactPath).
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum InvalidPath {
    /// It does not begin with a slash.
    #[error("a path begins with a slash")]
    NotAbsolute,
    /// It has a query, or a byte that is not allowed in a path.
    #[error("a path is percent-encoded and has no query")]
    NotAPath,
    /// Some backends would read it as another path, so all requests to it would be ambiguous.
    #[error(
        "the path of a route must be unambiguous: no dot segments, `//`, `;` or `\\`, and percent-encoding only in \
         capitals (`%C3`) and only of characters that need it"
    )]
    Ambiguous,
}

impl InvalidPath {
    /// Checks that `text` is a valid path, and that requests to it are not ambiguous.
    pub(super) fn check(text: &str) -> Result<(), Self> {
        if !text.starts_with('/') {
            return Err(Self::NotAbsolute);
        }
        if !text.bytes().all(|byte| byte.is_ascii_graphic() && !matches!(byte, b'?' | b'#')) {
            return Err(Self::NotAPath);
        }
        if readings::is_only(text) { Ok(()) } else { Err(Self::Ambiguous) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::route::{ExactPath, PathPrefix};

    #[test]
    fn invalid_and_ambiguous_paths_are_rejected() {
        for (text, error) in [
            ("", InvalidPath::NotAbsolute),
            ("foo", InvalidPath::NotAbsolute),
            ("*", InvalidPath::NotAbsolute),
            ("/a?b", InvalidPath::NotAPath),
            ("/a b", InvalidPath::NotAPath),
            ("/é", InvalidPath::NotAPath),
            ("/{a}", InvalidPath::Ambiguous),
            ("/a/../b", InvalidPath::Ambiguous),
            ("/a/.", InvalidPath::Ambiguous),
            ("/%61", InvalidPath::Ambiguous),
            ("/%c3%a9", InvalidPath::Ambiguous),
            ("/a%2Fb", InvalidPath::Ambiguous),
            ("/a;b", InvalidPath::Ambiguous),
            ("//", InvalidPath::Ambiguous),
            ("/a//", InvalidPath::Ambiguous),
        ] {
            assert_eq!(text.parse::<PathPrefix>(), Err(error), "{text}");
            assert_eq!(text.parse::<ExactPath>(), Err(error), "{text}");
        }
    }
}
