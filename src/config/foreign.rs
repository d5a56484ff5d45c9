//! Advice on keys and values of other programs that have no single counterpart in pmesh.

use super::shape;

/// Keys that users of other programs write in a route, and what to write instead.
const IN_ROUTE: &[(&[&str], &str)] = &[
    (&["rule", "matchers"], "write host = \"example.com\", and for a path prefix = \"/api\""),
    (
        &["location", "locations", "handle", "handle_path", "route", "paths"],
        "for part of a host, write [[routes.routes]], followed by prefix = \"/api\"",
    ),
    (&["priority"], "the order is fixed: the exact path wins, then the longest prefix; see `pmesh check`"),
    (
        &["middleware", "middlewares"],
        "there is no list of middleware: each is a key of the route, such as strip_prefix = true",
    ),
    (&["return", "abort"], "write respond = 404, respond = \"silence\", or redirect = \"https://example.com\""),
    (
        &["header_up", "headers", "proxy_set_header"],
        "write request_headers = { x-team = \"a\" }, and host_header for the Host header; X-Forwarded-For and the like are \
         sent anyway",
    ),
    (
        &["add_header", "add_headers", "header", "header_down", "set_headers"],
        "write response_headers = { x-frame-options = \"DENY\" }; false removes a header",
    ),
    (&["encode", "gzip"], "write compress = true"),
    (
        &["limit_req", "ratelimit", "rate_limiting", "rate_limits"],
        "write rate_limit = { requests = 100, per = \"1m\", burst = 20 }",
    ),
    (
        &["limit_conn", "maxconn", "max_conn", "inflightreq", "in_flight_req", "circuit_breakers"],
        "write max_in_flight = 100; max_connections_per_client above the first [table] limits the connections of a client",
    ),
    (&["mirroring", "request_mirror_policies", "shadow"], "write mirror = \"127.0.0.1:9002\""),
    (
        &["proxy_request_buffering", "client_body_buffer_size", "request_buffers", "buffering"],
        "write buffer = \"64KiB\" for request bodies; responses are never buffered",
    ),
    (
        &["error_page", "errorfile", "errorfiles", "errors", "handle_errors"],
        "write error_pages = { 502 = \"down.html\" }",
    ),
    (
        &["accesscontrolalloworiginlist", "access_control_allow_origin", "cors_policy"],
        "write cors = { origins = [\"https://example.com\"] }",
    ),
    (
        &["auth_basic", "auth_basic_user_file", "basicauth", "htpasswd"],
        "write basic_auth = { users = { alice = \"$argon2id$…\" } }, with a hash from `pmesh hash-password`",
    ),
    (
        &["replace_path", "replacepath", "replacepathregex", "rewrite_path", "regex_rewrite", "path_regexp", "uri"],
        "write rewrite = { regex = \"^/old/(.*)$\", to = \"/new/$1\" }",
    ),
    (&["addprefix"], "write add_prefix = \"/v1\""),
    (
        &["stripprefix", "prefix_rewrite", "strip_path"],
        "write strip_prefix = true, and add_prefix = \"/v1\" to replace it",
    ),
    (
        &["auth_jwt", "auth_jwt_key_file", "auth_jwt_key_request", "jwt_authn", "jwtauth", "jwt_auth", "oidc"],
        "write jwt = { keys = \"https://login.example.com/.well-known/jwks.json\", audience = \"api\" }",
    ),
    (
        &["auth_request", "auth_request_set", "auth_url", "ext_authz", "forwardauth"],
        "write forward_auth = { url = \"http://127.0.0.1:9091/verify\", copy_headers = [\"remote-user\"] }",
    ),
    (
        &["file_server", "root", "static", "static_files", "webroot", "document_root"],
        "write files = \"/srv/www\", or files = { root = \"/srv/www\", index = \"index.html\" }",
    ),
    (
        &["alias"],
        "write files = \"/srv/www\", and strip_prefix = true, because the prefix is not part of the file's path",
    ),
    (
        &["try_files"],
        "write files = { root = \"/srv/www\", spa = true } for a single-page application; or files with `upstream`, which gets \
         the requests for missing files",
    ),
    (&["autoindex", "browse"], "folders are never listed; files = \"/srv/www\" serves their index.html"),
    (&["gzip_static", "precompressed"], "with `files`, variants such as app.js.br are always used, without a setting"),
    (&["ip_allow_list", "ipallowlist", "ip_whitelist"], "write allow = [\"10.0.0.0/8\"]"),
    (
        &["cert", "certificate", "cert_resolver", "certresolver", "key", "ssl_certificate", "ssl_certificate_key"],
        "certificates go below a [[certificates]] line, for all routes; for names without one, pmesh issues one itself",
    ),
    (
        &["address", "entry_points", "entrypoints", "listen", "port", "ports"],
        "`http` and `https` above the first [table] set the ports, and [listeners.NAME] adds more; to serve a route on \
         one of them only, write listeners = [\"https\"]",
    ),
];

