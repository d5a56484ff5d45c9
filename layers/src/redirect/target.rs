use std::fmt;

use super::Placeholder;

/// The target of a redirect: a URL or a path, with placeholders for parts of the request.
///
/// See the [module](super#targets) for the placeholders.
///
/// ```
/// use pmesh_layers::redirect::RedirectTarget;
///
/// assert!("https://www.example.com{path_and_query}".parse::<RedirectTarget>().is_ok());
/// let error = "https://www.example.com{uri}".parse::<RedirectTarget>().unwrap_err();
/// assert!(error.to_string().starts_with("there is no placeholder {uri}: write {path_and_query};"));
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RedirectTarget {
    /// The target as written.
    pub(super) text: Box<str>,
    /// Scheme and host, if the target is a URL.
    pub(super) origin: Option<Pieces>,
    /// Begins with a slash for every request.
    pub(super) path: Pieces,
    /// Whether the query of the request is kept.
    pub(super) keeps_query: bool,
    /// Without its question mark.
    pub(super) query: Option<Pieces>,
    /// Without its hash sign.
    pub(super) fragment: Option<Pieces>,
}

/// Text and placeholders, in their order.
pub(super) type Pieces = Box<[Piece]>;

/// A part of a target.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Piece {
    Text(Box<str>),
    Value(Placeholder),
}

impl Piece {
    pub(super) fn placeholder(&self) -> Option<Placeholder> {
        if let Self::Value(placeholder) = self { Some(*placeholder) } else { None }
    }
}

impl RedirectTarget {
    /// Whether it contains `{*}`, which is the whole path unless there is a prefix.
    pub fn contains_rest(&self) -> bool {
        self.placeholders().any(|placeholder| placeholder == Placeholder::Rest)
    }

    /// The highest number among `{1}`, `{2}` and so on; the regex must have this many groups.
    pub fn highest_capture(&self) -> Option<usize> {
        let group = |placeholder| if let Placeholder::Capture(group) = placeholder { Some(group) } else { None };
        self.placeholders().filter_map(group).max()
    }

    /// Its path, with `value` for each placeholder.
    pub(crate) fn path_with(&self, value: &str) -> String {
        self.path.iter().map(|piece| if let Piece::Text(text) = piece { text } else { value }).collect()
    }

    /// Returns a target with `https`, this port, and the request's host, path and query.
    pub(crate) fn https(port: Option<u16>) -> Self {
        let port = port.map(|port| format!(":{port}")).unwrap_or_default();
        let (scheme, port) = (Piece::Text("https://".into()), Piece::Text(port.into()));
        Self {
            text: "https://{host}{path_and_query}".into(),
            origin: Some([scheme, Piece::Value(Placeholder::Host), port].into()),
            path: [Piece::Value(Placeholder::Path)].into(),
            keeps_query: true,
            query: None,
            fragment: None,
        }
    }

    fn placeholders(&self) -> impl Iterator<Item = Placeholder> {
        let parts = [self.origin.as_ref(), Some(&self.path), self.query.as_ref(), self.fragment.as_ref()];
        parts.into_iter().flatten().flatten().filter_map(Piece::placeholder)
    }
}

impl fmt::Display for RedirectTarget {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}
