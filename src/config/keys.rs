//! The keys of each table in the file. The check for unknown keys, relative paths, inheritance and the JSON Schema all
//! use them.

use super::{
    Kind,
    shape::{Key, Role, Shape},
};

const SWITCH: Shape = Shape::One(Kind::Switch);
const DURATION: Shape = Shape::One(Kind::Duration);
const MAX_AGE: Shape = Shape::One(Kind::MaxAge);
const FILE: Shape = Shape::One(Kind::File);
const FOLDER: Shape = Shape::One(Kind::Directory);
const COUNT: Shape = Shape::One(Kind::Within(1, 1_000_000));
const STATUS: Shape = Shape::One(Kind::Within(200, 599));

const fn text(name: &'static str) -> Shape {
    Shape::One(Kind::Text(name))
}

const fn texts(name: &'static str) -> Shape {
    Shape::OneOrMore(Kind::Text(name))
}

/// The keys of `[services.NAME]`.
pub(crate) const SERVICE: &[Key] = &[
    Key::inner(
        "command",
        texts("WORD"),
        "The program and its arguments, as a list, in which {HOST}, {PORT}, {LISTEN}, {SOCKET}, {PMESH_SERVICE} and \
         {PMESH_INSTANCE} stand for the variables of each instance; or a line for /bin/sh, with $HOST and so on",
    )
    .required(),
    Key::inner("cwd", FOLDER, "The folder in which it runs; default: the folder of this file"),
    Key::inner(
        "env",
        Shape::Named(&text("VALUE")),
        "Environment variables, in addition to those of pmesh; pmesh itself sets HOST, PORT, LISTEN, PMESH_SERVICE and \
         PMESH_INSTANCE",
    ),
    Key::inner(
        "env_file",
        Shape::OneOrMore(Kind::File),
        "A file with more environment variables, one NAME=value a line, or a list; `env` wins, and so do the variables \
         that pmesh sets",
    ),
    Key::inner("user", text("NAME"), "The user to run as, which only root can choose; default: the user of pmesh"),
    Key::inner("instances", Shape::One(Kind::Within(1, 1000)), "Number of instances; default: 1"),
    Key::inner(
        "listen",
        Shape::One(Kind::Choice(&["address", "port", "unix"])),
        "What each instance listens on: an address of its own in subnet_service, with `port`; a port of its own, on \
         127.0.0.1 or on all addresses; or a Unix socket of its own; default: address",
    ),
    Key::inner(
        "port",
        Shape::One(Kind::Within(1, 65_535)),
        "The port of all instances, if each has an address of its own; default: 8080, or the next one if pmesh itself has that on all addresses",
    ),
    Key::inner(
        "protocol",
        Shape::One(Kind::Choice(&["http", "h2c"])),
        "What it speaks: HTTP/1.1, or HTTP/2 without TLS; default: http",
    ),
    Key::inner(
        "ready",
        Shape::Either(&[Shape::One(Kind::Choice(&["port", "started", "notify"])), text("/PATH")]),
        "When an instance gets requests: once it accepts connections (port); once it answers a GET of this path with a \
         status from 200 to 399; once it sends READY=1, as for systemd (notify); or once it has run for a second, for \
         programs that do not listen (started); default: port",
    ),
    Key::inner("start_timeout", DURATION, "How long an instance may take to become ready; default: 60s"),
    Key::inner(
        "wait_timeout",
        MAX_AGE,
        "How long requests wait while no instance is ready, before they get 503; default: 10s",
    ),
    Key::inner(
        "stop_signal",
        Shape::Either(&[text("SIGNAL"), Shape::One(Kind::Within(1, 31))]),
        "The signal that asks an instance to stop; default: SIGTERM",
    ),
    Key::inner("stop_timeout", DURATION, "How long an instance may take to stop before it is killed; default: 10s"),
    Key::inner(
        "restart",
        Shape::One(Kind::Choice(&["always", "on-failure", "never"])),
        "When an instance that has exited is started again: always; unless its status was 0 (on-failure); or never; \
         default: always",
    ),
    Key::inner(
        "max_backoff",
        DURATION,
        "The longest pause before an instance is started again; pauses begin at 100ms and double while it keeps \
         exiting; default: 30s",
    ),
    Key::inner("limits", Shape::Table(SERVICE_LIMITS), "What each instance may use"),
    Key::inner(
        "output",
        Shape::One(Kind::FileOr(&["log", "off"])),
        "Where its output goes: to pmesh's log; to the end of this file; or nowhere (off); default: log",
    ),
    Key::inner(
        "watch",
        Shape::Either(&[SWITCH, Shape::OneOrMore(Kind::File)]),
        "Files and folders whose changes restart the service, for development; true means `cwd`",
    ),
    Key::inner(
        "idle_stop",
        Shape::One(Kind::TimeLimit),
        "How long a service without requests keeps running; the next request starts it again; default: off",
    ),
];

