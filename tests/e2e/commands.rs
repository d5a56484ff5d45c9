//! Commands that print something and exit.

use std::process::{Command, Output};

use crate::support::{Start, files, program::PROGRAM};

const SECRET: &str = "000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f";

/// The output of a successful command.
fn printed(start: Start, command: &[&str]) -> String {
    let start = start.flags(command);
    let Output { status, stdout, stderr } = start.output();
    assert!(status.success() && stderr.is_empty(), "{status}: {}", String::from_utf8_lossy(&stderr));
    String::from_utf8(stdout).unwrap().replace(start.home().to_str().unwrap(), "[HOME]")
}

#[test]
fn check_prints_the_listeners_and_routes() {
    let routes = &["--route", "a.test=127.0.0.1:9", "--route", "*.b.test/x=127.0.0.1:9,[::1]:8,name:80"];
    assert_eq!(
        printed(Start::new().http(8080).flags(routes), &["check"]),
        "config    [HOME]/config.toml
http      127.0.0.1:8080
https     127.0.0.1, a port the kernel picks
internal  127.0.0.1, a port the kernel picks
a.test/ -> 127.0.0.1:9
*.b.test/x -> 127.0.0.1:9, [::1]:8, name:80
"
    );
    let nodes = ["--node", "a", "--mesh-peer", "b=b.test:8443", "--mesh-registry", "nats://u:p@c.test"];
    let upstream = ["--mesh-advertise", "127.0.0.1:8443", "--route", "a.test=mesh://b,mesh://*"];
    let with_nodes = printed(Start::new().flags(&nodes).flags(&upstream), &["check"]);
    assert!(
        with_nodes.ends_with(
            "node      a, at 127.0.0.1:8443
peer      b=b.test:8443
registry  nats://u:***@c.test:4222
a.test/ -> mesh://b, mesh://*
"
        ),
        "{with_nodes}"
    );
}

/// A file with every source of inherited settings.
const INHERITING: &str = r#"response_timeout = "20s"
[defaults]
hsts = "365d"
host_header = "inside.test"
[redirects]
"www.a.test" = "https://a.test"
[[routes]]
host = "a.test"
match.headers.x-a = true
upstream = "${BACKEND}"
[[routes.routes]]
prefix = "/api"
match.headers.x-b = "1"
listeners = "https"
response_timeout = "5m"
[[routes.routes]]
prefix = "/api"
methods = "GET"
hsts = false
[[routes]]
host = "b.test"
prefix = "/app"
respond = 200
[[routes.routes]]
path_regex = "[.]php$"
respond = 403
[listeners.more]
port = 0
"#;

#[test]
fn check_shows_routes_in_order_with_their_inherited_settings() {
    let start = || Start::new().config(INHERITING).variable("BACKEND", "127.0.0.1:9");
    assert_eq!(
        printed(start(), &["check"]).rsplit_once("picks\n").unwrap().1,
        r#"a.test/api [header x-a: *, header x-b: 1] -> 127.0.0.1:9 on https
  host = "a.test"              [HOME]/config.toml:8
  match.headers.x-a = true     [HOME]/config.toml:9
  upstream = ${BACKEND}        [HOME]/config.toml:10, from ${BACKEND}
  hsts = "365d"                [HOME]/config.toml:3
  host_header = "inside.test"  [HOME]/config.toml:4
a.test/api [GET, HEAD, header x-a: *] -> 127.0.0.1:9
  host = "a.test"                       [HOME]/config.toml:8
  match = { headers = { x-a = true } }  [HOME]/config.toml:9
  upstream = ${BACKEND}                 [HOME]/config.toml:10, from ${BACKEND}
  host_header = "inside.test"           [HOME]/config.toml:4
  response_timeout = "20s"              [HOME]/config.toml:1
a.test/ [header x-a: *] -> 127.0.0.1:9
  hsts = "365d"                [HOME]/config.toml:3
  host_header = "inside.test"  [HOME]/config.toml:4
  response_timeout = "20s"     [HOME]/config.toml:1
b.test/app ~ [.]php$ -> 403
  host = "b.test"  [HOME]/config.toml:21
  prefix = "/app"  [HOME]/config.toml:22
  hsts = "365d"    [HOME]/config.toml:3
b.test/app -> 200
  hsts = "365d"  [HOME]/config.toml:3
www.a.test/ -> 308 https://a.test
  hsts = "365d"  [HOME]/config.toml:3
"#
    );
}

