//! Routes that answer without a backend (redirects, fixed responses, silence), and HSTS.

use bytes::Bytes;
use http::{HeaderMap, Request, request::Builder};
use http_body::Body;
use http_body_util::{BodyExt, Full};
use hyper::client::conn::{http1, http2};
use hyper_util::rt::{TokioExecutor, TokioIo};
use rustls::pki_types::ServerName;
use tokio::{
    io::{AsyncRead, AsyncWrite},
    net::TcpStream,
};
use tokio_rustls::TlsConnector;
use tower::BoxError;

use crate::support::{
    Backend, Client, End, Program, Start,
    backend::{Refusing, ok},
    client::{exchange, get},
    h2::{self, Answer, RST_STREAM},
    tls::Tls,
};

const HOST: &str = "example.com";

/// How a client connects to the program.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Way {
    Http,
    /// HTTP/2 without TLS.
    H2c,
    Https,
    /// HTTP/2 over TLS.
    Http2,
}

pub const WAYS: [Way; 4] = [Way::Http, Way::H2c, Way::Https, Way::Http2];

impl Way {
    fn is_tls(self) -> bool {
        matches!(self, Self::Https | Self::Http2)
    }

    fn is_http2(self) -> bool {
        matches!(self, Self::H2c | Self::Http2)
    }
}

/// The response that a client got.
#[derive(Debug)]
pub struct Got {
    pub status: u16,
    headers: HeaderMap,
    pub body: String,
    /// The same body, which need not be text.
    pub bytes: Bytes,
}

impl Got {
    pub fn header(&self, name: &str) -> Vec<&str> {
        self.headers.get_all(name).iter().map(|value| value.to_str().unwrap()).collect()
    }
}

/// Sends a request with these headers on a new connection. Fails if there is no response.
#[tokio::main(flavor = "current_thread")]
pub async fn fetch(
    program: &Program,
    way: Way,
    method: &str,
    url: &str,
    headers: &[(&str, &str)],
) -> Result<Got, hyper::Error> {
    let (host, path) = url.split_at(url.find('/').unwrap());
    let mut request = to(way, host, path);
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    let body = if method == "POST" { "body" } else { "" };
    deliver(program, way, host, request.method(method).body(Full::from(body)).unwrap()).await
}

/// A request for a path of a host.
pub fn to(way: Way, host: &str, path: &str) -> Builder {
    match way.is_http2() {
        true => Request::builder().uri(format!("{}://{host}{path}", if way.is_tls() { "https" } else { "http" })),
        false => Request::builder().uri(path).header("host", host),
    }
}

/// Sends a request on a new connection. Fails if there is no response.
pub async fn deliver<B>(program: &Program, way: Way, host: &str, request: Request<B>) -> Result<Got, hyper::Error>
where
    B: Body<Data = Bytes, Error: Into<BoxError>> + Send + Unpin + 'static,
{
    if !way.is_tls() {
        return send_over(way, TcpStream::connect(program.http()).await.unwrap(), request).await;
    }
    let config = Tls::trusting(program).alpn(&[if way.is_http2() { "h2" } else { "http/1.1" }]).config();
    let stream = TcpStream::connect(program.https()).await.unwrap();
    let name = ServerName::try_from(host.to_owned()).unwrap();
    send_over(way, TlsConnector::from(config).connect(name, stream).await.unwrap(), request).await
}

async fn send_over<B>(
    way: Way,
    io: impl AsyncRead + AsyncWrite + Unpin + Send + 'static,
    request: Request<B>,
) -> Result<Got, hyper::Error>
where
    B: Body<Data = Bytes, Error: Into<BoxError>> + Send + Unpin + 'static,
{
    let io = TokioIo::new(io);
    let response = if way.is_http2() {
        let (mut sender, connection) = http2::handshake(TokioExecutor::new(), io).await?;
        tokio::spawn(connection);
        sender.send_request(request).await?
    } else {
        let (mut sender, connection) = http1::handshake(io).await?;
        tokio::spawn(connection);
        sender.send_request(request).await?
    };
    let (parts, body) = response.into_parts();
    let bytes = body.collect().await?.to_bytes();
    let body = String::from_utf8_lossy(&bytes).into_owned();
    Ok(Got { status: parts.status.as_u16(), headers: parts.headers, body, bytes })
}

