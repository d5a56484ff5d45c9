//! Middleware of routes, for clients with HTTP/1.1 and HTTP/2, with and without TLS.

use async_compression::tokio::bufread::{BrotliDecoder, GzipDecoder, ZstdDecoder};
use tokio::io::AsyncReadExt;

use super::answers::{WAYS, fetch, start, upstream};
use crate::support::{Backend, Client, backend::Refusing};

const HOST: &str = "example.com";

/// A backend whose responses have these headers, and a text of this length.
fn backend(headers: &'static str, length: usize) -> Backend {
    Backend::start(move |connection| {
        while connection.request().is_some() {
            let body = "text ".repeat(length / 5);
            connection.send(format!("HTTP/1.1 200 OK\r\n{headers}Content-Length: {}\r\n\r\n{body}", body.len()));
        }
    })
}

#[test]
fn clients_are_allowed_and_denied_by_address() {
    let backend = Backend::answering("hello");
    let config = format!(
        "trusted_proxies = [\"127.0.0.1\"]\n\
         [[routes]]\nhost = \"{HOST}\"\nallow = [\"10.0.0.0/8\", \"2001:db8::/32\"]\ndeny = \"10.1.0.0/16\"\n{}\
         [[routes.routes]]\nprefix = \"/fixed\"\nrespond = 204\n\
         [[routes.routes]]\nprefix = \"/open\"\nallow = false\n",
        upstream(&backend)
    );
    let program = start(&config);
    for way in WAYS {
        for (client, path, status) in [
            ("10.0.0.1", "/", 200),
            ("10.1.0.1", "/", 403),
            ("192.0.2.1", "/", 403),
            ("2001:db8::1", "/", 200),
            ("10.0.0.1", "/fixed", 204),
            ("192.0.2.1", "/fixed", 403),
            ("192.0.2.1", "/open", 200),
            ("10.1.0.1", "/open", 403),
        ] {
            let headers = [("x-forwarded-for", client), ("x-forwarded-proto", "https")];
            let got = fetch(&program, way, "GET", &format!("{HOST}{path}"), &headers).unwrap();
            assert_eq!(got.status, status, "{way:?} {client} {path}");
        }
    }
    // A denied request reaches no backend.
    assert_eq!(backend.requests().len(), 3 * WAYS.len());
}

#[test]
fn headers_are_set_added_and_removed() {
    let backend = backend("Server: nginx\r\nX-Tag: a\r\n", 5);
    let refusing = Refusing::new();
    let config = format!(
        "[[routes]]\nhost = \"{HOST}\"\n{}\
         request_headers = {{ x-user = false, x-team = \"a\", x-tag = {{ add = \"b\" }}, x-id = {{ default = \"c\" }} }}\n\
         response_headers = {{ server = false, x-tag = {{ add = \"b\" }}, x-frame-options = \"DENY\" }}\n\
         [[routes.routes]]\nprefix = \"/broken\"\nupstream = \"{}\"\n\
         [[routes.routes]]\nprefix = \"/moved\"\nredirect = \"/\"\n\
         [[routes.routes]]\nprefix = \"/fixed\"\nrespond = 204\n",
        upstream(&backend),
        refusing.address()
    );
    let program = start(&config);
    for way in WAYS {
        let headers = [("x-user", "root"), ("x-team", "z"), ("x-tag", "a"), ("x-id", "d")];
        for (path, status) in [("/", 200), ("/broken", 502), ("/moved", 308), ("/fixed", 204)] {
            let got = fetch(&program, way, "GET", &format!("{HOST}{path}"), &headers).unwrap();
            assert_eq!(got.status, status, "{way:?} {path}");
            assert_eq!(got.header("x-frame-options"), ["DENY"], "{way:?} {path}");
            assert!(got.header("server").is_empty(), "{way:?} {path}");
            let tags: &[_] = if path == "/" { &["a", "b"] } else { &["b"] };
            assert_eq!(got.header("x-tag"), tags, "{way:?} {path}");
        }
    }
    let requests = backend.requests();
    assert_eq!(requests.len(), WAYS.len());
    for request in requests {
        assert!(request.all("x-user").is_empty());
        assert_eq!(request.all("x-team"), ["a"]);
        assert_eq!(request.all("x-tag"), ["a", "b"]);
        assert_eq!(request.all("x-id"), ["d"]);
    }
}

