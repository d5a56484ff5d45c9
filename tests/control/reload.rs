//! `pmesh reload`: its output and its effects.

use std::{
    fs,
    io::Write,
    net::{SocketAddr, TcpStream},
    thread,
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use crate::{
    command, failed, full, json, printed,
    support::{Backend, Client, Program, Start, backend::Refusing, tls::Tls},
    with_secret,
};

/// A route in the file.
fn route(host: &str, backend: SocketAddr) -> String {
    format!("[[routes]]\nhost = \"{host}\"\nupstream = [\"{backend}\"]\n")
}

fn rewrite(program: &Program, text: &str) {
    fs::write(program.home().join("config.toml"), text).unwrap();
}

fn served(program: &Program, host: &str) -> String {
    Client::connect(program.http()).get(host, "/").text().to_owned()
}

#[test]
fn changes_are_reported() {
    let (one, two) = (Backend::answering("one"), Backend::answering("two"));
    let same = route("same.test", one.address);
    let before = [same.clone(), route("moved.test", one.address), route("old.test", one.address)].concat();
    let program = with_secret(Start::new()).config(&before).run();
    assert_eq!(served(&program, "moved.test"), "one");

    let settings = "keep_alive_timeout = \"7s\"\nlog_format = \"json\"\n";
    let after = [settings, &same, &route("moved.test", two.address), &route("new.test", two.address)];
    rewrite(&program, &after.concat());
    let report = json(&printed(&program, &["reload", "--json"]));
    assert_eq!(report["generation"], 2);
    assert_eq!(report["routes"], json(r#"{"added":["new.test/"],"changed":["moved.test/"],"removed":["old.test/"]}"#));
    assert_eq!(
        (&report["settings"], &report["needs_restart"]),
        (&json(r#"["keep_alive_timeout"]"#), &json(r#"["log_format"]"#))
    );
    assert_eq!([served(&program, "same.test"), served(&program, "moved.test")], ["one", "two"]);
    assert_eq!(served(&program, "new.test"), "two");
    let mut client = Client::connect(program.http());
    client.send("GET / HTTP/1.1\r\nHost: old.test\r\n\r\n");
    assert_eq!(client.end().0, b"");
    let routes = json(&printed(&program, &["routes", "--json"]))["routes"].clone();
    assert_eq!(routes.as_array().unwrap().len(), 3);

    rewrite(&program, &[settings, &same].concat());
    let text = printed(&program, &["reload"]);
    assert!(text.starts_with("reloaded in ") && text.contains(" ms, generation 3\n"), "{text}");
    // Reported on every reload while it applies, not only on the first.
    assert!(text.ends_with("\nroutes removed   moved.test/, new.test/\nneeds a restart  log_format\n"), "{text}");
}

#[test]
fn a_connection_opened_before_a_reload_can_name_a_new_host() {
    let backend = Backend::answering("hello");
    let program = with_secret(Start::new().workers(1)).config(&route("old.test", backend.address)).run();
    let reload = |hello: &[u8], tcp: &mut TcpStream| {
        // The program has accepted this later connection, so it is already waiting for the ClientHello of the first.
        assert_eq!(Tls::trusting(&program).get(program.https(), "old.test", "old.test").text(), "hello");
        rewrite(&program, &route("new.test", backend.address));
        printed(&program, &["reload"]);
        tcp.write_all(hello)
    };
    let mut client = Tls::trusting(&program).connect_with(program.https(), "new.test", reload).unwrap();
    assert_eq!(client.get("new.test", "/").text(), "hello");
}

#[test]
fn a_tunnel_survives_reloads_that_keep_its_host() {
    let backend = full::backend();
    let at_once = "shutdown_timeout = \"1ms\"\n";
    let before = [at_once, &route("first.test", backend.address), &route("served.test", backend.address)].concat();
    let program = with_secret(Start::new()).config(&before).run();
    let mut tunnel = full::tunnel(&program);
    let reload = |text: String| {
        rewrite(&program, &text);
        printed(&program, &["reload"]);
    };
    // Merges the two routes into one.
    let both = route("first.test", backend.address)
        .replace("host = \"first.test\"", "host = [\"first.test\", \"served.test\"]");
    for _ in 0..2 {
        reload([at_once, &both].concat());
        tunnel.send("echo");
        assert_eq!(tunnel.take(4), b"echo");
    }
}

#[test]
fn a_broken_file_is_reported_and_changes_nothing() {
    let backend = Backend::answering("hello");
    let before = route("served.test", backend.address);
    let program = with_secret(Start::new()).config(&before).run();
    rewrite(&program, &format!("{before}\n[[routes]]\nhost = \"other.test\"\nupstream_nmae = 1\n"));
    let (status, error) = failed(&mut command(program.home(), &["reload"]));
    assert_eq!(status, Some(1));
    let place = program.home().join("config.toml:");
    assert!(error.contains(place.to_str().unwrap()) && error.contains("upstream_nmae"), "{error}");
    let line = program.wait_for_line("was not reloaded");
    assert!(line.contains("ERROR") && line.contains("upstream_nmae"), "{line}");
    let output = command(program.home(), &["reload", "--json"]).output().unwrap();
    let [report, stderr] = [&output.stdout, &output.stderr].map(|text| String::from_utf8_lossy(text));
    assert_eq!(output.status.code(), Some(1));
    let message = json(&report)["message"].clone();
    assert_eq!(stderr.trim_end().strip_prefix("pmesh: "), message.as_str(), "{report}");
    assert!(stderr.contains("upstream_nmae"), "{stderr}");
    assert_eq!(served(&program, "served.test"), "hello");
    let table = printed(&program, &["status"]);
    assert!(table.contains("reload failed") && table.contains("upstream_nmae"), "{table}");

    rewrite(&program, &before);
    assert!(printed(&program, &["reload"]).ends_with("nothing has changed\n"));
    assert!(!printed(&program, &["status"]).contains("reload failed"));
}

#[test]
fn endpoints_and_their_failures_are_listed() {
    let backend = Backend::answering("hello");
    let dead = Refusing::new();
    let file = [route("well.test", backend.address), route("dead.test", dead.address())].concat();
    let program = with_secret(Start::new()).config(&file).run();
    let endpoint = |address: &str| {
        let report = json(&printed(&program, &["upstreams", "--json"]));
        let endpoints = report["endpoints"].as_array().unwrap().clone();
        endpoints.into_iter().find(|endpoint| endpoint["address"] == address).unwrap()
    };
    let (well, refusing) = (backend.address.to_string(), dead.address().to_string());
    assert_eq!([&endpoint(&well)["state"], &endpoint(&refusing)["state"]], ["unknown", "unknown"]);

    // Times are in whole seconds.
    thread::sleep(Duration::from_millis(2100));
    let before = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs();
    let mut client = Client::connect(program.http());
    assert_eq!(client.get("well.test", "/").status, 200);
    for _ in 0..3 {
        assert_eq!(Client::connect(program.http()).get("dead.test", "/").status, 502);
    }
    let report = endpoint(&well);
    assert_eq!([&report["state"], &report["routes"][0]], ["ok", "well.test/"]);
    assert_eq!([&report["requests"], &report["failures"], &report["open_connections"]], [1, 0, 1]);
    assert!(report["since"].as_u64().unwrap() + 1 >= before, "since the first request, not since startup: {report}");
    let report = endpoint(&refusing);
    assert_eq!(report["state"], "failed");
    assert!(report["last_error"]["message"].as_str().unwrap().contains("refused"), "{report}");
    assert!(report["failures"].as_u64().unwrap() >= 1 && report["open_connections"] == 0, "{report}");

    // One line, no matter how many requests.
    program.wait_for_line("endpoint failed");
    let warnings = program.log().into_iter().filter(|line| line.contains("WARN") && line.contains(&refusing));
    assert_eq!(warnings.count(), 1);

    let table = printed(&program, &["upstreams"]);
    let line = table.lines().find(|line| line.starts_with(&refusing)).unwrap();
    assert!(line.contains("  failed for ") && line.ends_with("  dead.test/"), "{table}");
    assert!(table.contains("\n  last failure ") && table.contains("refused"), "{table}");
}