pub fn start(config: &str) -> Program {
    Start::new().flags(&["--http-h2c", "silent"]).config(config).run()
}

pub fn upstream(backend: &Backend) -> String {
    format!("upstream = \"{}\"\n", backend.address)
}

#[test]
fn requests_without_tls_are_redirected_to_https() {
    let backend = Backend::answering("hello");
    let config = format!("redirect_https = true\n[[routes]]\nhost = \"{HOST}\"\n{}", upstream(&backend));
    let program = start(&config);
    for way in WAYS {
        for (method, path) in [("GET", "/a//b?c=%2f&d"), ("HEAD", "/"), ("POST", "/form")] {
            let got = fetch(&program, way, method, &format!("{HOST}{path}"), &[]).unwrap();
            if way.is_tls() {
                assert_eq!(got.status, 200, "{way:?} {method}");
                assert!(got.header("location").is_empty());
            } else {
                assert_eq!(got.status, 308, "{way:?} {method}");
                assert_eq!(got.header("location"), [format!("https://{HOST}{path}")], "{way:?} {method}");
                assert_eq!(got.body, "");
            }
        }
    }
    // A client cannot claim to use TLS.
    let claims = [("x-forwarded-proto", "https"), ("forwarded", "for=192.0.2.1;proto=https")];
    assert_eq!(fetch(&program, Way::Http, "GET", "example.com/", &claims).unwrap().status, 308);
    assert!(backend.requests().iter().all(|request| request.field("x-forwarded-proto") == "https"));
    // Other hosts are not redirected.
    assert_eq!(exchange(program.http(), get("other.test", "/").as_bytes()), (Vec::new(), End::Fin));
}

#[test]
fn clients_of_a_trusted_proxy_that_terminates_tls_are_not_redirected_again() {
    let backend = Backend::answering("hello");
    for (headers, name, https, plain) in [
        ("x-forwarded", "x-forwarded-proto", "https", "http"),
        ("x-forwarded", "x-forwarded-proto", "wss", "ws"),
        ("forwarded", "forwarded", "for=192.0.2.1;proto=https", "for=192.0.2.1;proto=http"),
    ] {
        let config = format!(
            "redirect_https = true\ntrusted_proxies = [\"127.0.0.1\"]\ntrusted_proxy_headers = \"{headers}\"\n\
             [[routes]]\nhost = \"{HOST}\"\n{}",
            upstream(&backend)
        );
        let program = start(&config);
        for way in WAYS {
            let status = |value| fetch(&program, way, "GET", "example.com/", &[(name, value)]).unwrap().status;
            assert_eq!((status(https), status(plain)), (200, 308), "{way:?} {https}");
        }
        // Without the header, the connection from the proxy decides.
        assert_eq!(fetch(&program, Way::Http, "GET", "example.com/", &[]).unwrap().status, 308);
        assert_eq!(fetch(&program, Way::Https, "GET", "example.com/", &[]).unwrap().status, 200);
    }
}

#[test]
fn each_route_decides_whether_it_redirects_to_https() {
    let backend = Backend::answering("hello");
    let config = format!(
        "redirect_https = true\n[[routes]]\nhost = \"{HOST}\"\n{upstream}\
         [[routes.routes]]\nprefix = \"/plain\"\nredirect_https = false\n\
         [[routes]]\nhost = \"other.test\"\nredirect_https = false\n{upstream}\
         [[routes.routes]]\npath = \"/login\"\nredirect_https = true\n",
        upstream = upstream(&backend)
    );
    let program = start(&config);
    for (url, status) in [
        ("example.com/", 308),
        ("example.com/plain/a", 200),
        ("example.com/plainer", 308),
        ("other.test/", 200),
        ("other.test/login", 308),
    ] {
        assert_eq!(fetch(&program, Way::Http, "GET", url, &[]).unwrap().status, status, "{url}");
    }
}

