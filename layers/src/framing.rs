//! Rejects requests that two servers could read differently.
//!
//! hyper parses HTTP and writes each message anew, so bytes are never passed through. This layer rejects requests that
//! hyper accepts but a backend might read differently.
//!
//! ```
//! use http::{Request, Response};
//! use pmesh_layers::framing::FramingLayer;
//! use tower::{BoxError, ServiceBuilder, ServiceExt};
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), BoxError> {
//! let service =
//!     ServiceBuilder::new().layer(FramingLayer::new()).service_fn(async |_: Request<()>| Ok::<_, BoxError>(Response::new(())));
//! let request = Request::post("/").header("transfer-encoding", "gzip, chunked").body(())?;
//! assert!(service.oneshot(request).await.is_err());
//! # Ok(())
//! # }
//! ```

use std::task::{Context, Poll};

use http::{
    HeaderMap, HeaderName, HeaderValue, Method, Request, Uri, Version,
    header::{CONTENT_LENGTH, TRANSFER_ENCODING},
    uri::PathAndQuery,
};
use tower::{BoxError, Layer, Service};

use crate::future::ResponseFuture;

const CONTENT_LENGTH_ALIAS: HeaderName = HeaderName::from_static("content_length");
const TRANSFER_ENCODING_ALIAS: HeaderName = HeaderName::from_static("transfer_encoding");

/// Lets through only unambiguous requests. All others fail with [`InvalidRequest`].
#[derive(Debug, Clone, Copy, Default)]
#[non_exhaustive]
pub struct FramingLayer;

impl FramingLayer {
    /// Creates the layer.
    pub fn new() -> Self {
        Self
    }
}

impl<S> Layer<S> for FramingLayer {
    type Service = Framing<S>;

    fn layer(&self, inner: S) -> Self::Service {
        Framing { inner }
    }
}

/// The service of [`FramingLayer`].
#[derive(Debug, Clone)]
pub struct Framing<S> {
    inner: S,
}

impl<S> Framing<S> {
    inner_accessors!();
}

impl<S, B> Service<Request<B>> for Framing<S>
where
    S: Service<Request<B>>,
    S::Error: Into<BoxError>,
{
    type Response = S::Response;
    type Error = BoxError;
    type Future = ResponseFuture<S::Future>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), BoxError>> {
        self.inner.poll_ready(cx).map_err(Into::into)
    }

    fn call(&mut self, mut request: Request<B>) -> Self::Future {
        match check(&request) {
            Ok(()) => {
                drop_aliases(request.headers_mut());
                drop_zeros(request.headers_mut());
                restore_asterisk(&mut request);
                ResponseFuture::inner(self.inner.call(request))
            }
            Err(unacceptable) => ResponseFuture::error(unacceptable),
        }
    }
}

/// Why a request was rejected.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum InvalidRequest {
    /// A transfer coding other than `chunked` alone (RFC 9112, 6.1).
    #[error("the transfer coding is not just chunked")]
    TransferCoding,
    /// More than one `Content-Length`, or both `Content-Length` and `Transfer-Encoding` (RFC 9112, 6.3). Over HTTP/1.1,
    /// hyper removes the `Content-Length` from a request with both, and closes the connection after the response.
    #[error("the length of the body is given twice")]
    Length,
    /// A target with a byte that is not allowed in a URI (RFC 3986, 2), or with a scheme other than http and https.
    #[error("the target is not an http or https URI")]
    Target,
    /// A header name that HTTP/1.1 cannot express (RFC 9110, 5.6.2).
    #[error("a header name is not a token")]
    Name,
    /// An HTTP/2 header value with leading or trailing white space, which HTTP/1.1 cannot express (RFC 9113, 8.2.1).
    #[error("a header value begins or ends with white space")]
    Value,
    /// The method is `CONNECT` or `TRACE`, which a reverse proxy does not need.
    #[error("the method is not allowed")]
    Method,
}

