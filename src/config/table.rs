//! The table of all settings.

use super::Kind;

/// A setting: its name in each source, the kind of its value, and its purpose.
///
/// The command line, the environment, the check for unknown keys, `pmesh explain` and the tests all use this table.
#[derive(Debug, PartialEq, Eq)]
pub struct Setting {
    /// The heading in `--help`.
    pub group: &'static str,
    /// The key in the file, which is also the name in `pmesh explain`.
    pub key: &'static str,
    /// The flag, without its leading dashes.
    pub flag: Option<&'static str>,
    /// The environment variable.
    pub variable: Option<&'static str>,
    /// Whether the main file may set it.
    pub in_file: bool,
    /// Whether included files may set it, too.
    pub in_included: bool,
    /// The kind of value.
    pub kind: Kind,
    /// The value if no source sets it.
    pub default: Fallback,
    /// The default in `pmesh demo`, if it differs.
    pub demo: Option<Fallback>,
    /// Whether a change needs a restart; all other settings change on reload.
    pub needs_restart: bool,
    /// A description in one line.
    pub help: &'static str,
}

/// The value of a setting that no source sets.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fallback {
    /// This value, written as for a flag.
    Value(&'static str),
    /// A description: the value is determined at startup, or there is none.
    Described(&'static str),
}

impl Fallback {
    /// The value or the description.
    pub fn text(self) -> &'static str {
        match self {
            Self::Value(text) | Self::Described(text) => text,
        }
    }
}

impl Setting {
    /// The flag and the variable, as the user types them.
    pub fn names(&self) -> Vec<String> {
        self.flag.map(|flag| format!("--{flag}")).into_iter().chain(self.variable.map(str::to_owned)).collect()
    }

    const fn new(
        group: &'static str,
        key: &'static str,
        flag: &'static str,
        variable: &'static str,
        kind: Kind,
        default: Fallback,
        help: &'static str,
    ) -> Self {
        Self {
            group,
            key,
            flag: Some(flag),
            variable: Some(variable),
            in_file: true,
            in_included: false,
            kind,
            default,
            demo: None,
            needs_restart: false,
            help,
        }
    }

    const fn in_demo(self, default: Fallback) -> Self {
        Self { demo: Some(default), ..self }
    }

    const fn needs_restart(self) -> Self {
        Self { needs_restart: true, ..self }
    }

    /// Can only be set by a flag or a variable, which are read once, at startup.
    const fn not_in_file(self) -> Self {
        Self { in_file: false, needs_restart: true, ..self }
    }

    /// A table or a list that may be split over several files.
    const fn in_included(self) -> Self {
        Self { in_included: true, ..self }
    }

    const fn without_flag(self) -> Self {
        Self { flag: None, ..self }
    }

    const fn only_in_file(self) -> Self {
        Self { flag: None, variable: None, ..self }
    }
}

/// The setting with this key.
pub(super) fn by_key(key: &str) -> Option<&'static Setting> {
    SETTINGS.iter().find(|setting| setting.key == key)
}

/// The setting with this variable.
pub(super) fn by_variable(name: &str) -> Option<&'static Setting> {
    SETTINGS.iter().find(|setting| setting.variable == Some(name))
}

/// Planned top-level keys that are not available in this version.
pub(super) const PLANNED: &[&str] = &["access_log_format", "acme", "metrics", "upstreams"];

/// The flag and the variable of a setting, for messages: `--mesh-ca or PMESH_MESH_CA`.
pub(crate) fn names(key: &str) -> String {
    by_key(key).map(Setting::names).unwrap_or_default().join(" or ")
}

const LISTENERS: &str = "Listeners";
const ROUTES: &str = "Routes";
const UPSTREAMS: &str = "Connections to upstreams";
const SERVICES: &str = "Services";
const IDENTITY: &str = "Certificates and the secret";
const CLIENTS: &str = "Clients";
const PROCESS: &str = "Process";
const LOGS: &str = "Logs";
const NODES: &str = "Nodes";

