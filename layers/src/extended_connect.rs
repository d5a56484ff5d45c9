//! Upgrades that a client asks for over HTTP/2 (RFC 8441), as those of HTTP/1.1.
//!
//! ```
//! use http::{Method, Request, Response};
//! use hyper::ext::Protocol;
//! use pmesh_layers::extended_connect::ExtendedConnectLayer;
//! use tower::{BoxError, ServiceBuilder, ServiceExt};
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), BoxError> {
//! let backend = tower::service_fn(async |request: Request<()>| {
//!     assert_eq!((request.method(), &request.headers()["upgrade"]), (&Method::GET, &"chat".parse()?));
//!     Ok::<_, BoxError>(Response::builder().status(101).header("upgrade", "chat").body(())?)
//! });
//! let service = ServiceBuilder::new().layer(ExtendedConnectLayer::new()).service(backend);
//!
//! let request = Request::connect("https://a.example/").extension(Protocol::from_static("chat")).body(())?;
//! let response = service.oneshot(request).await?;
//! assert!(response.status() == 200 && response.headers().is_empty());
//! # Ok(())
//! # }
//! ```

use std::{
    future::Future,
    pin::Pin,
    task::{Context, Poll, ready},
};

use http::{
    HeaderMap, HeaderValue, Method, Request, Response, StatusCode,
    header::{CONNECTION, CONTENT_LENGTH, SEC_WEBSOCKET_ACCEPT, SEC_WEBSOCKET_KEY, UPGRADE},
};
use hyper::ext::Protocol;
use pin_project_lite::pin_project;
use tower::{BoxError, Layer, Service};

use crate::{hop_by_hop::is_transport, websocket};

/// Writes an extended CONNECT as the GET with `Upgrade` that it would be in HTTP/1.1, and the 101 as 200.
///
/// What HTTP/1.1 may ask for, HTTP/2 may, too: any protocol but those that would hide what follows. For a WebSocket a
/// key is made, and the backend has to know the answer to it. Errors are [`NotSwitched`]. A CONNECT without `:protocol`
/// is passed on as it is.
///
/// Stands outside of the layers that have a say about a request or an upgrade:
/// [`FramingLayer`](crate::framing::FramingLayer), which refuses CONNECT,
/// [`HopByHopLayer`](crate::hop_by_hop::HopByHopLayer) and [`TunnelLayer`](crate::tunnel::TunnelLayer). The server has
/// to offer it: [`HttpServer::extended_connect`](crate::serve::HttpServer::extended_connect).
#[derive(Debug, Clone, Copy, Default)]
#[non_exhaustive]
pub struct ExtendedConnectLayer;

impl ExtendedConnectLayer {
    /// The layer.
    pub fn new() -> Self {
        Self
    }
}

impl<S> Layer<S> for ExtendedConnectLayer {
    type Service = ExtendedConnect<S>;

    fn layer(&self, inner: S) -> Self::Service {
        ExtendedConnect { inner }
    }
}

/// The service of [`ExtendedConnectLayer`].
#[derive(Debug, Clone)]
pub struct ExtendedConnect<S> {
    inner: S,
}

impl<S> ExtendedConnect<S> {
    inner_accessors!();
}

impl<S, B, R> Service<Request<B>> for ExtendedConnect<S>
where
    S: Service<Request<B>, Response = Response<R>>,
    S::Error: Into<BoxError>,
{
    type Response = S::Response;
    type Error = BoxError;
    type Future = ResponseFuture<S::Future>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), BoxError>> {
        self.inner.poll_ready(cx).map_err(Into::into)
    }

    fn call(&mut self, mut request: Request<B>) -> Self::Future {
        let kind = if *request.method() != Method::CONNECT {
            Kind::Passed { response: self.inner.call(request) }
        } else {
            match request.extensions_mut().remove::<Protocol>().map(|protocol| rewrite(&mut request, &protocol)) {
                None => Kind::Passed { response: self.inner.call(request) },
                Some(Ok(accept)) => Kind::Rewritten { response: self.inner.call(request), accept },
                Some(Err(error)) => Kind::Refused { error },
            }
        };
        ResponseFuture { kind }
    }
}