/// Other programs' names for keys of `rate_limit`.
const IN_RATE_LIMIT: &[(&[&str], &str)] = &[
    (&["average", "rate", "events", "max_events", "max_tokens", "tokens_per_fill"], "requests"),
    (&["period", "window", "fill_interval"], "per"),
    (&["zone", "source", "sourcecriterion", "source_criterion"], "key"),
];

/// Other programs' names for keys of `jwt`.
const IN_JWT: &[(&[&str], &str)] = &[
    (
        &[
            "jwks",
            "jwks_url",
            "jwks_uri",
            "jwks_file",
            "jwksurl",
            "jwksuri",
            "remote_jwks",
            "local_jwks",
            "key",
            "key_file",
        ],
        "keys",
    ),
    (&["secret", "sign_key", "signingsecret", "hmac_secret"], "secret_file"),
    (&["audiences", "aud", "audience_whitelist"], "audience"),
    (&["issuers", "iss", "issuer_whitelist"], "issuer"),
    (&["require_claims", "required_claims", "claims_required"], "require"),
    (&["claims", "claim_to_headers", "forwardheaders", "forward_headers", "headers", "header_claims"], "claim_headers"),
    (&["from_header", "from_headers", "from_cookies", "from_params", "token", "token_source", "source"], "from"),
    (&["forward", "hide_credentials", "forwardauthorization"], "forward_token"),
    (&["alg", "algorithm", "sign_alg"], "algorithms"),
    (&["clock_skew", "clock_skew_seconds", "clockskew"], "leeway"),
    (&["cache_duration", "key_cache", "refresh_interval"], "refresh"),
];

/// Other programs' keys for an authentication server, and what to write instead.
const IN_FORWARD_AUTH: &[(&[&str], &str)] = &[
    (&["address", "uri", "server_uri", "path", "auth_request", "auth_url", "upstream"], "write url"),
    (
        &[
            "authresponseheaders",
            "allowed_upstream_headers",
            "auth_request_set",
            "headers",
            "response_headers",
            "auth_response_headers",
        ],
        "write copy_headers",
    ),
    (&["authresponseheadersregex"], "write copy_headers, with the name of each header"),
    (
        &["authrequestheaders", "allowed_headers", "header_up", "request_headers"],
        "the server gets all headers of the client, except those about its connection and its body",
    ),
    (
        &["trustforwardheader", "trust_forward_header"],
        "the server gets the same forwarding headers as the upstream; list proxies in front of pmesh in \
         trusted_proxies, above the first [table]",
    ),
    (
        &["addauthcookiestoresponse", "allowed_client_headers_on_success"],
        "the client always gets each Set-Cookie from the server",
    ),
    (&["forwardbody", "maxbodysize", "with_request_body", "max_request_bytes"], "the server never gets request bodies"),
    (&["failure_mode_allow"], "if the server does not answer, nobody gets in"),
    (&["preservelocationheader", "allowed_client_headers"], "the client gets the server's answer unchanged"),
    (&["preserverequestmethod", "method"], "the server is asked with GET; the method is in X-Forwarded-Method"),
];

/// Keys that users of other programs write in `files`, and what to write instead.
const IN_FILES: &[(&[&str], &str)] = &[
    (&["path", "dir", "directory", "folder", "alias"], "write root"),
    (&["fallback", "try_files", "page_fallback"], "write spa = true, or set `upstream` beside `files`"),
    (&["autoindex", "browse", "listing", "show_files_listing"], "folders are never listed"),
    (
        &["precompressed", "gzip_static", "compression_static"],
        "variants such as app.js.br are always used, without a setting",
    ),
    (&["hide", "ignore_hidden_files"], "files whose names begin with a dot are never served"),
];

