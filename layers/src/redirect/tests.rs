//! Tests of the location of redirects.

use http::{
    Method, Request, StatusCode, Version,
    header::{HOST, LOCATION},
};
use tower::ServiceExt;

use super::*;
use crate::{conn::ConnInfo, host::HostName};

async fn answered<B>(redirect: Redirect<String>, request: Request<B>) -> (u16, String) {
    let Ok(response) = redirect.oneshot(request).await;
    let location = response.headers().get(LOCATION).map_or("", |location| location.to_str().unwrap());
    (response.status().as_u16(), location.to_owned())
}

async fn location(target: &str, uri: &str) -> String {
    let redirect = Redirect::new(target.parse().unwrap()).prefix("/old".parse().unwrap());
    answered(redirect, Request::get(uri).header(HOST, "Www.Example.com:8080").body(()).unwrap()).await.1
}

#[tokio::test]
async fn placeholders_are_replaced() {
    for (target, uri, expected) in [
        // Without a path.
        ("https://a.test", "/x/y?b=1", "https://a.test/x/y?b=1"),
        ("https://a.test", "/", "https://a.test/"),
        ("https://a.test:8443", "/x?", "https://a.test:8443/x"),
        // With a path.
        ("https://a.test/", "/x?b=1", "https://a.test/"),
        ("https://a.test?c", "/x?b=1", "https://a.test/?c"),
        ("https://a.test#c", "/x?b=1", "https://a.test/#c"),
        ("/new", "/x?b=1", "/new"),
        ("/straße?ü=1#ö", "/x", "/stra%C3%9Fe?%C3%BC=1#%C3%B6"),
        ("/a%20b%2f", "/x", "/a%20b%2f"),
        // The host and the scheme.
        ("https://{host}/", "/x", "https://www.example.com/"),
        ("{scheme}://m.{host}:81", "/x?b", "http://m.www.example.com:81/x?b"),
        // The path and the query.
        ("https://a.test/b{path}", "/x//y?b=1", "https://a.test/b/x//y"),
        ("https://a.test{path_and_query}#top", "/x?b=1", "https://a.test/x?b=1#top"),
        ("{path}/", "/x?b=1", "/x/"),
        ("{path_and_query}", "/x?b=1", "/x?b=1"),
        ("/s?{query}", "/x?b=1&c=%26?", "/s?b=1&c=%26?"),
        ("/s?{query}", "/x", "/s"),
        ("/s?a&{query}", "/x?b", "/s?a&b"),
        // The path below the prefix.
        ("/new/{*}", "/old/a/b?c=1", "/new/a/b?c=1"),
        ("/new/{*}?", "/old/a/b?c=1", "/new/a/b"),
        ("/new/{*}?d", "/old/a/b?c=1", "/new/a/b?d"),
        ("/new/{*}", "/old", "/new/"),
        ("/new/{*}", "/old/", "/new/"),
        ("/new/{*}", "/older", "/new/older"),
        ("/#/{*}", "/old/a", "/#/a"),
        // Percent-encoding is kept, characters that a URL cannot contain are encoded, and a value cannot add parameters.
        ("/new/{*}", "/old/%2e%2E%2fa%zz/%C3%a9/é?é=%2f", "/new/%2e%2E%2fa%zz/%C3%a9/%C3%A9?%C3%A9=%2f"),
        ("/new/{*}", "/old/a\\b\"{}|^", "/new/a%5Cb%22%7B%7D%7C%5E"),
        ("/s?from={path}", "/a+b;c&d=e?f", "/s?from=/a%2Bb%3Bc%26d=e"),
        (
            "/login?rd={scheme}://{host}{path_and_query}",
            "/a?b=%26&c",
            "/login?rd=http://www.example.com/a%3Fb%3D%2526%26c",
        ),
    ] {
        assert_eq!(location(target, uri).await, expected, "{target} {uri}");
    }
}