#[test]
fn redirects_lead_to_another_host_or_path() {
    let [app, api] = ["app", "api"].map(Backend::answering);
    let config = format!(
        "[redirects]\n\
         \"www.example.com\" = \"https://example.com\"\n\
         \"example.com/old/*\" = \"/new/{{*}}\"\n\
         \"example.com/gone\" = {{ to = \"https://other.test/\", status = 302 }}\n\
         \"*.alias.test\" = \"{{scheme}}://{{host}}.example.com{{path_and_query}}\"\n\
         [[routes]]\nhost = \"{HOST}\"\n{}\
         [[routes.routes]]\nprefix = \"/api\"\nupstream = [\"{}\"]\nresponse_timeout = \"5m\"\n\
         [[routes.routes]]\npath_regex = \"^/u/([0-9]+)$\"\nredirect = \"/user/{{1}}\"\n",
        upstream(&app),
        api.address
    );
    let program = start(&config);
    for way in WAYS {
        let scheme = if way.is_tls() { "https" } else { "http" };
        for (url, status, expected) in [
            ("www.example.com/", 308, "https://example.com/".to_owned()),
            ("www.example.com/a//b?c=%2F", 308, "https://example.com/a//b?c=%2F".to_owned()),
            ("www.example.com//evil.test", 308, "https://example.com//evil.test".to_owned()),
            ("example.com/old/a/b?c", 308, "/new/a/b?c".to_owned()),
            ("example.com/old", 308, "/new/".to_owned()),
            ("example.com/gone?a", 302, "https://other.test/".to_owned()),
            ("a.alias.test/x?y", 308, format!("{scheme}://a.alias.test.example.com/x?y")),
            ("example.com/u/42?x", 308, "/user/42".to_owned()),
        ] {
            let got = fetch(&program, way, "GET", url, &[]).unwrap();
            assert_eq!((got.status, &got.header("location")[..]), (status, &[&*expected][..]), "{way:?} {url}");
        }
        for (url, body) in [("example.com/", "app"), ("example.com/older", "app"), ("example.com/api/x", "api")] {
            assert_eq!(fetch(&program, way, "GET", url, &[]).unwrap().body, body, "{way:?} {url}");
        }
    }
}

#[test]
fn hsts_is_sent_over_https_only() {
    let backend = Backend::start(|connection| {
        while connection.request().is_some() {
            connection.send("HTTP/1.1 200 OK\r\nStrict-Transport-Security: max-age=1\r\nContent-Length: 0\r\n\r\n");
        }
    });
    let refusing = Refusing::new();
    let config = format!(
        "[[routes]]\nhost = \"{HOST}\"\nhsts = \"365d\"\n{}\
         [[routes.routes]]\nprefix = \"/broken\"\nupstream = \"{}\"\n\
         [[routes.routes]]\nprefix = \"/fixed\"\nrespond = 403\n\
         [[routes.routes]]\nprefix = \"/moved\"\nredirect = \"/\"\n\
         [[routes.routes]]\nprefix = \"/off\"\nhsts = false\n\
         [[routes.routes]]\nprefix = \"/all\"\nhsts = {{ max_age = \"1d\", include_subdomains = true, preload = true }}\n",
        upstream(&backend),
        refusing.address()
    );
    let program = start(&config);
    for way in WAYS {
        for (path, status, expected) in [
            ("/", 200, Some("max-age=31536000")),
            ("/broken", 502, Some("max-age=31536000")),
            ("/fixed", 403, Some("max-age=31536000")),
            ("/moved", 308, Some("max-age=31536000")),
            ("/all", 200, Some("max-age=86400; includeSubDomains; preload")),
        ] {
            let got = fetch(&program, way, "GET", &format!("{HOST}{path}"), &[]).unwrap();
            let expected: Vec<_> = expected.into_iter().filter(|_| way.is_tls()).collect();
            assert_eq!((got.status, got.header("strict-transport-security")), (status, expected), "{way:?} {path}");
        }
        let got = fetch(&program, way, "GET", "example.com/off", &[]).unwrap();
        assert_eq!(got.header("strict-transport-security"), ["max-age=1"], "{way:?}");
    }
}