/// The keys of `limits` in `[services.NAME]`.
pub(crate) const SERVICE_LIMITS: &[Key] = &[
    Key::inner("memory", Shape::One(Kind::Size), "Memory, such as \"512MiB\""),
    Key::inner("open_files", Shape::One(Kind::Within(16, 1_048_576)), "Open files and connections"),
    Key::inner("cpu", Shape::One(Kind::Processors), "Processors, such as 1.5"),
];

/// The keys of `[[certificates]]`.
pub(crate) const CERTIFICATE: &[Key] = &[
    Key::inner("cert", FILE, "The certificate chain, in PEM").required(),
    Key::inner("key", FILE, "Its private key, in PEM").required(),
];

/// The keys of `[listeners.NAME]`.
pub(crate) const LISTENER: &[Key] = &[
    Key::inner("port", Shape::One(Kind::Port), "The port: a number, 0 to let the kernel pick one, or \"off\"")
        .required(),
    Key::inner("tls", SWITCH, "Whether clients use TLS; default: false"),
    Key::inner("bind", Shape::OneOrMore(Kind::Text("IP")), "Addresses to listen on; default: the top-level `bind`"),
    Key::inner(
        "h2c",
        Shape::One(Kind::Choice(&["off", "silent", "open"])),
        "HTTP/2 without TLS, as in http_h2c; default: off",
    ),
];

/// The keys of `tls`.
pub(crate) const TLS: &[Key] = &[
    Key::inner(
        "ca",
        FILE,
        "The authority that issued the upstreams' certificates, or an upstream's self-signed certificate, in PEM; default: \
         the authorities that the system trusts",
    ),
    Key::inner(
        "server_name",
        text("NAME"),
        "The name or address that the upstreams' certificates must be valid for; default: the host of each upstream",
    ),
    Key::inner("cert", FILE, "The certificate that pmesh presents to the upstreams, in PEM"),
    Key::inner("key", FILE, "The private key of that certificate, in PEM"),
    Key::inner(
        "skip_verify",
        SWITCH,
        "Whether to accept any certificate from the upstreams, which is insecure; default: false",
    ),
];

/// The keys of `match`.
pub(crate) const MATCH: &[Key] = &[
    Key::inner(
        "headers",
        Shape::Named(&Shape::Either(&[text("VALUE"), SWITCH])),
        "Headers that the request must have; a value can begin or end with *, and true matches any value",
    ),
    Key::inner(
        "query",
        Shape::Named(&Shape::Either(&[text("VALUE"), SWITCH])),
        "Query parameters that the request must have; a value can begin or end with *, and true matches any value",
    ),
    Key::inner(
        "clients",
        texts("CIDR"),
        "Addresses and networks that the client must be in; \"private\" means all private, loopback and link-local networks",
    ),
    Key::inner("upgrade", text("PROTOCOL"), "The protocol that the request must ask to upgrade to, such as websocket"),
];

