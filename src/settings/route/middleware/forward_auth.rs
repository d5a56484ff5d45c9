//! `forward_auth`.

use std::time::Duration;

use figment::value::Value;
use http::{HeaderName, Uri, uri::PathAndQuery};

use crate::{
    config::{FORWARD_AUTH_KEYS, Node, Parse, Problems, Reason, because, text},
    settings::{
        endpoint::Endpoint,
        route::{Route, Scope, UpstreamTls, matchers::HeaderKey, tls},
    },
};

/// An authentication server, which pmesh asks about each request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ForwardAuth {
    /// Its address. Never another node or a service.
    pub server: Endpoint,
    /// The URL of requests to it. Its authority is their `Host`.
    pub url: Uri,
    /// Headers to copy from its answer to the request.
    pub copy_headers: Vec<HeaderName>,
    /// The time limit for its answer.
    pub timeout: Duration,
    /// TLS settings for connections to it.
    pub tls: UpstreamTls,
}

impl ForwardAuth {
    /// How long a request of `route` may spend connecting to it.
    pub fn connect_timeout(&self, route: &Route) -> Duration {
        route.connect_timeout.min(self.timeout)
    }
}

const EXAMPLE: &str = "{ url = \"http://127.0.0.1:9091/verify\" }";

/// Reads it. Returns `None` if it is invalid, and reports that.
pub(super) fn read(scope: &Scope<'_>, problems: &mut Problems) -> Option<Option<ForwardAuth>> {
    const TIMEOUT: Duration = Duration::from_secs(10);

    if let Some(node) = scope.field("forward_auth")
        && let Some(url) = node.value.as_str().filter(|url| node.references().is_none() && url.parse::<Url>().is_ok())
    {
        problems.push(node.problem(format!("write forward_auth = {{ url = {url:?} }}")));
        return None;
    }
    let Some(table) = scope.read_table("forward_auth", &format!("a table such as {EXAMPLE}"), problems)? else {
        return Some(None);
    };
    let Some(url) = table.field("url") else {
        table.own().lacks(format!("no url: write {EXAMPLE}"), FORWARD_AUTH_KEYS, problems);
        return None;
    };
    // All are read, so that all problems are reported.
    let read = url.read::<Url>(problems);
    let copy_headers = table.field("copy_headers").map_or(Some(Vec::new()), |node| names(&node, problems));
    let timeout = table.field("timeout").map_or(Some(TIMEOUT), |node| node.read(problems));
    let tls = match table.read_table("tls", "a table such as { ca = \"ca.pem\" }", problems) {
        Some(Some(tls)) => tls::read_keys(&tls, problems).map(|read| (read, Some(tls))),
        Some(None) => Some((UpstreamTls::default(), None)),
        None => None,
    };
    let (Url { server, url }, (tls, written)) = (read?, tls?);
    // A child with another url may inherit this.
    if let Some(written) = written.filter(|_| !server.is_tls() && table.own().field("tls").is_some()) {
        problems
            .push(written.own().problem("`tls` needs a server with TLS, but this url does not begin with https://"));
        return None;
    }
    Some(Some(ForwardAuth { server, url, copy_headers: copy_headers?, timeout: timeout?, tls }))
}

fn names(node: &Node<'_>, problems: &mut Problems) -> Option<Vec<HeaderName>> {
    let all = node.one_or_more();
    let names: Vec<_> = all.iter().filter_map(|one| one.read(problems).map(|Copied(name)| name)).collect();
    (names.len() == all.len()).then_some(names)
}

/// A header that can be copied.
struct Copied(HeaderName);

impl Parse for Copied {
    const EXPECTED: &'static str = "the name of a header, such as remote-user";

    fn parse(value: &Value) -> Result<Self, Reason> {
        let text = text(value)?;
        if text.contains('*') || text.contains('^') {
            return Err(Some("name each header".into()));
        }
        if let Some((from, _)) = text.split_once('>') {
            return Err(Some(format!("headers cannot be renamed: write {:?}", from.trim().to_ascii_lowercase())));
        }
        if text.contains([',', ' ']) {
            let names: Vec<_> = text.split([',', ' ']).filter(|name| !name.is_empty()).collect();
            return Err(Some(format!("for several headers, write {names:?}")));
        }
        let HeaderKey(name) = HeaderKey::parse(value)?;
        match reserved(name.as_str()) {
            Some(reason) => Err(Some(format!("it cannot be copied: {reason}"))),
            None => Ok(Self(name)),
        }
    }
}