const NONE: Fallback = Fallback::Described("none");

/// All settings, in the order in which they are displayed.
#[rustfmt::skip]
pub const SETTINGS: &[Setting] = &[
    Setting::new(LISTENERS, "http", "http", "PMESH_HTTP", Kind::Port, Fallback::Value("80"),
        "Port for clients without TLS: a number, 0 to let the kernel pick one, or off")
        .in_demo(Fallback::Value("8080")),
    Setting::new(LISTENERS, "https", "https", "PMESH_HTTPS", Kind::Port, Fallback::Value("443"),
        "Port for clients with TLS")
        .in_demo(Fallback::Value("8443")),
    Setting::new(LISTENERS, "internal", "internal", "PMESH_INTERNAL", Kind::Port, Fallback::Value("8443"),
        "Port for other nodes, which must prove that they know the secret")
        .in_demo(Fallback::Value("off")),
    Setting::new(LISTENERS, "bind", "bind", "PMESH_BIND", Kind::Addresses, Fallback::Value("0.0.0.0"),
        "Addresses to listen on, for all ports; 0.0.0.0 means all IPv4 addresses, :: all IPv4 and IPv6 addresses")
        .in_demo(Fallback::Value("127.0.0.1")),
    Setting::new(LISTENERS, "http_h2c", "http-h2c", "PMESH_HTTP_H2C", Kind::Choice(&["off", "silent", "open"]),
        Fallback::Value("off"),
        "HTTP/2 without TLS on the http port: off; silent (sends nothing until the client has named a served host); or \
         open (sends SETTINGS at once, for clients that wait for them, but gives up silence on that port)"),
    Setting::new(LISTENERS, "listeners", "", "", Kind::Listeners, NONE,
        "Additional ports for clients, with or without TLS; routes refer to them by name")
        .only_in_file(),

    Setting::new(ROUTES, "routes", "route", "PMESH_ROUTE", Kind::Routes, NONE,
        "Sends requests for a host and a path prefix to these upstreams; repeat the flag for several \
         routes, or separate them with spaces in the variable")
        .in_included(),

    Setting::new(ROUTES, "defaults", "", "", Kind::Defaults, NONE,
        "Settings for all routes; a route can override each of them")
        .only_in_file(),

    Setting::new(ROUTES, "redirects", "", "", Kind::Redirects, NONE,
        "Hosts and paths to redirect, each with its target")
        .only_in_file().in_included(),
    Setting::new(ROUTES, "redirect_https", "redirect-https", "PMESH_REDIRECT_HTTPS", Kind::Switch,
        Fallback::Value("false"),
        "Redirects requests without TLS to https"),

    Setting::new(UPSTREAMS, "subnet_dialer", "subnet-dialer", "PMESH_SUBNET_DIALER", Kind::Subnet,
        Fallback::Value("127.2.0.0/16"),
        "Source addresses for connections to loopback upstreams, used in turn"),
    Setting::new(UPSTREAMS, "subnet_service", "subnet-service", "PMESH_SUBNET_SERVICE", Kind::Subnet,
        Fallback::Value("127.1.0.0/16"),
        "Addresses for [services.NAME] and for the backend of `pmesh demo`; must not overlap subnet_dialer"),
    Setting::new(UPSTREAMS, "source_addresses", "source-addresses", "PMESH_SOURCE_ADDRESSES", Kind::Addresses, NONE,
        "Source addresses for connections to all other upstreams, used in turn; if there are none, the kernel picks one"),
    Setting::new(UPSTREAMS, "connect_timeout", "connect-timeout", "PMESH_CONNECT_TIMEOUT", Kind::Duration,
        Fallback::Value("5s"),
        "How long a request may spend connecting (name lookup, TCP, TLS and HTTP/2), counting all endpoints it tries"),
    Setting::new(UPSTREAMS, "response_timeout", "response-timeout", "PMESH_RESPONSE_TIMEOUT", Kind::Duration,
        Fallback::Value("60s"),
        "How long a request may wait for the head of its response, counting all endpoints it tries; also how long the \
         client may pause in the body of the request before the response begins"),
    Setting::new(UPSTREAMS, "pool_idle_timeout", "pool-idle-timeout", "PMESH_POOL_IDLE_TIMEOUT", Kind::Duration,
        Fallback::Value("60s"),
        "How long an idle connection to an upstream is kept"),
    Setting::new(UPSTREAMS, "pool_max_age", "pool-max-age", "PMESH_POOL_MAX_AGE", Kind::TimeLimit,
        Fallback::Value("5m"),
        "Age after which a connection to an upstream gets no new requests, or off"),
    Setting::new(UPSTREAMS, "pool_idle_max", "pool-idle-max", "PMESH_POOL_IDLE_MAX", Kind::Count,
        Fallback::Value("1024"),
        "Maximum number of idle connections that each worker keeps to one endpoint"),

    Setting::new(SERVICES, "services", "", "", Kind::Services, NONE,
        "Local programs that pmesh starts and supervises, each on addresses of its own; routes refer to them as \
         service://NAME")
        .only_in_file().in_included(),

    Setting::new(CLIENTS, "silence_deadline", "silence-deadline", "PMESH_SILENCE_DEADLINE", Kind::Duration,
        Fallback::Value("10s"),
        "How long a client may take to name a served host; after that, its connection is closed without sending a byte"),
    Setting::new(CLIENTS, "keep_alive_timeout", "keep-alive-timeout", "PMESH_KEEP_ALIVE_TIMEOUT", Kind::Duration,
        Fallback::Value("75s"),
        "How long an idle client connection is kept open for its next request"),
    Setting::new(CLIENTS, "head_timeout", "head-timeout", "PMESH_HEAD_TIMEOUT", Kind::Duration, Fallback::Value("10s"),
        "How long the head of a request may take, from its first byte to its last; for the first request on http, \
         silence_deadline applies instead"),
    Setting::new(CLIENTS, "stall_timeout", "stall-timeout", "PMESH_STALL_TIMEOUT", Kind::Duration,
        Fallback::Value("60s"),
        "How long a request may go without progress in either direction once its response has begun"),
    Setting::new(CLIENTS, "body_min_rate", "body-min-rate", "PMESH_BODY_MIN_RATE", Kind::SizeLimit, Fallback::Value("100"),
        "Minimum rate of a request body in bytes per second until the response begins, or off"),
    Setting::new(CLIENTS, "stream_timeout", "stream-timeout", "PMESH_STREAM_TIMEOUT", Kind::Duration,
        Fallback::Value("1h"),
        "How long a WebSocket or other tunnel, an event stream or a gRPC stream may be idle in both directions"),
    Setting::new(CLIENTS, "max_connections", "max-connections", "PMESH_MAX_CONNECTIONS", Kind::Count,
        Fallback::Described("half the limit of open files"),
        "Maximum number of client connections; at the limit, new ones wait until an idle one has been closed"),
    Setting::new(CLIENTS, "max_connections_per_client", "max-connections-per-client",
        "PMESH_MAX_CONNECTIONS_PER_CLIENT", Kind::Count, Fallback::Value("0"),
        "Maximum number of connections from one IPv4 address or one IPv6 /64 network, or 0 for no limit; further ones \
         are closed without sending a byte"),
    Setting::new(CLIENTS, "max_body", "max-body", "PMESH_MAX_BODY", Kind::SizeLimit, Fallback::Value("off"),
        "Maximum size of a request body, such as 10MiB, or off"),
    Setting::new(CLIENTS, "max_head", "max-head", "PMESH_MAX_HEAD", Kind::Size, Fallback::Value("64KiB"),
        "Maximum size of a request head: the request line and the headers"),
    Setting::new(CLIENTS, "max_fields", "max-fields", "PMESH_MAX_FIELDS", Kind::Within(1, 10_000), Fallback::Value("100"),
        "Maximum number of headers in an HTTP/1 request"),
    Setting::new(CLIENTS, "max_streams", "max-streams", "PMESH_MAX_STREAMS", Kind::Within(1, 10_000), Fallback::Value("128"),
        "Maximum number of concurrent requests on an HTTP/2 connection"),
    Setting::new(CLIENTS, "trusted_proxies", "trusted-proxies", "PMESH_TRUSTED_PROXIES", Kind::Networks, NONE,
        "Addresses and networks of proxies in front of pmesh whose headers about the client are trusted"),
    Setting::new(CLIENTS, "trusted_proxy_headers", "trusted-proxy-headers", "PMESH_TRUSTED_PROXY_HEADERS",
        Kind::Choice(&["x-forwarded", "forwarded"]), Fallback::Value("x-forwarded"),
        "Which headers of trusted proxies to use in addition to X-Request-Id: x-forwarded, for X-Forwarded-*, or \
         forwarded; the other kind is dropped"),
    Setting::new(CLIENTS, "via", "via", "PMESH_VIA", Kind::Switch, Fallback::Value("false"),
        "Adds a Via header to requests; an nginx backend then compresses only what its gzip_proxied allows"),

    Setting::new(IDENTITY, "certificates", "", "", Kind::Certificates,
        Fallback::Described("issued by the local authority"),
        "Certificates with their keys, used for the names they are valid for")
        .only_in_file().in_included(),
    Setting::new(IDENTITY, "cert", "cert", "PMESH_CERT", Kind::File, NONE,
        "Certificate chain in PEM, used for the names it is valid for; cert and key replace the certificates in \
         the file")
        .not_in_file(),
    Setting::new(IDENTITY, "key", "key", "PMESH_KEY", Kind::File, NONE,
        "Private key of that certificate, in PEM")
        .not_in_file(),
    Setting::new(IDENTITY, "secret", "", "PMESH_SECRET", Kind::Secret, NONE,
        "The secret itself, instead of a file; never shown")
        .without_flag().not_in_file(),
    Setting::new(IDENTITY, "secret_file", "secret-file", "PMESH_SECRET_FILE", Kind::File,
        Fallback::Described("HOME/secret, created at the first start"),
        "File with the secret that all nodes share")
        .needs_restart(),

    Setting::new(NODES, "node", "node", "PMESH_NODE", Kind::Text("NAME"), Fallback::Described("the machine's host name"),
        "Name of this node: a DNS label that no other node has")
        .needs_restart(),
    Setting::new(NODES, "mesh_peers", "mesh-peer", "PMESH_MESH_PEERS", Kind::Peers, NONE,
        "Addresses of the internal ports of other nodes; repeat the flag for several nodes, or separate them \
         with spaces in the variable; an entry for this node is ignored"),
    Setting::new(NODES, "mesh_registry", "mesh-registry", "PMESH_MESH_REGISTRY", Kind::Text("URL[,URL…]"), NONE,
        "NATS servers, with JetStream, that nodes use to find each other: nats://[USER:PASSWORD@]HOST[:PORT], \
         or tls://; a password is never shown")
        .needs_restart(),
    Setting::new(NODES, "mesh_registry_bucket", "mesh-registry-bucket", "PMESH_MESH_REGISTRY_BUCKET",
        Kind::Text("NAME"), Fallback::Value("pmesh"),
        "Key-value bucket on the registry servers, created if it is missing; nodes with the same bucket find each \
         other")
        .needs_restart(),
    Setting::new(NODES, "mesh_advertise", "mesh-advertise", "PMESH_MESH_ADVERTISE", Kind::Text("HOST:PORT"),
        Fallback::Described("bind and internal, unless bind is 0.0.0.0 or ::"),
        "Address at which other nodes reach the internal port of this one"),
    Setting::new(NODES, "mesh_clock_window", "mesh-clock-window", "PMESH_MESH_CLOCK_WINDOW", Kind::Duration,
        Fallback::Value("60s"),
        "How far apart the clocks of two nodes may be")
        .needs_restart(),
    Setting::new(NODES, "mesh_ca", "mesh-ca", "PMESH_MESH_CA", Kind::File,
        Fallback::Described("derived from the secret"),
        "Authority that issued the certificates of all nodes, in PEM; requires mesh_cert and mesh_key")
        .needs_restart(),
    Setting::new(NODES, "mesh_cert", "mesh-cert", "PMESH_MESH_CERT", Kind::File,
        Fallback::Described("issued by the node itself"),
        "Certificate chain of this node, in PEM; it must be valid for the node's name, as a server and as a client")
        .needs_restart(),
    Setting::new(NODES, "mesh_key", "mesh-key", "PMESH_MESH_KEY", Kind::File,
        Fallback::Described("created at startup, kept in memory"),
        "Private key of that certificate, in PEM")
        .needs_restart(),

    Setting::new(LOGS, "log", "log", "PMESH_LOG", Kind::Filter, Fallback::Value("info"),
        "Log level: off, error, warn and info apply to pmesh alone, debug and trace also to its libraries; \
         for levels by library: info,h2=warn"),
    Setting::new(LOGS, "log_format", "log-format", "PMESH_LOG_FORMAT", Kind::Choice(&["text", "json"]),
        Fallback::Value("text"),
        "Format of the log: text or json")
        .needs_restart(),
    Setting::new(LOGS, "access_log", "access-log", "PMESH_ACCESS_LOG", Kind::Switch, Fallback::Value("false"),
        "Logs one line per request"),

    Setting::new(PROCESS, "config", "config", "PMESH_CONFIG", Kind::File,
        Fallback::Described("HOME/config.toml, else /etc/pmesh/config.toml"),
        "Configuration file; relative paths in it are relative to its folder")
        .not_in_file().in_demo(NONE),
    Setting::new(PROCESS, "include", "", "", Kind::Include, NONE,
        "Files with more routes, redirects, services and certificates, or patterns such as routes.d/*.toml")
        .only_in_file(),
    Setting::new(PROCESS, "home", "home", "PMESH_HOME", Kind::Directory, Fallback::Value("~/.pmesh"),
        "Folder for the secret, and for config.toml unless another file is named; only one pmesh can use it at a time")
        .needs_restart(),
    Setting::new(PROCESS, "workers", "workers", "PMESH_WORKERS", Kind::Within(1, 1024), Fallback::Described("one per core"),
        "Number of worker threads, which accept connections and serve them")
        .needs_restart(),
    Setting::new(PROCESS, "shutdown_timeout", "shutdown-timeout", "PMESH_SHUTDOWN_TIMEOUT", Kind::Duration,
        Fallback::Value("30s"),
        "How long requests in flight may take to finish on shutdown"),
    Setting::new(PROCESS, "admin", "admin", "PMESH_ADMIN", Kind::Socket, Fallback::Value("unix"),
        "Where the running node listens for commands such as `pmesh status`: unix, for HOME/admin.sock; unix:PATH; a \
         loopback address and port, open to every user of the machine; or off")
        .needs_restart(),
    Setting::new(PROCESS, "watch_config", "watch-config", "PMESH_WATCH_CONFIG", Kind::Switch, Fallback::Value("false"),
        "Reloads the configuration when one of its files changes; SIGHUP and `pmesh reload` always do"),
];

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn flags_and_variables_are_named_after_the_key() {
        for setting in SETTINGS {
            // A flag that can be repeated is in the singular.
            let (flag, key) = match setting.key {
                "routes" => ("route", "route"),
                "mesh_peers" => ("mesh_peer", "mesh_peers"),
                key => (key, key),
            };
            assert!(setting.flag.is_none_or(|name| name == flag.replace('_', "-")), "{key}");
            assert!(setting.variable.is_none_or(|name| name == format!("PMESH_{}", key.to_uppercase())), "{key}");
        }
    }

    #[test]
    fn keys_are_unique() {
        let keys: BTreeSet<_> = SETTINGS.iter().map(|setting| setting.key).collect();
        assert_eq!(keys.len(), SETTINGS.len());
    }
}
