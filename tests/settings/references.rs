//! References to the environment in strings of the file.

use std::time::Duration;

use pmesh::settings::{Port, explain};

use crate::Start;

const SYNTAX: &str = "write ${NAME} or ${NAME:-default}, or $${ for a literal ${";

#[test]
fn every_string_can_refer_to_the_environment() {
    let start = Start::new()
        .variable("PORT", "8080")
        .variable("LOG", "yes")
        .variable("DOMAIN", "example.com")
        .variable("BACKEND", "10.0.0.1")
        .variable("TIMEOUT", "5m")
        .variable("CERTS", "certs")
        .variable("PEER", "10.0.0.9")
        .variable("OFFICE", "10.1.0.0/16")
        .file(
            r#"
http = "${PORT}"
https = "${HTTPS_PORT:-off}"
bind = ["${BIND:-127.0.0.1}", "::1"]
access_log = "${LOG}"
max_head = "${MAX_HEAD:-9000}"
connect_timeout = "${SECONDS:-7}s"
trusted_proxies = ["10.2.0.0/16", "${OFFICE}"]
secret_file = "${HOME}/secret"
node = "a"

[mesh_peers]
b = "${PEER}:8443"

[[routes]]
host = ["${DOMAIN}", "*.${DOMAIN}"]
prefix = "/${PREFIX:-api}"
upstream = ["https://${BACKEND}:${BACKEND_PORT:-9001}"]
strip_prefix = "${STRIP:-true}"
tls.ca = "${CERTS}/ca.pem"
response_timeout = "${TIMEOUT}"
max_body = "${MAX_BODY:-1000}"

[[certificates]]
cert = "${CERTS}/a.pem"
key = "~/${CERTS}/a.key"
"#,
        );
    let settings = start.loaded().settings;
    assert_eq!((settings.http, settings.https), (Port::Number(8080), Port::Off));
    assert_eq!(settings.bind.iter().map(ToString::to_string).collect::<Vec<_>>(), ["127.0.0.1", "::1"]);
    assert!(settings.access_log);
    assert_eq!(settings.max_head, 9000);
    assert_eq!(settings.connect_timeout, Duration::from_secs(7));
    assert_eq!(settings.trusted_proxies[1].to_string(), "10.1.0.0/16");
    let peers: Vec<_> = settings.mesh.peers.iter().map(|(name, address)| format!("{name} {address}")).collect();
    assert_eq!(peers, ["b 10.0.0.9:8443"]);
    let route = &settings.routes[0];
    assert_eq!(route.to_string(), "example.com/api, *.example.com/api -> https://10.0.0.1:9001");
    assert!(route.strip_prefix);
    assert_eq!((route.response_timeout, route.max_body), (Duration::from_secs(300), Some(1000)));
    assert_eq!(route.tls.ca().map(|ca| ca.path.clone()), Some(start.folder.join("certs/ca.pem")));
    assert_eq!(settings.certificates[0].cert, start.folder.join("certs/a.pem"));
    assert_eq!(settings.certificates[0].key, start.folder.join("certs/a.key"));

    for (key, value, source) in [
        ("http", "8080", "2, from ${PORT}"),
        ("https", "off", "3, from the default of ${HTTPS_PORT}"),
        ("secret_file", "[DIR]/secret", "9, from ${HOME}"),
        ("mesh_peers", "b=10.0.0.9:8443", "12, from ${PEER}"),
        ("node", "a", "10"),
        (
            "routes",
            "example.com/api, *.example.com/api -> https://10.0.0.1:9001",
            "15, from ${BACKEND}, ${CERTS}, ${DOMAIN}, ${TIMEOUT}, the default of ${BACKEND_PORT}, the default of \
             ${MAX_BODY}, the default of ${PREFIX}, the default of ${STRIP}",
        ),
    ] {
        assert_eq!(start.explained(key), (value.into(), format!("[DIR]/config.toml:{source}")));
    }
    // For a flag, the variables in the file are not named.
    assert_eq!(start.flags(&["--http", "81"]).explained("http"), ("81".into(), "--http".into()));
}