/// The keys of `redirect`.
pub(crate) const REDIRECT: &[Key] = &[
    Key::inner(
        "to",
        text("URL"),
        "The target; it can contain {path_and_query}, {path}, {query}, {host}, {scheme}, {*} and {1}",
    )
    .required(),
    Key::inner(
        "status",
        Shape::One(Kind::Numbers(&[301, 302, 303, 307, 308])),
        "The status: 301, 302, 303, 307 or 308; default: 308",
    ),
];

/// The keys of `rewrite`.
pub(crate) const REWRITE: &[Key] = &[
    Key::inner(
        "regex",
        text("REGEX"),
        "A regular expression for the paths to rewrite; default: all paths, with the groups of path_regex",
    ),
    Key::inner(
        "to",
        text("PATH"),
        "The new path; it can contain $1 or {1}, {*}, {path}, {query}, {path_and_query}, {host} and {scheme}",
    )
    .required(),
];

/// The keys of `respond`.
pub(crate) const RESPOND: &[Key] = &[
    Key::inner("status", STATUS, "The status, from 200 to 599; default: 200, if there is a body"),
    Key::inner("body", text("TEXT"), "The body"),
    Key::inner(
        "content_type",
        text("TYPE"),
        "The media type of the body; default: application/json if it is a JSON object or array, else text/plain",
    ),
];

/// The keys of `files`.
pub(crate) const FILES: &[Key] = &[
    Key::inner("root", FOLDER, "The folder with the files").required(),
    Key::inner("index", text("FILE"), "The name of the file to serve for a folder; default: index.html"),
    Key::inner(
        "spa",
        SWITCH,
        "Whether requests for missing pages get the index of the root, for single-page applications; default: false",
    ),
];

/// The keys of a header in `request_headers` and `response_headers`.
pub(crate) const HEADER: &[Key] = &[
    Key::inner("add", text("VALUE"), "A value to add, after those that the header has"),
    Key::inner("default", text("VALUE"), "The value to set if the header is missing"),
];

/// The shape of `request_headers` and `response_headers`.
const HEADERS: Shape = Shape::Named(&Shape::Either(&[text("VALUE"), SWITCH, Shape::Table(HEADER)]));

/// The keys of `cors`.
pub(crate) const CORS: &[Key] = &[
    Key::inner(
        "origins",
        texts("ORIGIN"),
        "The origins whose pages may read the responses, such as https://example.com; \"*\" means all",
    )
    .required(),
    Key::inner(
        "methods",
        Shape::OneOrMore(Kind::Method),
        "The methods that these pages may use besides GET, HEAD and POST; \"*\" means all",
    ),
    Key::inner(
        "headers",
        texts("NAME"),
        "The request headers that these pages may send besides those that browsers always allow; \"*\" means all except Authorization",
    ),
    Key::inner(
        "expose_headers",
        texts("NAME"),
        "The response headers that these pages may read besides those that browsers always show; \"*\" means all",
    ),
    Key::inner("credentials", SWITCH, "Whether these pages may send cookies and other credentials; default: false"),
    Key::inner("max_age", MAX_AGE, "How long browsers may remember the response to a preflight request"),
];

/// The keys of `rate_limit`.
pub(crate) const RATE_LIMIT: &[Key] = &[
    Key::inner("requests", COUNT, "How many requests pass in the time of `per`"),
    Key::inner("per", DURATION, "A span of time, such as 1s, 1m or 1h"),
    Key::inner("burst", COUNT, "How many requests can come at once; default: `requests`"),
    Key::inner(
        "key",
        text("KEY"),
        "Which requests are counted together: \"client\", those of an IPv4 address or an IPv6 /64 network; \"header:NAME\", \
         those with the same value of this header; \"route\", all; default: client",
    ),
];