#[tokio::test]
async fn a_path_never_becomes_a_host() {
    for (target, uri, expected) in [
        ("{path}", "//evil.test", "/evil.test"),
        ("{path_and_query}", "///evil.test/x?y", "/evil.test/x?y"),
        ("/{*}", "/old//evil.test", "/evil.test"),
        ("/{*}", "/old///evil.test", "/evil.test"),
        ("/{*}", "//evil.test", "/evil.test"),
        ("/{*}", "/old/\\evil.test", "/%5Cevil.test"),
        ("{path}", "/\\evil.test", "/%5Cevil.test"),
        ("/{*}", "/old/%2fevil.test", "/%2fevil.test"),
        ("/{*}", "/old/%5cevil.test", "/%5cevil.test"),
        ("/{*}", "/old/https://evil.test", "/https://evil.test"),
        ("/{*}", "/old/%0d%0aset-cookie:a", "/%0d%0aset-cookie:a"),
        ("https://a.test", "//evil.test", "https://a.test//evil.test"),
        ("https://a.test", "/@evil.test", "https://a.test/@evil.test"),
        ("https://a.test", "*", "https://a.test/"),
        ("https://a.test{path}", "evil.test:443", "https://a.test/"),
        ("https://a.test/{*}", "*", "https://a.test/"),
        ("/new/{*}", "http://evil.test/old/a", "/new/a"),
        ("https://a.test", "http://evil.test?b", "https://a.test/?b"),
    ] {
        assert_eq!(location(target, uri).await, expected, "{target} {uri}");
    }
}

#[tokio::test]
async fn a_request_cannot_leave_the_path_of_the_target() {
    for uri in ["/old/..", "/old/../x", "/old/a/%2e%2E/x", "/old/.%2e/x", "/old/a/./b", "/old/%2e"] {
        let redirect = || Redirect::new("https://a.test/ours/{*}".parse().unwrap()).prefix("/old".parse().unwrap());
        let answer = answered(redirect(), Request::get(uri).body(()).unwrap()).await;
        assert_eq!(answer, (400, String::new()), "{uri}");
        // This target has no path to leave.
        let expected = format!("https://a.test{uri}");
        assert_eq!(location("https://a.test", uri).await, expected);
    }
    assert_eq!(location("/new/{*}", "/old/.../.a/..b/%2e./%2e%2e%2e").await, "");
    assert_eq!(location("/new/{*}", "/old/.../.a/..b/%2e%2e%2e").await, "/new/.../.a/..b/%2e%2e%2e");
}

#[tokio::test]
async fn the_host_is_taken_from_the_request() {
    let redirect = || Redirect::new("https://{host}/".parse().unwrap());
    for (request, expected) in [
        (Request::get("/"), ""),
        (Request::get("/").header(HOST, "a.test"), "https://a.test/"),
        (Request::get("/").header(HOST, "a.test").header(HOST, "b.test"), ""),
        (Request::get("/").header(HOST, "a.test/evil"), ""),
        (Request::get("/").header(HOST, "a.test,b.test"), ""),
        (Request::get("/").header(HOST, "[2001:DB8::1]:80"), "https://[2001:db8::1]/"),
        (Request::get("http://a.test/").version(Version::HTTP_2), "https://a.test/"),
        (Request::get("http://a.test/").version(Version::HTTP_2).header(HOST, "b.test"), ""),
        (Request::get("http://a.test/").header(HOST, "b.test"), "https://a.test/"),
        // From a `HostLayer`.
        (Request::get("/").header(HOST, "b.test").extension("a.test".parse::<HostName>().unwrap()), "https://a.test/"),
    ] {
        let (status, location) = answered(redirect(), request.body(()).unwrap()).await;
        assert_eq!((status, &*location), (if expected.is_empty() { 400 } else { 308 }, expected));
    }
}

