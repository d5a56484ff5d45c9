//! The keys that the tables of the file may have. The check for unknown keys, relative paths, inheritance and the JSON
//! Schema all use them.

use super::Kind;

/// A key of a table in the file.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Key {
    /// The key.
    pub(crate) name: &'static str,
    /// What its value looks like.
    pub(crate) shape: Shape,
    /// Its role in a route.
    pub(crate) part: Part,
    /// One line about it.
    pub(crate) help: &'static str,
    /// Whether its table needs it.
    pub(crate) is_required: bool,
}

/// What the value of a key looks like.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Shape {
    /// One value.
    One(Kind),
    /// A value, or a list of them.
    OneOrMore(Kind),
    /// A table with these keys.
    Table(&'static [Key]),
    /// `[[key]]`, with these keys.
    Tables(&'static [Key]),
    /// A table with any keys, such as names.
    Named(&'static Shape),
    /// One of these.
    Either(&'static [Shape]),
}

impl Shape {
    /// The keys of the table that the value is, or may be.
    pub(crate) fn table(self) -> Option<&'static [Key]> {
        match self {
            Self::Table(keys) => Some(keys),
            Self::Either(shapes) => shapes.iter().find_map(|shape| shape.table()),
            _ => None,
        }
    }
}

/// The role of a key in a route.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Part {
    /// Which requests the route is for. A child replaces the whole path of its parent.
    Match,
    /// How they are answered. An answer of a child replaces that of its parent.
    Answer,
    /// Anything else. A child inherits it, and `[defaults]` may hold it.
    Setting,
    /// Never inherited.
    Own,
    /// Planned, but not available in this version.
    Planned,
}

impl Key {
    const fn new(name: &'static str, part: Part, shape: Shape, help: &'static str) -> Self {
        Self { name, shape, part, help, is_required: false }
    }

    const fn required(self) -> Self {
        Self { is_required: true, ..self }
    }

    const fn planned(name: &'static str) -> Self {
        Self::new(name, Part::Planned, Shape::One(Kind::Switch), "Not available in this version")
    }

    /// A key of a table whose keys have no roles.
    const fn inner(name: &'static str, shape: Shape, help: &'static str) -> Self {
        Self::new(name, Part::Setting, shape, help)
    }
}

const SWITCH: Shape = Shape::One(Kind::Switch);
const DURATION: Shape = Shape::One(Kind::Duration);
const MAX_AGE: Shape = Shape::One(Kind::MaxAge);
const FILE: Shape = Shape::One(Kind::File);
const STATUS: Shape = Shape::One(Kind::Within(200, 599));

const fn text(name: &'static str) -> Shape {
    Shape::One(Kind::Text(name))
}

const fn texts(name: &'static str) -> Shape {
    Shape::OneOrMore(Kind::Text(name))
}

/// The keys of `[[certificates]]`.
pub(crate) const CERTIFICATE: &[Key] = &[
    Key::inner("cert", FILE, "The certificate chain, in PEM").required(),
    Key::inner("key", FILE, "Its private key, in PEM").required(),
];

/// The keys of `[listeners.NAME]`.
pub(crate) const LISTENER: &[Key] = &[
    Key::inner("port", Shape::One(Kind::Port), "A number, 0 to let the kernel pick one, or \"off\"").required(),
    Key::inner("tls", SWITCH, "Whether clients use TLS"),
    Key::inner(
        "bind",
        Shape::OneOrMore(Kind::Text("IP")),
        "Addresses to listen on; default: those of the `bind` setting",
    ),
    Key::inner("h2c", Shape::One(Kind::Choice(&["off", "silent", "open"])), "HTTP/2 without TLS, as in http_h2c"),
];

/// The keys of `tls`.
pub(crate) const TLS: &[Key] = &[
    Key::inner("ca", FILE, "The authority that issued the upstreams' certificates, or the upstream's own, in PEM"),
    Key::inner("server_name", text("NAME"), "The name or address that the upstreams' certificates must be valid for"),
    Key::inner("cert", FILE, "The certificate that pmesh presents to the upstreams, in PEM"),
    Key::inner("key", FILE, "The private key of that certificate, in PEM"),
    Key::inner("skip_verify", SWITCH, "Whether to accept any certificate from the upstreams, which is insecure"),
];

/// The keys of `match`.
pub(crate) const MATCH: &[Key] = &[
    Key::inner(
        "headers",
        Shape::Named(&Shape::Either(&[text("VALUE"), SWITCH])),
        "Headers that a request must have: a value, which may begin or end with *, or true for any value",
    ),
    Key::inner(
        "query",
        Shape::Named(&Shape::Either(&[text("VALUE"), SWITCH])),
        "Parameters that the query must have: a value, which may begin or end with *, or true for any value",
    ),
    Key::inner(
        "clients",
        texts("CIDR"),
        "Addresses and networks of clients; \"private\" stands for all private networks",
    ),
    Key::inner("upgrade", text("PROTOCOL"), "The protocol that a request must ask to upgrade to, such as websocket"),
];

/// The keys of `redirect`.
pub(crate) const REDIRECT: &[Key] = &[
    Key::inner(
        "to",
        text("URL"),
        "The target; it may contain {path_and_query}, {path}, {query}, {host}, {scheme}, {*} and {1}",
    )
    .required(),
    Key::inner("status", Shape::One(Kind::Numbers(&[301, 302, 303, 307, 308])), "301, 302, 303, 307 or 308"),
];

/// The keys of `respond`.
pub(crate) const RESPOND: &[Key] = &[
    Key::inner("status", STATUS, "The status, from 200 to 599"),
    Key::inner("body", text("TEXT"), "The body"),
    Key::inner("content_type", text("TYPE"), "Default: application/json if the body is JSON, else text/plain"),
];

/// The keys of `hsts`.
pub(crate) const HSTS: &[Key] = &[
    Key::inner("max_age", MAX_AGE, "How long browsers use https only"),
    Key::inner("include_subdomains", SWITCH, "Whether this includes all names below the host"),
    Key::inner("preload", SWITCH, "Whether browsers may put the host on their preload lists"),
];

const RESPONSE_TIMEOUT: &str = "How long a request may wait for the head of its response, over all endpoints";

macro_rules! route_keys {
    ($($more:expr),* $(,)?) => {
        &[
            Key::new("name", Part::Own, text("NAME"), "The name of the route in logs and reports; default: host and path"),
            Key::new("host", Part::Match, texts("HOST"), "A name, *.example.com for all names below it, or a list").required(),
            Key::new("path", Part::Match, texts("PATH"), "The exact path, or a list"),
            Key::new("prefix", Part::Match, texts("PREFIX"),
                "What the path must start with, in whole segments, or a list; default: /"),
            Key::new("path_regex", Part::Match, text("REGEX"),
                "A regular expression for the path; with prefix, for paths below it"),
            Key::new("methods", Part::Match, Shape::OneOrMore(Kind::Method), "The methods; GET includes HEAD; default: all"),
            Key::new("match", Part::Match, Shape::Table(MATCH), "What else a request must have"),
            Key::new("listeners", Part::Setting, texts("NAME"), "The listeners that serve it; default: http and https"),

            Key::new("upstream", Part::Answer, texts("ADDRESS"),
                "Where requests go: name:port, address:port, https://name, h2c://name:port, h2://name, \
                 unix:/run/app.sock, mesh://node, or a list"),
            Key::new("redirect", Part::Answer, Shape::Either(&[text("URL"), Shape::Table(REDIRECT)]), "Redirects elsewhere"),
            Key::new("respond", Part::Answer,
                Shape::Either(&[STATUS, Shape::One(Kind::Choice(&["silence"])), Shape::Table(RESPOND)]),
                "Responds with a status, or with silence: the connection is closed without a byte"),
            Key::planned("files"),

            Key::planned("allow"),
            Key::planned("deny"),
            Key::planned("maintenance"),
            Key::planned("cors"),
            Key::planned("rate_limit"),
            Key::planned("max_in_flight"),
            Key::planned("basic_auth"),
            Key::planned("forward_auth"),
            Key::planned("jwt"),
            Key::new("strip_prefix", Part::Setting, SWITCH,
                "Whether to remove the prefix from the path that the upstream sees, and send X-Forwarded-Prefix"),
            Key::planned("rewrite"),
            Key::planned("add_prefix"),
            Key::planned("request_headers"),
            Key::planned("response_headers"),
            Key::new("redirect_https", Part::Setting, SWITCH, "Whether requests without TLS are redirected to https"),
            Key::new("hsts", Part::Setting, Shape::Either(&[MAX_AGE, Shape::Table(HSTS)]),
                "Tells browsers to use https only, for this long (Strict-Transport-Security)"),
            Key::planned("error_pages"),
            Key::planned("compress"),
            Key::planned("buffer"),
            Key::planned("mirror"),

            Key::new("allow_ambiguous_paths", Part::Setting, SWITCH,
                "Whether to forward paths that the upstream may read as a path of another route, such as //admin"),
            Key::new("host_header", Part::Setting, text("HOST"), "The Host header that the upstream gets; default: the client's"),
            Key::new("tls", Part::Setting, Shape::Table(TLS), "TLS settings for connections to the upstreams"),
            Key::new("connect_timeout", Part::Setting, DURATION, "How long a request may spend on connecting, over all endpoints"),
            Key::new("response_timeout", Part::Setting, DURATION, RESPONSE_TIMEOUT),
            Key::new("stall_timeout", Part::Setting, DURATION,
                "How long a request may go without progress in either direction once its response has begun"),
            Key::new("stream_timeout", Part::Setting, DURATION,
                "How long a tunnel, an event stream or a gRPC stream may be idle"),
            Key::new("max_body", Part::Setting, Shape::One(Kind::SizeLimit), "Maximum size of a request body, such as \"10MiB\", or \"off\""),
            $($more),*
        ]
    };
}

/// The keys of `[[routes.routes]]`.
pub(crate) const CHILD_ROUTE: &[Key] = route_keys!();

/// The keys of `[[routes]]`.
pub(crate) const ROUTE: &[Key] = route_keys!(Key::new(
    "routes",
    Part::Own,
    Shape::Tables(CHILD_ROUTE),
    "Child routes, which inherit everything that they do not set themselves",
));

/// The shape of `[redirects]`.
pub(crate) const REDIRECTS: Shape = Shape::Named(&Shape::Either(&[text("URL"), Shape::Table(REDIRECT)]));

/// The key of a table.
pub(crate) fn key(keys: &'static [Key], name: &str) -> Option<&'static Key> {
    keys.iter().find(|key| key.name == name)
}

impl Kind {
    /// What its value looks like in the file.
    pub(crate) fn shape(self) -> Shape {
        match self {
            Self::Routes => Shape::Tables(ROUTE),
            Self::Defaults => Shape::Table(CHILD_ROUTE),
            Self::Redirects => REDIRECTS,
            Self::Listeners => Shape::Named(&Shape::Table(LISTENER)),
            Self::Certificates => Shape::Tables(CERTIFICATE),
            Self::Peers => Shape::Named(&Shape::One(Self::Text("HOST:PORT"))),
            Self::Addresses | Self::Networks | Self::Include => Shape::OneOrMore(self),
            _ => Shape::One(self),
        }
    }
}

/// The message about a planned key.
pub(crate) fn planned(name: &str) -> String {
    format!("`{name}` is planned, but not available in this version")
}