#[test]
fn references_are_expanded_and_dollars_can_be_literal() {
    for (text, expected) in [
        ("${WORD}", "word"),
        ("a${WORD}b${WORD}c", "awordbwordc"),
        ("${WORD:-x}", "word"),
        ("${EMPTY:-x}", "x"),
        ("${UNSET:-}x", "x"),
        ("${UNSET:-a:-b}", "a:-b"),
        ("${_UNSET_1:-$1 $$ $${x}", "$1 $ ${x"),
        ("$${WORD}", "${WORD}"),
        ("$$${WORD}", "$word"),
        ("$WORD", "$WORD"),
        ("^/a$", "^/a$"),
        ("$2y$10$abc", "$2y$10$abc"),
        ("$$", "$"),
        ("$", "$"),
        ("{WORD}", "{WORD}"),
        // The value of a variable is not expanded again.
        ("${NESTED}", "${WORD} $$"),
    ] {
        let start = Start::new().variable("WORD", "word").variable("EMPTY", "").variable("NESTED", "${WORD} $$");
        let start = start.file(&format!("secret_file = '/{text}'"));
        assert_eq!(start.explained("secret_file").0, format!("/{expected}"), "{text}");
    }
}

#[test]
fn keys_flags_and_variables_are_not_expanded() {
    let start = Start::new().variable("KEY", "http").variable("PATH_OF_IT", "x").file("\"${KEY}\" = 80");
    assert_eq!(start.error(), "[DIR]/config.toml:1: ${KEY}: unknown key");
    let start = Start::new().variable("WORD", "x").flags(&["--secret-file", "/${WORD}"]);
    assert_eq!(start.explained("secret_file").0, "/${WORD}");
    let start = Start::new().variable("WORD", "x").variable("PMESH_SECRET_FILE", "/${WORD}");
    assert_eq!(start.explained("secret_file").0, "/${WORD}");
}

#[test]
fn mistakes_in_references_are_reported() {
    for (text, expected) in [
        ("${UNSET}", "the variable UNSET is not set, or empty: set it, or write ${UNSET:-default}".to_owned()),
        ("${EMPTY}", "the variable EMPTY is not set, or empty: set it, or write ${EMPTY:-default}".to_owned()),
        ("a${WORD", format!("a ${{ is not closed: {SYNTAX}")),
        ("${}", format!("a ${{ is not followed by the name of a variable: {SYNTAX}")),
        ("${:-x}", format!("a ${{ is not followed by the name of a variable: {SYNTAX}")),
        ("${1A}", format!("a ${{ is not followed by the name of a variable: {SYNTAX}")),
        ("${ WORD }", format!("a ${{ is not followed by the name of a variable: {SYNTAX}")),
        ("${WORD-x}", format!("the reference to WORD is malformed: {SYNTAX}")),
        ("${WORD:x}", format!("the reference to WORD is malformed: {SYNTAX}")),
        ("${WORD }", format!("the reference to WORD is malformed: {SYNTAX}")),
        ("${UNSET:-${WORD}}", "the default of UNSET cannot refer to another variable".to_owned()),
        ("${PMESH_SECRET}", "PMESH_SECRET cannot be used here, because it is never shown".to_owned()),
    ] {
        let start = Start::new().variable("WORD", "word").variable("EMPTY", "").variable("PMESH_SECRET", "a-secret");
        let start = start.file(&format!("http = 80\n[[routes]]\nhost = 'a'\nupstream = [\n  'a:1',\n  '{text}',\n]"));
        assert_eq!(start.error(), format!("[DIR]/config.toml:6: routes[0].upstream[1]: {expected}"), "{text}");
    }
}

#[test]
fn all_missing_variables_are_reported_at_once() {
    let start = Start::new().file("htpp = 1\nlog = \"${LOG}\"\n[[routes]]\nhost = \"${DOMAIN}\"\nupstream = [\"a:1\"]");
    assert_eq!(
        start.error(),
        "3 problems with the settings:
  [DIR]/config.toml:1: htpp: unknown key; did you mean `http`?
  [DIR]/config.toml:2: log: the variable LOG is not set, or empty: set it, or write ${LOG:-default}
  [DIR]/config.toml:4: routes[0].host: the variable DOMAIN is not set, or empty: set it, or write ${DOMAIN:-default}"
    );
}