/// Makes it a request of HTTP/1.1, but for the version. Returns the proof to be expected of the backend.
fn rewrite<B>(request: &mut Request<B>, protocol: &Protocol) -> Result<Option<HeaderValue>, NotSwitched> {
    let protocol = protocol.as_str();
    if !is_protocol(protocol) {
        return Err(NotSwitched::Protocol);
    }
    if is_transport(protocol.as_bytes()) {
        return Err(NotSwitched::Unsupported);
    }
    let upgrade = HeaderValue::from_str(protocol).map_err(|_| NotSwitched::Protocol)?;
    let headers = request.headers_mut();
    let mut accept = None;
    if websocket::is_websocket(protocol.as_bytes()) {
        // One that the client has sent means nothing (RFC 8441, 5), and may be none.
        let key = websocket::new_key().ok_or(NotSwitched::Unsupported)?;
        accept = Some(websocket::accept(&key).ok_or(NotSwitched::Unsupported)?);
        headers.insert(SEC_WEBSOCKET_KEY, key);
    }
    headers.insert(UPGRADE, upgrade);
    headers.insert(CONNECTION, HeaderValue::from_static("upgrade"));
    *request.method_mut() = Method::GET;
    Ok(accept)
}

/// Whether it is one element of `Upgrade` (RFC 9110, 7.8): a token, perhaps with a version.
fn is_protocol(text: &str) -> bool {
    let is_token = |text: &str| {
        !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte))
    };
    match text.split_once('/') {
        Some((name, version)) => is_token(name) && is_token(version),
        None => is_token(text),
    }
}

pin_project! {
    /// The response future of [`ExtendedConnect`].
    #[derive(Debug)]
    pub struct ResponseFuture<F> {
        #[pin]
        kind: Kind<F>,
    }
}

pin_project! {
    #[project = KindProj]
    #[derive(Debug)]
    enum Kind<F> {
        Passed { #[pin] response: F },
        Rewritten { #[pin] response: F, accept: Option<HeaderValue> },
        Refused { error: NotSwitched },
    }
}

impl<F, R, E> Future for ResponseFuture<F>
where
    F: Future<Output = Result<Response<R>, E>>,
    E: Into<BoxError>,
{
    type Output = Result<Response<R>, BoxError>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        match self.project().kind.project() {
            KindProj::Passed { response } => response.poll(cx).map_err(Into::into),
            KindProj::Rewritten { response, accept } => {
                let response = ready!(response.poll(cx)).map_err(Into::into)?;
                Poll::Ready(answer(response, accept.as_ref()).map_err(Into::into))
            }
            KindProj::Refused { error } => Poll::Ready(Err((*error).into())),
        }
    }
}

fn answer<R>(mut response: Response<R>, accept: Option<&HeaderValue>) -> Result<Response<R>, NotSwitched> {
    if response.status() == StatusCode::SWITCHING_PROTOCOLS {
        let headers = response.headers_mut();
        if accept.is_some_and(|accept| !is_proof(headers, accept)) {
            return Err(NotSwitched::Proof);
        }
        // A length would be that of the tunnel (RFC 9110, 8.6).
        for name in [CONNECTION, UPGRADE, SEC_WEBSOCKET_ACCEPT, CONTENT_LENGTH] {
            headers.remove(name);
        }
        *response.status_mut() = StatusCode::OK;
    } else if response.status().is_success() {
        // To the client it would mean that the tunnel is there.
        return Err(NotSwitched::Ignored);
    }
    Ok(response)
}

fn is_proof(headers: &HeaderMap, accept: &HeaderValue) -> bool {
    headers.get_all(SEC_WEBSOCKET_ACCEPT).iter().eq([accept])
}

/// An extended CONNECT that leads to no tunnel.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum NotSwitched {
    /// `:protocol` is none that `Upgrade` could name.
    #[error("the protocol that is asked for is not the name of one")]
    Protocol,
    /// A protocol that would hide what follows from a proxy.
    #[error("the protocol that is asked for is not passed on")]
    Unsupported,
    /// The backend has answered the request, which it must have taken for an ordinary one.
    #[error("the backend does not switch to the protocol that is asked for")]
    Ignored,
    /// The backend has switched, but not to WebSocket: its `Sec-WebSocket-Accept` does not fit the key.
    #[error("the backend's Sec-WebSocket-Accept is not the answer to the key")]
    Proof,
}