/// Keys that users of other programs write in a service, and what to write instead.
const IN_SERVICE: &[(&[&str], &str)] = &[
    (
        &["exec", "execstart", "exec_start", "cmd", "run", "start", "script", "program", "entrypoint", "bin"],
        "write command = [\"node\", \"server.js\"]",
    ),
    (&["args", "arguments", "interpreter", "node_args"], "write all of it in command, as in [\"node\", \"server.js\"]"),
    (
        &["working_dir", "workingdirectory", "working_directory", "directory", "dir", "workdir", "chdir", "folder"],
        "write cwd",
    ),
    (&["environment", "envs", "variables", "environment_variables"], "write env = { NODE_ENV = \"production\" }"),
    (&["environmentfile", "environment_file", "envfile", "dotenv"], "write env_file"),
    (&["replicas", "numprocs", "scale", "num_instances", "processes", "workers", "count"], "write instances"),
    (&["autorestart", "restart_policy", "respawn", "keep_alive", "keepalive"], "write restart = \"always\""),
    (
        &["healthcheck", "health_check", "health", "readiness", "readinessprobe", "readiness_probe", "livenessprobe"],
        "write ready = \"/healthz\", a path that answers once an instance is ready",
    ),
    (&["type", "wait_ready"], "for a program that says when it is ready, write ready = \"notify\""),
    (&["stopsignal", "killsignal", "kill_signal"], "write stop_signal"),
    (&["stopwaitsecs", "timeoutstopsec", "stop_grace_period", "kill_timeout", "grace_period"], "write stop_timeout"),
    (&["startsecs", "timeoutstartsec", "listen_timeout", "start_period"], "write start_timeout"),
    (
        &["restartsec", "restart_delay", "exp_backoff_restart_delay", "backoff"],
        "pauses between starts begin at 100ms and double: max_backoff is the longest one",
    ),
    (
        &["startretries", "startlimitburst", "startlimitintervalsec", "max_restarts", "min_uptime", "max_attempts"],
        "the number of starts is not limited, but pauses between them grow up to max_backoff",
    ),
    (
        &["memorymax", "memory_max", "memorylimit", "memory_limit", "mem_limit", "max_memory_restart"],
        "write limits = { memory = \"512MiB\" }",
    ),
    (&["cpuquota", "cpu_quota", "cpus", "cpu_limit"], "write limits = { cpu = 1.5 }"),
    (&["limitnofile", "ulimit", "ulimits", "nofile", "minfds"], "write limits = { open_files = 4096 }"),
    (&["resources", "deploy"], "write instances, and limits = { memory = \"512MiB\", cpu = 1.5 }"),
    (
        &["stdout_logfile", "stderr_logfile", "out_file", "error_file", "log_file", "logfile", "standardoutput"],
        "write output = \"web.log\"; stdout and stderr go to the same place",
    ),
    (
        &["log", "logging", "stdout", "stderr", "standarderror", "redirect_stderr", "log_date_format"],
        "write output: \"log\", \"off\" or a file; stdout and stderr go to the same place",
    ),
    (&["watch_files", "ignore_watch", "reload_on_change"], "write watch = [\"server.js\", \"lib\"]"),
    (&["uid", "gid", "group", "username"], "write user = \"www-data\"; the service gets the primary group of the user"),
    (
        &["host", "hosts", "domain", "domains", "upstream", "route", "routes", "path", "prefix", "labels"],
        "requests come from a route: write [[routes]], and upstream = \"service://NAME\"",
    ),
    (
        &["address", "bind", "expose", "hostname", "ports", "listen_stream", "listenstream", "socket"],
        "pmesh chooses the address of each instance, and sets HOST and PORT; `port` is the port of all of them",
    ),
    (
        &["image", "build", "volumes", "networks", "container", "container_name", "pull_policy"],
        "services are programs on this machine, not containers",
    ),
    (
        &["depends_on", "after", "requires", "wants", "before", "priority"],
        "all services start at once, and requests wait until an instance is ready",
    ),
    (
        &["autostart", "enabled", "disabled"],
        "all services start with pmesh; with idle_stop, they stop while there are no requests",
    ),
    (&["execreload", "exec_reload"], "`pmesh services restart NAME` replaces one instance after the other"),
    (
        &["execstop", "exec_stop", "killmode", "killasgroup", "stopasgroup", "treekill"],
        "an instance gets stop_signal, and after stop_timeout all of its processes are killed",
    ),
    (&["name", "process_name", "description"], "the name of a service is in its header: [services.NAME]"),
    (&["exec_mode"], "each instance is a process of its own: write instances"),
    (&["shell"], "a command in one string runs in /bin/sh: write command = \"exec node server.js\""),
    (&["tls", "ssl", "https"], "services speak HTTP without TLS to pmesh"),
];

