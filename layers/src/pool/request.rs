use http::{
    HeaderMap, HeaderValue, Method, Request, Uri, Version,
    header::{CONTENT_LENGTH, COOKIE, TRANSFER_ENCODING},
    uri::PathAndQuery,
};
use http_body::Body;

/// Writes a request as HTTP/1.1 wants it: origin form, one `Cookie` line, and framing that says how long the body is.
pub(super) fn into_http1<B: Body>(request: &mut Request<B>) {
    if request.version() == Version::HTTP_2 {
        join_cookies(request.headers_mut());
    }
    *request.version_mut() = Version::HTTP_11;
    if request.uri().authority().is_some() {
        let path = match request.uri().path_and_query() {
            // OPTIONS without a path asks about the server (RFC 9112, 3.2.4).
            None if request.method() == Method::OPTIONS => PathAndQuery::from_static("*"),
            None => PathAndQuery::from_static("/"),
            // Where a fragment followed the authority it says so and is empty, and would be written as nothing.
            Some(path) if path.as_str() == "/" => PathAndQuery::from_static("/"),
            Some(path) => path.clone(),
        };
        *request.uri_mut() = Uri::from(path);
    }
    // hyper leaves the body out when the method has none as a rule and the length is not known.
    let unknown_length = !request.body().is_end_stream() && request.body().size_hint().exact().is_none();
    if unknown_length && !request.headers().contains_key(CONTENT_LENGTH) {
        request.headers_mut().insert(TRANSFER_ENCODING, HeaderValue::from_static("chunked"));
    }
}

/// HTTP/2 lets each cookie have a line of its own (RFC 9113, 8.2.3).
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
    fn targets_become_origin_form() {
        for (method, uri, expected) in [
            ("GET", "http://h/a?b", "/a?b"),
            ("GET", "http://h?b", "/?b"),
            ("GET", "http://h", "/"),
            ("GET", "http://h#x", "/"),
            ("GET", "/a", "/a"),
            ("OPTIONS", "*", "*"),
        ] {
            let mut request = Request::builder().method(method).uri(uri).body(Empty::<Bytes>::new()).unwrap();
            into_http1(&mut request);
            assert_eq!(request.uri().to_string(), expected);
        }
    }

    #[test]
    fn a_body_of_unknown_length_is_chunked_whatever_the_method() {
        let body = StreamBody::new(futures_util::stream::pending::<Result<http_body::Frame<Bytes>, hyper::Error>>());
        let mut request = Request::get("/").body(body).unwrap();
        into_http1(&mut request);
        assert_eq!(request.headers()[TRANSFER_ENCODING], "chunked");

        let mut request = Request::get("/").body(Empty::<Bytes>::new()).unwrap();
        into_http1(&mut request);
        assert!(request.headers().is_empty());
    }

    #[test]
    fn cookies_of_http2_share_a_line() {
        let mut request =
            Request::get("http://h/").version(Version::HTTP_2).header(COOKIE, "a=1").header(COOKIE, "b=2");
        request = request.header("x", "y");
        let mut request = request.body(Empty::<Bytes>::new()).unwrap();
        into_http1(&mut request);
        assert_eq!(request.headers().get_all(COOKIE).iter().collect::<Vec<_>>(), ["a=1; b=2"]);
    }
}
