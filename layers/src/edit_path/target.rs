use std::{fmt, str::FromStr};

use super::InvalidRewrite;
use crate::{
    redirect::RedirectTarget,
    route::{InvalidPath, readings},
};

/// A path, with placeholders for parts of the request, and perhaps a query.
///
/// The placeholders are those of a [redirect](crate::redirect#targets). `$1` is another way to write `{1}`. A target
/// without a query keeps the query of the request.
///
/// The path must have a single reading: no dot segments, `//` or `;`, and percent-encoding only of characters that need it.
///
/// ```
/// use pmesh_layers::edit_path::RewriteTarget;
///
/// assert!("/users/{1}?full".parse::<RewriteTarget>().is_ok());
/// let error = "users/{1}".parse::<RewriteTarget>().unwrap_err();
/// assert_eq!(error.to_string(), "a path begins with a slash: write \"/users/{1}\"");
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RewriteTarget {
    /// As written.
    text: Box<str>,
    pub(super) target: RedirectTarget,
}

impl RewriteTarget {
    /// Whether it contains `{*}`, which is the whole path unless there is a prefix.
    pub fn contains_rest(&self) -> bool {
        self.target.contains_rest()
    }

    /// The highest number among `{1}`, `{2}` and so on; the regex must have this many groups.
    pub fn highest_capture(&self) -> Option<usize> {
        self.target.highest_capture()
    }
}

impl FromStr for RewriteTarget {
    type Err = InvalidRewrite;

    fn from_str(text: &str) -> Result<Self, InvalidRewrite> {
        if text.contains("://") {
            return Err(InvalidRewrite::Url);
        }
        if text.contains('#') {
            return Err(InvalidRewrite::Fragment);
        }
        if text.starts_with("//") {
            return Err(InvalidRewrite::Path(InvalidPath::Ambiguous));
        }
        if !text.starts_with('/') && !text.starts_with("{path") {
            let with_slash = format!("/{text}");
            let is_meant = with_slash.parse::<Self>().is_ok();
            return Err(InvalidRewrite::NotAbsolute { hint: is_meant.then(|| with_slash.into()) });
        }
        let target: RedirectTarget = with_braces(text).parse()?;
        if !readings::is_only(&target.path_with("x")) {
            return Err(InvalidRewrite::Path(InvalidPath::Ambiguous));
        }
        Ok(Self { text: text.into(), target })
    }
}

/// Writes `$1` as `{1}`.
fn with_braces(text: &str) -> String {
    let mut pieces = text.split('$');
    let mut written = String::from(pieces.next().unwrap_or_default());
    for piece in pieces {
        let end = piece.find(|letter: char| !letter.is_ascii_digit()).unwrap_or(piece.len());
        let (number, rest) = piece.split_at(end);
        match number {
            "" => written.extend(["$", rest]),
            _ => written.extend(["{", number, "}", rest]),
        }
    }
    written
}

impl fmt::Display for RewriteTarget {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_error_of_an_invalid_target_says_what_to_write() {
        const ONE_READING: &str = "the path of a route must be unambiguous: no dot segments";

        for (text, expected) in [
            ("new/$1", "a path begins with a slash: write \"/new/$1\""),
            ("", "a path begins with a slash: write \"/\""),
            ("?x=1", "a path begins with a slash: write \"/?x=1\""),
            ("https://a.test/x", "a rewrite only changes the path: write a path such as /new/{*}"),
            ("{scheme}://a.test/x", "a rewrite only changes the path"),
            ("//a.test/x", ONE_READING),
            ("/a/../b", ONE_READING),
            ("/a//{1}", ONE_READING),
            ("/{1}/./x", ONE_READING),
            ("/a;b", ONE_READING),
            ("/a%2Fb", ONE_READING),
            ("/%61", ONE_READING),
            ("/a#b", "a `#` begins a fragment"),
            ("/{uri}", "there is no placeholder {uri}: write {path_and_query}"),
            ("/$uri", "$uri is not a placeholder here: write {path}"),
            ("/$0", "there is no placeholder {0}"),
            ("/a b", "' ' is not allowed in a URL"),
            ("/new{*}", "{*} does not include the leading slash: write /{*}"),
        ] {
            let error = text.parse::<RewriteTarget>().unwrap_err().to_string();
            assert!(error.starts_with(expected), "{text}: {error}");
        }
    }

    #[test]
    fn groups_have_two_spellings() {
        for (text, same) in
            [("/new/$1", "/new/{1}"), ("/$2-$10x?a=$1", "/{2}-{10}x?a={1}"), ("{path}.html", "{path}.html")]
        {
            let (target, same): (RewriteTarget, RewriteTarget) = (text.parse().unwrap(), same.parse().unwrap());
            assert_eq!(target.target.highest_capture(), same.target.highest_capture(), "{text}");
            assert_eq!(target.to_string(), text);
        }
    }
}