/// The keys of `basic_auth`.
pub(crate) const BASIC_AUTH: &[Key] = &[
    Key::inner("realm", text("NAME"), "The name of what is protected, which browsers may show; default: restricted"),
    Key::inner(
        "users",
        Shape::Named(&text("HASH")),
        "The users, each with the hash of a password, from `pmesh hash-password` or in bcrypt",
    ),
];

/// The keys of `forward_auth`.
pub(crate) const FORWARD_AUTH: &[Key] = &[
    Key::inner(
        "url",
        text("URL"),
        "The URL of the authentication server: http://, https://, h2c:// or h2://, or unix:/run/auth.sock:/path",
    ),
    Key::inner(
        "copy_headers",
        texts("NAME"),
        "Headers to copy from the answer to the request, such as remote-user; they never come from the client",
    ),
    Key::inner("timeout", DURATION, "The time limit for an answer; default: 10s"),
    Key::inner("tls", Shape::Table(TLS), "TLS settings for connections to the server"),
];

/// The keys of `mirror`.
pub(crate) const MIRROR: &[Key] = &[
    Key::inner("upstream", text("ADDRESS"), "The address of the second upstream").required(),
    Key::inner("percent", Shape::One(Kind::Within(1, 100)), "The percentage of requests to copy; default: 100"),
    Key::inner(
        "max_body",
        Shape::One(Kind::Size),
        "The longest body to copy; requests with a longer one are not copied; default: 64KiB",
    ),
    Key::inner("max_in_flight", COUNT, "The maximum number of copies in flight; default: 100"),
];

/// The keys of `jwt`.
pub(crate) const JWT: &[Key] = &[
    Key::inner(
        "keys",
        Shape::One(Kind::FileOrUrl),
        "The public keys of the issuer: a file with a JSON Web Key Set or with keys in PEM, or the URL of a JSON Web Key Set",
    ),
    Key::inner(
        "secret_file",
        FILE,
        "Instead of keys: a file with a secret shared with the issuer, at least 32 bytes long",
    ),
    Key::inner("audience", texts("NAME"), "The required audience (aud), or a list; one of them is enough"),
    Key::inner("issuer", texts("NAME"), "The required issuer (iss), or a list of allowed ones"),
    Key::inner(
        "require",
        Shape::Named(&Shape::Either(&[texts("VALUE"), SWITCH])),
        "Required claims, each with its value or a list of allowed values; requests without them get 403",
    ),
    Key::inner(
        "claim_headers",
        Shape::Named(&text("CLAIM")),
        "Headers for the upstream, each with the claim to send in it, such as x-user = \"sub\"",
    ),
    Key::inner(
        "from",
        texts("PLACE"),
        "Where the token is: \"authorization\", \"header:NAME\" or \"cookie:NAME\", or a list; default: authorization",
    ),
    Key::inner("forward_token", SWITCH, "Whether the upstream gets the token, too; default: true"),
    Key::inner("algorithms", texts("NAME"), "The allowed algorithms, such as RS256; default: all that fit the keys"),
    Key::inner("leeway", MAX_AGE, "How much the clocks of the issuer and pmesh may differ; default: 1m"),
    Key::inner("require_exp", SWITCH, "Whether tokens must have an expiry (exp); default: true"),
    Key::inner("refresh", DURATION, "How often the keys are fetched from a URL; default: 5m"),
    Key::inner(
        "ca",
        FILE,
        "The authority (CA) for the certificate of the URL, in PEM; default: those that the system trusts",
    ),
];

/// The keys of `hsts`.
pub(crate) const HSTS: &[Key] = &[
    Key::inner("max_age", MAX_AGE, "How long browsers must use https only"),
    Key::inner("include_subdomains", SWITCH, "Whether this applies to all names below the host, too"),
    Key::inner("preload", SWITCH, "Whether browsers may put the host on their preload lists"),
];

