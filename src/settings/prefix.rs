//! Path prefixes of routes, and advice on what to write instead of a pattern.

use figment::value::Value;
use pmesh_layers::route::{InvalidPath, PathPrefix};

use crate::config::{Parse, Reason, text};

/// Characters that mean a pattern in other programs. Some are valid in a path, but hardly any path contains them.
const OF_PATTERNS: [char; 8] = ['*', '{', '}', '^', '(', '[', '|', '\\'];

impl Parse for PathPrefix {
    const EXPECTED: &'static str = "a path that starts with a slash, such as /api";

    fn parse(value: &Value) -> Result<Self, Reason> {
        let text = text(value)?;
        if let Some(end) = text.find(OF_PATTERNS) {
            return Err(Some(format!(
                "a prefix is not a pattern; it matches all paths below it{}",
                literal(&text[..end])
            )));
        }
        text.parse().map_err(|error| match error {
            InvalidPath::NotAbsolute if Self::parse(&format!("/{text}").into()).is_ok() => {
                Some(format!("write \"/{text}\""))
            }
            InvalidPath::NotAbsolute => None,
            other => Some(other.to_string()),
        })
    }
}

/// Advice to write the whole segments before the pattern.
fn literal(start: &str) -> String {
    match start.rsplit_once('/') {
        Some(("", _)) => ": write \"/\"".into(),
        Some((segments, _)) if segments.starts_with('/') => format!(": write \"{segments}\""),
        _ => String::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns_are_rejected_with_advice() {
        let literal = "a prefix is not a pattern; it matches all paths below it";
        for (text, expected) in [
            ("/api/*", format!("{literal}: write \"/api\"")),
            ("/api*", format!("{literal}: write \"/\"")),
            ("/*", format!("{literal}: write \"/\"")),
            ("/users/{id}/posts", format!("{literal}: write \"/users\"")),
            ("^/api/(.*)$", literal.to_owned()),
            ("~ \\.php$", literal.to_owned()),
            ("api", "write \"/api\"".to_owned()),
            ("", "write \"/\"".to_owned()),
            ("/a//", InvalidPath::Ambiguous.to_string()),
        ] {
            assert_eq!(PathPrefix::parse(&text.into()), Err(Some(expected)), "{text}");
        }
        for text in ["/", "/api", "/api/", "/a$b", "/~me"] {
            assert!(PathPrefix::parse(&text.into()).is_ok(), "{text}");
        }
    }
}