#[test]
fn trailers_do_not_bring_back_headers_that_are_set_or_removed() {
    let backend = Backend::answering("hello");
    let config = format!(
        "[[routes]]\nhost = \"{HOST}\"\nrequest_headers = {{ x-user = false, x-team = \"a\" }}\n{}",
        upstream(&backend)
    );
    let program = start(&config);
    let mut client = Client::connect(program.http());
    client.send(format!(
        "POST / HTTP/1.1\r\nHost: {HOST}\r\nTransfer-Encoding: chunked\r\nTrailer: x-user, x-team, x_team, x-sum\r\n\r\n\
         4\r\nbody\r\n0\r\nx-user: root\r\nX-Team: z\r\nx_team: z\r\nx-sum: 1\r\n\r\n"
    ));
    assert_eq!(client.response().text(), "hello");
    let request = backend.request();
    assert_eq!(request.body, b"body");
    assert_eq!(request.all("x-team"), ["a"]);
    let trailers: Vec<_> = request.trailers.iter().map(|(name, value)| format!("{name}: {value}")).collect();
    assert_eq!(trailers, ["x-sum: 1"]);
}

#[test]
fn text_is_compressed_for_clients_that_accept_it() {
    const TEXT: &str = "Content-Type: text/plain\r\nETag: \"1\"\r\n";
    let text = backend(TEXT, 10_000);
    let short = backend(TEXT, 100);
    let image = backend("Content-Type: image/png\r\nETag: \"1\"\r\n", 10_000);
    let encoded = backend("Content-Type: text/plain\r\nContent-Encoding: x-own\r\nETag: \"1\"\r\n", 10_000);
    let fixed = backend("Content-Type: text/plain\r\nCache-Control: public, no-transform\r\nETag: \"1\"\r\n", 10_000);
    let route =
        |name: &str, backend: &Backend| format!("[[routes.routes]]\nprefix = \"/{name}\"\n{}", upstream(backend));
    let config = format!(
        "[[routes]]\nhost = \"{HOST}\"\ncompress = true\n{}{}{}{}{}[[routes.routes]]\nprefix = \"/off\"\ncompress = false\n",
        upstream(&text),
        route("short", &short),
        route("image", &image),
        route("encoded", &encoded),
        route("fixed", &fixed),
    );
    let program = start(&config);
    for way in WAYS {
        for (path, accepted, coding) in [
            ("/", "gzip", Some("gzip")),
            ("/", "gzip, br", Some("gzip")),
            ("/", "br", Some("br")),
            ("/", "gzip, br, zstd", Some("zstd")),
            ("/", "deflate", None),
            ("/", "", None),
            ("/short", "gzip", None),
            ("/image", "gzip", None),
            ("/fixed", "gzip", None),
            ("/encoded", "gzip", Some("x-own")),
            ("/off", "gzip", None),
        ] {
            let headers = [("accept-encoding", accepted)];
            let got = fetch(&program, way, "GET", &format!("{HOST}{path}"), &headers).unwrap();
            let is_ours = coding.is_some_and(|coding| coding != "x-own");
            assert_eq!(got.header("content-encoding"), Vec::from_iter(coding), "{way:?} {path} {accepted}");
            let sent = if path == "/short" { 100 } else { 10_000 };
            let decoded = coding.filter(|_| is_ours).map_or(got.bytes.to_vec(), |coding| decode(coding, &got.bytes));
            assert_eq!(decoded, "text ".repeat(sent / 5).as_bytes(), "{way:?} {path} {accepted}");
            assert!(!is_ours || got.bytes.len() < 200, "{way:?} {accepted}: {}", got.bytes.len());
            assert_eq!(got.header("etag"), [if is_ours { "W/\"1\"" } else { "\"1\"" }], "{way:?} {path} {accepted}");
        }
    }
}

