use std::{
    future::Future,
    pin::Pin,
    task::{Context, Poll, ready},
};

use http::{Method, Request, Response};
use pin_project_lite::pin_project;
use tower::{BoxError, Layer, Service};

use super::inbound::Inbound;
use crate::ResponseFuture;

/// Turns an extended CONNECT (RFC 8441) into a GET with `Upgrade` as in HTTP/1.1, and the 101 into a 200.
///
/// HTTP/2 clients can request the same upgrades as HTTP/1.1 clients: any protocol that does not hide later requests
/// from the proxy. For WebSocket, this layer makes a key and checks the backend's proof for it. Errors are
/// [`NotSwitched`](super::NotSwitched). A CONNECT without `:protocol` passes unchanged.
///
/// Put it outside the layers that decide about requests and upgrades: [`FramingLayer`](crate::framing::FramingLayer),
/// which rejects CONNECT, [`HopByHopLayer`](crate::hop_by_hop::HopByHopLayer) and [`TunnelLayer`](super::TunnelLayer).
/// The server has to offer extended CONNECT:
/// [`HttpServer::extended_connect`](crate::serve::HttpServer::extended_connect).
///
/// ```
/// use http::{Method, Request, Response};
/// use hyper::ext::Protocol;
/// use pmesh_layers::upgrade::ExtendedConnectLayer;
/// use tower::{BoxError, ServiceBuilder, ServiceExt};
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), BoxError> {
/// let backend = tower::service_fn(async |request: Request<()>| {
///     assert_eq!((request.method(), &request.headers()["upgrade"]), (&Method::GET, &"chat".parse()?));
///     Ok::<_, BoxError>(Response::builder().status(101).header("upgrade", "chat").body(())?)
/// });
/// let service = ServiceBuilder::new().layer(ExtendedConnectLayer::new()).service(backend);
///
/// let request = Request::connect("https://a.example/").extension(Protocol::from_static("chat")).body(())?;
/// let response = service.oneshot(request).await?;
/// assert!(response.status() == 200 && response.headers().is_empty());
/// # Ok(())
/// # }
/// ```
#[derive(Debug, Clone, Copy, Default)]
#[non_exhaustive]
pub struct ExtendedConnectLayer;

impl ExtendedConnectLayer {
    /// Creates the layer.
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
    type Future = ResponseFuture<ExtendedConnectFuture<S::Future>>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), BoxError>> {
        self.inner.poll_ready(cx).map_err(Into::into)
    }

    fn call(&mut self, mut request: Request<B>) -> Self::Future {
        let protocol = match *request.method() {
            Method::CONNECT => request.extensions_mut().remove(),
            _ => None,
        };
        match protocol.map(|protocol| Inbound::rewrite(&mut request, &protocol)).transpose() {
            Ok(inbound) => ResponseFuture::inner(ExtendedConnectFuture { response: self.inner.call(request), inbound }),
            Err(not_switched) => ResponseFuture::error(not_switched),
        }
    }
}

pin_project! {
    /// The response future of [`ExtendedConnect`].
    #[derive(Debug)]
    pub struct ExtendedConnectFuture<F> {
        #[pin]
        response: F,
        inbound: Option<Inbound>,
    }
}

impl<F, R, E> Future for ExtendedConnectFuture<F>
where
    F: Future<Output = Result<Response<R>, E>>,
    E: Into<BoxError>,
{
    type Output = Result<Response<R>, BoxError>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let this = self.project();
        let response = ready!(this.response.poll(cx)).map_err(Into::into)?;
        Poll::Ready(match this.inbound {
            Some(inbound) => inbound.answer(response).map_err(Into::into),
            None => Ok(response),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::upgrade::{NotSwitched, websocket};
    use http::{
        HeaderValue,
        header::{CONNECTION, SEC_WEBSOCKET_ACCEPT, SEC_WEBSOCKET_KEY, UPGRADE},
    };
    use hyper::ext::Protocol;
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
    async fn a_websocket_gets_a_key_and_its_proof_is_checked() {
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
    async fn only_a_101_opens_a_tunnel() {
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
    async fn only_protocols_that_fit_into_upgrade_pass() {
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
    async fn other_requests_pass_unchanged() {
        let request = Request::connect("a.test:443").body(()).unwrap();
        let seen = |request: &Request<()>| Response::builder().header("x-method", request.method().as_str());
        assert_eq!(answered(request, seen).await.unwrap().headers()["x-method"], "CONNECT");
        assert_eq!(answered(Request::new(()), seen).await.unwrap().headers()["x-method"], "GET");
    }
}
