//! `[listeners.NAME]`: listeners in addition to http, https and internal.

use pmesh::settings::{H2c, Listener, Port, Settings, summary};

use crate::Start;

fn settings(file: &str) -> Settings {
    Start::new().file(file).loaded().settings
}

/// Asserts the error message for a file. `expected` begins with the line number.
#[track_caller]
fn assert_error(file: &str, expected: &str) {
    assert_eq!(Start::new().file(file).error(), format!("[DIR]/config.toml:{expected}"), "{file}");
}

#[test]
fn a_listener_has_a_name_and_a_port() {
    let settings = settings(
        "internal = \"off\"\nbind = \"127.0.0.1\"\n[listeners.federation]\nport = 8448\ntls = true\n\
         [listeners.apps]\nport = 0\nbind = [\"10.0.0.1\", \"::1\"]\nh2c = \"silent\"\n[listeners.later]\nport = \"off\"\n",
    );
    let named = |name: &str, tls| Listener::Named { name: name.into(), tls };
    let all: Vec<_> = settings.all_listeners().collect();
    assert_eq!(
        all,
        [
            Listener::Http,
            Listener::Https,
            named("apps", false),
            named("federation", true),
            named("later", false),
            Listener::Internal
        ]
    );
    assert_eq!(all.iter().map(|listener| settings.h2c(listener)).nth(2), Some(H2c::Silent));
    assert_eq!(settings.port(&named("later", false)), Port::Off);
    let open = settings.listeners().into_iter().map(|(listener, address)| format!("{} {address}", listener.name()));
    assert_eq!(
        open.collect::<Vec<_>>(),
        ["http 127.0.0.1:80", "https 127.0.0.1:443", "apps 10.0.0.1:0", "apps [::1]:0", "federation 127.0.0.1:8448"]
    );
    assert_eq!(
        summary(&settings),
        "http        127.0.0.1:80\nhttps       127.0.0.1:443\napps        10.0.0.1, ::1, a port the kernel picks\n\
         federation  127.0.0.1:8448\nlater       off\ninternal    off\n"
    );
}

#[test]
fn values_can_come_from_the_environment() {
    let start = Start::new().variable("PORT", "8449").file("[listeners.a]\nport = \"${PORT}\"\ntls = \"${TLS:-true}\"");
    let settings = start.loaded().settings;
    assert_eq!(settings.port(&Listener::Named { name: "a".into(), tls: true }), Port::Number(8449));
}

#[test]
fn http_https_and_internal_are_top_level_settings() {
    for (file, expected) in [
        ("[listeners.http]\nport = 8080", "1: listeners.http: `http` is a top-level setting: write http = 8080"),
        ("[listeners]\nhttps = 8443", "2: listeners.https: `https` is a top-level setting: write https = 8443"),
        (
            "[listeners.internal]\nport = \"off\"",
            "1: listeners.internal: `internal` is a top-level setting: write internal = \"off\"",
        ),
        ("[listeners.http]", "1: listeners.http: `http` is a top-level setting: write http = PORT"),
    ] {
        assert_error(file, &format!("{expected} above the first [table] of the file"));
    }
}

#[test]
fn names_must_be_like_dns_labels() {
    let rule = "a listener's name has at most 63 lower-case letters, digits and hyphens, and begins with a letter";
    for (name, advice) in [
        ("Federation", ": write [listeners.federation]"),
        ("my_apps", ": write [listeners.my-apps]"),
        ("\"a.b\"", ": write [listeners.a-b]"),
        ("8448", ""),
    ] {
        let error = Start::new().file(&format!("[listeners.{name}]\nport = 1")).error();
        assert!(error.ends_with(&format!("{rule}{advice}")), "{name}: {error}");
    }
}

#[test]
fn missing_and_invalid_keys_are_rejected() {
    let port = "expected a port (0 to 65535, where 0 lets the kernel pick) or \"off\"";
    for (file, expected) in [
        ("[listeners.a]\ntls = true", "1: listeners.a: no port: set `port` to a number, or to \"off\""),
        ("[listeners.a]\nprot = 1", "2: listeners.a.prot: unknown key; did you mean `port`?"),
        ("[listeners.a]\nport = 70000", &format!("2: listeners.a.port: {port}, found 70000")),
        (
            "[listeners.a]\nport = \"[::1]:1\"",
            &format!(
                "2: listeners.a.port: {port}, found \"[::1]:1\": the address is a separate setting: write 1 here, and \
                 bind = \"::1\""
            ),
        ),
        (
            "[listeners.a]\nport = 1\nbind = \"127.0.0.1:1\"",
            "3: listeners.a.bind: expected an IP address, found \"127.0.0.1:1\": the port is a separate setting: write \
             bind = \"127.0.0.1\" and port = 1",
        ),
        (
            "[listeners.a]\nport = 1\nbind = [\"::\", \"10.0.0.1\"]",
            "3: listeners.a.bind[1]: :: listens on every address, IPv4 included: leave out 10.0.0.1",
        ),
        ("[listeners.a]\nport = 1\ntls = 1", "3: listeners.a.tls: expected true or false, found 1"),
        (
            "[listeners.a]\nport = 1\ntls = true\nh2c = \"open\"",
            "4: listeners.a.h2c: h2c is HTTP/2 without TLS; this listener uses TLS, where HTTP/2 is always on",
        ),
        (
            "[listeners.a]\nport = 1\nhttp = 1",
            "3: listeners.a.http: unknown key: `http` is a top-level setting: move it above the first [table] of the file",
        ),
        (
            "[listeners]\na = 8448",
            "2: listeners.a: expected a table, found 8448: write [listeners.a], and port = 8448 below",
        ),
        ("[listeners]\na = true", "2: listeners.a: expected a table, found true"),
        (
            "listeners = [\"https\"]",
            "1: listeners: expected a table for each listener, as in [listeners.NAME], found a list",
        ),
        ("[listener.a]\nport = 1", "1: listener: unknown key; did you mean [listeners.NAME]?"),
    ] {
        assert_error(file, expected);
    }
}