#[tokio::test]
async fn the_scheme_is_taken_from_the_client() {
    let tls = ConnInfo::tls(([192, 0, 2, 1], 1).into(), "a.test".parse().unwrap());
    for (request, expected) in [
        (Request::get("/"), "http"),
        (Request::get("/").extension(tls.clone()), "https"),
        (Request::get("/").extension(tls).header("x-forwarded-proto", "http"), "http"),
        (Request::get("/").header("x-forwarded-proto", "https"), "https"),
    ] {
        let redirect = Redirect::new("{scheme}://a.test".parse().unwrap());
        assert_eq!(answered(redirect, request.body(()).unwrap()).await.1, format!("{expected}://a.test/"));
    }
}

#[tokio::test]
async fn the_longest_prefix_is_used() {
    let prefixed = |redirect: Redirect<String>, prefix: &str| redirect.prefix(prefix.parse().unwrap());
    let redirect = ["/a", "/a/b", "/c"].into_iter().fold(Redirect::new("/{*}".parse().unwrap()), prefixed);
    for (uri, expected) in [("/a/x", "/x"), ("/a/b/x", "/x"), ("/c/b/x", "/b/x"), ("/d", "/d")] {
        let request = Request::builder().method(Method::POST).uri(uri).body(()).unwrap();
        assert_eq!(answered(redirect.clone(), request).await, (308, expected.to_owned()), "{uri}");
    }
}

#[tokio::test]
async fn only_statuses_that_redirect_are_allowed() {
    let redirect = || Redirect::new("/".parse().unwrap());
    for status in [301, 302, 303, 307, 308] {
        let redirect = redirect().status(StatusCode::from_u16(status).unwrap()).unwrap();
        assert_eq!(answered(redirect, Request::new(())).await, (status, "/".to_owned()));
    }
    for status in [100, 200, 300, 304, 305, 306, 309, 404] {
        let error = redirect().status(StatusCode::from_u16(status).unwrap()).unwrap_err().to_string();
        assert!(error.starts_with(&status.to_string()) && error.contains("use 301, 302"), "{error}");
    }
}

#[cfg(feature = "regex")]
#[tokio::test]
async fn regex_groups_are_replaced_and_encoded() {
    for (regex, target, uri, expected) in [
        ("^/u/([0-9]+)$", "/user/{1}", "/u/42?x", "/user/42"),
        ("^/u/([0-9]+)$", "/user?id={1}&{query}", "/u/42?x", "/user?id=42&x"),
        ("^/(a)?b/(c)$", "/{2}/{1}x", "/b/c", "/c/x"),
        ("^/(.*)$", "/{1}", "//evil.test", "/evil.test"),
        ("^/(.*)$", "/{1}", "/\\evil.test", "/%5Cevil.test"),
        ("^/(x)?(.*)$", "/{1}/{2}", "/evil.test", "/evil.test"),
        ("^/(.*)$", "https://a.test/{1}", "/@evil.test", "https://a.test/@evil.test"),
        ("^/(.*)$", "/s?q={1}", "/a&b=c+d?e", "/s?q=a%26b=c%2Bd"),
        ("^/(.*)$", "/s?q={1}", "/a%26%2f", "/s?q=a%26%2f"),
        // `/u-../evil` has no dot segments, so browsers do not change it.
        ("^/u-(.*)$", "https://a.test/ours/{1}", "/u-../evil", ""),
        ("^/u-(.*)$", "https://a.test/ours/x{1}", "/u-../evil", "https://a.test/ours/x../evil"),
        ("^/u-(.*)e(.*)$", "https://a.test/ours/{1}{2}", "/u-.e.", ""),
        // The regex does not match.
        ("^/x$", "/{1}/{2}", "/y", "/"),
    ] {
        let redirect = Redirect::new(target.parse().unwrap()).regex(regex.parse().unwrap());
        assert_eq!(answered(redirect, Request::get(uri).body(()).unwrap()).await.1, expected, "{regex} {uri}");
    }
}
