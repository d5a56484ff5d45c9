use std::fmt;

use http::{HeaderName, HeaderValue, Method, Request};
use ipnet::IpNet;

use super::{
    Methods, ValuePattern,
    parts::{Parts, has_parameter, has_value},
};
use crate::forwarded::ClientAddr;

/// The conditions of a route, in addition to host and path. All of them must hold.
///
/// Clients can send any headers and any query. Use conditions on these to choose a backend, not to protect one.
///
/// ```
/// use http::{Method, Request};
/// use pmesh_layers::route::Conditions;
///
/// let events = Conditions::new().methods([Method::GET]).header("accept".parse()?, "text/event-stream");
/// let request = Request::get("/").header("accept", "text/event-stream;q=0.9, */*").body(())?;
/// assert!(events.matches(&request));
/// assert!(!events.matches(&Request::get("/").body(())?));
/// # Ok::<_, Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash)]
pub struct Conditions {
    /// Empty for any.
    methods: Methods,
    /// Sorted and without duplicates, so that equal conditions compare as equal.
    headers: Vec<(HeaderName, ValuePattern)>,
    query: Vec<(Box<str>, ValuePattern)>,
    /// Empty for any.
    clients: Vec<IpNet>,
    /// In lower case.
    upgrade: Option<Box<str>>,
}

impl Conditions {
    /// Creates conditions that match any request.
    pub fn new() -> Self {
        Self::default()
    }

    /// Requires one of these methods. GET includes HEAD.
    ///
    /// OPTIONS must be listed like any other method. Browsers send it before some cross-origin requests (as a CORS
    /// preflight). An empty list allows all methods.
    #[must_use]
    pub fn methods(self, methods: impl IntoIterator<Item = Method>) -> Self {
        Self { methods: methods.into_iter().collect(), ..self }
    }

    /// Requires a header with a matching value. Further calls add further requirements.
    ///
    /// The pattern is compared with each whole value, with each element of a comma-separated list, and with each
    /// element up to its first `;`. So `text/html` matches `Accept: application/xml, text/html;q=0.9`. Values are
    /// case-sensitive.
    #[must_use]
    pub fn header(mut self, name: HeaderName, pattern: impl Into<ValuePattern>) -> Self {
        self.headers.push((name, pattern.into()));
        self.headers.sort_unstable_by(|(one, of_one), (other, of_other)| {
            (one.as_str(), of_one).cmp(&(other.as_str(), of_other))
        });
        self.headers.dedup();
        self
    }

    /// Requires a query parameter with a matching value. Further calls add further requirements.
    ///
    /// Names and values are decoded as in a form (`application/x-www-form-urlencoded`). A parameter without `=` has an
    /// empty value.
    #[must_use]
    pub fn query(mut self, name: &str, pattern: impl Into<ValuePattern>) -> Self {
        self.query.push((name.into(), pattern.into()));
        self.query.sort_unstable();
        self.query.dedup();
        self
    }

    /// Requires the client's address, as returned by [`ClientAddr::from_extensions`], to be in one of these networks. A
    /// request without an address does not match. An empty list allows all clients.
    #[must_use]
    pub fn clients(self, networks: impl IntoIterator<Item = IpNet>) -> Self {
        let mut clients: Vec<_> = networks.into_iter().map(|network| network.trunc()).collect();
        clients.sort_unstable();
        clients.dedup();
        Self { clients, ..self }
    }

    /// Requires an upgrade to this protocol, such as `websocket` (RFC 9110, 7.8). The name is case-insensitive.
    ///
    /// Inside an `ExtendedConnectLayer`, this includes upgrades over HTTP/2. Their method is GET, as in HTTP/1.1.
    #[must_use]
    pub fn upgrade(self, protocol: &str) -> Self {
        Self { upgrade: Some(protocol.to_ascii_lowercase().into()), ..self }
    }

    /// Whether there are no conditions.
    pub fn is_empty(&self) -> bool {
        self.methods.is_empty() && !self.has_others()
    }

    /// Whether a request meets all conditions.
    pub fn matches<B>(&self, request: &Request<B>) -> bool {
        self.hold(&Parts::from_request(request))
    }

