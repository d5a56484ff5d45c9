use http::{
    HeaderMap, HeaderName, HeaderValue, Method, Request, Uri,
    header::{
        CONNECTION, EXPECT, HOST, IF_MATCH, IF_MODIFIED_SINCE, IF_NONE_MATCH, IF_RANGE, IF_UNMODIFIED_SINCE,
        PROXY_AUTHENTICATE, PROXY_AUTHORIZATION, RANGE, TE, TRAILER, TRANSFER_ENCODING, UPGRADE,
    },
    uri::PathAndQuery,
};

use crate::{
    body::RequestBody,
    cgi_name,
    client_scheme::client_scheme,
    forwarded::{X_FORWARDED_HOST, X_FORWARDED_PROTO},
};

const X_FORWARDED_METHOD: HeaderName = HeaderName::from_static("x-forwarded-method");
const X_FORWARDED_URI: HeaderName = HeaderName::from_static("x-forwarded-uri");
/// For servers that are made for nginx.
const X_ORIGINAL_METHOD: HeaderName = HeaderName::from_static("x-original-method");
const X_ORIGINAL_URL: HeaderName = HeaderName::from_static("x-original-url");
/// Maximum number of added headers.
const ADDED: usize = 7;

/// The request to the server.
#[derive(Debug, Clone)]
pub(super) struct Question {
    path: Uri,
    host: Option<HeaderValue>,
}

impl Question {
    pub(super) fn new(url: Uri) -> Self {
        let host = url.authority().and_then(|authority| authority.as_str().rsplit('@').next());
        let host = host.and_then(|host| HeaderValue::from_str(host).ok());
        let path = url.into_parts().path_and_query;
        Self { path: path.unwrap_or(PathAndQuery::from_static("/")).into(), host }
    }

    /// Asks about `request`.
    pub(super) fn about<B>(&self, request: &Request<B>) -> Request<RequestBody> {
        let mut headers = HeaderMap::with_capacity(request.headers().len() + ADDED);
        for (name, value) in request.headers().iter().filter(|(name, _)| !is_kept_back(name)) {
            headers.append(name, value.clone());
        }
        if let Some(host) = &self.host {
            headers.insert(HOST, host.clone());
        }
        describe(request, &mut headers);
        let mut question = Request::new(RequestBody::empty());
        *question.method_mut() = Method::GET;
        *question.uri_mut() = self.path.clone();
        // Over HTTP/2, the client may have split its cookies, which the pools know from this.
        *question.version_mut() = request.version();
        *question.headers_mut() = headers;
        question
    }
}

/// Adds the headers that describe `request`.
fn describe<B>(request: &Request<B>, headers: &mut HeaderMap) {
    if !headers.contains_key(X_FORWARDED_PROTO)
        && let Some(scheme) = client_scheme(request)
    {
        headers.insert(X_FORWARDED_PROTO, HeaderValue::from_static(scheme.as_str()));
    }
    if !headers.contains_key(X_FORWARDED_HOST)
        && let Some(host) = request.headers().get(HOST)
    {
        headers.insert(X_FORWARDED_HOST, host.clone());
    }
    if let Ok(method) = HeaderValue::from_str(request.method().as_str()) {
        headers.insert(X_FORWARDED_METHOD, method.clone());
        headers.insert(X_ORIGINAL_METHOD, method);
    }
    let path = request.uri().path_and_query().map_or("/", PathAndQuery::as_str);
    let Ok(uri) = HeaderValue::from_str(path) else { return };
    headers.insert(X_FORWARDED_URI, uri);
    if let (Some(proto), Some(host)) = (headers.get(X_FORWARDED_PROTO), headers.get(X_FORWARDED_HOST)) {
        let url = [proto.as_bytes(), b"://", host.as_bytes(), path.as_bytes()].concat();
        if let Ok(url) = HeaderValue::from_maybe_shared(bytes::Bytes::from(url)) {
            headers.insert(X_ORIGINAL_URL, url);
        }
    }
}

