//! Error messages about mistakes in the settings.

use pmesh::settings::explain;

use crate::Start;

const PORT: &str = "expected a port (0 to 65535, where 0 lets the kernel pick) or \"off\"";
const DURATION: &str = "expected a duration over 0 and up to a year, such as 10s or 1m 30s";
const NETWORK: &str = "expected an IP address or a network such as 10.0.0.0/8";
const UPSTREAM: &str = "expected an upstream such as 127.0.0.1:9001, https://name or unix:/run/app.sock";
const HOST: &str = "expected a host such as example.com or *.example.com";

/// Asserts the error message for a file. `expected` begins with the line number.
fn assert_file_error(file: &str, expected: &str) {
    assert_eq!(Start::new().file(file).error(), format!("[DIR]/config.toml:{expected}"), "{file}");
}

#[test]
fn invalid_addresses_to_listen_on_are_rejected() {
    for (value, expected) in [
        ("[]", "1: bind: expected at least one IP address; 0.0.0.0 means all IPv4 addresses, :: all addresses"),
        ("[\"10.0.0.1\", 4]", "1: bind[1]: expected an IP address, found 4"),
        ("[\"10.0.0.1\", \"10.0.0.1\"]", "1: bind[1]: 10.0.0.1 is named twice"),
        ("[\"0.0.0.0\", \"::\"]", "1: bind[1]: :: listens on every address, IPv4 included: leave out 0.0.0.0"),
        (
            "\"10.0.0.1, ::1\"",
            "1: bind: expected an IP address, found \"10.0.0.1, ::1\": for several addresses, write [\"10.0.0.1\", \"::1\"]",
        ),
    ] {
        assert_file_error(&format!("bind = {value}"), expected);
    }
    let error = Start::new().flags(&["--bind", "::,10.0.0.1"]).error();
    assert_eq!(error, "--bind: :: listens on every address, IPv4 included: leave out 10.0.0.1");
}

#[test]
fn invalid_admin_addresses_are_rejected() {
    let expected = "expected unix, unix:PATH, a loopback address with its port such as 127.0.0.1:9901, or off";
    for (value, found) in [
        ("\"tcp\"", "\"tcp\""),
        ("9901", "9901: write \"127.0.0.1:9901\""),
        ("\":9901\"", "\":9901\": write 127.0.0.1:9901"),
        ("\"localhost:9901\"", "\"localhost:9901\": write 127.0.0.1:9901"),
        ("\"/run/pmesh.sock\"", "\"/run/pmesh.sock\": write unix:/run/pmesh.sock"),
        ("\"127.0.0.1:0\"", "\"127.0.0.1:0\": commands would not know the port: write a fixed one"),
        (
            "\"0.0.0.0:9901\"",
            "\"0.0.0.0:9901\": the admin API has no password, so it only listens on loopback: write 127.0.0.1:9901, and \
             reach it from other machines through SSH",
        ),
    ] {
        assert_file_error(&format!("admin = {value}"), &format!("1: admin: {expected}, found {found}"));
    }
    let long = format!("unix:/{}", "x".repeat(107));
    let error = Start::new().flags(&["--admin", &long]).error();
    assert!(error.ends_with("the path has 108 bytes, but a socket's path can have at most 107"), "{error}");
}

#[test]
fn unknown_keys_are_rejected_with_a_suggestion() {
    assert_file_error("http = 80\nhttpss = 443\n", "2: httpss: unknown key; did you mean `https`?");
    assert_file_error(
        "keep-alive-timeout = \"1s\"",
        "1: keep-alive-timeout: unknown key; did you mean `keep_alive_timeout`?",
    );
    assert_file_error("verbosity = 3", "1: verbosity: unknown key");
    assert_file_error("[listener]\nport = 3", "1: listener: unknown key; did you mean [listeners.NAME]?");
    assert_file_error("cert = \"a\"", "1: cert: this key cannot be set in a file; set --cert or PMESH_CERT");
    assert_file_error("secret = \"a\"", "1: secret: this key cannot be set in a file; set PMESH_SECRET");
    assert_file_error(
        "[[routes]]\nhost = \"a\"\nupstream = [\"a:1\"]\nprefx = \"/\"\n",
        "4: routes[0].prefx: unknown key; did you mean `prefix`?",
    );
    assert_file_error(
        "routes = [\n  { host = \"a\", upstream = [\"a:1\"], prefx = \"/\" },\n]\n",
        "2: routes[0].prefx: unknown key; did you mean `prefix`?",
    );
    assert_file_error(
        "[[certificates]]\ncert = \"a\"\nkey = \"b\"\n[[certificates]]\ncert = \"a\"\nkey = \"b\"\ncerts = \"a\"\n",
        "7: certificates[1].certs: unknown key; did you mean `cert`?",
    );
}