#[test]
fn check_prints_json() {
    let start = || Start::new().config(INHERITING).variable("BACKEND", "127.0.0.1:9");
    let report: serde_json::Value = serde_json::from_str(&printed(start(), &["check", "--json"])).unwrap();
    assert_eq!(report["is_valid"], true);
    assert_eq!(report["files"][0], "[HOME]/config.toml");
    assert_eq!(report["warnings"], serde_json::json!([]));
    let places: Vec<_> = report["routes"].as_array().unwrap().iter().map(|route| &route["place"]).collect();
    assert_eq!(
        places,
        [
            "a.test/api [header x-a: *, header x-b: 1]",
            "a.test/api [GET, HEAD, header x-a: *]",
            "a.test/ [header x-a: *]",
            "b.test/app ~ [.]php$",
            "b.test/app",
            "www.a.test/"
        ]
    );
    let inherited = serde_json::json!({ "key": "upstream", "value": "${BACKEND}", "from": "[HOME]/config.toml:10, from ${BACKEND}" });
    assert!(report["routes"][0]["inherited"].as_array().unwrap().contains(&inherited), "{report}");

    let output = Start::new().config("htpp = 1\n").flags(&["check", "--json"]).output();
    assert_eq!(output.status.code(), Some(2));
    let report: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(report["is_valid"], false);
    assert_eq!(report["errors"][0]["message"], "unknown key; did you mean `http`?");
    assert!(report["errors"][0]["place"].as_str().unwrap().ends_with("config.toml:1: htpp"), "{report}");

    let certificate = "[[certificates]]\ncert = \"none.pem\"\nkey = \"none.pem\"\n";
    let mesh = "mesh_ca = \"none.pem\"\nmesh_cert = \"none.pem\"\nmesh_key = \"none.pem\"\n";
    let upstream = "[[routes]]\nhost = \"a.test\"\nupstream = \"https://b.test\"\ntls.ca = \"none.pem\"\n";
    for (file, place) in [
        (certificate, "config.toml:2: certificates[0].cert"),
        (mesh, "config.toml:1: mesh_ca"),
        (upstream, "config.toml:4: routes[0].tls.ca"),
    ] {
        let output = Start::new().config(file).flags(&["check", "--json"]).output();
        let report: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
        let [at, message] = ["place", "message"].map(|key| report["errors"][0][key].as_str().unwrap().to_owned());
        assert!(at.ends_with(place), "{report}");
        assert!(
            message.starts_with("cannot read ")
                && message.ends_with("none.pem: No such file or directory (os error 2)"),
            "{report}"
        );
    }
}

#[test]
fn check_shows_services() {
    let file = "[services.web]\ncommand = [\"serve\", \"${TOKEN}\"]\ninstances = 2\n[services.api]\ncommand = \"exec api\"\nlisten = \
                \"unix\"\n[services.bot]\ncommand = \"bot\"\nlisten = \"port\"\n[[routes]]\nhost = \"a.test\"\nupstream = \
                \"service://web\"\n";
    let start = || Start::new().config(file).variable("TOKEN", "hunter2");
    let text = printed(start(), &["check"]);
    assert!(
        text.ends_with(
            "\nservice   api: 1 × exec api, on Unix sockets\nservice   bot: 1 × bot, on ports of its own\nservice   web: 2 × \
             serve ${TOKEN}, on 127.1.0.0/16, port 8080\na.test/ -> service://web\n"
        ),
        "{text}"
    );
    let report: serde_json::Value = serde_json::from_str(&printed(start(), &["check", "--json"])).unwrap();
    let expected = serde_json::json!({
        "name": "web", "command": "serve ${TOKEN}", "instances": 2, "listen": "address", "subnet": "127.1.0.0/16",
        "port": 8080, "origin": "[HOME]/config.toml:1, from ${TOKEN}",
    });
    assert_eq!(report["services"][2], expected);
}

