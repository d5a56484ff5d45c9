//! The placeholders of a target.

use std::fmt;

/// All placeholders, for messages.
pub(super) const KNOWN: &str = "{scheme}, {host}, {path}, {query}, {path_and_query}, \
    {*} for the path below the prefix, and {1}, {2} … for the groups of a regex";

/// A part of the request that a target refers to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Placeholder {
    /// `{scheme}`: `http` or `https`.
    Scheme,
    /// `{host}`: the host, without a port.
    Host,
    /// `{path}`: the path, with its leading slash.
    Path,
    /// `{query}`: the query, without its question mark.
    Query,
    /// `{path_and_query}`: both, as the client sent them.
    PathAndQuery,
    /// `{*}`: the path below the prefix, without its leading slash.
    Rest,
    /// `{1}`, `{2}` and so on: a group of a regex.
    Capture(usize),
}

impl Placeholder {
    /// Parses the text between braces.
    pub(super) fn from_name(name: &str) -> Option<Self> {
        Some(match name {
            "scheme" => Self::Scheme,
            "host" => Self::Host,
            "path" => Self::Path,
            "query" => Self::Query,
            "path_and_query" => Self::PathAndQuery,
            "*" => Self::Rest,
            _ if name.starts_with(|first: char| matches!(first, '1'..='9')) => Self::Capture(name.parse().ok()?),
            _ => return None,
        })
    }

    /// Returns the placeholder for a name from nginx, Caddy or Traefik.
    pub(super) fn meant_by(name: &str) -> Option<Self> {
        Some(match name.strip_prefix("http.request.").unwrap_or(name) {
            "uri" | "orig_uri" | "request_uri" => Self::PathAndQuery,
            "uri.path" | "document_uri" => Self::Path,
            "uri.query" | "args" | "query_string" => Self::Query,
            "http_host" | "hostport" | "server_name" => Self::Host,
            name => Self::from_name(name.rsplit('.').next()?)?,
        })
    }
}

impl fmt::Display for Placeholder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Scheme => f.write_str("{scheme}"),
            Self::Host => f.write_str("{host}"),
            Self::Path => f.write_str("{path}"),
            Self::Query => f.write_str("{query}"),
            Self::PathAndQuery => f.write_str("{path_and_query}"),
            Self::Rest => f.write_str("{*}"),
            Self::Capture(group) => write!(f, "{{{group}}}"),
        }
    }
}
