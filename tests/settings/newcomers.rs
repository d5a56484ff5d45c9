//! Advice on mistakes that users of other programs tend to make.

use crate::Start;

const ROUTE: &str = "[[routes]]\nhost = \"a\"\nupstream = [\"a:1\"]\n";

/// Asserts how the only error message for a file ends.
fn assert_advice(file: &str, expected: &str) {
    let error = Start::new().file(file).error();
    assert!(error.ends_with(expected), "{file}: {error}");
    assert!(error.lines().count() == 1, "{file}: {error}");
}

#[test]
fn invalid_values_get_advice() {
    for (line, expected) in [
        ("http = \"80\"", "found \"80\": write 80, without quotes"),
        ("access_log = \"true\"", "found \"true\": write true, without quotes"),
        ("http = \":80\"", "found \":80\": write 80"),
        ("http = \"[::]:80\"", "the address is a separate setting: write 80 here, and bind = \"::\""),
        ("http = false", "found false: write \"off\""),
        ("bind = \":80\"", "the port is a separate setting: write bind = \"0.0.0.0\" and http = 80"),
        ("bind = \"[::1]:80\"", "the port is a separate setting: write bind = \"::1\" and http = 80"),
        ("bind = \"[::]\"", "found \"[::]\": write ::"),
        ("bind = \"localhost\"", "found \"localhost\": write 127.0.0.1, or ::1"),
        ("connect_timeout = 10", "found 10: add a unit, as in 10s or 10ms"),
        ("connect_timeout = \"off\"", "it cannot be switched off; write a long duration, such as 365d"),
        ("max_body = \"10m\"", "found \"10m\": write 10MiB"),
        (
            "trusted_proxies = \"10.0.0.0/8, ::1\"",
            "found \"10.0.0.0/8, ::1\": for several addresses, write [\"10.0.0.0/8\", \"::1\"]",
        ),
        (
            "source_addresses = \"10.0.0.1 10.0.0.2\"",
            "found \"10.0.0.1 10.0.0.2\": for several addresses, write [\"10.0.0.1\", \"10.0.0.2\"]",
        ),
        ("bind = 0.0.0.0", "this is not valid TOML: invalid float, expected nothing: write bind = \"0.0.0.0\""),
        (
            "mesh_registry = nats://bob:hunter2@127.0.0.1:4222",
            "write mesh_registry = \"nats://bob:***@127.0.0.1:4222\"",
        ),
    ] {
        assert_advice(&format!("{line}\n{ROUTE}"), expected);
    }
}

#[test]
fn key_names_of_other_programs_get_a_suggestion() {
    for (line, expected) in [
        ("listen = 80", "1: listen: unknown key; did you mean `http`?"),
        ("import = \"sites/*\"", "1: import: unknown key; did you mean `include`?"),
        ("log_level = \"info\"", "1: log_level: unknown key; did you mean `log`?"),
        ("[[server]]", "1: server: unknown key; did you mean [[routes]]?"),
        (
            "prefix = \"/\"",
            "1: prefix: unknown key; the keys of a route go below a [[routes]] line, or below [defaults] for all routes",
        ),
    ] {
        assert_advice(&format!("{line}\n{ROUTE}"), expected);
    }
    // A required key under another name is reported only once.
    assert_advice("[[routes]]\nhost = \"a\"\nproxy_pass = \"a:1\"", "unknown key; did you mean `upstream`?");
    assert_advice("[[routes]]\nserver_name = \"a\"\nupstream = [\"a:1\"]", "unknown key; did you mean `host`?");
    assert_advice("[[certificates]]\ncertificate = \"a\"\nkey = \"b\"", "unknown key; did you mean `cert`?");
}