#[test]
fn invalid_toml_is_rejected_with_its_line() {
    assert_file_error("http = 80\nhttp = 81", "2: duplicate key `http`");
    assert_file_error("[a]\nx = 1\n[a]\ny = 1", "3: duplicate key `a`");
    assert_file_error("[[routes]]\nhost = \"a\"\nhost = \"b\"", "3: duplicate key `host`");
    assert_file_error("http = 80\n\n[[routes]\n", "3: this is not valid TOML: unclosed array table, expected `]`");
    assert_file_error(
        "http = eighty",
        "1: this is not valid TOML: string values must be quoted, expected literal string: write http = \"eighty\"",
    );
}

#[test]
fn values_of_the_wrong_type_are_rejected() {
    assert_file_error("\nhttp = \"eighty\"", &format!("2: http: {PORT}, found \"eighty\""));
    assert_file_error("http = -1", &format!("1: http: {PORT}, found -1"));
    assert_file_error("http = 1.5", &format!("1: http: {PORT}, found 1.5"));
    assert_file_error("[http]\nport = 80", &format!("1: http: {PORT}, found a table"));
    assert_file_error("bind = 4", "1: bind: expected an IP address, found 4");
    assert_file_error("access_log = \"yes\"", "1: access_log: expected true or false, found \"yes\"");
    assert_file_error("trusted_proxies = 10", &format!("1: trusted_proxies: {NETWORK}, found 10"));
    assert_file_error("routes = 3", "1: routes: expected a list, found 3: write [[routes]], with its keys below");
    assert_file_error(
        "[routes]\nhost = \"a\"",
        "1: routes: expected a list, found a table: write [[routes]], with its keys below",
    );
    assert_file_error("[trusted_proxies]", &format!("1: trusted_proxies: {NETWORK}, found a table"));
    assert_file_error("routes = [\"a=b:1\"]", "1: routes[0]: expected a table with host and upstream, found \"a=b:1\"");
}

#[test]
fn values_out_of_range_are_rejected() {
    assert_file_error("http = 65536", &format!("1: http: {PORT}, found 65536"));
    assert_file_error("workers = 0", "1: workers: expected a number from 1 to 1024, found 0");
    assert_file_error("http_h2c = \"on\"", "1: http_h2c: expected off, silent or open, found \"on\"");
    assert_file_error("home = \"\"", "1: home: expected a path, found \"\"");
    assert_file_error(
        "connect_timeout = 10",
        &format!("1: connect_timeout: {DURATION}, found 10: add a unit, as in 10s or 10ms"),
    );
    assert_file_error(
        "connect_timeout = \"0s\"",
        &format!(
            "1: connect_timeout: {DURATION}, found \"0s\": it cannot be switched off; write a long duration, such as 365d"
        ),
    );
    assert_file_error("connect_timeout = \"9years\"", &format!("1: connect_timeout: {DURATION}, found \"9years\""));
    assert_file_error(
        "trusted_proxies = [\n  \"10.0.0.0/8\",\n  \"10.0.0.0/40\",\n]",
        &format!("3: trusted_proxies[1]: {NETWORK}, found \"10.0.0.0/40\""),
    );
    let subnet = "1: subnet_dialer: expected an IPv4 network inside 127.0.0.0/8, such as 127.2.0.0/16, found";
    assert_file_error("subnet_dialer = \"127.2.0.0/33\"", &format!("{subnet} \"127.2.0.0/33\""));
    assert_file_error(
        "subnet_dialer = \"10.0.0.0/8\"",
        &format!("{subnet} \"10.0.0.0/8\": the network must lie inside 127.0.0.0/8"),
    );
    let log = "1: log: expected off, error, warn, info, debug or trace, or a filter such as info,pmesh=debug, found";
    assert_file_error("log = \"verbose\"", &format!("{log} \"verbose\""));
    assert_file_error("log = \"pmesh=loud\"", &format!("{log} \"pmesh=loud\""));
}