#[test]
fn responses_without_a_body_say_that_the_body_varies() {
    let backend = Backend::start(|connection| {
        while let Some(request) = connection.request() {
            let (status, headers) = match request.target.as_str() {
                "/304" => ("304 Not Modified", "ETag: \"1\"\r\n"),
                "/304/image" => ("304 Not Modified", "Content-Type: image/png\r\n"),
                "/vary" => ("200 OK", "Content-Type: text/plain\r\nContent-Length: 2000\r\nVary: accept-ENCODING\r\n"),
                "/short" => ("200 OK", "Content-Type: text/plain\r\nContent-Length: 20\r\n"),
                "/image" => ("200 OK", "Content-Type: image/png\r\nContent-Length: 2000\r\n"),
                "/encoded" => {
                    ("200 OK", "Content-Type: text/plain\r\nContent-Encoding: br\r\nContent-Length: 2000\r\n")
                }
                _ => ("200 OK", "Content-Type: text/plain\r\nContent-Length: 2000\r\n"),
            };
            connection.send(format!("HTTP/1.1 {status}\r\n{headers}\r\n"));
        }
    });
    let program = start(&format!("[[routes]]\nhost = \"{HOST}\"\ncompress = true\n{}", upstream(&backend)));
    for way in WAYS {
        for (method, path, expected) in [
            ("HEAD", "/", &["accept-encoding"][..]),
            ("HEAD", "/304", &["accept-encoding"]),
            ("GET", "/304", &["accept-encoding"]),
            ("GET", "/304/image", &[]),
            ("HEAD", "/vary", &["accept-ENCODING"]),
            ("HEAD", "/short", &[]),
            ("HEAD", "/image", &[]),
            ("HEAD", "/encoded", &[]),
        ] {
            for accepted in ["gzip", "identity"] {
                let headers = [("accept-encoding", accepted)];
                let got = fetch(&program, way, method, &format!("{HOST}{path}"), &headers).unwrap();
                assert_eq!(got.header("vary"), expected, "{way:?} {method} {path} {accepted}");
                let length = if path.contains("304") {
                    &[][..]
                } else if path == "/short" {
                    &["20"]
                } else {
                    &["2000"]
                };
                assert_eq!(got.header("content-length"), length, "{way:?} {method} {path} {accepted}");
            }
        }
    }
}

#[test]
fn responses_keep_their_status_and_digests_stay_true() {
    let text = backend("Content-Type: text/plain\r\n", 10_000);
    let digest = backend("Content-Type: text/plain\r\nContent-Digest: sha-256=:AA==:\r\n", 10_000);
    let config = format!(
        "[[routes]]\nhost = \"{HOST}\"\ncompress = true\n{}[[routes.routes]]\nprefix = \"/digest\"\n{}",
        upstream(&text),
        upstream(&digest),
    );
    let program = start(&config);
    for way in WAYS {
        for (path, accepted) in
            [("/", "*;q=0"), ("/", "identity;q=0"), ("/", "other, *;q=0"), ("/digest", "gzip"), ("/digest", "*;q=0")]
        {
            let headers = [("accept-encoding", accepted)];
            let got = fetch(&program, way, "GET", &format!("{HOST}{path}"), &headers).unwrap();
            assert_eq!(got.status, 200, "{way:?} {path} {accepted}");
            assert!(got.header("content-encoding").is_empty(), "{way:?} {path} {accepted}");
            assert_eq!(got.bytes.len(), 10_000, "{way:?} {path} {accepted}");
        }
    }
}

#[tokio::main(flavor = "current_thread")]
async fn decode(coding: &str, bytes: &[u8]) -> Vec<u8> {
    let mut decoded = Vec::new();
    match coding {
        "gzip" => GzipDecoder::new(bytes).read_to_end(&mut decoded).await,
        "br" => BrotliDecoder::new(bytes).read_to_end(&mut decoded).await,
        _ => ZstdDecoder::new(bytes).read_to_end(&mut decoded).await,
    }
    .unwrap();
    decoded
}
