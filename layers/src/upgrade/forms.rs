//! The two forms of an upgrade: in HTTP/1.1 (RFC 9110, 7.8) and in HTTP/2 (RFC 8441, 4 and 5).

use http::{
    HeaderValue, Method, Request, Response, StatusCode,
    header::{CONNECTION, CONTENT_LENGTH, SEC_WEBSOCKET_ACCEPT, SEC_WEBSOCKET_KEY, UPGRADE},
};
use hyper::ext::Protocol;

/// Rewrites a request as an HTTP/1.1 upgrade, but keeps its version.
pub(super) fn make_get<B>(request: &mut Request<B>, protocols: HeaderValue, key: Option<HeaderValue>) {
    request.extensions_mut().remove::<Protocol>();
    *request.method_mut() = Method::GET;
    let headers = request.headers_mut();
    headers.insert(UPGRADE, protocols);
    headers.insert(CONNECTION, HeaderValue::from_static("upgrade"));
    if let Some(key) = key {
        headers.insert(SEC_WEBSOCKET_KEY, key);
    }
}

/// Turns an otherwise valid HTTP/2 request into an extended CONNECT.
pub(super) fn make_connect<B>(request: &mut Request<B>, protocol: &str) {
    request.extensions_mut().insert(Protocol::from(protocol));
    *request.method_mut() = Method::CONNECT;
    request.headers_mut().remove(SEC_WEBSOCKET_KEY);
}

/// Turns the 200 to an extended CONNECT into a 101.
pub(super) fn make_switching<B>(response: &mut Response<B>, protocol: HeaderValue, accept: Option<HeaderValue>) {
    *response.status_mut() = StatusCode::SWITCHING_PROTOCOLS;
    let headers = response.headers_mut();
    headers.remove(CONTENT_LENGTH);
    headers.insert(CONNECTION, HeaderValue::from_static("upgrade"));
    headers.insert(UPGRADE, protocol);
    if let Some(accept) = accept {
        headers.insert(SEC_WEBSOCKET_ACCEPT, accept);
    }
}

/// Turns a 101 into a 200.
pub(super) fn make_ok<B>(response: &mut Response<B>) {
    *response.status_mut() = StatusCode::OK;
    let headers = response.headers_mut();
    // A length would be the length of the tunnel (RFC 9110, 8.6).
    for name in [CONNECTION, UPGRADE, SEC_WEBSOCKET_ACCEPT, CONTENT_LENGTH] {
        headers.remove(name);
    }
}