/// Other programs' names for planned top-level keys.
const PLANNED_AT_ROOT: &[(&[&str], &str)] = &[(
    &["acme_ca", "certificates_resolvers", "certificatesresolvers", "email", "lets_encrypt", "letsencrypt"],
    "acme",
)];

/// Advice on a top-level key.
pub(super) fn at_root(key: &str) -> Option<String> {
    advice(key, PLANNED_AT_ROOT).map(|ours| format!("unknown key: {}", shape::planned(ours)))
}

/// Advice on a key of a route.
pub(super) fn in_route(key: &str) -> Option<String> {
    advice(key, IN_ROUTE).map(|instead| format!("unknown key: {instead}"))
}

/// Advice on a key of `files`.
pub(super) fn in_files(key: &str) -> Option<String> {
    advice(key, IN_FILES).map(|instead| format!("unknown key: {instead}"))
}

/// Advice on a key of `rate_limit`.
pub(super) fn in_rate_limit(key: &str) -> Option<String> {
    advice(key, IN_RATE_LIMIT).map(|ours| format!("unknown key: write {ours}"))
}

/// Advice on a key of `jwt`.
pub(super) fn in_jwt(key: &str) -> Option<String> {
    advice(key, IN_JWT).map(|ours| format!("unknown key: write {ours}"))
}

/// Advice on a key of `forward_auth`.
pub(super) fn in_forward_auth(key: &str) -> Option<String> {
    advice(key, IN_FORWARD_AUTH).map(|instead| format!("unknown key: {instead}"))
}

/// Advice on a key of a service.
pub(super) fn in_service(key: &str) -> Option<String> {
    advice(key, IN_SERVICE).map(|instead| format!("unknown key: {instead}"))
}

fn advice(key: &str, rows: &[(&[&str], &'static str)]) -> Option<&'static str> {
    let key = key.to_lowercase().replace('-', "_");
    rows.iter().find(|(keys, _)| keys.contains(&key.as_str())).map(|(_, advice)| *advice)
}

/// Rewrites another program's reference to an environment variable in the syntax of pmesh.
///
/// `{$NAME}` and `{env.NAME}` are from Caddy, `$NAME` from shells, `{{ env "NAME" }}` from Traefik.
pub(crate) fn with_references(text: &str) -> Option<String> {
    let at = text.find(['$', '{'])?;
    let (before, rest) = text.split_at(at);
    let brackets = [("{{env\"", "\"}}"), ("{env.", "}"), ("{$", "}"), ("$", "")];
    let dense: String = rest.chars().filter(|c| !c.is_whitespace()).collect();
    brackets.iter().find_map(|(open, close)| {
        let rest = dense.strip_prefix(open)?;
        let end = rest.find(|c: char| !c.is_ascii_alphanumeric() && c != '_').unwrap_or(rest.len());
        let (name, rest) = rest.split_at(end);
        let is_name = name.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_');
        let after = rest.strip_prefix(close).filter(|_| is_name)?;
        Some(format!("{before}${{{name}}}{after}"))
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::{
        keys::{ROUTE, SERVICE},
        table,
    };

    #[test]
    fn planned_top_level_keys_exist() {
        for (_, ours) in PLANNED_AT_ROOT {
            assert!(table::PLANNED.contains(ours), "{ours}");
        }
    }

    #[test]
    fn no_foreign_key_is_a_key_of_a_route() {
        for key in IN_ROUTE.iter().flat_map(|(keys, _)| *keys) {
            assert_eq!(shape::key(ROUTE, key), None, "{key}");
        }
    }

    #[test]
    fn no_foreign_key_is_a_key_of_a_service_or_listed_twice() {
        let mut keys: Vec<_> = IN_SERVICE.iter().flat_map(|(keys, _)| *keys).collect();
        for key in &keys {
            assert_eq!(shape::key(SERVICE, key), None, "{key}");
        }
        keys.sort_unstable();
        assert!(keys.is_sorted_by(|one, other| one < other), "{keys:?}");
    }

    #[test]
    fn references_to_variables_are_rewritten() {
        for (text, expected) in [
            ("{$BACKEND}:3000", Some("${BACKEND}:3000")),
            ("{env.BACKEND}:3000", Some("${BACKEND}:3000")),
            ("$BACKEND:3000", Some("${BACKEND}:3000")),
            ("https://{{ env \"BACKEND\" }}", Some("https://${BACKEND}")),
            ("a:3000", None),
            ("{host}", None),
            ("~^www$", None),
            ("$", None),
        ] {
            assert_eq!(with_references(text).as_deref(), expected, "{text}");
        }
    }
}