const RESPONSE_TIMEOUT: &str = "How long a request may wait for the head of its response, counting all endpoints it \
     tries; also how long the client may pause in the body of the request before the response begins";

macro_rules! route_keys {
    ($($more:expr),* $(,)?) => {
        &[
            Key::new("name", Role::Own, text("NAME"), "The name of the route in logs and reports; default: its first host and path, and its conditions"),
            Key::new("host", Role::Match, texts("HOST"),
                "A host name, or *.example.com for all names below example.com, or a list").required(),
            Key::new("path", Role::Match, texts("PATH"), "The exact path, or a list"),
            Key::new("prefix", Role::Match, texts("PREFIX"),
                "The prefix that the path must have, in whole segments, or a list; default: /"),
            Key::new("path_regex", Role::Match, text("REGEX"),
                "A regular expression that the path must match; with prefix, only for paths below it"),
            Key::new("methods", Role::Match, Shape::OneOrMore(Kind::Method),
                "The methods of the request; GET includes HEAD; default: all"),
            Key::new("match", Role::Match, Shape::Table(MATCH), "Further conditions on the request"),
            Key::new("listeners", Role::Setting, texts("NAME"), "The listeners that serve it; default: http and https"),

            Key::new("upstream", Role::Answer, texts("ADDRESS"),
                "Where requests go: name:port, address:port, https://name, h2c://name:port, h2://name, \
                 unix:/run/app.sock, mesh://node, or a list"),
            Key::new("redirect", Role::Answer, Shape::Either(&[text("URL"), Shape::Table(REDIRECT)]),
                "The target of a redirect, or a table with target and status"),
            Key::new("respond", Role::Answer,
                Shape::Either(&[STATUS, Shape::One(Kind::Choice(&["silence"])), Shape::Table(RESPOND)]),
                "A fixed response: a status, a table, or \"silence\", which closes the connection without sending a byte"),
            Key::new("files", Role::Answer, Shape::Either(&[FOLDER, Shape::Table(FILES)]),
                "A folder with files to serve, or a table; with upstream, requests for missing files go there"),

            Key::new("allow", Role::Setting, texts("CIDR"),
                "Addresses and networks of the only clients that are allowed; \"private\" means all private networks; others \
                 get 403"),
            Key::new("deny", Role::Setting, texts("CIDR"),
                "Addresses and networks of clients that get 403, even if they are in `allow`"),
            Key::new("maintenance", Role::Setting, FILE,
                "A file: while it exists, requests get 503 with its content"),
            Key::new("cors", Role::Setting, Shape::Table(CORS),
                "Which pages of other origins may read the responses (CORS)"),
            Key::new("rate_limit", Role::Setting, Shape::Table(RATE_LIMIT),
                "How many requests pass in a span of time, such as { requests = 100, per = \"1m\" }; further ones get 429"),
            Key::new("max_in_flight", Role::Setting, COUNT,
                "How many requests can be in flight at once, up to the end of their responses and tunnels; further ones get 503"),
            Key::new("basic_auth", Role::Setting, Shape::Table(BASIC_AUTH),
                "The users that get in, with a name and a password (HTTP Basic authentication); others get 401"),
            Key::new("forward_auth", Role::Setting, Shape::Table(FORWARD_AUTH),
                "An authentication server, asked about each request: a status from 200 to 299 lets the request \
                 in, any other answer goes to the client"),
            Key::new("jwt", Role::Setting, Shape::Table(JWT),
                "The bearer tokens (JSON Web Tokens) that let requests in; requests without a valid one get 401"),
            Key::upstream("rewrite", Shape::Either(&[text("PATH"), Shape::Table(REWRITE)]),
                "The path that the upstream gets, such as \"/x/{1}\", or a table with regex and to; the query \
                 is kept, unless the new path has one"),
            Key::upstream("strip_prefix", SWITCH,
                "Whether to remove the prefix from the path of files and of forwarded requests, and send it in \
                 X-Forwarded-Prefix"),
            Key::upstream("add_prefix", text("PREFIX"),
                "A prefix to put before the path, such as /v1, after rewrite and strip_prefix"),
            Key::upstream("request_headers", HEADERS,
                "Headers to set on requests to the upstream: a value, false to remove the header, or a table with add or \
                 default"),
            Key::new("response_headers", Role::Setting, HEADERS,
                "Headers to set on every response of the route, including pmesh's own: a value, false to remove the header, \
                 or a table with add or default"),
            Key::new("redirect_https", Role::Setting, SWITCH, "Whether to redirect requests without TLS to https"),
            Key::new("hsts", Role::Setting, Shape::Either(&[MAX_AGE, Shape::Table(HSTS)]),
                "How long browsers must use https only (Strict-Transport-Security)"),
            Key::new("error_pages", Role::Setting, Shape::Named(&Shape::Either(&[FILE, SWITCH])),
                "Files with the bodies of pmesh's own errors, by status"),
            Key::new("compress", Role::Setting, SWITCH,
                "Whether to compress text, JSON and the like with zstd, br or gzip, for clients that accept it"),
            Key::upstream("buffer", Shape::One(Kind::Size),
                "The longest request body to read before forwarding, so that the request can be sent to another \
                 endpoint if one fails"),
            Key::upstream("mirror", Shape::Either(&[text("ADDRESS"), Shape::Table(MIRROR)]),
                "A second upstream, which gets copies of requests and whose responses are dropped, or a table"),

            Key::new("allow_ambiguous_paths", Role::Setting, SWITCH,
                "Whether to forward ambiguous paths, which a backend may read as the path of another route, such as \
                 //admin or /ADMIN"),
            Key::upstream("host_header", text("HOST"), "The Host header that the backend gets; default: the client's"),
            Key::upstream("tls", Shape::Table(TLS), "TLS settings for connections to the upstreams"),
            Key::upstream("connect_timeout", DURATION,
                "How long a request may spend connecting, counting all endpoints it tries"),
            Key::upstream("response_timeout", DURATION, RESPONSE_TIMEOUT),
            Key::upstream("stall_timeout", DURATION,
                "How long a request may go without progress in either direction once its response has begun"),
            Key::upstream("stream_timeout", DURATION,
                "How long a tunnel, an event stream or a gRPC stream may be idle"),
            Key::upstream("max_body", Shape::One(Kind::SizeLimit), "Maximum size of a request body, such as \"10MiB\", or \"off\""),
            $($more),*
        ]
    };
}