#[test]
fn users_of_caddy_get_advice() {
    let route = "[[routes]]\nhost = \"a\"\n";
    for (file, expected) in [
        (
            "example.com {\n\treverse_proxy localhost:3000\n}",
            "followed by lines such as host = \"example.com\" and upstream = \"127.0.0.1:3000\"",
        ),
        ("[\"a.com\"]\nreverse_proxy = \"b:1\"", "a route begins with a [[routes]] line, followed by host = \"a.com\""),
        (
            &format!("{route}reverse_proxy = \"b:1\""),
            "3: routes[0].reverse_proxy: unknown key; did you mean `upstream`?",
        ),
        (&format!("{route}upstream = \":3000\""), "the host is missing: write 127.0.0.1:3000"),
        (
            &format!("{route}upstream = \"{{$BACKEND}}:3000\""),
            "environment variables are written ${NAME}: write ${BACKEND}:3000",
        ),
        (&format!("{route}upstream = \"b:1 c:1\""), "for several upstreams, write [\"b:1\", \"c:1\"]"),
        (
            &format!("{ROUTE}[[routes.handle_path]]\nprefix = \"/api\""),
            "write [[routes.routes]], followed by prefix = \"/api\"",
        ),
        (
            &format!("{ROUTE}header_up = {{ Host = \"b\" }}"),
            "write request_headers = { x-team = \"a\" }, and host_header for the Host header; X-Forwarded-For and the like are \
             sent anyway",
        ),
        (
            &format!("{ROUTE}tls = \"internal\""),
            "certificates that pmesh presents to clients go below [[certificates]]; for names without one, pmesh issues one itself",
        ),
        (
            &format!("{ROUTE}remote_ip = \"10.0.0.0/8\""),
            "4: routes[0].remote_ip: unknown key; did you mean match = { clients = … }?",
        ),
        ("[[routes]]\nhost = \"https://a.com\"\nupstream = \"b:1\"", "a host has no scheme: write a.com"),
    ] {
        assert_advice(file, expected);
    }
}

#[test]
fn users_of_nginx_get_advice() {
    let route = "[[routes]]\nhost = \"a\"\n";
    for (file, expected) in [
        (
            "server {\n    listen 80;\n}",
            "followed by lines such as host = \"example.com\" and upstream = \"127.0.0.1:3000\"",
        ),
        (
            "[[routes]]\nhost = a.com;\nupstream = \"b:1\"",
            "this is not valid TOML: string values must be quoted, expected literal string: write host = \"a.com\"",
        ),
        (&format!("{route}upstream = \"b:1\";"), ": write upstream = \"b:1\""),
        (
            "[[routes]]\nserver_name = \"a\"\nupstream = \"b:1\"",
            "2: routes[0].server_name: unknown key; did you mean `host`?",
        ),
        (
            &format!("{route}proxy_pass = \"http://b:1\""),
            "3: routes[0].proxy_pass: unknown key; did you mean `upstream`?",
        ),
        (
            &format!("{route}upstream = \"http://b:1/api/\""),
            "an upstream cannot have a path; requests keep their own path, without the route's prefix if strip_prefix is true: write http://b:1",
        ),
        (&format!("{ROUTE}location = \"/api\""), "write [[routes.routes]], followed by prefix = \"/api\""),
        (&format!("{ROUTE}listen = 8080"), "to serve a route on one of them only, write listeners = [\"https\"]"),
        (
            &format!("{ROUTE}ssl_certificate = \"a.pem\""),
            "certificates go below a [[certificates]] line, for all routes; for names without one, pmesh issues one itself",
        ),
        (
            &format!("{ROUTE}proxy_read_timeout = \"5m\""),
            "4: routes[0].proxy_read_timeout: unknown key; did you mean `response_timeout`?",
        ),
        (
            &format!("{route}return = 404"),
            "write respond = 404, respond = \"silence\", or redirect = \"https://example.com\"",
        ),
    ] {
        assert_advice(file, expected);
    }
}