#[test]
fn check_warns_about_unreachable_routes_and_keys_that_slipped_into_a_table() {
    let text = r#"[[routes]]
host = "a.test"
methods = ["GET", "POST"]
upstream = "127.0.0.1:9"
[[routes]]
host = "a.test"
methods = "POST"
upstream = "127.0.0.1:8"

# For all routes.
max_body = "1MiB"
"#;
    let start = Start::new().config(text).flags(&["check"]);
    let output = start.output();
    assert_eq!(output.status.code(), Some(0));
    assert_eq!(
        String::from_utf8(output.stderr).unwrap().replace(start.home().to_str().unwrap(), "[HOME]"),
        "pmesh: warning: [HOME]/config.toml:11: routes[1].max_body: `max_body` applies to this route only, because it \
         is below [[routes]]; for all routes, move it above the first [table] of the file, or below [defaults]
pmesh: warning: [HOME]/config.toml:5: routes[1]: a.test/ [POST] never gets a request: `a.test/ [GET, HEAD, POST] -> \
         127.0.0.1:9` from [HOME]/config.toml:1: routes[0] is tried first and matches all of its requests
"
    );
}

#[test]
fn check_warns_about_a_redirect_to_https_if_https_is_off() {
    let warnings = |flags: &[&str]| {
        let start = Start::new().flags(&["--route", "a.test=127.0.0.1:9", "--redirect-https=true"]).flags(flags);
        String::from_utf8(start.flags(&["check"]).output().stderr).unwrap()
    };
    assert!(warnings(&["--https", "off"]).contains("redirect_https sends clients to https, but no listener has TLS"));
    assert_eq!(warnings(&["--https", "off", "--trusted-proxies", "10.0.0.1"]), "");
    assert_eq!(warnings(&[]), "");
}

#[test]
fn check_warns_about_a_route_that_bypasses_the_protection_of_another() {
    let warnings = |keys: &str, more: &str| {
        let config = format!(
            "[[routes]]\nhost = \"a.test\"\nupstream = \"127.0.0.1:9\"\n\
             [[routes.routes]]\nprefix = \"/admin\"\nallow = \"private\"\n\
             [[routes.routes]]\nname = \"api\"\nprefix = \"/api\"\n{keys}\n{more}"
        );
        let start = Start::new().config(&config).flags(&["check"]);
        String::from_utf8(start.output().stderr).unwrap().replace(start.home().to_str().unwrap(), "[HOME]")
    };
    assert_eq!(
        warnings("strip_prefix = true", ""),
        "pmesh: warning: [HOME]/config.toml:7: routes[0].routes[1]: /api/admin is forwarded as /admin, but allow of \
         a.test/admin does not apply to it: write a route for /api/admin with allow, too\n"
    );
    assert!(warnings("strip_prefix = true\nadd_prefix = \"/admin\"", "").contains(": /api/ is forwarded as /admin/,"));
    for (keys, more) in [
        ("strip_prefix = true\nallow = \"10.0.0.0/8\"", ""),
        ("strip_prefix = true\nadd_prefix = \"/v1\"", ""),
        ("strip_prefix = true\nupstream = \"127.0.0.1:8\"", ""),
        (
            "strip_prefix = true",
            "[[routes.routes]]\nprefix = \"/api/admin\"\nallow = \"private\"\nstrip_prefix = true\n",
        ),
        ("", ""),
    ] {
        assert_eq!(warnings(keys, more), "", "{keys} {more}");
    }
}

#[test]
fn check_and_startup_warn_if_nothing_is_served() {
    let start = || Start::new().flags(&["--http", "off", "--https", "off", "--internal", "off"]);
    let output = start().flags(&["check"]).output();
    assert_eq!(output.status.code(), Some(0));
    assert_eq!(
        String::from_utf8(output.stderr).unwrap(),
        "pmesh: warning: http, https and internal are all off, so nobody can connect: give one of them a port, such as \
         --http 80
pmesh: warning: no routes, so nothing is served: add one, such as --route app.example.com=127.0.0.1:3000
"
    );
    let program = start().run();
    for warning in ["http, https and internal are all off", "no routes, so nothing is served"] {
        assert!(program.wait_for_line(warning).contains(" WARN "));
    }
}

#[test]
fn check_fails_on_the_same_mistakes_as_startup() {
    let start = Start::new().config("htpp = 1\n").flags(&["check"]);
    let output = start.output();
    assert_eq!((output.status.code(), output.stdout), (Some(2), Vec::new()));
    assert!(String::from_utf8(output.stderr).unwrap().contains("htpp: unknown key; did you mean `http`?"));
}