#[test]
fn invalid_routes_are_rejected() {
    let route = |rest: &str| format!("[[routes]]\nhost = \"a\"\n{rest}\n");
    assert_file_error(
        &route(""),
        "1: routes[0]: no answer for \"a\": write where requests go, as in upstream = \"127.0.0.1:3000\"",
    );
    assert_file_error(
        &route("upstream = []"),
        "3: routes[0].upstream: no upstream for \"a\": name at least one address",
    );
    assert_file_error(
        &route("upstream = [\n  \"a:1\",\n  \"h3://b\",\n]"),
        &format!(
            "5: routes[0].upstream[1]: {UPSTREAM}, found \"h3://b\": the scheme must be http, https, h2c, h2, mesh, service or unix"
        ),
    );
    assert_file_error(
        &route("upstream = [\"a:1\"]\ntls.ca = \"ca.pem\""),
        "4: routes[0].tls: `tls` is for upstreams with TLS (https:// or h2://), and this route has none",
    );
    assert_file_error(
        &route("upstream = [\"unix:/a\", \"h2c://b\"]\ntls.server_name = \"b\""),
        "4: routes[0].tls: `tls` is for upstreams with TLS (https:// or h2://), and this route has none",
    );
    assert_file_error(
        &route("upstream = [\"https://b\"]\ntls.server_name = \"b:443\""),
        "4: routes[0].tls.server_name: expected a name or an IP address, without a port, found \"b:443\": write the host without a port",
    );
    assert_file_error(
        &route("upstream = [\"a:1\"]\nhost_header = \"http://b\""),
        "4: routes[0].host_header: expected a host, with or without a port, found \"http://b\": leave out the scheme: write \"b\"",
    );
    assert_file_error(
        &route("upstream = [\"a:1\"]\npath_regex = \"(\""),
        "4: routes[0].path_regex: expected a regular expression such as ^/u/([0-9]+)$, found \"(\": unclosed group",
    );
    assert_file_error(
        &route("upstream = \"https://b\"\ntls.cert = \"c.pem\""),
        "4: routes[0].tls.cert: a certificate and its key go together: set `key` too, or remove this one",
    );
    assert_file_error(
        &route("upstream = \"https://b\"\ntls.key = \"c.key\""),
        "4: routes[0].tls.key: a certificate and its key go together: set `cert` too, or remove this one",
    );
    assert_file_error(
        &route("upstream = \"https://b\"\ntls.ca = \"ca.pem\"\ntls.skip_verify = true"),
        "5: routes[0].tls.skip_verify: this switches verification off, so `ca` ([DIR]/config.toml:4) would have no \
         effect: remove one of them",
    );
    assert_file_error(
        &route("upstream = \"https://b\"\ntls.skip_verify = \"yes\""),
        "4: routes[0].tls.skip_verify: expected true or false, found \"yes\"",
    );
    assert_file_error(
        &route("upstream = [\"a:1\"]\nprefix = \"api\""),
        "4: routes[0].prefix: expected a path that starts with a slash, such as /api, found \"api\": write \"/api\"",
    );
    assert_file_error(
        "[[routes]]\nupstream = [\"a:1\"]",
        "1: routes[0]: no host: write host = \"example.com\", or a list",
    );
    assert_file_error(
        "[[routes]]\nhost = \"a b\"\nupstream = [\"a:1\"]",
        &format!(
            "2: routes[0].host: {HOST}, found \"a b\": for several hosts, write [\"a\", \"b\"], or repeat the flag"
        ),
    );
}

#[test]
fn two_routes_for_the_same_requests_are_rejected() {
    assert_file_error(
        "[[routes]]\nhost = \"a\"\nupstream = [\"a:1\"]\n\n[[routes]]\nhost = \"A\"\nprefix = \"/\"\nupstream = [\"b:1\"]\n",
        "5: routes[1]: a/ has two routes: `a/ -> b:1` here and `a/ -> a:1` from [DIR]/config.toml:1: routes[0]",
    );
    assert_eq!(
        Start::new().flags(&["--route", "a=b:1", "--route", "a/=c:1"]).error(),
        "--route: a/ has two routes: `a/ -> c:1` here and `a/ -> b:1` from --route"
    );
}