fn check<B>(request: &Request<B>) -> Result<(), InvalidRequest> {
    if matches!(*request.method(), Method::CONNECT | Method::TRACE) {
        return Err(InvalidRequest::Method);
    }
    check_target(request.uri(), request.method())?;
    // After a scheme, the `http` crate reads a missing path as `/`. HTTP/2 requires a path (RFC 9113, 8.3.1).
    let written = request.uri().path_and_query().map_or("", |path| path.as_str());
    if request.version() >= Version::HTTP_2 && !written.starts_with(['/', '*']) {
        return Err(InvalidRequest::Target);
    }
    let headers = request.headers();
    // hyper's HTTP/1 parser is strict. Over HTTP/2, hyper accepts `"` in names, and white space around values.
    if request.version() >= Version::HTTP_2 {
        if !headers.keys().all(is_token) {
            return Err(InvalidRequest::Name);
        }
        if !headers.values().all(is_trimmed) {
            return Err(InvalidRequest::Value);
        }
    }
    let mut lengths = headers.get_all(CONTENT_LENGTH).iter();
    let length = lengths.next();
    if lengths.next().is_some() {
        return Err(InvalidRequest::Length);
    }
    let mut codings = headers.get_all(TRANSFER_ENCODING).iter();
    if let Some(coding) = codings.next() {
        if length.is_some() {
            return Err(InvalidRequest::Length);
        }
        if codings.next().is_some()
            || !coding.as_bytes().eq_ignore_ascii_case(b"chunked")
            || request.version() != Version::HTTP_11
        {
            return Err(InvalidRequest::TransferCoding);
        }
    }
    // hyper may read "3, 3" and "+3" as numbers. Here, only digits pass.
    if length.is_some_and(|length| length.is_empty() || !length.as_bytes().iter().all(u8::is_ascii_digit)) {
        return Err(InvalidRequest::Length);
    }
    Ok(())
}

fn check_target(uri: &Uri, method: &Method) -> Result<(), InvalidRequest> {
    if uri.scheme_str().is_some_and(|scheme| scheme != "http" && scheme != "https") {
        return Err(InvalidRequest::Target);
    }
    let path = uri.path();
    let whole = path.starts_with('/') || (path == "*" && method == Method::OPTIONS);
    let printable = |text: &str| text.bytes().all(|byte| byte.is_ascii_graphic());
    // Some backends read `\` as `/`, so that `\..` would lead to another route. No valid path has it (RFC 3986, 3.3).
    if whole && printable(path) && !path.contains('\\') && uri.query().is_none_or(printable) {
        Ok(())
    } else {
        Err(InvalidRequest::Target)
    }
}

/// Whether HTTP/1.1 can express `name`. The `http` crate has already ruled out all other invalid bytes.
pub(crate) fn is_token(name: &HeaderName) -> bool {
    !name.as_str().contains('"')
}

fn is_trimmed(value: &HeaderValue) -> bool {
    let is_white = |byte: Option<&u8>| matches!(byte, Some(b' ' | b'\t'));
    let bytes = value.as_bytes();
    !is_white(bytes.first()) && !is_white(bytes.last())
}

/// Removes headers that some backends mistake for framing headers, because they read `_` as `-`, as CGI does.
fn drop_aliases(headers: &mut HeaderMap) {
    for alias in [CONTENT_LENGTH_ALIAS, TRANSFER_ENCODING_ALIAS] {
        // Cheaper than a lookup if there is none.
        if headers.keys().any(|name| *name == alias) {
            headers.remove(alias);
        }
    }
}

/// Removes zeros before a length, which some parsers read as octal.
fn drop_zeros(headers: &mut HeaderMap) {
    let Some(length) = headers.get_mut(CONTENT_LENGTH) else { return };
    let digits = length.as_bytes();
    let plain = digits.iter().position(|digit| *digit != b'0').unwrap_or(digits.len().saturating_sub(1));
    if let (1.., Ok(plain)) = (plain, HeaderValue::from_bytes(&digits[plain..])) {
        *length = plain;
    }
}

