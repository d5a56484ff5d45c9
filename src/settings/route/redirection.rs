//! Redirects: the `redirect` of a route, and the table `[redirects]`.

use std::fmt;

use figment::value::Value;
use http::StatusCode;
use pmesh_layers::{
    host::HostPattern,
    redirect::RedirectTarget,
    route::{ExactPath, PathPrefix, RoutePath},
};

use super::Place;
use crate::config::{Node, Parse, Problems, REDIRECT_KEYS, Reason, because, text};

/// A redirect.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Redirection {
    /// The template of the target.
    pub to: RedirectTarget,
    /// 301, 302, 303, 307 or 308.
    pub status: StatusCode,
}

impl Redirection {
    /// Reads a target, or a table with a target and a status.
    pub(super) fn read(node: &Node<'_>, problems: &mut Problems) -> Option<Self> {
        if node.value.as_dict().is_none() {
            return Some(Self { to: node.read(problems)?, status: StatusCode::PERMANENT_REDIRECT });
        }
        let Some(to) = node.field("to") else {
            node.lacks("no target: write to = \"https://example.com\"", REDIRECT_KEYS, problems);
            return None;
        };
        let status = match node.field("status") {
            Some(status) => status.read(problems).map(|RedirectStatus(status)| status),
            None => Some(StatusCode::PERMANENT_REDIRECT),
        };
        Some(Self { to: to.read(problems)?, status: status? })
    }

    /// Whether it leads to the same path in another case on the same host, or to a path below that. Then the path in the other
    /// case is a page of its own, not a way around the redirect.
    pub fn changes_only_case(&self, from: &Place<'_>) -> bool {
        let target = self.to.to_string();
        let path = match target.split_once("://") {
            Some((_, rest)) => {
                let (host, path) = rest.split_at(rest.find('/').unwrap_or(rest.len()));
                Some(path).filter(|_| host == "{host}" || host == from.host.to_string())
            }
            None => Some(&*target),
        };
        let Some(path) = path.map(str::to_ascii_lowercase) else { return false };
        let fixed = path.split(['{', '?', '#']).next().unwrap_or_default();
        match from.path {
            RoutePath::Exact(exact) => {
                fixed == exact.as_str().to_ascii_lowercase() && !path[fixed.len()..].starts_with('{')
            }
            RoutePath::Prefix(prefix) if *prefix != PathPrefix::root() => {
                let prefix = prefix.as_str().to_ascii_lowercase();
                fixed.strip_prefix(&prefix).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
            }
            _ => false,
        }
    }
}

impl fmt::Display for Redirection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.status.as_u16(), self.to)
    }
}

impl Parse for RedirectTarget {
    const EXPECTED: &'static str = "a URL such as https://example.com, or a path such as /new/{*}";

    fn parse(value: &Value) -> Result<Self, Reason> {
        text(value)?.parse().map_err(because)
    }
}

struct RedirectStatus(StatusCode);

impl Parse for RedirectStatus {
    const EXPECTED: &'static str = "301, 302, 303, 307 or 308";

    fn parse(value: &Value) -> Result<Self, Reason> {
        let status = value.to_u128().filter(|status| matches!(status, 301 | 302 | 303 | 307 | 308));
        status.and_then(|status| StatusCode::from_u16(status.try_into().ok()?).ok()).map(Self).ok_or(None)
    }
}

/// A key of `[redirects]`: a host, a host with an exact path, or a host with a prefix.
#[derive(Debug)]
pub(super) struct From {
    pub(super) host: HostPattern,
    pub(super) path: RoutePath,
}

impl Parse for From {
    const EXPECTED: &'static str =
        "a host such as example.com, or a host with a path, such as example.com/old or example.com/old/*";

    fn parse(value: &Value) -> Result<Self, Reason> {
        let text = text(value)?;
        if text.contains("://") {
            return Err(Some("write it without the scheme".into()));
        }
        if text.contains("${") {
            return Err(Some(
                "a key cannot contain variables: write [[routes]] with `host` and `redirect` instead".into(),
            ));
        }
        if text.starts_with('/') {
            return Err(Some(format!("the host is missing: write \"example.com{text}\"")));
        }
        let (host, path) = text.split_at(text.find('/').unwrap_or(text.len()));
        let host = HostPattern::parse(&host.into())?;
        let path = match path.strip_suffix("/*") {
            None if path.is_empty() => PathPrefix::root().into(),
            Some("") => PathPrefix::root().into(),
            Some(prefix) => PathPrefix::parse(&prefix.into())?.into(),
            None => ExactPath::parse(&path.into())?.into(),
        };
        Ok(Self { host, path })
    }
}