#[test]
fn errors_name_the_flag() {
    for (flags, expected) in [
        (["--http", "x"], format!("--http: {PORT}, found \"x\"")),
        (["--route", "a"], "--route: expected HOST[/PREFIX]=UPSTREAM[,UPSTREAM…], found \"a\"".into()),
        (["--route", "a="], "--route: no upstream for \"a\": name at least one address".into()),
        (["--route", "=a:1"], format!("--route: {HOST}, found \"\": the host is empty")),
        (
            ["--route", "http://a.test/x=a:1"],
            format!("--route: {HOST}, found \"http://a.test/x\": a host has no scheme: write a.test"),
        ),
        (
            ["--route", "*.bücher.test=a:1"],
            format!(
                "--route: {HOST}, found \"*.bücher.test\": 'ü' is not allowed in a host name: write the name in punycode, \
                 as xn--…"
            ),
        ),
        (
            ["--route", "a=b"],
            format!(
                "--route: {UPSTREAM}, found \"b\": the port is missing: write b:8080 for port 8080, or http://b for port 80; groups below [upstreams] are planned, but not available in this version"
            ),
        ),
        (["--cert", "x"], "--cert: a certificate and its key go together; set --key or PMESH_KEY too".into()),
        (["--key", "x"], "--key: a certificate and its key go together; set --cert or PMESH_CERT too".into()),
        (
            ["--source-addresses", "2001:db8::1,x"],
            "--source-addresses: expected a non-loopback IP address of this machine, found \"x\"".into(),
        ),
        (
            ["--config", "[DIR]/none.toml"],
            "--config: cannot read [DIR]/none.toml: No such file or directory (os error 2)".into(),
        ),
    ] {
        assert_eq!(Start::new().flags(&flags).error(), expected);
    }
}

#[test]
fn errors_name_the_variable() {
    for (name, value, expected) in [
        ("PMESH_HTTP", "0x50", format!("{PORT}, found \"0x50\"")),
        ("PMESH_ACCESS_LOG", "maybe", "expected true or false, found \"maybe\"".into()),
        ("PMESH_CONNECT_TIMEOUT", "10", format!("{DURATION}, found \"10\": add a unit, as in 10s or 10ms")),
        ("PMESH_CERT", "x", "a certificate and its key go together; set --key or PMESH_KEY too".into()),
    ] {
        assert_eq!(Start::new().variable(name, value).error(), format!("{name}: {expected}"));
    }
}

#[test]
fn settings_that_clash_are_rejected() {
    for (flags, expected) in [
        (["--https", "80"], "--https: `https` and `http` (default) are both port 80"),
        (["--http", "8443"], "--http: `http` and `internal` (default) are both port 8443"),
        (
            ["--subnet-service", "127.2.3.0/24"],
            "--subnet-service: `subnet_service` and `subnet_dialer` (default) overlap: 127.2.0.0/16 and 127.2.3.0/24",
        ),
    ] {
        assert_eq!(Start::new().flags(&flags).error(), expected);
    }
    assert!(Start::new().flags(&["--http", "0", "--https", "0", "--internal", "0"]).load().is_ok());
}

const PEERS: &str = "--mesh-peer or PMESH_MESH_PEERS";
const REGISTRY: &str = "--mesh-registry or PMESH_MESH_REGISTRY";