#[test]
fn users_of_traefik_get_advice() {
    for (file, expected) in [
        (
            "http:\n  routers:\n    app:",
            "the file is TOML, not YAML; a route begins with a [[routes]] line, followed by lines such as host = \"example.com\" and upstream = \"127.0.0.1:3000\"",
        ),
        ("[http.routers.app]\nrule = \"Host(`a.com`)\"", "found a table: a route begins with a [[routes]] line"),
        (
            "[[routes]]\nrule = \"Host(`a.com`)\"\nupstream = \"b:1\"",
            "write host = \"example.com\", and for a path prefix = \"/api\"",
        ),
        (
            "[[routes]]\nhost = \"Host(`a.com`) && PathPrefix(`/api`)\"\nupstream = \"b:1\"",
            "a route has no rule: write host = \"a.com\" and prefix = \"/api\"",
        ),
        (
            "[[routes]]\nhost = \"a.com, b.com\"\nupstream = \"b:1\"",
            "for several hosts, write [\"a.com\", \"b.com\"], or repeat the flag",
        ),
        ("[routes]\nhost = \"a\"", "found a table: write [[routes]], with its keys below"),
        (
            &format!("{ROUTE}[routes.routes]\nprefix = \"/api\""),
            "found a table: write [[routes.routes]], with its keys below",
        ),
        (
            &format!("{ROUTE}priority = 10"),
            "the order is fixed: the exact path wins, then the longest prefix; see `pmesh check`",
        ),
        (
            &format!("{ROUTE}middlewares = [\"strip\"]"),
            "there is no list of middleware: each is a key of the route, such as strip_prefix = true",
        ),
        (
            &format!("{ROUTE}entryPoints = [\"websecure\"]"),
            "to serve a route on one of them only, write listeners = [\"https\"]",
        ),
        (
            &format!("{ROUTE}basicAuth = true"),
            "unknown key: write basic_auth = { users = { alice = \"$argon2id$…\" } }, with a hash from `pmesh hash-password`",
        ),
        (
            "[[routes]]\nhost = \"a\"\nupstream = \"https://b\"\ntls = { insecureSkipVerify = true }",
            "4: routes[0].tls.insecureSkipVerify: unknown key; did you mean `skip_verify`?",
        ),
    ] {
        assert_advice(file, expected);
    }
}

#[test]
fn redirects_and_responses_in_the_style_of_other_programs_get_advice() {
    let route = "[[routes]]\nhost = \"a\"\n";
    for (file, expected) in [
        (
            &format!("{route}redirect = \"https://b/${{1}}\"") as &str,
            "a group of a regular expression is written {1}: leave out the $",
        ),
        (&format!("{route}redirect = {{ url = \"https://b\" }}"), "unknown key; did you mean `to`?"),
        (&format!("{route}redirect = {{ to = \"https://b\", code = 301 }}"), "unknown key; did you mean `status`?"),
        (&format!("{route}respond = \"ok\""), "for text, write { status = 200, body = \"ok\" }"),
        (&format!("{route}respond = \"404\""), "write 404, without quotes"),
        (
            "[redirects]\nwww.a.com = \"https://a.com\"",
            "2: redirects.www: a key with dots needs quotes: write \"www.a.com\" = …",
        ),
        ("[redirects]\n\"/old\" = \"/new\"", "the host is missing: write \"example.com/old\""),
        (
            "[redirects]\n\"www.${A}\" = \"https://b\"",
            "a key cannot contain variables: write [[routes]] with `host` and `redirect` instead",
        ),
        (
            &format!("{ROUTE}hsts = \"max-age=31536000; preload\""),
            "this is a duration, not the header's value: write \"31536000s\"",
        ),
        (&format!("{ROUTE}hsts = true"), "found true: write \"365d\""),
        (
            &format!("{ROUTE}listeners = [\"websecure\"]"),
            "there is no listener `websecure`, only http, https: write \"https\"",
        ),
        (
            &format!("{ROUTE}[[routes.routes]]\nmax_body = \"1MiB\""),
            ": a child needs a path, methods or match of its own",
        ),
        (
            &format!("email = \"a@b.test\"\n{ROUTE}"),
            "1: email: unknown key: `acme` is planned, but not available in this version",
        ),
    ] {
        assert_advice(file, expected);
    }
}

