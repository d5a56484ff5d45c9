//! Settings that a reload changes, and settings that need a restart.

use serde_json::json;

use crate::{
    TOP, assert_silent, fetch, generation, lines, reload, reload_with, route, start,
    support::{Backend, Client, End, client::get, tls::Tls},
};

#[test]
fn settings_apply_to_requests_on_open_connections() {
    let backend = Backend::answering("ok");
    let same = route("a.test", backend.address);
    let program = start(&same);
    let mut client = Client::connect(program.http());
    let post = "POST / HTTP/1.1\r\nHost: a.test\r\nContent-Length: 4\r\n\r\nbody";
    let mut status = |request: &str| {
        client.send(request);
        client.response().status
    };
    assert_eq!(status(post), 200);
    reload(&program, &format!("max_body = \"3\"\n{same}"));
    assert_eq!(status(&get("a.test", "/")), 200);
    let mut other = Client::connect(program.http());
    other.send(post);
    assert_eq!(other.response().status, 413);
    reload(&program, &format!("max_body = \"4\"\n{same}"));
    assert_eq!(status(post), 200);

    let said = "GET / HTTP/1.1\r\nHost: a.test\r\nX-Forwarded-For: 203.0.113.7\r\n\r\n";
    let mut forwarded = |text: &str| {
        reload(&program, &format!("{text}{same}"));
        assert_eq!(status(said), 200);
        backend.requests().last().unwrap().field("x-forwarded-for").to_owned()
    };
    assert_eq!(forwarded(""), "127.0.0.1");
    assert_eq!(forwarded("trusted_proxies = [\"127.0.0.1\"]\n"), "203.0.113.7, 127.0.0.1");
    assert_eq!(forwarded("trusted_proxies = [\"127.0.0.2\"]\n"), "127.0.0.1");

    let vias = |text: &str| {
        reload(&program, &format!("{text}{same}"));
        assert_eq!(status(said), 200);
        backend.requests().last().unwrap().all("via").len()
    };
    assert_eq!(["via = true\n", "", "via = true\n"].map(vias), [1, 0, 1]);
}

#[test]
fn log_settings_change() {
    let backend = Backend::answering("ok");
    let same = route("a.test", backend.address);
    let program = start(&same);
    let mut client = Client::connect(program.http());
    let mut asks = |path: &str| assert_eq!(client.get("a.test", path).status, 200);
    asks("/unlogged");
    reload(&program, &format!("access_log = true\n{same}"));
    asks("/logged");
    program.wait_for_line("/logged");
    reload(&program, &format!("log = \"debug\"\n{same}"));
    asks("/debugged");
    assert_silent(program.http(), "b.test");
    program.wait_for_line(" DEBUG ");
    reload(&program, &format!("log = \"warn\"\n{same}"));
    let debugged = lines(&program, "DEBUG").len();
    assert_silent(program.http(), "b.test");
    reload(&program, &same);
    // A line that follows all the others.
    reload(&program, &format!("access_log = true\n{same}"));
    asks("/last");
    program.wait_for_line("/last");
    let log = program.log();
    assert!(!log.iter().any(|line| line.contains("/unlogged") || line.contains("/debugged")), "{log:#?}");
    assert_eq!(lines(&program, "DEBUG").len(), debugged);
}

#[test]
fn settings_that_need_a_restart_are_reported_and_stay() {
    let backend = Backend::answering("ok");
    let same = route("a.test", backend.address);
    let top = format!("{TOP}node = \"one\"\n");
    let program = start(&format!("node = \"one\"\n{same}"));
    let tls = Tls::trusting(&program);
    let after = format!(
        "{}node = \"two\"\nsecret_file = \"elsewhere\"\nlog_format = \"json\"\nadmin = \"off\"\nmesh_clock_window = \"9s\"\n\
         keep_alive_timeout = \"7s\"\n{same}",
        TOP.replace("workers = 2", "workers = 3")
    );
    let report = reload_with(&program, &after);
    let waiting = ["secret_file", "node", "mesh_clock_window", "log_format", "workers", "admin"];
    assert_eq!((&report["needs_restart"], &report["settings"]), (&json!(waiting), &json!(["keep_alive_timeout"])));
    let warning = program.wait_for_line("need a restart");
    assert!(warning.contains("WARN") && warning.ends_with(&waiting.join(", ")), "{warning}");
    // The response comes from the same socket, with the same node name and the same secret.
    assert_eq!(fetch(&program, "/v1/status")["node"]["name"], "one");
    assert_eq!(tls.get(program.https(), "a.test", "a.test").status, 200);
    assert!(!lines(&program, "INFO").iter().any(|line| line.starts_with('{')));

    let report = reload_with(&program, &format!("{top}{same}"));
    assert_eq!(report["needs_restart"], json!([]));
    assert_eq!(generation(&program), 3);
}

#[test]
fn timeouts_apply_to_new_requests() {
    let hanging = Backend::start(|connection| {
        connection.request();
        connection.drain();
    });
    let same = route("a.test", hanging.address);
    let program = start(&format!("response_timeout = \"1h\"\n{same}"));
    let mut client = Client::connect(program.http());
    reload(&program, &format!("response_timeout = \"1ms\"\n{same}"));
    assert_eq!(client.get("a.test", "/").status, 504);

    // Timeouts of connections apply to new ones.
    reload(&program, &format!("silence_deadline = \"1ms\"\nkeep_alive_timeout = \"1ms\"\n{same}"));
    assert_eq!(Client::connect(program.http()).end(), (Vec::new(), End::Fin));
}
