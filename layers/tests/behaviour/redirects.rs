//! Where redirects lead, parsed the way browsers do (URL standard).

use std::net::SocketAddr;

use axum::{Router, body::Body};
use futures_util::FutureExt;
use http::{Request, Uri};
use pmesh_layers::{
    host::HostName,
    redirect::{Redirect, RedirectTarget},
};
use proptest::prelude::*;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
};
use tower::ServiceExt;
use url::Url;

/// Parts that could be mistaken for the start of a host or of another URL.
const PARTS: [&str; 30] = [
    "/",
    "/",
    "//",
    "///",
    "\\",
    "\\\\",
    "/\\",
    "/.",
    "/..",
    "./",
    "%2f",
    "%2F",
    "%5c",
    "%5C",
    "%2e",
    "%0d%0a",
    "%09",
    "evil.test",
    "@evil.test",
    "https:",
    "javascript:",
    ":",
    ":80",
    "old",
    "a",
    "é",
    "%",
    "%zz",
    "[",
    "\"",
];

const RELATIVE: [&str; 8] = [
    "{path}",
    "{path}/",
    "{path_and_query}",
    "/{*}",
    "/new/{*}",
    "/new{path}",
    "/{path}",
    "/{path}/evil.test?{query}#{*}",
];

/// Targets, each with the host that it leads to.
const ABSOLUTE: [(&str, &str); 7] = [
    ("https://a.test", "a.test"),
    ("https://a.test:8443{path}", "a.test:8443"),
    ("https://a.test/{*}", "a.test"),
    ("https://a.test/b{path_and_query}", "a.test"),
    ("https://www.{host}{path}/x", "www.{host}"),
    ("{scheme}://{host}?{query}", "{host}"),
    ("https://a.test/#{path_and_query}", "a.test"),
];

/// The target of a request, mostly with a leading slash.
fn request_target() -> impl Strategy<Value = String> {
    let parts = || prop::collection::vec(prop::sample::select(&PARTS[..]), 0..8).prop_map(|parts| parts.concat());
    let beginning = prop::sample::select(&["/", "/", "//", "/old/", "/old//", "/old", "http://evil.test", "*"][..]);
    (beginning, parts(), prop::option::of(parts())).prop_map(|(beginning, path, query)| {
        let query = query.map(|query| format!("?{query}")).unwrap_or_default();
        format!("{beginning}{path}{query}")
    })
}

/// `Some(None)` for 400; `None` if `requested` is not a valid request target.
fn location(target: &str, requested: &str) -> Option<Option<String>> {
    let request = Request::get(requested).header("host", "own.test").body(()).ok()?;
    let redirect: Redirect<String> = Redirect::new(target.parse().unwrap()).prefix("/old".parse().unwrap());
    let Ok(response) = redirect.oneshot(request).now_or_never().unwrap();
    Some(response.headers().get("location").map(|location| location.to_str().unwrap().to_owned()))
}

proptest! {
    #[test]
    fn a_target_that_is_a_path_never_leaves_the_origin(target in prop::sample::select(&RELATIVE[..]), requested in request_target()) {
        for base in ["http://own.test/", "https://own.test:8443/old//a/b?c#d"] {
            let base = Url::parse(base).unwrap();
            if let Some(Some(location)) = location(target, &requested) {
                let url = base.join(&location).unwrap();
                prop_assert_eq!(url.origin(), base.origin(), "{} {}: {}", target, requested, location);
                prop_assert!(location.starts_with('/'));
            }
        }
    }

    #[test]
    fn no_request_can_choose_the_host_of_a_url((target, host) in prop::sample::select(&ABSOLUTE[..]), requested in request_target()) {
        if let Some(Some(location)) = location(target, &requested) {
            // `{host}` is the host in the request target, or else in the `Host` header.
            let uri: Uri = requested.parse().unwrap();
            let named = HostName::from_authority(uri.host().unwrap_or("own.test").as_bytes());
            let host = named.map_or(host.to_owned(), |named| host.replace("{host}", named.as_str()));
            let url = Url::parse(&location).unwrap();
            prop_assert_eq!(url.origin(), Url::parse(&format!("{}://{host}", url.scheme())).unwrap().origin(), "{} {}: {}", target, requested, location);
            prop_assert!(url.username().is_empty() && location.is_ascii());
        }
    }

    #[test]
    fn no_request_can_leave_the_path_of_the_target(requested in request_target()) {
        for target in ["/ours/{*}", "https://a.test/ours/{*}", "https://a.test/ours{path}"] {
            if let Some(Some(location)) = location(target, &requested) {
                let url = Url::parse("https://a.test").unwrap().join(&location).unwrap();
                prop_assert!(url.path().starts_with("/ours/"), "{} {}: {}", target, requested, location);
            }
        }
    }

    #[test]
    fn parsing_a_target_never_panics(text in ".*|[a-z/{}*$:?#]*") {
        let _ = text.parse::<RedirectTarget>();
    }
}

/// As a route of an axum app. Fragments are dropped, and encoded line breaks stay encoded.
#[tokio::test]
async fn it_works_as_an_axum_service() {
    let redirect: Redirect<Body> = Redirect::new("/new/{*}".parse().unwrap()).prefix("/old".parse().unwrap());
    let app = Router::new().route_service("/old/{*rest}", redirect);
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(axum::serve(listener, app).into_future());
    for (path, location) in [("/old/a?b", "/new/a?b"), ("/old/a#b", "/new/a"), ("/old//a%0d%0ax:y", "/new//a%0d%0ax:y")]
    {
        let answer = fetch(address, path).await;
        let head = answer.strip_suffix("\r\n\r\n").unwrap();
        assert!(head.starts_with("HTTP/1.1 308 Permanent Redirect\r\n"), "{head}");
        assert!(head.lines().any(|line| line == format!("location: {location}")), "{head}");
        assert!(head.lines().any(|line| line == "content-length: 0"), "{head}");
    }
}

async fn fetch(address: SocketAddr, path: &str) -> String {
    let mut client = TcpStream::connect(address).await.unwrap();
    let request = format!("GET {path} HTTP/1.1\r\nHost: a.example\r\nConnection: close\r\n\r\n");
    client.write_all(request.as_bytes()).await.unwrap();
    let mut answer = String::new();
    client.read_to_string(&mut answer).await.unwrap();
    answer
}