#[test]
fn invalid_settings_of_nodes_are_rejected() {
    for (flags, expected) in [
        (
            &["--node", "a.b"][..],
            "--node: expected the name of a node, such as berlin-1, found \"a.b\": '.' is not allowed in a node \
             name; use letters from a to z, digits and hyphens"
                .to_owned(),
        ),
        (&["--mesh-peer", "b"], "--mesh-peer: expected NAME=HOST:PORT, found \"b\"".into()),
        (&["--mesh-peer", "b=c"], "--mesh-peer: expected NAME=HOST:PORT, found \"b=c\": the port is missing".into()),
        (&["--mesh-peer", "b=c:1", "--mesh-peer", "B=d:1"], "--mesh-peer: node b is named twice".into()),
        (&["--mesh-registry-bucket", "a.b"], "--mesh-registry-bucket: expected letters, digits, - and _, found \"a.b\"".into()),
        (
            &["--mesh-advertise", "a"],
            "--mesh-advertise: expected an address with its port, such as 10.0.0.2:8443, found \"a\": the port is missing"
                .into(),
        ),
        (
            &["--mesh-advertise", "a:1", "--internal", "off"],
            "--mesh-advertise: this is the address of the internal port, which is off: turn on `internal`, or remove this".into(),
        ),
        (
            &["--mesh-registry", "nats://a"],
            "--mesh-registry: other nodes cannot find this one, because `bind` is 0.0.0.0, which means every address of \
             the machine: set --mesh-advertise or PMESH_MESH_ADVERTISE, or set `internal` to \"off\" if they need not reach it"
                .into(),
        ),
        (
            &["--mesh-cert", "x"],
            "--mesh-cert: an authority, a certificate and its key go together; set --mesh-ca or PMESH_MESH_CA, and \
             --mesh-key or PMESH_MESH_KEY too"
                .into(),
        ),
        (
            &["--route", "x=mesh://b", "--mesh-peer", "c=d:1"],
            format!("--route: `x/ -> mesh://b`: mesh://b: the address of that node is not known: set {PEERS} or {REGISTRY}"),
        ),
        (
            &["--route", "x=mesh://*", "--node", "b", "--mesh-peer", "b=c:1"],
            format!("--route: `x/ -> mesh://*`: mesh://*: no other node is known: set {PEERS} or {REGISTRY}"),
        ),
        (
            &["--route", "x=a:1,mesh://B", "--node", "b"],
            "--route: `x/ -> a:1, mesh://b`: mesh://b: that is the name of this node itself".into(),
        ),
    ] {
        assert_eq!(Start::new().flags(flags).error(), expected);
    }
    assert_file_error(
        "mesh_peers = [\"b=c:1\"]",
        "1: mesh_peers: expected a table such as { b = \"10.0.0.2:8443\" }, found a list",
    );
    assert_file_error(
        "[mesh_peers]\n\"b.c\" = \"d:1\"",
        "2: mesh_peers.\"b.c\": '.' is not allowed in a node name; use letters from a to z, digits and hyphens",
    );
    assert_file_error(
        "[[routes]]\nhost = \"a\"\nupstream = [\"a:1\"]\n[[routes]]\nhost = \"x\"\nupstream = [\"mesh://b\"]\n",
        &format!(
            "4: routes[1]: `x/ -> mesh://b`: mesh://b: the address of that node is not known: set {PEERS} or {REGISTRY}"
        ),
    );
    let works = [
        &["--route", "x=mesh://b", "--mesh-peer", "b=c:1", "--internal", "off"][..],
        &["--route", "x=mesh://*", "--mesh-registry", "nats://a", "--internal", "off"],
        &["--route", "x=mesh://b,mesh://*", "--mesh-registry", "nats://a", "--bind", "10.0.0.1"],
        &["--mesh-registry", "nats://a", "--mesh-advertise", "10.0.0.1:8443"],
    ];
    for flags in works {
        assert_eq!(Start::new().flags(flags).load().err().map(|error| error.to_string()), None);
    }
}

#[test]
fn errors_do_not_show_passwords() {
    for registry in ["nats://u:hunter2@a:0", "u:hunter2@a", "nats://u:hunter2@a/b", "nats://u:hunter2%@a"] {
        let error = Start::new().flags(&["--mesh-registry", registry, "--bind", "::1"]).error();
        assert!(error.starts_with("--mesh-registry: expected a server such as nats://127.0.0.1:4222: "), "{error}");
        assert!(!error.contains("hunter2"), "{error}");
    }
    let start = Start::new().variable("PMESH_MESH_REGISTRY", "nats://u:hunter2@a").flags(&["--bind", "::1"]);
    assert_eq!(start.explained("mesh_registry"), ("nats://u:***@a:4222".into(), "PMESH_MESH_REGISTRY".into()));
    assert!(!format!("{:?}", start.loaded().settings).contains("hunter2"));
}

#[test]
fn all_problems_are_reported_at_once() {
    let start =
        Start::new().file("htpp = 1\nworkers = 0\n[[certificates]]\ncert = \"a\"\n").flags(&["--log-format", "xml"]);
    assert_eq!(
        start.error(),
        "4 problems with the settings:
  --log-format: expected text or json, found \"xml\"
  [DIR]/config.toml:1: htpp: unknown key; did you mean `http`?
  [DIR]/config.toml:2: workers: expected a number from 1 to 1024, found 0
  [DIR]/config.toml:3: certificates[0]: `key` is missing: a certificate and its key go together"
    );
}

#[test]
fn explain_suggests_a_setting_for_an_unknown_key() {
    let loaded = Start::new().loaded();
    let error = explain(&loaded, Some("htpp")).expect_err("unknown");
    assert_eq!(error.to_string(), "htpp: unknown setting; did you mean `http`?");
    let error = explain(&Start::new().loaded(), Some("compress")).unwrap_err();
    assert_eq!(
        error.to_string(),
        "compress: a key of routes, not a setting: Whether to compress text, JSON and the like with zstd, br or gzip, \
         for clients that accept it"
    );
    for name in ["subnet_dialer", "--subnet-dialer", "PMESH_SUBNET_DIALER"] {
        assert!(explain(&loaded, Some(name)).is_ok(), "{name}");
    }
}