#[test]
fn old_names_are_rejected_with_the_new_name() {
    for (old, new) in [("body_timeout", "stall_timeout"), ("tunnel_timeout", "stream_timeout")] {
        assert_advice(&format!("{old} = \"5s\"\n{ROUTE}"), &format!("1: {old}: renamed: write `{new}`"));
        assert_advice(&format!("{ROUTE}{old} = \"5s\""), &format!("4: routes[0].{old}: renamed: write `{new}`"));
        // Other unknown variables are ignored. For a renamed one, this would silently apply the default.
        let [old, new] = [old, new].map(|key| format!("PMESH_{}", key.to_uppercase()));
        assert_eq!(Start::new().variable(&old, "5s").error(), format!("{old}: renamed: write `{new}`"));
    }
}

#[test]
fn a_top_level_setting_below_a_table_is_rejected_with_advice() {
    let above = "unknown key: `http` is a top-level setting: move it above the first [table] of the file";
    assert_advice(&format!("{ROUTE}http = 8080"), &format!("4: routes[0].http: {above}"));
    assert_advice("[mesh_peers]\nb = \"10.0.0.2:1\"\nhttp = 8080", &format!("3: mesh_peers.http: {above}"));
    // But a node can have that name.
    assert!(Start::new().file("[mesh_peers]\nhttp = \"10.0.0.2:1\"").load().is_ok());
}

#[test]
fn invalid_routes_get_advice() {
    for (host, upstreams, expected) in [
        ("\"*\"", "[\"a:1\"]", "name each host, or write *.example.com for all names below example.com"),
        ("\"a/api\"", "[\"a:1\"]", "the path belongs in `prefix`: write host = \"a\" and prefix = \"/api\""),
        ("[\"a\", \"b, c\"]", "[\"a:1\"]", "for several hosts, write [\"b\", \"c\"], or repeat the flag"),
        ("\"a\"", "[\"unix://run/x.sock\"]", "write unix:/run/x.sock, or unix:///run/x.sock with three slashes"),
        ("\"a\"", "[\"http://bob:hunter2@b:1\"]", ": write http://b:1"),
        ("\"a\"", "[\"b:1/api\"]", "without the route's prefix if strip_prefix is true: write b:1"),
    ] {
        let file = format!("[[routes]]\nhost = {host}\nupstream = {upstreams}");
        assert_advice(&file, expected);
        assert!(!Start::new().file(&file).error().contains("hunter2"));
    }
    let instead = "a prefix is not a pattern; it matches all paths below it: write \"/api\"";
    assert_advice(&format!("{ROUTE}prefix = \"/api/*\""), instead);
    assert!(Start::new().flags(&["--route", "a/api/*=b:1"]).error().ends_with(instead));
}

#[test]
fn files_with_a_bom_crlf_or_tabs_are_read_and_others_get_advice() {
    for file in [format!("\u{feff}{ROUTE}"), ROUTE.replace('\n', "\r\n"), ROUTE.replace(" = ", "\t=\t")] {
        assert_eq!(Start::new().file(&file).loaded().settings.routes.len(), 1, "{file:?}");
    }
    let start = Start::new().flags(&["--config", "[DIR]"]);
    assert_eq!(start.error(), "--config: cannot read [DIR]: it is a folder; write the path of the file in it");
    let start = Start::new().flags(&["--config", "[DIR]/a.toml"]);
    std::fs::write(start.folder.join("a.toml"), b"\xff\xfea\0=\0").expect("a file");
    assert_eq!(start.error(), "--config: cannot read [DIR]/a.toml: it is not UTF-8; save it as UTF-8");
}
