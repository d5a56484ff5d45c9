use http::{
    HeaderMap, HeaderValue, Method, Request, Uri, Version,
    header::{CONNECTION, CONTENT_LENGTH, COOKIE, HOST, TRANSFER_ENCODING, UPGRADE},
    uri::{Authority, PathAndQuery},
};
use http_body::Body;

use crate::upgrade::Outbound;

/// Converts a request to HTTP/1.1: origin form, a `Host`, one `Cookie` line, and framing for the body.
///
/// Returns whether the `Host` was taken from the endpoint because the request has none.
pub(super) fn into_http1<B: Body>(request: &mut Request<B>, endpoint: &Uri) -> bool {
    if request.version() == Version::HTTP_2 {
        join_cookies(request.headers_mut());
    }
    *request.version_mut() = Version::HTTP_11;
    let mut own_host = false;
    if !request.headers().contains_key(HOST) {
        own_host = request.uri().authority().is_none();
        let host = request.uri().authority().or_else(|| endpoint.authority()).and_then(host_field);
        request.headers_mut().extend(host.map(|host| (HOST, host)));
    }
    if request.uri().authority().is_some() {
        let path = match request.uri().path_and_query() {
            // OPTIONS without a path asks about the server (RFC 9112, 3.2.4).
            None if request.method() == Method::OPTIONS => PathAndQuery::from_static("*"),
            None => PathAndQuery::from_static("/"),
            // After a URI such as http://host#x, the path says "/" but would be written as nothing.
            Some(path) if path.as_str() == "/" => PathAndQuery::from_static("/"),
            Some(path) => path.clone(),
        };
        *request.uri_mut() = Uri::from(path);
    }
    // Some servers refuse requests without a length if the method allows a body (RFC 9110, 8.6).
    let expects_body = matches!(*request.method(), Method::POST | Method::PUT | Method::PATCH);
    if expects_body && request.body().is_end_stream() && !request.headers().contains_key(CONTENT_LENGTH) {
        request.headers_mut().insert(CONTENT_LENGTH, HeaderValue::from_static("0"));
    }
    // hyper drops a body of unknown length if the method usually has none.
    let unknown_length = !request.body().is_end_stream() && request.body().size_hint().exact().is_none();
    if unknown_length && !request.headers().contains_key(CONTENT_LENGTH) {
        request.headers_mut().insert(TRANSFER_ENCODING, HeaderValue::from_static("chunked"));
    }
    own_host
}

/// Converts a request to HTTP/2: the whole URI, and no connection-specific headers (RFC 9113, 8.2.2 and 8.3.1).
///
/// Returns whether the authority was taken from the endpoint because the request has none.
pub(super) fn into_http2<B>(request: &mut Request<B>, endpoint: &Uri) -> bool {
    *request.version_mut() = Version::HTTP_2;
    let headers = request.headers_mut();
    headers.remove(CONNECTION);
    headers.remove(TRANSFER_ENCODING);
    // `Outbound` handles upgrades. Without the header, this is an ordinary request (RFC 9110, 7.8).
    headers.remove(UPGRADE);
    let host = headers.remove(HOST).and_then(|host| Authority::try_from(host.as_bytes()).ok());
    let mut parts = std::mem::take(request.uri_mut()).into_parts();
    parts.authority = host.or(parts.authority);
    let own_host = parts.authority.is_none();
    if own_host {
        parts.authority = endpoint.authority().cloned();
    }
    parts.scheme = endpoint.scheme().cloned();
    parts.path_and_query = Some(match parts.path_and_query {
        None => PathAndQuery::from_static(if request.method() == Method::OPTIONS { "*" } else { "/" }),
        // A URI such as http://host?query has no path, but :path begins with a slash (RFC 9113, 8.3.1). Display adds it.
        Some(path) if path.as_str().starts_with('?') => PathAndQuery::try_from(path.to_string()).unwrap_or(path),
        Some(path) => path,
    });
    // A URI that cannot be built is rejected on sending.
    *request.uri_mut() = Uri::from_parts(parts).unwrap_or_default();
    own_host
}

/// Reverts those changes of [`into_http2`] that matter to another endpoint, which may speak HTTP/1.1.
pub(super) fn from_http2<B>(mut request: Request<B>, upgrade: Option<Outbound>, own_host: bool) -> Request<B> {
    let host = request.uri().authority().and_then(|host| HeaderValue::from_str(host.as_str()).ok());
    if own_host {
        let path = request.uri().path_and_query().cloned();
        *request.uri_mut() = path.map(Uri::from).unwrap_or_default();
    } else if let Some(host) = host {
        request.headers_mut().insert(HOST, host);
    }
    if let Some(upgrade) = upgrade {
        upgrade.restore(&mut request);
    }
    request
}

/// Returns the authority without the userinfo before an `@`, which must not be sent (RFC 9110, 4.2.4).
fn host_field(authority: &Authority) -> Option<HeaderValue> {
    HeaderValue::from_str(authority.as_str().rsplit('@').next()?).ok()
}