#[test]
fn errors_name_the_variable_but_do_not_show_its_value() {
    for (file, expected) in [
        (
            "http = \"${BAD}\"",
            "1: http, from ${BAD}: expected a port (0 to 65535, where 0 lets the kernel pick) or \"off\", found a value that is not shown",
        ),
        (
            "connect_timeout = \"${UNSET:-hunter2}${BAD}\"",
            "1: connect_timeout, from the default of ${UNSET}, ${BAD}: expected a duration over 0 and up to a year, \
             such as 10s or 1m 30s, found a value that is not shown",
        ),
        (
            "trusted_proxies = \"${BAD}\"",
            "1: trusted_proxies, from ${BAD}: expected an IP address or a network such as 10.0.0.0/8, found a value that \
             is not shown",
        ),
        (
            "[[routes]]\nhost = \"${BAD}\"\nupstream = [\"${BAD}\"]",
            "2: routes[0].host, from ${BAD}: expected a host such as example.com or *.example.com, found a value that is \
             not shown\n  [DIR]/config.toml:3: routes[0].upstream[0], from ${BAD}: expected an upstream such as \
             127.0.0.1:9001, https://name or unix:/run/app.sock, found a value that is not shown",
        ),
        (
            "[[routes]]\nhost = \"${BAD}\"",
            "1: routes[0]: no answer: write where requests go, as in upstream = \"127.0.0.1:3000\"",
        ),
        (
            "[[routes]]\nhost = \"a\"\nlisteners = [\"${BAD}\"]\nupstream = \"b:1\"",
            "3: routes[0].listeners[0], from ${BAD}: there is no listener of this name, only http, https: set the variable \
             to one of these",
        ),
        (
            "mesh_registry = \"nats://::${BAD}\"",
            "1: mesh_registry, from ${BAD}: expected a server such as nats://127.0.0.1:4222, found a value that is not shown",
        ),
    ] {
        let error = Start::new().variable("BAD", "hunter2/ hunter2").file(file).error();
        assert!(error.contains(&format!("[DIR]/config.toml:{expected}")), "{error}");
        assert!(!error.contains("hunter2"), "{error}");
    }
}

#[test]
fn conditions_from_the_environment_are_not_shown() {
    let start = Start::new().variable("KEY", "hunter2").file(
        "[[routes]]\nhost = 'a'\nupstream = 'b:1'\n\
         match = { headers = { x-key = '${KEY}', x-version = '2' }, query = { key = '${KEY}*' } }",
    );
    let loaded = start.loaded();
    let [route] = &loaded.settings.routes[..] else { panic!("one route") };
    assert_eq!(route.to_string(), "a/ [header x-key: ***, header x-version: 2, query key=***] -> b:1");
    assert_eq!(route.name, "a/ [header x-key: ***, header x-version: 2, query key=***]");
    assert!(!format!("{route:?}").contains("hunter2"));
    let explained = explain(&loaded, None).expect("all");
    assert!(!explained.contains("hunter2"), "{explained}");
}

#[test]
fn a_password_from_the_environment_is_not_shown() {
    let start = Start::new().variable("NATS_PASSWORD", "hunter2").flags(&["--bind", "::1"]);
    let loaded = start.file("mesh_registry = \"nats://u:${NATS_PASSWORD}@a\"").loaded();
    let explained = explain(&loaded, None).expect("all");
    assert!(explained.contains("nats://u:***@a:4222") && explained.contains(", from ${NATS_PASSWORD}"), "{explained}");
    assert!(!format!("{explained}{:?}", loaded.settings).contains("hunter2"));
}

#[test]
fn commands_that_ask_a_node_do_not_need_the_variables_of_its_routes() {
    let start = Start::new().variable("DIR", "[DIR]").file("home = \"${DIR}/h\"\n[[routes]]\nhost = \"${DOMAIN}\"\n");
    let settings = start.source().load_for_command().unwrap_or_else(|error| panic!("{error}"));
    assert_eq!(settings.home, start.folder.join("h"));
}
