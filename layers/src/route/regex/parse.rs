use std::str::FromStr;

use regex::bytes::{Captures as Found, RegexBuilder};

use super::PathRegex;

/// Maximum size of a compiled expression, and of the cache that each thread fills while matching, in bytes.
const MAX_COMPILED: usize = 256 * 1024;
const MAX_CACHED: usize = 256 * 1024;
/// Maximum length of an expression: enough for any that is written by hand.
const MAX_LEN: usize = 4096;

impl PathRegex {
    /// Returns the parts of `path` that the groups match, for templates such as `/x/{1}`; `None` if the expression does not
    /// match. Allocates.
    pub fn captures<'p>(&self, path: &'p str) -> Option<Captures<'p>> {
        Some(Captures { path, found: self.engine.captures(path.as_bytes())? })
    }

    /// The number of groups, so that a template with a higher number can be rejected.
    pub fn group_count(&self) -> usize {
        // Group 0 is the whole match.
        self.engine.captures_len() - 1
    }

    /// The names of the named groups: `(?<name>…)`.
    pub fn group_names(&self) -> impl Iterator<Item = &str> {
        self.engine.capture_names().flatten()
    }
}

impl FromStr for PathRegex {
    type Err = InvalidRegex;

    fn from_str(text: &str) -> Result<Self, InvalidRegex> {
        if !text.is_ascii() {
            return Err(InvalidRegex::NotAscii);
        }
        if text.len() > MAX_LEN {
            return Err(InvalidRegex::TooLarge);
        }
        let mut builder = RegexBuilder::new(text);
        let builder = builder.unicode(false).size_limit(MAX_COMPILED).dfa_size_limit(MAX_CACHED);
        let invalid = |error| match error {
            regex::Error::CompiledTooBig(_) => InvalidRegex::TooLarge,
            other => InvalidRegex::Syntax(reason(&other.to_string()).into()),
        };
        let engine = builder.build().map_err(invalid)?;
        let any_case = names_upper_case(text).then(|| builder.case_insensitive(true).build());
        Ok(Self { text: text.into(), engine, any_case: any_case.transpose().map_err(invalid)? })
    }
}

/// Whether the expression could require a letter in upper case. Can return `true` even if it does not.
fn names_upper_case(text: &str) -> bool {
    if text.starts_with("(?i)") {
        return false;
    }
    let mut found = text.contains("[:upper:]");
    let (mut one_before, mut two_before) = (b'(', b'(');
    let mut bytes = text.bytes().peekable();
    while let Some(mut byte) = bytes.next() {
        // `\x41` is a letter, `\S` is none.
        if byte == b'\\' && bytes.next_if(|next| !matches!(next, b'x' | b'u' | b'U')).is_some() {
            byte = b'(';
        }
        // A range can include them without naming them.
        let is_around = two_before < b'A' && one_before == b'-' && byte > b'Z';
        found |= byte.is_ascii_uppercase() || byte == b'\\' || is_around;
        (two_before, one_before) = (one_before, byte);
    }
    found
}

/// Returns the last line of an error. The lines before it show the expression and point into it.
fn reason(text: &str) -> &str {
    let last = text.lines().last().unwrap_or_default();
    last.strip_prefix("error: ").unwrap_or(last)
}

/// The parts of a path that the groups of a [`PathRegex`] have matched.
#[derive(Debug)]
pub struct Captures<'p> {
    path: &'p str,
    found: Found<'p>,
}

impl<'p> Captures<'p> {
    /// Returns the text of a group by number, 0 for the whole match; `None` if there is no such group, or if it is not
    /// part of the match.
    pub fn get(&self, group: usize) -> Option<&'p str> {
        self.path.get(self.found.get(group)?.range())
    }

    /// Returns the text of a group by name.
    pub fn name(&self, group: &str) -> Option<&'p str> {
        self.path.get(self.found.name(group)?.range())
    }
}