#[test]
fn check_warns_about_an_address_that_the_machine_lacks() {
    // Reserved for documentation (RFC 5737), so no machine has it.
    let output =
        Start::new().flags(&["--route", "a.test=127.0.0.1:9", "--source-addresses", "192.0.2.1", "check"]).output();
    assert_eq!(output.status.code(), Some(0));
    assert_eq!(
        String::from_utf8(output.stderr).unwrap(),
        "pmesh: warning: source_addresses: this machine does not have 192.0.2.1, so no connection uses it until \
         the machine has it\n"
    );
}

#[test]
fn check_and_startup_warn_about_certificates() {
    let start = || {
        let start = Start::new().flags(&["--route", "a.test=127.0.0.1:9"]);
        files::expired_certificate(start.home(), "b.test");
        let [cert, key] = ["cert.pem", "key.pem"].map(|file| start.home().join(file).to_str().unwrap().to_owned());
        start.flags(&["--cert", &cert, "--key", &key])
    };
    let check = start().flags(&["check"]);
    let output = check.output();
    assert_eq!(output.status.code(), Some(0));
    let text = String::from_utf8(output.stderr).unwrap();
    assert_eq!(
        text.replace(check.home().to_str().unwrap(), "[HOME]"),
        "pmesh: warning: --cert: the certificate in [HOME]/cert.pem has expired
pmesh: warning: --cert: the certificate in [HOME]/cert.pem is not valid for any served name
"
    );
    let program = start().run();
    for warning in ["has expired", "is not valid for any served name"] {
        assert!(program.wait_for_line(warning).contains(" WARN "));
    }
}

#[test]
fn explain_describes_a_setting() {
    assert_eq!(
        printed(Start::new(), &["explain", "http"]),
        "http  0  --http

Port for clients without TLS: a number, 0 to let the kernel pick one, or off.
Set by --http, PMESH_HTTP, `http` in the file.
Default: 80.
A change takes effect on reload.
"
    );
    let from_file = printed(Start::new().config("\nconnect_timeout = \"3s\"\n"), &["explain", "connect_timeout"]);
    assert_eq!(from_file.lines().next().unwrap(), "connect_timeout  3s  [HOME]/config.toml:2");
    let from_variable = printed(Start::new().variable("PMESH_CONNECT_TIMEOUT", "3s"), &["explain", "connect_timeout"]);
    assert_eq!(from_variable.lines().next().unwrap(), "connect_timeout  3s  PMESH_CONNECT_TIMEOUT");
}

#[test]
fn explain_lists_all_settings() {
    let text = printed(Start::new().variable("PMESH_SECRET", SECRET), &["explain"]);
    for start in ["http ", "routes ", "subnet_dialer ", "silence_deadline ", "secret ", "home "] {
        assert_eq!(text.lines().filter(|line| line.starts_with(start)).count(), 1, "{start} in {text}");
    }
    assert!(!text.contains(&SECRET[..8]), "{text}");
}

#[test]
fn explain_rejects_an_unknown_setting() {
    let output = Start::new().flags(&["explain", "htpp"]).output();
    assert_eq!(output.status.code(), Some(2));
    assert_eq!(String::from_utf8(output.stderr).unwrap(), "pmesh: htpp: unknown setting; did you mean `http`?\n");
}

#[test]
fn the_first_start_reports_the_new_secret() {
    // An empty variable counts as unset.
    let start = Start::new().variable("PMESH_SECRET", "");
    let place = format!("created a new secret in {}: ", start.home().join("secret").display());
    let program = start.run();
    let line = program.wait_for_line(&place);
    let command = ["secret", "fingerprint", "--home", program.home().to_str().unwrap()];
    let output = Command::new(PROGRAM).args(command).output().unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    let fingerprint = text.lines().find(|line| line.starts_with("public authority")).unwrap().split_whitespace().last();
    assert!(line.contains(" INFO ") && line.ends_with(fingerprint.unwrap()), "{line} {text}");
}

#[test]
fn ca_depends_only_on_the_secret() {
    let with = |secret: &str| printed(Start::new().variable("PMESH_SECRET", secret), &["ca"]);
    let authority = with(SECRET);
    assert!(authority.starts_with("-----BEGIN CERTIFICATE-----\n"), "{authority}");
    assert_eq!(authority.matches("-----").count(), 4, "{authority}");
    assert_eq!(authority, with(SECRET));
    assert_ne!(authority, with(&SECRET.replace('0', "f")));
}
