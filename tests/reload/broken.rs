//! Files that cannot be used change nothing, and the error says why.

use std::{fs, net::TcpListener};

use crate::{
    TOP, assert_silent, fetch, generation, lines, reload, route, start,
    support::{Backend, Client, files},
    try_reload, write,
};

#[test]
fn each_broken_file_is_reported_once_and_changes_nothing() {
    let backend = Backend::answering("ok");
    let same = route("a.test", backend.address);
    let program = start(&same);
    files::certificate(program.home(), "a.test");
    files::stray_key(&program.home().join("stray.pem"));
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = taken.local_addr().unwrap().port();
    let valid = format!("{TOP}{same}");
    let with_top = |more: &str| format!("{TOP}{more}{same}");
    let with_end = |more: &str| format!("{valid}{more}");
    let cases = [
        ("not TOML", with_top("max_body == 1\n"), vec!["config.toml:6", "not valid TOML"]),
        ("an unknown key", with_top("keepalive_timeout = \"1s\"\n"), vec!["config.toml:6", "keepalive_timeout"]),
        ("a bad duration", with_top("connect_timeout = \"soon\"\n"), vec!["config.toml:6", "connect_timeout", "soon"]),
        ("a duplicate route", with_end(&same), vec!["config.toml:9", "a.test"]),
        (
            "a missing authority",
            with_end("[[routes]]\nhost = \"b.test\"\nupstream = [\"https://b.test\"]\ntls.ca = \"ca.pem\"\n"),
            vec!["config.toml:12", "ca.pem"],
        ),
        (
            "a certificate with the wrong key",
            with_end("[[certificates]]\ncert = \"cert.pem\"\nkey = \"stray.pem\"\n"),
            vec!["config.toml:11", "stray.pem"],
        ),
        (
            "a missing certificate",
            with_end("[[certificates]]\ncert = \"none.pem\"\nkey = \"key.pem\"\n"),
            vec!["config.toml:10", "none.pem"],
        ),
        (
            "a bad upstream",
            with_end("[[routes]]\nhost = \"b.test\"\nupstream = [\"ftp://b.test\"]\n"),
            vec!["config.toml:11", "upstream[0]", "ftp://b.test"],
        ),
        (
            "a port in use",
            valid.replace("http = 0", &format!("http = {port}")),
            vec!["cannot listen on 127.0.0.1:", "(http)", "the port is in use"],
        ),
        (
            "two listeners on one port",
            valid.replace("s = 0", "s = 9").replace("p = 0", "p = 9"),
            vec!["https", "port 9"],
        ),
    ];
    let mut client = Client::connect(program.http());
    for (count, (name, text, expected)) in cases.iter().enumerate() {
        write(&program, text);
        let error = try_reload(&program).expect_err(name);
        assert!(expected.iter().all(|part| error.contains(part)), "{name}: {error}");
        // The log may lag a moment behind.
        program.wait_for_line(error.lines().next().unwrap());
        let errors = lines(&program, "ERROR");
        assert_eq!(errors.len(), count + 1, "{name}: {errors:?}");
        assert!(errors[count].contains(error.lines().next().unwrap()), "{name}: {errors:?}");
        let status = fetch(&program, "/v1/status");
        assert_eq!(status["configuration"]["error"]["message"], error, "{name}");
        assert_eq!(generation(&program), 1, "{name}");
        assert_eq!(client.get("a.test", "/").status, 200, "{name}");
        assert_eq!(Client::connect(program.http()).get("a.test", "/").status, 200, "{name}");
        assert_silent(program.http(), "b.test");
    }

    // A folder is unreadable even for root.
    let path = program.home().join("config.toml");
    fs::remove_file(&path).unwrap();
    fs::create_dir(&path).unwrap();
    let error = try_reload(&program).unwrap_err();
    assert!(error.contains("config.toml: cannot be read: "), "{error}");
    fs::remove_dir(&path).unwrap();
    fs::write(&path, b"# \xff\n").unwrap();
    let error = try_reload(&program).unwrap_err();
    assert!(error.contains("config.toml: cannot be read: "), "{error}");
    assert_eq!(generation(&program), 1);

    let report = reload(&program, &format!("{same}{}", route("b.test", backend.address)));
    assert_eq!(report["generation"], 2);
    assert_eq!(client.get("b.test", "/").status, 200);
    assert!(fetch(&program, "/v1/status")["configuration"]["error"].is_null());
}

#[test]
fn a_missing_file_is_not_an_empty_one() {
    let backend = Backend::answering("ok");
    let program = start(&route("a.test", backend.address));
    fs::remove_file(program.home().join("config.toml")).unwrap();
    let error = try_reload(&program).unwrap_err();
    assert!(error.contains("config.toml"), "{error}");
    assert_eq!(Client::connect(program.http()).get("a.test", "/").status, 200);
    write(&program, &format!("{TOP}{}", route("b.test", backend.address)));
    try_reload(&program).unwrap();
    assert_eq!(Client::connect(program.http()).get("b.test", "/").status, 200);
}
