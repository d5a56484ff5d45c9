//! Limits on request heads, and on concurrent requests.

use crate::support::{Backend, Client, End, Start, client::get, h2, tls::Tls};

fn with_fields(fields: &str) -> String {
    format!("GET / HTTP/1.1\r\nHost: a.test\r\n{fields}\r\n")
}

#[test]
fn a_head_over_the_limit_is_rejected() {
    let backend = Backend::answering("ok");
    let flags = ["--max-head", "8KiB", "--max-fields", "5"];
    let program = Start::new().route("a.test", &backend).flags(&flags).run();
    for (name, fields, status) in [
        ("7000 bytes", format!("X-Long: {}\r\n", "x".repeat(7000)), 200),
        ("9000 bytes", format!("X-Long: {}\r\n", "x".repeat(9000)), 431),
        ("5 headers", "X: y\r\n".repeat(4), 200),
        ("6 headers", "X: y\r\n".repeat(5), 431),
    ] {
        let mut client = Client::connect(program.http());
        assert_eq!(client.get("a.test", "/").status, 200);
        client.send(with_fields(&fields));
        assert_eq!(client.response().status, status, "{name}");
        // A new connection has named no host yet, so it gets silence.
        if status == 431 {
            let mut client = Client::connect(program.http());
            client.send(with_fields(&fields));
            assert_eq!(client.end(), (Vec::new(), End::Fin), "{name}");
        }
    }
}

#[test]
fn by_default_a_request_can_have_100_headers() {
    let backend = Backend::answering("ok");
    let program = Start::new().route("a.test", &backend).run();
    for (fields, status) in [(99, 200), (100, 431)] {
        let mut client = Client::connect(program.http());
        client.send(get("a.test", "/"));
        assert_eq!(client.response().status, 200);
        client.send(with_fields(&"X: y\r\n".repeat(fields)));
        assert_eq!(client.response().status, status, "{fields}");
    }
}

#[test]
fn http2_clients_learn_the_limits() {
    let backend = Backend::answering("ok");
    let program = Start::new().route("a.test", &backend).flags(&["--max-streams", "7", "--max-head", "9000"]).run();
    let mut client = Tls::trusting(&program).alpn(&["h2"]).connect(program.https(), "a.test").unwrap();
    client.send(h2::opening());
    let settings = client.frames_until(|frame| frame.kind == h2::SETTINGS && !frame.is_ack()).pop().unwrap();
    // SETTINGS_MAX_CONCURRENT_STREAMS and SETTINGS_MAX_HEADER_LIST_SIZE (RFC 9113, 6.5.2).
    let settings: Vec<_> = settings.payload.chunks(6).collect();
    assert!(settings.contains(&&[0, 3, 0, 0, 0, 7][..]), "{settings:?}");
    assert!(settings.contains(&&[0, 6, 0, 0, 0x23, 0x28][..]), "{settings:?}");
}