/// Whether a header of the client is kept from the server.
fn is_kept_back(name: &HeaderName) -> bool {
    // About the connection or the body.
    const ABOUT_THE_MESSAGE: [HeaderName; 8] =
        [CONNECTION, EXPECT, PROXY_AUTHENTICATE, PROXY_AUTHORIZATION, TE, TRAILER, TRANSFER_ENCODING, UPGRADE];
    // The server could answer these with 206, 304 or 412, which say nothing about access.
    const ABOUT_THE_RESPONSE: [HeaderName; 6] =
        [IF_MATCH, IF_MODIFIED_SINCE, IF_NONE_MATCH, IF_RANGE, IF_UNMODIFIED_SINCE, RANGE];

    let text = name.as_str();
    name == HOST
        || ABOUT_THE_MESSAGE.contains(name)
        || ABOUT_THE_RESPONSE.contains(name)
        || matches!(text, "digest" | "http2-settings" | "keep-alive" | "proxy-connection" | "repr-digest")
        || text.starts_with("content-")
        // Servers learn about the request from these, and some from `X-Original-URI`.
        || cgi_name::begins_with(text, "x-original-")
        || cgi_name::is_same(text, X_FORWARDED_METHOD.as_str())
        || cgi_name::is_same(text, X_FORWARDED_URI.as_str())
}

#[cfg(test)]
mod tests {
    use http::Version;

    use super::*;
    use crate::conn::ConnInfo;

    fn lines(question: &Request<RequestBody>) -> Vec<String> {
        let line = |(name, value): (&HeaderName, &HeaderValue)| format!("{name}: {}", value.to_str().unwrap());
        let mut lines: Vec<_> = question.headers().iter().map(line).collect();
        lines.sort_unstable();
        lines
    }

    #[test]
    fn the_question_describes_the_request() {
        let request = Request::post("/a//b?c=%2F")
            .version(Version::HTTP_2)
            .header("host", "example.com:8080")
            .header("x-forwarded-proto", "https")
            .header("x-forwarded-host", "example.com:8080")
            .header("x-forwarded-for", "192.0.2.1")
            .body(())
            .unwrap();
        for (url, path, host) in [
            ("http://127.0.0.1:9091/verify?a=b", "/verify?a=b", Some("127.0.0.1:9091")),
            ("http://user:password@auth.test", "/", Some("auth.test")),
            ("/verify", "/verify", None),
        ] {
            let question = Question::new(Uri::from_static(url)).about(&request);
            assert_eq!((question.method(), &*question.uri().to_string()), (&Method::GET, path));
            assert_eq!(question.version(), Version::HTTP_2);
            let host = host.map(|host| format!("host: {host}"));
            let expected = [
                "x-forwarded-for: 192.0.2.1",
                "x-forwarded-host: example.com:8080",
                "x-forwarded-method: POST",
                "x-forwarded-proto: https",
                "x-forwarded-uri: /a//b?c=%2F",
                "x-original-method: POST",
                "x-original-url: https://example.com:8080/a//b?c=%2F",
            ];
            let expected: Vec<_> = host.into_iter().chain(expected.map(str::to_owned)).collect();
            assert_eq!(lines(&question), expected, "{url}");
        }
    }

    #[test]
    fn without_headers_the_connection_describes_the_request() {
        let info = ConnInfo::tls(([192, 0, 2, 1], 1).into(), "a.test".parse().unwrap());
        let request = Request::get("/x").header("host", "a.test").extension(info).body(()).unwrap();
        let question = Question::new(Uri::from_static("/")).about(&request);
        assert_eq!(question.headers()["x-original-url"], "https://a.test/x");
        assert!(question.extensions().is_empty());
        // Neither is known.
        let question = Question::new(Uri::from_static("/")).about(&Request::new(()));
        assert_eq!(lines(&question), ["x-forwarded-method: GET", "x-forwarded-uri: /", "x-original-method: GET"]);
    }

    #[test]
    fn headers_about_something_else_are_kept_back() {
        let mut request = Request::new(());
        for name in [
            "connection",
            "content-encoding",
            "content-length",
            "content-type",
            "expect",
            "if-none-match",
            "keep-alive",
            "proxy-authorization",
            "range",
            "te",
            "trailer",
            "transfer-encoding",
            "upgrade",
            "x-original-uri",
            "x_original_url",
            "x-original_method",
            "x_forwarded_uri",
            "x-forwarded_method",
            "accept",
            "authorization",
            "cdn-loop",
            "cookie",
            "sec-websocket-protocol",
            "x-team",
        ] {
            request.headers_mut().append(name, HeaderValue::from_static("of the client"));
            request.headers_mut().append(name, HeaderValue::from_static("of the client"));
        }
        let question = Question::new(Uri::from_static("/")).about(&request);
        let of_client = question.headers().iter().filter(|(_, value)| *value == "of the client");
        let mut names: Vec<_> = of_client.map(|(name, _)| name.as_str()).collect();
        names.sort_unstable();
        let kept = ["accept", "authorization", "cdn-loop", "cookie", "sec-websocket-protocol", "x-team"];
        assert_eq!(names, kept.iter().flat_map(|name| [*name, *name]).collect::<Vec<_>>());
    }
}