    /// Whether all requests that meet `other` also meet these conditions. Returns `false` if in doubt.
    ///
    /// ```
    /// use http::Method;
    /// use pmesh_layers::route::Conditions;
    ///
    /// let any = Conditions::new();
    /// let get = any.clone().methods([Method::GET]);
    /// assert!(any.covers(&get) && !get.covers(&any));
    /// assert!(get.covers(&get.clone().query("page", "*")));
    /// ```
    pub fn covers(&self, other: &Self) -> bool {
        (self.methods.is_empty() || (!other.methods.is_empty() && self.methods.is_superset(&other.methods)))
            && all_cover(&self.headers, &other.headers)
            && all_cover(&self.query, &other.query)
            && (self.clients.is_empty() || (!other.clients.is_empty() && contain(&self.clients, &other.clients)))
            && (self.upgrade.is_none() || self.upgrade == other.upgrade)
    }

    /// The required methods; empty for any.
    pub(super) fn required_methods(&self) -> &Methods {
        &self.methods
    }

    /// Whether there are conditions other than methods.
    pub fn has_others(&self) -> bool {
        !(self.headers.is_empty() && self.query.is_empty() && self.clients.is_empty() && self.upgrade.is_none())
    }

    /// The first condition that a request does not meet; `None` if it meets all.
    ///
    /// ```
    /// use http::{Method, Request};
    /// use pmesh_layers::route::Conditions;
    ///
    /// let events = Conditions::new().methods([Method::GET]).header("accept".parse()?, "text/event-stream");
    /// let unmet = |request: &Request<()>| events.unmet(request).map(|unmet| unmet.to_string());
    /// assert_eq!(unmet(&Request::post("/").body(())?).as_deref(), Some("GET, HEAD"));
    /// assert_eq!(unmet(&Request::get("/").body(())?).as_deref(), Some("header accept: text/event-stream"));
    /// assert_eq!(unmet(&Request::get("/").header("accept", "text/event-stream").body(())?), None);
    /// # Ok::<_, Box<dyn std::error::Error>>(())
    /// ```
    pub fn unmet<B>(&self, request: &Request<B>) -> Option<Unmet<'_>> {
        self.first_unmet(&Parts::from_request(request))
    }

    pub(super) fn hold(&self, parts: &Parts<'_>) -> bool {
        self.first_unmet(parts).is_none()
    }

    /// Whether the conditions other than methods hold.
    pub(super) fn others_hold(&self, parts: &Parts<'_>) -> bool {
        self.first_other_unmet(parts).is_none()
    }

    pub(super) fn first_unmet(&self, parts: &Parts<'_>) -> Option<Unmet<'_>> {
        if !self.methods.is_empty() && !self.methods.contains(parts.method) {
            return Some(Unmet::Method(&self.methods));
        }
        self.first_other_unmet(parts)
    }

    fn first_other_unmet(&self, parts: &Parts<'_>) -> Option<Unmet<'_>> {
        let has_header = |(name, pattern): &(HeaderName, ValuePattern)| {
            let values = parts.headers.into_iter().flat_map(|headers| headers.get_all(name));
            values.map(HeaderValue::as_bytes).any(|value| has_value(value, pattern))
        };
        let has_query = |(name, pattern): &(Box<str>, ValuePattern)| has_parameter(parts.query(), name, pattern);
        if let Some((name, pattern)) = self.headers.iter().find(|header| !has_header(header)) {
            return Some(Unmet::Header(name, pattern));
        }
        if let Some((name, pattern)) = self.query.iter().find(|parameter| !has_query(parameter)) {
            return Some(Unmet::Query(name, pattern));
        }
        if !self.clients.is_empty() && !self.is_from_client(parts) {
            return Some(Unmet::Client(&self.clients));
        }
        let protocol = self.upgrade.as_deref().filter(|protocol| !parts.request_upgrade(protocol));
        protocol.map(Unmet::Upgrade)
    }

    fn is_from_client(&self, parts: &Parts<'_>) -> bool {
        let client = parts.extensions.and_then(ClientAddr::from_extensions);
        client.is_some_and(|client| self.clients.iter().any(|network| network.contains(&client.ip())))
    }
}

/// Whether a request that meets all of `narrow` also meets all of `wide`.
fn all_cover<N: PartialEq>(wide: &[(N, ValuePattern)], narrow: &[(N, ValuePattern)]) -> bool {
    wide.iter().all(|(name, wide)| narrow.iter().any(|(other, narrow)| name == other && wide.covers(narrow)))
}

/// Whether each network of `narrow` is inside one of `wide`.
fn contain(wide: &[IpNet], narrow: &[IpNet]) -> bool {
    narrow.iter().all(|narrow| wide.iter().any(|wide| wide.contains(narrow)))
}

/// For example `POST, header accept: text/html, upgrade websocket`; empty without conditions.
impl fmt::Display for Conditions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let methods = (!self.methods.is_empty()).then_some(Unmet::Method(&self.methods));
        let clients = (!self.clients.is_empty()).then_some(Unmet::Client(&self.clients));
        let conditions = (methods.into_iter())
            .chain(self.headers.iter().map(|(name, pattern)| Unmet::Header(name, pattern)))
            .chain(self.query.iter().map(|(name, pattern)| Unmet::Query(name, pattern)))
            .chain(clients)
            .chain(self.upgrade.as_deref().map(Unmet::Upgrade));
        for (index, condition) in conditions.enumerate() {
            let comma = if index == 0 { "" } else { ", " };
            write!(f, "{comma}{condition}")?;
        }
        Ok(())
    }
}