/// The keys of `[[routes.routes]]`.
pub(crate) const CHILD_ROUTE: &[Key] = route_keys!();

/// The keys of `[[routes]]`.
pub(crate) const ROUTE: &[Key] = route_keys!(Key::new(
    "routes",
    Role::Own,
    Shape::Tables(CHILD_ROUTE),
    "Child routes, which inherit everything that they do not set themselves",
));

/// The shape of `[redirects]`.
pub(crate) const REDIRECTS: Shape = Shape::Named(&Shape::Either(&[text("URL"), Shape::Table(REDIRECT)]));

impl Kind {
    /// The shape of its value in the file.
    pub(crate) fn shape(self) -> Shape {
        match self {
            Self::Routes => Shape::Tables(ROUTE),
            Self::Defaults => Shape::Table(CHILD_ROUTE),
            Self::Redirects => REDIRECTS,
            Self::Listeners => Shape::Named(&Shape::Table(LISTENER)),
            Self::Services => Shape::Named(&Shape::Table(SERVICE)),
            Self::Certificates => Shape::Tables(CERTIFICATE),
            Self::Peers => Shape::Named(&Shape::One(Self::Text("HOST:PORT"))),
            Self::Addresses | Self::Networks | Self::Include => Shape::OneOrMore(self),
            _ => Shape::One(self),
        }
    }
}
