//! The exact headers that a backend gets.

use crate::support::{
    Backend, Client, Program, Start,
    client::Response,
    h2::{self, Answer},
    headers::{FORGED, connection, lines, received},
    tls::Tls,
};

/// Serves a route for /app that strips its prefix. With one worker there is one connection, and requests arrive in order.
fn start(backend: &Backend, flags: &[&str]) -> Program {
    let route = "[[routes]]\nhost = \"a.test\"\nprefix = \"/app\"\nstrip_prefix = true\n";
    Start::new().workers(1).config(&format!("{route}upstream = \"{}\"\n", backend.address)).flags(flags).run()
}

/// The headers of the last request.
fn last(backend: &Backend, answer: &Response) -> Vec<String> {
    assert_eq!(answer.status, 200);
    received(backend.requests().last().unwrap())
}

/// These headers, `CDN-Loop` with this process alone, and a new request id.
fn expected(lines: &[&str]) -> Vec<String> {
    let mut lines: Vec<_> =
        lines.iter().chain(&["cdn-loop: PROCESS", "x-request-id: ID"]).map(|line| (*line).to_owned()).collect();
    lines.sort();
    lines
}

#[test]
fn forged_headers_are_replaced() {
    let backend = Backend::answering("");
    let program = start(&backend, &[]);
    let request = |host: &str| {
        format!("GET /app/x HTTP/1.1\r\nHost: {host}\r\n{}{}Accept: */*\r\n\r\n", lines(FORGED), connection())
    };
    let over_http = |host: &str| {
        let mut client = Client::connect(program.http());
        client.send(request(host));
        last(&backend, &client.response())
    };
    assert_eq!(
        over_http("a.test"),
        expected(&[
            "accept: */*",
            "forwarded: for=127.0.0.1;host=a.test;proto=http",
            "host: a.test",
            "x-forwarded-for: 127.0.0.1",
            "x-forwarded-host: a.test",
            "x-forwarded-port: 80",
            "x-forwarded-prefix: /app",
            "x-forwarded-proto: http",
            "x-real-ip: 127.0.0.1",
        ])
    );
    assert_eq!(
        over_http("A.test:8080"),
        expected(&[
            "accept: */*",
            "forwarded: for=127.0.0.1;host=\"A.test:8080\";proto=http",
            "host: A.test:8080",
            "x-forwarded-for: 127.0.0.1",
            "x-forwarded-host: A.test:8080",
            "x-forwarded-port: 8080",
            "x-forwarded-prefix: /app",
            "x-forwarded-proto: http",
            "x-real-ip: 127.0.0.1",
        ])
    );

    let secure = expected(&[
        "accept: */*",
        "forwarded: for=127.0.0.1;host=a.test;proto=https",
        "host: a.test",
        "x-forwarded-for: 127.0.0.1",
        "x-forwarded-host: a.test",
        "x-forwarded-port: 443",
        "x-forwarded-prefix: /app",
        "x-forwarded-proto: https",
        "x-real-ip: 127.0.0.1",
    ]);
    let mut client = Tls::trusting(&program).connect(program.https(), "a.test").unwrap();
    client.send(request("a.test"));
    assert_eq!(last(&backend, &client.response()), secure);

    let mut client = Tls::trusting(&program).alpn(&["h2"]).connect(program.https(), "a.test").unwrap();
    let mut fields = h2::get("a.test", "/app/x");
    fields.extend(FORGED.iter().map(|(name, value)| (*name, value.as_bytes())));
    fields.push(("accept", b"*/*"));
    client.send([h2::opening(), h2::headers(1, &fields, true)].concat());
    assert_eq!(client.answer(1), Answer::Status(200));
    assert_eq!(received(backend.requests().last().unwrap()), secure);
}

#[test]
fn headers_of_a_trusted_proxy_are_extended() {
    let backend = Backend::answering("");
    let trusted = ["--trusted-proxies", "127.0.0.1"];
    let x_forwarded = start(&backend, &trusted);
    let forwarded = start(&backend, &[&trusted[..], &["--trusted-proxy-headers", "forwarded"]].concat());
    let aliases: Vec<_> = FORGED.iter().filter(|(name, _)| name.contains('_')).copied().collect();
    let received = |program: &Program, fields: &[(&str, &str)]| {
        let mut client = Client::connect(program.http());
        let (fields, aliases) = (lines(fields), lines(&aliases));
        client.send(format!("GET /app/x HTTP/1.1\r\nHost: a.test\r\n{fields}{aliases}\r\n"));
        last(&backend, &client.response())
    };
    // Only the headers that most proxies send.
    assert_eq!(
        received(&x_forwarded, &[("X-Forwarded-For", "203.0.113.7"), ("X-Forwarded-Proto", "https")]),
        expected(&[
            "forwarded: for=203.0.113.7;host=a.test;proto=https, for=127.0.0.1",
            "host: a.test",
            "x-forwarded-for: 203.0.113.7, 127.0.0.1",
            "x-forwarded-host: a.test",
            "x-forwarded-port: 443",
            "x-forwarded-prefix: /app",
            "x-forwarded-proto: https",
            "x-real-ip: 203.0.113.7",
        ])
    );
    // All headers. The client itself had sent X-Forwarded-For.
    let all = [
        ("X-Forwarded-For", "192.0.2.66, 203.0.113.7"),
        ("X-Forwarded-Proto", "https"),
        ("X-Forwarded-Host", "shop.test"),
        ("X-Forwarded-Port", "8443"),
        ("X-Forwarded-Prefix", "/shop"),
        ("X-Forwarded-Server", "front"),
        ("X-Real-IP", "192.0.2.66"),
        ("X-Request-ID", "abc"),
        ("CDN-Loop", "cdn.test; a=\"b, c\""),
        ("Via", "1.1 front"),
        ("Forwarded", "for=192.0.2.67;host=evil.test;proto=http"),
    ];
    assert_eq!(
        received(&x_forwarded, &all),
        [
            "cdn-loop: PROCESS",
            "cdn-loop: cdn.test; a=\"b, c\"",
            "forwarded: for=192.0.2.66;host=shop.test;proto=https, for=203.0.113.7, for=127.0.0.1",
            "host: a.test",
            "via: 1.1 front",
            "x-forwarded-for: 192.0.2.66, 203.0.113.7, 127.0.0.1",
            "x-forwarded-host: shop.test",
            "x-forwarded-port: 8443",
            "x-forwarded-prefix: /shop/app",
            "x-forwarded-proto: https",
            "x-forwarded-server: front",
            "x-real-ip: 203.0.113.7",
            "x-request-id: abc",
        ]
    );
    // If `Forwarded` is the trusted kind, X-Forwarded-* is not trusted.
    let fields = [&all[..10], &[("Forwarded", "for=\"[2001:db8::7]:9\";host=\"shop.test:444\";proto=https")]].concat();
    assert_eq!(
        received(&forwarded, &fields),
        [
            "cdn-loop: PROCESS",
            "cdn-loop: cdn.test; a=\"b, c\"",
            "forwarded: for=\"[2001:db8::7]\";host=\"shop.test:444\";proto=https, for=127.0.0.1",
            "host: a.test",
            "via: 1.1 front",
            "x-forwarded-for: 2001:db8::7, 127.0.0.1",
            "x-forwarded-host: shop.test:444",
            "x-forwarded-port: 444",
            "x-forwarded-prefix: /app",
            "x-forwarded-proto: https",
            "x-real-ip: 2001:db8::7",
            "x-request-id: abc",
        ]
    );
}
