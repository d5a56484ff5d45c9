//! Headers on their way through the proxy: forged, added, and hop-by-hop.

use crate::support::{
    Backend, Client, Program, Start,
    h2::{self, Answer},
    read::Request,
    tls::Tls,
};

fn start(flags: &[&str]) -> (Program, Backend) {
    let backend = Backend::answering("ok");
    (Start::new().route("a.test", &backend).flags(flags).run(), backend)
}

/// The request that the backend gets for a GET with these header lines.
fn forwarded(flags: &[&str], lines: &str) -> Request {
    let (program, backend) = start(flags);
    let mut client = Client::connect(program.http());
    client.send(format!("GET / HTTP/1.1\r\nHost: a.test\r\n{lines}\r\n"));
    assert_eq!(client.response().status, 200);
    backend.request()
}

const CLAIMS: &str = "X-Forwarded-For: 10.9.9.9\r\nX-Forwarded-Proto: https\r\nX-Forwarded-Host: evil.test\r\n\
                      X-Forwarded-Port: 8443\r\nX-Forwarded-Prefix: /evil\r\nForwarded: for=10.9.9.9;proto=https\r\n\
                      X-Request-ID: mine\r\nX-Real-IP: 10.9.9.9\r\n";

#[test]
fn forwarding_headers_of_untrusted_clients_are_dropped() {
    let request = forwarded(&[], &format!("{CLAIMS}X_Forwarded_For: 10.9.9.9\r\nX_Real_IP: 1\r\nX-Kept: yes\r\n"));
    assert_eq!(request.field("x-forwarded-for"), "127.0.0.1");
    assert_eq!(request.field("x-forwarded-proto"), "http");
    assert_eq!(request.field("x-forwarded-host"), "a.test");
    assert_eq!(request.field("forwarded"), "for=127.0.0.1;host=a.test;proto=http");
    assert_ne!(request.field("x-request-id"), "mine");
    assert_eq!(request.field("x-kept"), "yes");
    assert_eq!(request.field("x-forwarded-port"), "80");
    assert_eq!(request.field("x-real-ip"), "127.0.0.1");
    for gone in ["x_forwarded_for", "x_real_ip", "x-forwarded-prefix"] {
        assert!(request.all(gone).is_empty(), "{gone}");
    }
}

#[test]
fn forwarding_headers_of_trusted_proxies_are_extended() {
    let request = forwarded(&["--trusted-proxies", "10.0.0.0/8,127.0.0.1"], CLAIMS);
    assert_eq!(request.field("x-forwarded-for"), "10.9.9.9, 127.0.0.1");
    assert_eq!(request.field("x-forwarded-proto"), "https");
    assert_eq!(request.field("x-forwarded-host"), "evil.test");
    assert_eq!(request.field("forwarded"), "for=10.9.9.9;host=evil.test;proto=https, for=127.0.0.1");
    assert_eq!(request.field("x-forwarded-port"), "8443");
    assert_eq!(request.field("x-forwarded-prefix"), "/evil");
    assert_eq!(request.field("x-real-ip"), "10.9.9.9");
    assert_eq!(request.field("x-request-id"), "mine");
}

#[test]
fn only_the_configured_kind_of_forwarding_headers_is_trusted() {
    let x_forwarded = "X-Forwarded-For: 203.0.113.7\r\nX-Forwarded-Proto: https\r\n";
    let forwarded_by_client = "Forwarded: for=203.0.113.8;proto=wss;host=b.test\r\n";
    let request = forwarded(&["--trusted-proxies", "127.0.0.1"], &format!("{forwarded_by_client}{x_forwarded}"));
    assert_eq!(request.field("x-forwarded-for"), "203.0.113.7, 127.0.0.1");
    assert_eq!(request.field("x-forwarded-proto"), "https");
    assert_eq!(request.field("x-forwarded-host"), "a.test");
    assert_eq!(request.field("forwarded"), "for=203.0.113.7;host=a.test;proto=https, for=127.0.0.1");

    let flags = ["--trusted-proxies", "127.0.0.1", "--trusted-proxy-headers", "forwarded"];
    let request = forwarded(&flags, &format!("{forwarded_by_client}{x_forwarded}X-Forwarded-Port: 1\r\n"));
    assert_eq!(request.field("x-forwarded-for"), "203.0.113.8, 127.0.0.1");
    assert_eq!(request.field("x-forwarded-proto"), "wss");
    assert_eq!(request.field("x-forwarded-host"), "b.test");
    assert_eq!(request.field("forwarded"), "for=203.0.113.8;host=b.test;proto=wss, for=127.0.0.1");
    assert_eq!(request.field("x-forwarded-port"), "443");
}

#[test]
fn connection_cannot_strip_headers_that_the_proxy_adds() {
    let names = ["X-Forwarded-For", "X-Forwarded-Proto", "X-Forwarded-Host", "Forwarded", "X-Request-ID", "Host"];
    for flags in [&[][..], &["--trusted-proxies", "127.0.0.1"]] {
        let request = forwarded(flags, &format!("{CLAIMS}Connection: {}\r\n", names.join(", ")));
        for name in names {
            assert!(!request.field(&name.to_ascii_lowercase()).is_empty(), "{name}");
        }
    }
}