/// A condition that a request does not meet. Displayed as in [`Conditions`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Unmet<'a> {
    /// The method is none of these.
    Method(&'a Methods),
    /// No value of this header matches.
    Header(&'a HeaderName, &'a ValuePattern),
    /// No value of this query parameter matches.
    Query(&'a str, &'a ValuePattern),
    /// The client's address is in none of these networks, or unknown.
    Client(&'a [IpNet]),
    /// The client does not request an upgrade to this protocol.
    Upgrade(&'a str),
}

impl fmt::Display for Unmet<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Method(methods) => methods.fmt(f),
            Self::Header(name, pattern) => write!(f, "header {name}: {pattern}"),
            Self::Query(name, pattern) => write!(f, "query {name}={pattern}"),
            Self::Client(networks) => {
                let networks: Vec<_> = networks.iter().map(|network| format!("client {network}")).collect();
                f.write_str(&networks.join(", "))
            }
            Self::Upgrade(protocol) => write!(f, "upgrade {protocol}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use http::Version;

    use super::*;
    use crate::conn::ConnInfo;

    fn any() -> Conditions {
        Conditions::new()
    }

    fn header(name: &'static str, pattern: &str) -> Conditions {
        any().header(HeaderName::from_static(name), pattern)
    }

    fn clients(networks: &[&str]) -> Conditions {
        any().clients(networks.iter().map(|network| network.parse().unwrap()))
    }

    #[test]
    fn header_values_match_as_a_whole_or_by_element() {
        for (value, matching, others) in [
            ("text/html", &["text/html", "text/*", "*"][..], &["text", "TEXT/html", "", "html*"][..]),
            (
                "application/xml, text/html;q=0.9 ,*/*; q=0.1",
                &[
                    "application/xml",
                    "text/html",
                    "text/html;q=0.9",
                    "*xml, text*",
                    "application/xml, text/html;q=0.9 ,*/*; q=0.1",
                ],
                &["xml", "q=0.9", "", "text/html, */*"],
            ),
            ("\"a,b\";x=\"\\\";\", c", &["\"a,b\"", "c"], &["\"a", "b\"", "\""]),
            ("b\u{e9}ta", &["b*ta"][..0], &["beta"]),
            ("", &["", "*"], &["a"]),
        ] {
            let request = Request::get("/").header("x-a", value).body(()).unwrap();
            for pattern in matching {
                assert!(header("x-a", pattern).matches(&request), "{value}: {pattern}");
                assert!(!header("x-b", pattern).matches(&request), "{value}: {pattern}");
            }
            for pattern in others {
                assert!(!header("x-a", pattern).matches(&request), "{value}: {pattern}");
            }
        }
        let two = Request::get("/").header("x-a", "one").header("x-a", "two").body(()).unwrap();
        assert!(header("x-a", "two").matches(&two));
        assert!(header("x-a", "two").header(HeaderName::from_static("x-a"), "one").matches(&two));
        assert!(!header("x-a", "two").header(HeaderName::from_static("x-a"), "three").matches(&two));
    }

    #[test]
    fn query_parameters_are_decoded() {
        for (query, name, pattern, expected) in [
            ("?a=1&b=2", "b", "2", true),
            ("?a=1&b=2", "b", "1", false),
            ("?a=1&a=2", "a", "2", true),
            ("?a", "a", "", true),
            ("?a", "a", "*", true),
            ("?ab=1", "a", "*", false),
            ("", "a", "*", false),
            ("?", "a", "*", false),
            ("?%61=x%2By+z", "a", "x+y z", true),
            ("?a=%41bc", "a", "Ab*", true),
            ("?a=%41bc", "a", "*Bc", false),
            ("?a=x%C3%A9y", "a", "*é*", true),
            ("?a=%zz%", "a", "%zz%", true),
            ("?a=b=c", "a", "b=c", true),
            ("?a=1;b=2", "b", "2", false),
        ] {
            let request = Request::get(format!("/{query}")).body(()).unwrap();
            assert_eq!(any().query(name, pattern).matches(&request), expected, "{query} {name}={pattern}");
        }
    }

    #[test]
    fn clients_match_by_network() {
        let office = clients(&["10.0.0.0/8", "2001:db8::/32"]);
        for (peer, expected) in
            [("10.1.2.3", true), ("::ffff:10.1.2.3", true), ("2001:db8::1", true), ("192.0.2.1", false), ("::1", false)]
        {
            let info = ConnInfo::plain((peer.parse::<std::net::IpAddr>().unwrap(), 1).into());
            let request = Request::get("/").extension(info).body(()).unwrap();
            assert_eq!(office.matches(&request), expected, "{peer}");
        }
        assert!(!office.matches(&Request::new(())));
        assert!(clients(&[]).is_empty() && clients(&[]).matches(&Request::new(())));
    }

    #[test]
    fn upgrades_match_by_protocol() {
        let socket = any().upgrade("WebSocket");
        let request = |connection, upgrade, version| {
            let request =
                Request::get("/").header("connection", connection).header("upgrade", upgrade).version(version);
            request.body(()).unwrap()
        };
        for (connection, upgrade, version, expected) in [
            ("upgrade", "websocket", Version::HTTP_11, true),
            ("keep-alive, Upgrade", "chat, WebSocket", Version::HTTP_11, true),
            ("upgrade", "websocket", Version::HTTP_2, true),
            ("upgrade", "websocket/13", Version::HTTP_11, true),
            ("keep-alive", "websocket", Version::HTTP_11, false),
            ("upgrade", "websockets", Version::HTTP_11, false),
            // HTTP/1.0 has no upgrades (RFC 9110, 7.8).
            ("upgrade", "websocket", Version::HTTP_10, false),
        ] {
            let request = request(connection, upgrade, version);
            assert_eq!(socket.matches(&request), expected, "{connection} {upgrade} {version:?}");
        }
        assert!(!socket.matches(&Request::get("/").header("upgrade", "websocket").body(()).unwrap()));
    }

    #[test]
    fn conditions_are_equal_in_any_order() {
        let (a, b) = (HeaderName::from_static("a"), HeaderName::from_static("b"));
        let one = any().header(a.clone(), "1").header(b.clone(), "2").query("x", "1").query("y", "*");
        let other = any().query("y", "**").query("x", "1").header(b, "2").header(a.clone(), "1").header(a, "1");
        assert_eq!(one, other);
        assert_eq!(clients(&["10.0.0.1/8", "::/0"]), clients(&["::/0", "10.0.0.0/8", "10.0.0.0/8"]));
        assert_eq!(any().upgrade("WebSocket"), any().upgrade("websocket"));
        assert_eq!(any().methods([Method::HEAD, Method::GET]), any().methods([Method::GET]));
    }

    #[test]
    fn wider_conditions_cover_narrower_ones() {
        let get = any().methods([Method::GET]);
        for (wide, narrow) in [
            (any(), get.clone()),
            (any(), header("a", "1")),
            (get.clone(), any().methods([Method::HEAD])),
            (get.clone(), get.query("a", "1")),
            (header("a", "*"), header("a", "1").header(HeaderName::from_static("b"), "2")),
            (header("a", "x*"), header("a", "xy*")),
            (any().query("a", "*"), any().query("a", "")),
            (clients(&["10.0.0.0/8", "::/0"]), clients(&["10.1.0.0/16", "10.2.0.1/32", "::1/128"])),
            (any(), any().upgrade("websocket")),
        ] {
            assert!(wide.covers(&narrow) && wide.covers(&wide) && narrow.covers(&narrow), "{wide:?} {narrow:?}");
            assert!(!narrow.covers(&wide), "{narrow:?} {wide:?}");
        }
        assert!(!header("a", "1").covers(&any().query("a", "1")));
        assert!(!any().upgrade("websocket").covers(&any().upgrade("chat")));
    }
}