#[test]
fn a_route_answers_with_a_status_and_a_body() {
    let config = format!(
        "[[routes]]\nhost = \"{HOST}\"\nrespond = {{ status = 503, body = \"back soon\" }}\n\
         [[routes.routes]]\npath = \"/.well-known/matrix/server\"\n\
         respond = {{ status = 200, body = '{{\"m.server\": \"matrix.example.com:443\"}}' }}\n\
         [[routes.routes]]\npath = \"/forbidden\"\nrespond = 403\n\
         [[routes.routes]]\npath = \"/nothing\"\nrespond = {{ status = 204, body = \"unseen\" }}\n\
         [[routes.routes]]\npath = \"/page\"\nrespond = {{ body = \"<p>\", content_type = \"text/html\" }}\n"
    );
    let program = start(&config);
    const TEXT: &str = "text/plain; charset=utf-8";
    for way in WAYS {
        for (path, status, body, content_type) in [
            ("/", 503, "back soon", Some(TEXT)),
            ("/.well-known/matrix/server", 200, "{\"m.server\": \"matrix.example.com:443\"}", Some("application/json")),
            ("/forbidden", 403, "403 Forbidden\n", Some(TEXT)),
            ("/nothing", 204, "", None),
            ("/page", 200, "<p>", Some("text/html")),
        ] {
            for method in ["GET", "POST", "HEAD"] {
                let got = fetch(&program, way, method, &format!("{HOST}{path}"), &[]).unwrap();
                let sent = if method == "HEAD" { "" } else { body };
                assert_eq!((got.status, &*got.body), (status, sent), "{way:?} {method} {path}");
                assert_eq!(got.header("content-type"), Vec::from_iter(content_type), "{way:?} {method} {path}");
                let length = (status != 204).then(|| body.len().to_string());
                assert_eq!(got.header("content-length"), Vec::from_iter(length.as_deref()), "{way:?} {method} {path}");
            }
        }
    }
    // The connection stays open.
    let mut client = Client::connect(program.http());
    for _ in 0..2 {
        assert_eq!(client.get(HOST, "/").text(), "back soon");
    }
}

#[test]
fn a_silent_route_sends_nothing() {
    let backend = Backend::start(|connection| {
        while connection.request().is_some() {
            connection.send(ok("hello"));
        }
    });
    let config = format!(
        "access_log = true\n[[routes]]\nhost = \"{HOST}\"\n{}\
         [[routes.routes]]\nprefix = \"/silent\"\nrespond = \"silence\"\n",
        upstream(&backend)
    );
    let program = start(&config);
    assert_eq!(exchange(program.http(), get(HOST, "/silent/a").as_bytes()), (Vec::new(), End::Fin));
    let post = "POST /silent HTTP/1.1\r\nHost: example.com\r\nExpect: 100-continue\r\nContent-Length: 4\r\n\r\n";
    assert_eq!(exchange(program.http(), post.as_bytes()), (Vec::new(), End::Fin));
    let line = program.wait_for_line("path=\"/silent/a\"");
    assert!(line.contains("status=444"), "{line}");

    let mut client = Client::connect(program.http());
    assert_eq!(client.get(HOST, "/").text(), "hello");
    client.send(get(HOST, "/silent") + &get(HOST, "/"));
    assert_eq!(client.end(), (Vec::new(), End::Fin));

    let mut client = Tls::trusting(&program).connect(program.https(), HOST).unwrap();
    client.send(get(HOST, "/silent"));
    assert_eq!(client.end(), (Vec::new(), End::FinWithoutAlert));

    // Over HTTP/2, other streams and later requests are answered.
    let mut client = Tls::trusting(&program).alpn(&["h2"]).connect(program.https(), HOST).unwrap();
    client.send([h2::opening(), h2::headers(1, &h2::get(HOST, "/silent"), true)].concat());
    let reset = client.frames_until(|frame| frame.stream == 1).pop().unwrap();
    // CANCEL (RFC 9113, 7).
    assert_eq!((reset.kind, &reset.payload[..]), (RST_STREAM, &[0, 0, 0, 8][..]));
    client.send([3, 5].map(|id| h2::headers(id, &h2::get(HOST, if id == 3 { "/" } else { "/silent" }), true)).concat());
    assert_eq!((client.answer(3), client.answer(5)), (Answer::Status(200), Answer::StreamReset));
    client.send(h2::headers(7, &h2::get(HOST, "/"), true));
    assert_eq!(client.answer(7), Answer::Status(200));
}
