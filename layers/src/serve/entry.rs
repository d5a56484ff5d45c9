use std::{
    future::Future,
    pin::Pin,
    task::{Context, Poll, ready},
};

use http::{Method, Request, Response};
use http_body::Body;
use hyper::body::Incoming;
use pin_project_lite::pin_project;
use tower::{BoxError, Service, util::Oneshot};

use super::InFlightBody;
use crate::conn::{ConnInfo, InFlight};

/// Hands the requests of one connection to a clone of the stack, with what is known of the connection.
#[derive(Debug, Clone)]
pub(super) struct Entry<S> {
    service: S,
    info: ConnInfo,
}

impl<S> Entry<S> {
    pub(super) fn new(service: S, info: ConnInfo) -> Self {
        Self { service, info }
    }
}

impl<S, B> hyper::service::Service<Request<Incoming>> for Entry<S>
where
    S: Service<Request<Incoming>, Response = Response<B>> + Clone,
    S::Error: Into<BoxError>,
{
    type Response = Response<InFlightBody<B>>;
    type Error = BoxError;
    type Future = ResponseFuture<S>;

    fn call(&self, mut request: Request<Incoming>) -> Self::Future {
        // What follows a CONNECT is no body to hyper, but may be coming all the same.
        let has_body = !request.body().is_end_stream() || *request.method() == Method::CONNECT;
        let in_flight = self.info.control().begin_request(has_body);
        request.extensions_mut().insert(self.info.clone());
        let response = Oneshot::new(self.service.clone(), request);
        ResponseFuture { response, in_flight: Some(in_flight), info: self.info.clone() }
    }
}

pin_project! {
    /// A response of the stack; its error ends the connection in silence.
    pub(super) struct ResponseFuture<S: Service<Request<Incoming>>> {
        #[pin]
        response: Oneshot<S, Request<Incoming>>,
        in_flight: Option<InFlight>,
        info: ConnInfo,
    }
}

impl<S, B> Future for ResponseFuture<S>
where
    S: Service<Request<Incoming>, Response = Response<B>>,
    S::Error: Into<BoxError>,
{
    type Output = Result<Response<InFlightBody<B>>, BoxError>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let this = self.project();
        let response = ready!(this.response.poll(cx));
        let Some(mut in_flight) = this.in_flight.take() else { panic!("polled after completion") };
        Poll::Ready(match response {
            Ok(response) => {
                in_flight.responded();
                Ok(response.map(|body| InFlightBody::new(body, in_flight)))
            }
            Err(error) => {
                // Before hyper sees the error: it would reset the stream of an h2 connection, which is a byte too many.
                this.info.control().silence();
                Err(error.into())
            }
        })
    }
}