#[cfg(test)]
mod tests {
    use super::*;
    use tower::{ServiceExt, service_fn};

    fn connect(protocol: &str) -> Request<()> {
        Request::connect("https://a.test/chat").extension(Protocol::from(protocol)).body(()).unwrap()
    }

    async fn answered(
        request: Request<()>,
        backend: impl Fn(&Request<()>) -> http::response::Builder,
    ) -> Result<Response<()>, Option<NotSwitched>> {
        let inner = service_fn(|request| std::future::ready(backend(&request).body(())));
        let response = ExtendedConnectLayer::new().layer(inner).oneshot(request).await;
        response.map_err(|error| error.downcast_ref().copied())
    }

    fn switching(request: &Request<()>) -> http::response::Builder {
        Response::builder().status(101).header(UPGRADE, &request.headers()[UPGRADE]).header(CONNECTION, "upgrade")
    }

    #[tokio::test]
    async fn a_websocket_has_a_key_and_its_proof() {
        let proves = |request: &Request<()>| {
            let headers = request.headers();
            assert_eq!((request.method(), request.uri().path()), (&Method::GET, "/chat"));
            assert!(headers[UPGRADE] == "websocket" && headers[CONNECTION] == "upgrade");
            assert_eq!(headers["sec-websocket-version"], "13");
            assert_ne!(headers[SEC_WEBSOCKET_KEY], "of the client");
            let accept = websocket::accept(&headers[SEC_WEBSOCKET_KEY]).unwrap();
            switching(request).header(SEC_WEBSOCKET_ACCEPT, accept).header("sec-websocket-protocol", "chat")
        };
        let mut request = connect("websocket");
        request.headers_mut().insert("sec-websocket-version", HeaderValue::from_static("13"));
        request.headers_mut().insert(SEC_WEBSOCKET_KEY, HeaderValue::from_static("of the client"));
        let response = answered(request, proves).await.unwrap();
        assert_eq!(response.status(), 200);
        assert_eq!(response.headers().keys().collect::<Vec<_>>(), ["sec-websocket-protocol"]);

        let wrong =
            |request: &Request<()>| switching(request).header(SEC_WEBSOCKET_ACCEPT, "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=");
        assert_eq!(answered(connect("WebSocket"), wrong).await.unwrap_err(), Some(NotSwitched::Proof));
        assert_eq!(answered(connect("websocket"), switching).await.unwrap_err(), Some(NotSwitched::Proof));
    }

    #[tokio::test]
    async fn a_tunnel_is_there_only_after_a_switch() {
        for (status, expected) in [
            (101, Ok(200)),
            (200, Err(NotSwitched::Ignored)),
            (204, Err(NotSwitched::Ignored)),
            (302, Ok(302)),
            (403, Ok(403)),
            (426, Ok(426)),
            (503, Ok(503)),
        ] {
            let answer = answered(connect("chat"), |_| Response::builder().status(status)).await;
            assert_eq!(answer.map(|response| response.status().as_u16()).map_err(Option::unwrap), expected, "{status}");
        }
    }

    #[tokio::test]
    async fn only_what_http1_could_ask_for() {
        for (protocol, expected) in [
            ("chat", None),
            ("chat/1.1", None),
            ("", Some(NotSwitched::Protocol)),
            ("a, b", Some(NotSwitched::Protocol)),
            ("a\r\nb: c", Some(NotSwitched::Protocol)),
            ("a/b/c", Some(NotSwitched::Protocol)),
            ("a/", Some(NotSwitched::Protocol)),
            ("é", Some(NotSwitched::Protocol)),
            ("h2c", Some(NotSwitched::Unsupported)),
            ("TLS/1.2", Some(NotSwitched::Unsupported)),
        ] {
            assert_eq!(answered(connect(protocol), switching).await.err(), expected.map(Some), "{protocol}");
        }
    }

    #[tokio::test]
    async fn other_requests_pass_as_they_are() {
        let request = Request::connect("a.test:443").body(()).unwrap();
        let seen = |request: &Request<()>| Response::builder().header("x-method", request.method().as_str());
        assert_eq!(answered(request, seen).await.unwrap().headers()["x-method"], "CONNECT");
        assert_eq!(answered(Request::new(()), seen).await.unwrap().headers()["x-method"], "GET");
    }
}