#[test]
fn two_listeners_cannot_share_a_port_on_the_same_address() {
    for (file, expected) in [
        (
            "[listeners.a]\nport = 443",
            "2: listeners.a.port: `listeners.a.port` and `https` (default) are both port 443",
        ),
        (
            "http = 8080\n[listeners.a]\nport = 8080\nbind = \"10.0.0.1\"",
            "3: listeners.a.port: `listeners.a.port` and `http` ([DIR]/config.toml:1) are both port 8080, on 10.0.0.1 and \
             on 0.0.0.0",
        ),
        (
            "bind = [\"10.0.0.1\", \"10.0.0.2\"]\n[listeners.a]\nport = 8443\nbind = \"10.0.0.2\"",
            "3: listeners.a.port: `listeners.a.port` and `internal` (default) are both port 8443 on 10.0.0.2",
        ),
        (
            "[listeners.a]\nport = 9000\n[listeners.b]\nport = 9000\ntls = true",
            "4: listeners.b.port: `listeners.b.port` and `listeners.a.port` ([DIR]/config.toml:2) are both port 9000",
        ),
    ] {
        let error = Start::new().file(file).error();
        assert_eq!(error, format!("[DIR]/config.toml:{expected}"), "{file}");
    }
    for file in [
        "bind = \"10.0.0.1\"\n[listeners.a]\nport = 443\nbind = \"10.0.0.2\"",
        "[listeners.a]\nport = 0\n[listeners.b]\nport = 0",
        "[listeners.a]\nport = 9000\nbind = \"10.0.0.1\"\n[listeners.b]\nport = 9000\nbind = \"10.0.0.2\"",
        "https = \"off\"\n[listeners.a]\nport = 443",
    ] {
        assert!(Start::new().file(file).load().is_ok(), "{file}");
    }
}

/// The places that a listener serves, as `host/path upstream`.
fn served(settings: &Settings, listener: &Listener) -> Vec<String> {
    let served = settings.served(listener).into_iter();
    served.map(|served| format!("{} {}", served.place, served.route.answer)).collect()
}

#[test]
fn a_route_is_served_on_http_and_https_unless_it_names_listeners() {
    let settings = settings(
        "[listeners.b]\nport = 1\n[listeners.c]\nport = \"off\"\n\
         [[routes]]\nhost = \"a.test\"\nupstream = \"u:1\"\n\
         [[routes.routes]]\nprefix = \"/x\"\nlisteners = [\"https\", \"b\"]\n\
         [[routes]]\nhost = \"a.test\"\nlisteners = \"b\"\nupstream = \"u:2\"\n",
    );
    let named = |name: &str| Listener::Named { name: name.into(), tls: false };
    assert_eq!(served(&settings, &Listener::Http), ["a.test/ u:1"]);
    assert_eq!(served(&settings, &Listener::Https), ["a.test/ u:1", "a.test/x u:1"]);
    assert_eq!(served(&settings, &named("b")), ["a.test/x u:1", "a.test/ u:2"]);
    assert!(served(&settings, &named("c")).is_empty());
}

#[test]
fn other_nodes_can_request_everything_and_https_routes_win() {
    let route = |listener: &str, path: &str, port: u16| {
        format!("[[routes]]\nhost = \"a.test\"\nlisteners = \"{listener}\"\nupstream = \"u:{port}\"\n{path}\n")
    };
    let settings = settings(
        &[
            "[listeners.b]\nport = 1\n[listeners.c]\nport = 2\n".to_owned(),
            route("c", "prefix = \"/c\"", 1),
            route("c", "prefix = \"/b\"", 2),
            route("b", "prefix = \"/b\"", 3),
            route("http", "prefix = \"/\"", 4),
            route("http", "prefix = \"/x\"", 5),
            route("https", "prefix = \"/\"", 6),
            // A request that https rejects with 405 does not reach a route of http.
            route("https", "prefix = \"/m\"\nmethods = \"GET\"", 7),
            route("http", "prefix = \"/m\"\nmethods = \"POST\"", 8),
            route("http", "path = \"/m\"", 9),
        ]
        .concat(),
    );
    assert_eq!(
        served(&settings, &Listener::Internal),
        [
            "a.test/c u:1",
            "a.test/b u:3",
            "a.test/x u:5",
            "a.test/ u:6",
            "a.test/m [GET, HEAD] u:7",
            "a.test/m (exact) u:9"
        ]
    );
}

#[test]
fn explain_shows_each_listener_with_its_place() {
    let start = Start::new().file("bind = \"10.0.0.1\"\n[listeners.b]\nport = 1\n\n[listeners.a]\nport = \"off\"\n");
    let text = pmesh::settings::explain(&start.loaded(), Some("listeners")).expect("a setting");
    let rows: Vec<_> = text.lines().take(2).map(|row| start.without_folder(row)).collect();
    assert_eq!(
        rows.iter().map(|row| row.split_whitespace().collect::<Vec<_>>().join(" ")).collect::<Vec<_>>(),
        ["listeners a: off [DIR]/config.toml:5", "b: port 1 on 10.0.0.1 [DIR]/config.toml:2"]
    );
}