/// Sets the target of an OPTIONS request without a path to `*`, which stands for the server as a whole (RFC 9112,
/// 3.2.4).
///
/// The `http` crate replaces a missing path with a static `/`. Only the pointer distinguishes it from a `/` in the request.
/// If this ever changes, the target stays `/`.
fn restore_asterisk<B>(request: &mut Request<B>) {
    if *request.method() != Method::OPTIONS
        || request.version() >= Version::HTTP_2
        || request.uri().authority().is_none()
    {
        return;
    }
    let text = |uri: &Uri| uri.path_and_query().map(|path| path.as_str().as_ptr());
    if text(request.uri()) == text(&Uri::from_static("http://a")) {
        let mut parts = std::mem::take(request.uri_mut()).into_parts();
        parts.path_and_query = Some(PathAndQuery::from_static("*"));
        // Cannot fail: the URI has all its parts.
        *request.uri_mut() = Uri::from_parts(parts).unwrap_or_default();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn request(fields: &[(&'static str, &'static str)]) -> Request<()> {
        let mut request = Request::post("/path?query").body(()).unwrap();
        for (name, value) in fields {
            request.headers_mut().append(*name, value.parse().unwrap());
        }
        request
    }

    #[test]
    fn ambiguous_framing_is_rejected() {
        for (fields, expected) in [
            (&[][..], Ok(())),
            (&[("content-length", "3")], Ok(())),
            (&[("transfer-encoding", "Chunked")], Ok(())),
            (&[("content-length", "3"), ("content-length", "3")], Err(InvalidRequest::Length)),
            (&[("content-length", "3"), ("transfer-encoding", "chunked")], Err(InvalidRequest::Length)),
            (&[("content-length", "+3")], Err(InvalidRequest::Length)),
            (&[("content-length", "3, 3")], Err(InvalidRequest::Length)),
            (&[("content-length", "")], Err(InvalidRequest::Length)),
            (&[("transfer-encoding", "identity, chunked")], Err(InvalidRequest::TransferCoding)),
            (&[("transfer-encoding", "xchunked")], Err(InvalidRequest::TransferCoding)),
            (
                &[("transfer-encoding", "chunked"), ("transfer-encoding", "chunked")],
                Err(InvalidRequest::TransferCoding),
            ),
        ] {
            assert_eq!(check(&request(fields)), expected, "{fields:?}");
        }
        let mut old = request(&[("transfer-encoding", "chunked")]);
        *old.version_mut() = Version::HTTP_10;
        assert_eq!(check(&old), Err(InvalidRequest::TransferCoding));
    }

    #[test]
    fn zeros_before_a_length_are_removed() {
        for (length, expected) in [("0", "0"), ("000", "0"), ("010", "10"), ("10", "10"), ("00100", "100")] {
            let mut request = request(&[("content-length", length)]);
            drop_zeros(request.headers_mut());
            assert_eq!(request.headers()[CONTENT_LENGTH], expected);
        }
        drop_zeros(&mut HeaderMap::new());
    }

    #[test]
    fn options_without_a_path_gets_an_asterisk() {
        for (method, target, expected) in [
            ("OPTIONS", "http://a", "*"),
            ("OPTIONS", "https://a:1", "*"),
            ("OPTIONS", "http://a/", "/"),
            ("OPTIONS", "http://a?x", "/?x"),
            ("OPTIONS", "*", "*"),
            ("OPTIONS", "/", "/"),
            ("GET", "http://a", "/"),
        ] {
            // As parsed from a connection.
            let uri = Uri::from_maybe_shared(bytes::Bytes::copy_from_slice(target.as_bytes())).unwrap();
            let mut request = Request::builder().method(method).uri(uri).body(()).unwrap();
            restore_asterisk(&mut request);
            assert_eq!(request.uri().path_and_query().unwrap().to_string(), expected, "{method} {target}");
        }
    }

    #[test]
    fn header_names_must_be_tokens() {
        let mut request = request(&[("x-fine", "1")]);
        *request.version_mut() = Version::HTTP_2;
        assert_eq!(check(&request), Ok(()));
        // Every byte that `HeaderName` accepts and a token does not, in case it ever accepts more.
        let letters = (0..=0x7f_u8).filter(|byte| HeaderName::from_lowercase(&[b'x', *byte]).is_ok());
        let strange: Vec<_> =
            letters.filter(|byte| !byte.is_ascii_alphanumeric() && !b"!#$%&'*+-.^_`|~".contains(byte)).collect();
        assert_eq!(strange, b"\"");
        request.headers_mut().insert(HeaderName::from_lowercase(b"\"x\"").unwrap(), "1".parse().unwrap());
        assert_eq!(check(&request), Err(InvalidRequest::Name));
    }

    #[test]
    fn http2_values_with_white_space_around_them_are_rejected() {
        for (value, expected) in [
            ("", Ok(())),
            ("a b\tc", Ok(())),
            (" a", Err(InvalidRequest::Value)),
            ("a\t", Err(InvalidRequest::Value)),
            (" ", Err(InvalidRequest::Value)),
        ] {
            let mut request = Request::new(());
            *request.version_mut() = Version::HTTP_2;
            request.headers_mut().insert("x", HeaderValue::from_static(value));
            assert_eq!(check(&request), expected, "{value:?}");
        }
    }

    #[test]
    fn targets_must_be_http_uris() {
        for (method, target, expected) in [
            ("GET", "/", true),
            ("GET", "http://h/", true),
            ("GET", "https://h", true),
            ("OPTIONS", "*", true),
            ("GET", "*", false),
            ("GET", "ftp://h/", false),
            ("GET", "/\u{e9}", false),
            ("GET", "/a\\b", false),
            ("GET", "/?a\\b", true),
            ("GET", "h:80", false),
            ("CONNECT", "h:80", false),
            ("TRACE", "/", false),
        ] {
            let request = Request::builder().method(method).uri(target).body(()).unwrap();
            assert_eq!(check(&request).is_ok(), expected, "{method} {target}");
        }
    }
}