/// The error for text that is not a [`PathRegex`].
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum InvalidRegex {
    /// It has characters that are always percent-encoded in a path, so it would never match.
    #[error("paths are percent-encoded: write `é` as `%C3%A9`")]
    NotAscii,
    /// It would take too much memory.
    #[error("the regular expression is too large: shorten it, or lower its repetition counts, such as {{1000}}")]
    TooLarge,
    /// It is not a regular expression.
    #[error("not a regular expression: {0}")]
    Syntax(Box<str>),
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn groups_have_numbers_and_names() {
        let regex: PathRegex = "/(?<user>[^/]+)(/x)?/([0-9]+)".parse().unwrap();
        assert_eq!((regex.group_count(), regex.group_names().collect::<Vec<_>>()), (3, vec!["user"]));
        let captures = regex.captures("/users/ann/7/more").unwrap();
        assert_eq!(
            [0, 1, 2, 3, 4].map(|group| captures.get(group)),
            [Some("/ann/7"), Some("ann"), None, Some("7"), None]
        );
        assert_eq!((captures.name("user"), captures.name("other")), (Some("ann"), None));
        assert!(regex.captures("/users/ann").is_none());
    }

    #[test]
    fn a_group_that_splits_a_character_is_none() {
        let regex: PathRegex = "/(.)".parse().unwrap();
        assert_eq!(regex.captures("/é").unwrap().get(1), None);
    }

    #[test]
    fn an_expression_with_letters_in_upper_case_matches_in_any_case() {
        for (text, path, expected) in [
            ("^/admin$", "/ADMIN", true),
            ("^/Admin$", "/admin", true),
            ("^/Admin$", "/aDMIN", true),
            ("^/(?-i:A)dmin$", "/admin", false),
            ("(?i)^/Admin$", "/aDMIN", true),
            (r"^/\x41dmin$", "/admin", true),
            ("^/[[:upper:]]$", "/a", true),
            ("^/[!-_]$", "/a", true),
            ("^/[!-~]$", "/A", true),
            ("^/[^a-z]+$", "/ABC", true),
            ("^/[^A-Z]+$", "/ABC", true),
            (r"^/\S\D\W$", "/aa", false),
            ("^/users/[0-9]+$", "/USERS/42", true),
            ("^/users/[0-9]+$", "/USERS/x", false),
        ] {
            let regex: PathRegex = text.parse().unwrap();
            assert_eq!(regex.is_match_in_any_case(path, &path.to_lowercase()), expected, "{text} {path}");
        }
    }

    #[test]
    fn only_expressions_with_letters_in_upper_case_are_compiled_twice() {
        for (text, expected) in [
            (r"^/u/[a-z0-9_-]+\.(?:jpe?g|png)$", false),
            (r"^/\S+/\W\D\B$", false),
            ("(?i)^/Admin", false),
            ("^/Admin", true),
            ("[!-~]", true),
            (r"\x{41}", true),
            (r"\\A", true),
        ] {
            assert_eq!(text.parse::<PathRegex>().unwrap().has_upper_case(), expected, "{text}");
        }
    }

    #[test]
    fn the_error_of_an_invalid_regex_is_one_line() {
        const TOO_LARGE: &str =
            "the regular expression is too large: shorten it, or lower its repetition counts, such as {1000}";

        for (text, message) in [
            ("(", "not a regular expression: unclosed group"),
            (
                "^/(?!api)",
                "not a regular expression: look-around, including look-ahead and look-behind, is not supported",
            ),
            (r"(a)\1", "not a regular expression: backreferences are not supported"),
            ("^/café$", "paths are percent-encoded: write `é` as `%C3%A9`"),
            ("a{9999}{9999}", TOO_LARGE),
            (&"a".repeat(5000), TOO_LARGE),
        ] {
            assert_eq!(text.parse::<PathRegex>().unwrap_err().to_string(), message, "{text}");
        }
        for text in ["", r"^/\w+/\d{1,20}\.(?i:jpe?g|PNG)$", "^/[0-9a-f]{64}/"] {
            assert_eq!(text.parse::<PathRegex>().unwrap().as_str(), text);
        }
    }
}