#[test]
fn hop_by_hop_headers_of_requests_are_removed() {
    let request = forwarded(
        &[],
        "Connection: keep-alive, X-Named\r\nConnection: x-also\r\nX-Named: 1\r\nX-Also: 1\r\nKeep-Alive: 5\r\n\
         Proxy-Connection: close\r\nProxy-Authorization: x\r\nTE: gzip\r\nUpgrade: websocket\r\nX-Kept: 1\r\n",
    );
    for gone in ["x-named", "x-also", "keep-alive", "proxy-connection", "proxy-authorization", "te", "upgrade"] {
        assert!(request.all(gone).is_empty(), "{gone}");
    }
    assert_eq!(request.field("x-kept"), "1");
}

#[test]
fn hop_by_hop_headers_of_responses_are_removed() {
    let backend = Backend::start(|connection| {
        while connection.request().is_some() {
            connection.send(
                "HTTP/1.1 200 OK\r\nConnection: keep-alive, x-named\r\nX-Named: 1\r\nKeep-Alive: timeout=5\r\n\
                 Proxy-Authenticate: x\r\nUpgrade: h2c\r\nSet-Cookie: a=1\r\nSet-Cookie: b=2\r\nContent-Length: 0\r\n\r\n",
            );
        }
    });
    let program = Start::new().route("a.test", &backend).run();
    let response = Client::connect(program.http()).get("a.test", "/");
    for gone in ["x-named", "keep-alive", "proxy-authenticate", "upgrade", "connection"] {
        assert_eq!(response.field(gone), None, "{gone}");
    }
    assert_eq!(response.fields.iter().filter(|(name, _)| name == "set-cookie").count(), 2);
}

#[test]
fn forwarding_headers_report_https() {
    let (program, backend) = start(&[]);
    assert_eq!(Tls::trusting(&program).get(program.https(), "a.test", "a.test").status, 200);
    let request = backend.request();
    assert_eq!(request.field("x-forwarded-proto"), "https");
    assert_eq!(request.field("forwarded"), "for=127.0.0.1;host=a.test;proto=https");
}

#[test]
fn the_backend_and_the_log_get_the_same_request_id() {
    let (program, backend) = start(&["--access-log"]);
    let mut client = Client::connect(program.http());
    for path in ["/one", "/two"] {
        assert_eq!(client.get("a.test", path).status, 200);
    }
    let requests = backend.requests();
    assert_ne!(requests[0].field("x-request-id"), requests[1].field("x-request-id"));
    for request in requests {
        let line = program.wait_for_line(&format!("path=\"{}\"", request.target));
        assert!(line.contains(&format!("id=\"{}\"", request.field("x-request-id"))), "{line}");
        for part in ["client=127.0.0.1", "host=\"a.test\"", "method=GET", "status=200", "bytes=2"] {
            assert!(line.contains(part), "{part} in {line}");
        }
    }
}

#[test]
fn the_log_names_the_client_of_a_trusted_proxy() {
    let chain = "X-Forwarded-For: 203.0.113.9, [2001:db8::7]:443\r\n";
    for (trusted, client) in [(&["--trusted-proxies", "127.0.0.0/8"][..], "2001:db8::7"), (&[], "127.0.0.1")] {
        let (program, _backend) = start(&[&["--access-log"], trusted].concat());
        let mut connection = Client::connect(program.http());
        connection.send(format!("GET / HTTP/1.1\r\nHost: a.test\r\n{chain}\r\n"));
        assert_eq!(connection.response().status, 200);
        let line = program.wait_for_line("path=\"/\"");
        assert!(line.contains(&format!("client={client} ")), "{line}");
    }
}

#[test]
fn silence_leaves_no_line_in_the_log() {
    let (program, _backend) = start(&["--access-log"]);
    let mut client = Client::connect(program.http());
    client.send("GET /unseen HTTP/1.1\r\nHost: nope.test\r\n\r\n");
    client.end();
    // Once a later request has been logged, the line of an earlier one would be there, too.
    Client::connect(program.http()).get("a.test", "/seen");
    program.wait_for_line("/seen");
    assert!(!program.log().iter().any(|line| line.contains("nope.test") || line.contains("/unseen")));
}

#[test]
fn http2_cookies_are_joined_in_one_header() {
    let (program, backend) = start(&[]);
    let mut client = Tls::trusting(&program).alpn(&["h2"]).connect(program.https(), "a.test").unwrap();
    let fields = [&h2::get("a.test", "/")[..], &[("cookie", b"a=1"), ("cookie", b"b=2; c=3"), ("cookie", b"d=4")]];
    client.send([h2::opening(), h2::headers(1, &fields.concat(), true)].concat());
    assert_eq!(client.answer(1), Answer::Status(200));
    let request = backend.request();
    assert_eq!(request.field("cookie"), "a=1; b=2; c=3; d=4");
    assert_eq!(request.field("host"), "a.test");
}
