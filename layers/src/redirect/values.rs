//! The values of the placeholders for a request.

use std::borrow::Cow;

use http::{Request, Uri};

use super::Placeholder;
#[cfg(feature = "regex")]
use crate::route::{Captures, PathRegex};
use crate::{
    client_scheme::client_scheme,
    conn::Scheme,
    host::{self, HostName},
    route::PathPrefix,
};

/// The prefixes and the regex that split a path into values.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Sources {
    pub(super) prefixes: Vec<PathPrefix>,
    #[cfg(feature = "regex")]
    pub(super) regex: Option<PathRegex>,
}

impl Sources {
    pub(crate) fn prefix(mut self, prefix: PathPrefix) -> Self {
        self.prefixes.push(prefix);
        self
    }

    #[cfg(feature = "regex")]
    pub(crate) fn regex(self, regex: PathRegex) -> Self {
        Self { regex: Some(regex), ..self }
    }
}

/// The parts of a request, as the client sent them.
#[derive(Debug)]
pub(super) struct Values<'a> {
    scheme: Scheme,
    /// `None` if the request has no valid host.
    host: Option<HostName>,
    path: &'a str,
    pub(super) query: &'a str,
    /// The path below the prefix, without its leading slash.
    rest: &'a str,
    #[cfg(feature = "regex")]
    captures: Option<Captures<'a>>,
}

impl<'a> Values<'a> {
    pub(super) fn new<B>(request: &'a Request<B>, sources: &Sources) -> Self {
        Self::of_path(path(request.uri()), request, sources)
    }

    /// The values for another path; `None` if there is a regex that does not match it.
    pub(super) fn matching<B>(path: &'a str, request: &'a Request<B>, sources: &Sources) -> Option<Self> {
        let values = Self::of_path(path, request, sources);
        #[cfg(feature = "regex")]
        if sources.regex.is_some() && values.captures.is_none() {
            return None;
        }
        Some(values)
    }

    fn of_path<B>(path: &'a str, request: &'a Request<B>, sources: &Sources) -> Self {
        // The longest prefix leaves the shortest rest.
        let rests = sources.prefixes.iter().filter_map(|prefix| prefix.strip(path));
        let rest = rests.min_by_key(|rest| rest.len()).unwrap_or(path);
        Self {
            scheme: client_scheme(request).unwrap_or_else(|| of_uri(request.uri())),
            host: host::host_name(request).ok(),
            path,
            query: request.uri().query().unwrap_or_default(),
            rest: rest.strip_prefix('/').unwrap_or(rest),
            #[cfg(feature = "regex")]
            captures: sources.regex.as_ref().and_then(|regex| regex.captures(path)),
        }
    }

    #[cfg(feature = "regex")]
    fn capture(&self, group: usize) -> &str {
        self.captures.as_ref().and_then(|captures| captures.get(group)).unwrap_or_default()
    }

    #[cfg(not(feature = "regex"))]
    fn capture(&self, _: usize) -> &str {
        ""
    }

    /// Returns the value of a placeholder; `None` if it is the host and the request has no valid one.
    pub(super) fn get(&self, placeholder: Placeholder) -> Option<Cow<'_, str>> {
        Some(Cow::Borrowed(match placeholder {
            Placeholder::Scheme => self.scheme.as_str(),
            Placeholder::Host => self.host.as_ref()?.as_str(),
            Placeholder::PathAndQuery if !self.query.is_empty() => {
                return Some(Cow::Owned(format!("{}?{}", self.path, self.query)));
            }
            Placeholder::Path | Placeholder::PathAndQuery => self.path,
            Placeholder::Query => self.query,
            Placeholder::Rest => self.rest,
            Placeholder::Capture(group) => self.capture(group),
        }))
    }
}

fn of_uri(uri: &Uri) -> Scheme {
    if uri.scheme() == Some(&http::uri::Scheme::HTTPS) { Scheme::Https } else { Scheme::Http }
}

/// Returns the path of a request, and `/` for `OPTIONS *` and CONNECT, whose targets could become part of a host.
fn path(uri: &Uri) -> &str {
    let path = uri.path();
    if path.starts_with('/') { path } else { "/" }
}