/// Why a header cannot be copied.
fn reserved(name: &str) -> Option<&'static str> {
    // `X-Forwarded-User` and the like are not among these.
    const OF_CLIENT: [&str; 9] = ["for", "host", "method", "port", "prefix", "proto", "scheme", "server", "uri"];

    match name {
        "connection"
        | "expect"
        | "keep-alive"
        | "proxy-authenticate"
        | "proxy-authorization"
        | "proxy-connection"
        | "te"
        | "trailer"
        | "transfer-encoding"
        | "upgrade" => Some("it belongs to the connection"),
        "host" => Some("use host_header"),
        "set-cookie" => Some("the client gets it anyway"),
        "cdn-loop" | "forwarded" | "via" | "x-real-ip" | "x-request-id" => Some("pmesh sets it itself"),
        _ if name.starts_with("content-") => Some("it describes the body of the answer"),
        _ if name.starts_with("x-pmesh-") => Some("pmesh sets it itself"),
        _ if name.strip_prefix("x-forwarded-").is_some_and(|rest| OF_CLIENT.contains(&rest)) => {
            Some("pmesh sets it itself")
        }
        _ => None,
    }
}

/// The URL of the server.
#[derive(Debug)]
struct Url {
    server: Endpoint,
    url: Uri,
}

impl Parse for Url {
    const EXPECTED: &'static str = "a URL such as http://127.0.0.1:9091/verify";

    fn parse(value: &Value) -> Result<Self, Reason> {
        text(value)?.parse()
    }
}

impl std::str::FromStr for Url {
    type Err = Reason;

    fn from_str(text: &str) -> Result<Self, Reason> {
        if let Some(rest) = text.strip_prefix("unix:").or_else(|| text.strip_prefix("http://unix:")) {
            // As in nginx. Without a colon, the path is the root.
            let (socket, path) = rest.split_once(":/").unwrap_or((rest, ""));
            return Self::new(&format!("unix:{socket}"), "localhost", &format!("/{path}"));
        }
        let Some((scheme, rest)) = text.split_once("://") else {
            let with_scheme = format!("http://{text}");
            let is_valid = with_scheme.parse::<Self>().is_ok();
            return Err(is_valid.then(|| format!("the scheme is missing: write {with_scheme:?}")));
        };
        if scheme.eq_ignore_ascii_case("mesh") {
            return Err(Some("a node cannot be the authentication server: write the address of the server".into()));
        }
        if scheme.eq_ignore_ascii_case("service") {
            return Err(Some(
                "the authentication server cannot be a service in this version: write the URL of a program that pmesh \
                 does not run"
                    .into(),
            ));
        }
        let (authority, path) = rest.split_at(rest.find(['/', '?', '#']).unwrap_or(rest.len()));
        if let Some((_, host)) = authority.rsplit_once('@') {
            return Err(Some(format!(
                "it cannot have a user or password; the server gets the client's Authorization header: write \
                 {scheme}://{host}{path}"
            )));
        }
        Self::new(&format!("{scheme}://{authority}"), authority, path)
    }
}

impl Url {
    fn new(server: &str, host: &str, path: &str) -> Result<Self, Reason> {
        if path.contains('#') {
            return Err(Some("a server never gets the part after the #: remove it".into()));
        }
        if let Some(variable) = path.split(['{', '$']).nth(1) {
            let variable = variable.split(['}', '/', '&']).next().unwrap_or_default();
            return Err(Some(format!(
                "{variable} cannot be part of it; the server gets the original URL in X-Original-URL, and its parts in \
                 X-Forwarded-Proto, -Host and -Uri"
            )));
        }
        let server: Endpoint = server.parse().map_err(because)?;
        let path = if path.starts_with('/') { path.to_owned() } else { format!("/{path}") };
        let path: PathAndQuery = path.parse().map_err(because)?;
        let url = Uri::builder().scheme("http").authority(host.to_ascii_lowercase()).path_and_query(path).build();
        Ok(Self { server, url: url.map_err(because)? })
    }
}
