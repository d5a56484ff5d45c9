//! What people write who come from other programs, and what they are told to write instead.

use crate::Start;

const ROUTE: &str = "[[routes]]\nhost = \"a\"\nupstreams = [\"a:1\"]\n";

/// The end of the message that a file brings.
fn assert_told(file: &str, expected: &str) {
    let error = Start::new().file(file).error();
    assert!(error.ends_with(expected), "{file}: {error}");
    assert!(error.lines().count() == 1, "{file}: {error}");
}

#[test]
fn numbers_and_addresses() {
    for (line, expected) in [
        ("http = \"80\"", "found \"80\": write 80, without quotes"),
        ("access_log = \"true\"", "found \"true\": write true, without quotes"),
        ("http = \":80\"", "found \":80\": write 80"),
        ("http = \"[::]:80\"", "the address has a setting of its own: write 80 here, and bind = \"::\""),
        ("http = false", "found false: write \"off\""),
        ("bind = \":80\"", "a port has a setting of its own: write bind = \"0.0.0.0\" and http = 80"),
        ("bind = \"[::1]:80\"", "a port has a setting of its own: write bind = \"::1\" and http = 80"),
        ("bind = \"[::]\"", "found \"[::]\": write ::"),
        ("bind = \"localhost\"", "found \"localhost\": write 127.0.0.1, or ::1"),
        ("connect_timeout = 10", "found 10: add a unit, as in 10s or 10ms"),
        ("connect_timeout = \"off\"", "it cannot be switched off; write a long one, such as 365d"),
        ("max_body = \"10m\"", "found \"10m\": write 10MiB"),
        ("trusted_proxies = \"10.0.0.0/8, ::1\"", "found \"10.0.0.0/8, ::1\": write [\"10.0.0.0/8\", \"::1\"]"),
        ("bind = 0.0.0.0", "this is not valid TOML: invalid float, expected nothing: write bind = \"0.0.0.0\""),
    ] {
        assert_told(&format!("{line}\n{ROUTE}"), expected);
    }
}

#[test]
fn names_of_settings() {
    for (line, expected) in [
        ("listen = 80", "1: listen: unknown key; did you mean `http`?"),
        ("log_level = \"info\"", "1: log_level: unknown key; did you mean `log`?"),
        ("[[server]]", "1: server: unknown key; did you mean [[routes]]?"),
        ("prefix = \"/\"", "1: prefix: unknown key; the keys of a route go below a line [[routes]]"),
    ] {
        assert_told(&format!("{line}\n{ROUTE}"), expected);
    }
    // What is missing is there by another name, and is told once.
    assert_told("[[routes]]\nhost = \"a\"\nproxy_pass = \"a:1\"", "unknown key; did you mean `upstreams`?");
    assert_told("[[routes]]\nserver_name = \"a\"\nupstreams = [\"a:1\"]", "unknown key; did you mean `host`?");
    assert_told("[[certificates]]\ncertificate = \"a\"\nkey = \"b\"", "unknown key; did you mean `cert`?");
}

#[test]
fn a_setting_of_the_root_below_a_table() {
    let above = "unknown key: `http` is a setting of the root, and has to stand above the first [table] of the file";
    assert_told(&format!("{ROUTE}http = 8080"), &format!("4: routes[0].http: {above}"));
    assert_told("[mesh_peers]\nb = \"10.0.0.2:1\"\nhttp = 8080", &format!("3: mesh_peers.http: {above}"));
    // A node may be called so.
    assert!(Start::new().file("[mesh_peers]\nhttp = \"10.0.0.2:1\"").load().is_ok());
}

#[test]
fn routes() {
    for (host, upstreams, expected) in [
        ("\"*\"", "[\"a:1\"]", "name each, or write *.example.com for all names below example.com"),
        ("\"a/api\"", "[\"a:1\"]", "a path goes into `prefix`: write host = \"a\" and prefix = \"/api\""),
        ("[\"a\"]", "[\"a:1\"]", "for several, write hosts = [\"example.com\", \"www.example.com\"]"),
        ("\"a\"", "\"http://b:1\"", "found \"http://b:1\": write [\"http://b:1\"]"),
        ("\"a\"", "[\"unix://run/x.sock\"]", "write unix:/run/x.sock, or unix:///run/x.sock with three slashes"),
        ("\"a\"", "[\"http://bob:hunter2@b:1\"]", ": write http://b:1"),
        ("\"a\"", "[\"b:1/api\"]", "without the route's prefix if strip_prefix is true: write b:1"),
    ] {
        let file = format!("[[routes]]\nhost = {host}\nupstreams = {upstreams}");
        assert_told(&file, expected);
        assert!(!Start::new().file(&file).error().contains("hunter2"));
    }
    let instead = "a prefix is not a pattern, and covers all paths below it: write \"/api\"";
    assert_told(&format!("{ROUTE}prefix = \"/api/*\""), instead);
    assert!(Start::new().flags(&["--route", "a/api/*=b:1"]).error().ends_with(instead));
}

#[test]
fn files_from_other_editors() {
    for file in [format!("\u{feff}{ROUTE}"), ROUTE.replace('\n', "\r\n"), ROUTE.replace(" = ", "\t=\t")] {
        assert_eq!(Start::new().file(&file).loaded().settings.routes.len(), 1, "{file:?}");
    }
    let start = Start::new().flags(&["--config", "[DIR]"]);
    assert_eq!(start.error(), "--config: cannot read [DIR]: it is a folder; name the file in it");
    let start = Start::new().flags(&["--config", "[DIR]/a.toml"]);
    std::fs::write(start.folder.join("a.toml"), b"\xff\xfea\0=\0").expect("a file");
    assert_eq!(start.error(), "--config: cannot read [DIR]/a.toml: it is not UTF-8; save it in that encoding");
}