/// Joins cookies, which can have a line each in HTTP/2 (RFC 9113, 8.2.3).
fn join_cookies(headers: &mut HeaderMap) {
    let mut cookies = headers.get_all(COOKIE).iter();
    if cookies.next().is_some() && cookies.next().is_some() {
        let lines: Vec<_> = headers.get_all(COOKIE).iter().map(HeaderValue::as_bytes).collect();
        if let Ok(joined) = HeaderValue::from_bytes(&lines.join(&b"; "[..])) {
            headers.insert(COOKIE, joined);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use bytes::Bytes;
    use http_body_util::{Empty, StreamBody};

    #[test]
    fn request_targets_become_origin_form() {
        for (method, uri, expected) in [
            ("GET", "http://h/a?b", "/a?b"),
            ("GET", "http://h?b", "/?b"),
            ("GET", "http://h", "/"),
            ("GET", "http://h#x", "/"),
            ("GET", "/a", "/a"),
            ("OPTIONS", "*", "*"),
        ] {
            let mut request = Request::builder().method(method).uri(uri).body(Empty::<Bytes>::new()).unwrap();
            into_http1(&mut request, &Uri::from_static("http://endpoint"));
            assert_eq!(request.uri().to_string(), expected);
        }
    }

    #[test]
    fn there_is_always_a_host() {
        for (uri, host, expected) in [
            ("http://h:1/a", None, "h:1"),
            ("http://user:password@h/a", None, "h"),
            ("http://other/a", Some("h"), "h"),
            ("/a", Some("h"), "h"),
            ("/a", None, "endpoint"),
        ] {
            let mut request = Request::get(uri);
            if let Some(host) = host {
                request = request.header(HOST, host);
            }
            let mut request = request.body(Empty::<Bytes>::new()).unwrap();
            into_http1(&mut request, &Uri::from_static("http://endpoint"));
            assert_eq!(request.headers()[HOST], expected);
        }
    }

    #[test]
    fn a_body_of_unknown_length_is_chunked_whatever_the_method() {
        let body = StreamBody::new(futures_util::stream::pending::<Result<http_body::Frame<Bytes>, hyper::Error>>());
        let mut request = Request::get("/").body(body).unwrap();
        into_http1(&mut request, &Uri::from_static("http://endpoint"));
        assert_eq!(request.headers()[TRANSFER_ENCODING], "chunked");

        let mut request = Request::get("/").body(Empty::<Bytes>::new()).unwrap();
        into_http1(&mut request, &Uri::from_static("http://endpoint"));
        assert_eq!(request.headers().keys().collect::<Vec<_>>(), ["host"]);
    }

    #[test]
    fn an_empty_body_has_a_length_if_the_method_expects_a_body() {
        for (method, length) in
            [("POST", Some("0")), ("PUT", Some("0")), ("PATCH", Some("0")), ("GET", None), ("DELETE", None)]
        {
            let mut request = Request::builder().method(method).uri("/").body(Empty::<Bytes>::new()).unwrap();
            into_http1(&mut request, &Uri::from_static("http://endpoint"));
            let fields = (request.headers().get(CONTENT_LENGTH), request.headers().get(TRANSFER_ENCODING));
            assert_eq!(fields, (length.map(HeaderValue::from_static).as_ref(), None), "{method}");
        }
    }

    #[test]
    fn the_uri_is_complete_for_http2_and_restored_afterwards() {
        for (method, uri, host, expected) in [
            ("GET", "/a?b", Some("h:1"), "https://h:1/a?b"),
            ("GET", "http://other/a", Some("h"), "https://h/a"),
            ("GET", "http://h", None, "https://h/"),
            ("GET", "http://h?b", None, "https://h/?b"),
            ("GET", "/", None, "https://endpoint/"),
            ("GET", "/", Some("no host"), "https://endpoint/"),
            ("OPTIONS", "http://h", None, "https://h/"),
        ] {
            let mut request = Request::builder().method(method).uri(uri).header("connection", "te");
            request = request.header("te", "trailers").header("transfer-encoding", "chunked").header("upgrade", "x");
            if let Some(host) = host {
                request = request.header(HOST, host);
            }
            let mut request = request.body(Empty::<Bytes>::new()).unwrap();
            into_http2(&mut request, &Uri::from_static("https://endpoint"));
            assert_eq!(request.uri().to_string(), expected);
            let path = request.uri().path_and_query().unwrap().as_str();
            assert!(path.starts_with('/'), "{path}");
            assert_eq!(request.headers().keys().collect::<Vec<_>>(), ["te"]);
            let mut back = from_http2(request, None, false);
            assert_eq!(
                back.headers()[HOST],
                *back.uri().host().map(|_| back.uri().authority().unwrap()).unwrap().as_str()
            );
            into_http1(&mut back, &Uri::from_static("http://endpoint"));
            assert!(back.uri().authority().is_none());
        }
    }

    #[test]
    fn the_host_of_one_endpoint_is_not_sent_to_another() {
        let (one, two) = (Uri::from_static("http://one"), Uri::from_static("http://two"));
        for (uri, host, expected) in [("/a?b", None, "two"), ("http://h/a", None, "h"), ("/a", Some("h"), "h")] {
            let mut request = Request::get(uri);
            if let Some(host) = host {
                request = request.header(HOST, host);
            }
            let mut request = request.body(Empty::<Bytes>::new()).unwrap();
            let own_host = into_http2(&mut request, &one);
            let mut request = from_http2(request, None, own_host);
            into_http1(&mut request, &two);
            assert_eq!(request.headers()[HOST], expected, "{uri}");
            assert!(request.uri().to_string().starts_with("/a"));
        }
    }

    #[test]
    fn http2_cookies_are_joined_into_one_line() {
        let mut request =
            Request::get("http://h/").version(Version::HTTP_2).header(COOKIE, "a=1").header(COOKIE, "b=2");
        request = request.header("x", "y");
        let mut request = request.body(Empty::<Bytes>::new()).unwrap();
        into_http1(&mut request, &Uri::from_static("http://endpoint"));
        assert_eq!(request.headers().get_all(COOKIE).iter().collect::<Vec<_>>(), ["a=1; b=2"]);
    }
}
