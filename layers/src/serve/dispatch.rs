//! Passes each request from hyper to the stack, and its response or error back.

use std::{
    cell::RefCell,
    future::Future,
    pin::Pin,
    task::{Context, Poll, ready},
    time::Duration,
};

use http::{
    HeaderValue, Method, Request, Response, StatusCode, Version,
    header::{CONNECTION, CONTENT_LENGTH},
};
use http_body::Body;
use hyper::body::Incoming;
use pin_project_lite::pin_project;
use tower::{BoxError, Service};

use super::InFlightBody;
use crate::{
    body::RequestBody,
    call::Call,
    causes::find,
    conn::{ConnInfo, InFlight, Received},
    host::HostRejected,
    respond::NoResponse,
    stall::StallTimeouts,
    stream_kind::{is_grpc, is_stream},
};

/// Passes the requests of one connection to its clone of the stack, together with the [`ConnInfo`].
#[derive(Debug)]
pub(super) struct Dispatch<S> {
    /// In a `RefCell`, because hyper calls it through a shared reference, for one request after another.
    service: RefCell<S>,
    info: ConnInfo,
    /// How long a stream may go without progress.
    stream_timeout: Duration,
}

impl<S> Dispatch<S> {
    pub(super) fn new(service: S, info: ConnInfo, stream_timeout: Duration) -> Self {
        Self { service: RefCell::new(service), info, stream_timeout }
    }
}

impl<S, B> hyper::service::Service<Request<Incoming>> for Dispatch<S>
where
    S: Service<Request<RequestBody>, Response = Response<B>> + Clone,
    S::Error: Into<BoxError>,
    B: Body,
{
    type Response = Response<InFlightBody<B>>;
    type Error = BoxError;
    type Future = DispatchFuture<S>;

    fn call(&self, mut request: Request<Incoming>) -> Self::Future {
        // hyper sees no body after a CONNECT, but bytes may follow all the same.
        let has_body = !request.body().is_end_stream() || *request.method() == Method::CONNECT;
        let head = *request.method() == Method::HEAD;
        let until_end = request.version() <= Version::HTTP_10 && !head;
        let http2 = request.version() >= Version::HTTP_2;
        let received = self.received(has_body, http2, &request);
        // Over HTTP/1, hyper drops the body itself.
        let absent = http2 && head;
        request.extensions_mut().insert(self.info.clone());
        let version = request.version();
        let request = request.map(|body| RequestBody::received(body, version, self.info.control(), &received));
        let in_flight = Some(self.info.control().begin_request(received, http2));
        let mut service = self.service.borrow_mut();
        let response = if !http2 {
            Call::new(&mut *service, request)
        } else {
            // The stream may have been reset by now. hyper notices this before it polls, so no backend gets the
            // request.
            Call::when_polled(service.clone(), request)
        };
        drop(service);
        let (stream_timeout, info) = (self.stream_timeout, self.info.clone());
        DispatchFuture { response, in_flight, until_end, absent, http2, stream_timeout, info }
    }
}

impl<S> Dispatch<S> {
    /// How to measure the progress of a request body: separately if its stream may have to watch itself.
    fn received<B>(&self, has_body: bool, http2: bool, request: &Request<B>) -> Received {
        if !has_body {
            Received::Nothing
        } else if http2 && (self.info.control().traffic().has_patient_streams() || is_grpc(request.headers())) {
            Received::own()
        } else {
            Received::Connection
        }
    }
}

pin_project! {
    /// The response of the stack, or the response to its error.
    pub(super) struct DispatchFuture<S: Service<Request<RequestBody>>> {
        #[pin]
        response: Call<S, Request<RequestBody>>,
        in_flight: Option<InFlight>,
        until_end: bool,
        absent: bool,
        http2: bool,
        stream_timeout: Duration,
        info: ConnInfo,
    }
}

impl<S, B> Future for DispatchFuture<S>
where
    S: Service<Request<RequestBody>, Response = Response<B>>,
    S::Error: Into<BoxError>,
    B: Body,
{
    type Output = Result<Response<InFlightBody<B>>, BoxError>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let this = self.project();
        if this.in_flight.is_none() && this.info.control().orders().is_refused() {
            return Poll::Pending;
        }
        let response = ready!(this.response.poll(cx));
        let Some(mut in_flight) = this.in_flight.take() else { panic!("polled after completion") };
        let control = this.info.control();
        Poll::Ready(match response {
            Ok(mut response) => {
                in_flight.responded();
                if let Some(timeout) = own_timeout(&response, *this.stream_timeout) {
                    in_flight.set_own_timeout(timeout.into());
                }
                // An HTTP/1.0 client learns only from the end of the connection that a body without a length is
                // complete. This version makes hyper close the connection after the response.
                let has_length =
                    || response.body().size_hint().exact().is_some() || response.headers().contains_key(CONTENT_LENGTH);
                let until_end = *this.until_end && !has_length();
                if until_end {
                    *response.version_mut() = Version::HTTP_10;
                }
                if control.traffic().is_open_ended() {
                    response.headers_mut().insert(CONNECTION, HeaderValue::from_static("close"));
                }
                Ok(if *this.absent {
                    without_body(response, in_flight)
                } else {
                    response.map(|body| InFlightBody::new(body, in_flight, *this.http2, until_end))
                })
            }
            Err(error) => {
                let error = error.into();
                // The client has already named a served host.
                if control.is_open() {
                    if error.downcast_ref().is_some_and(HostRejected::is_malformed) {
                        in_flight.responded();
                        return Poll::Ready(Ok(bad_request(in_flight, *this.http2)));
                    }
                    if *this.http2 && find::<NoResponse>(&*error).is_some() {
                        in_flight.responded();
                        in_flight.end();
                        return Poll::Ready(Err(h2::Error::from(h2::Reason::CANCEL).into()));
                    }
                    // The other streams continue. This one gets no response, so its future never completes.
                    if *this.http2 {
                        in_flight.refuse();
                        return Poll::Pending;
                    }
                }
                // Must come before hyper sees the error: hyper would reset the HTTP/2 stream, and that frame would
                // break the silence.
                control.silence();
                Err(error)
            }
        })
    }
}

/// The timeout that replaces the server's, if the response is a stream or carries a timeout of its own.
fn own_timeout<B: Body>(response: &Response<B>, stream_timeout: Duration) -> Option<Duration> {
    let own: Option<&StallTimeouts> = response.extensions().get();
    // A stream has no length. Most other responses have one, so their headers need not be checked.
    if response.body().size_hint().exact().is_none() && is_stream(response.headers()) {
        return Some(own.and_then(StallTimeouts::stream).unwrap_or(stream_timeout));
    }
    own.and_then(StallTimeouts::stall)
}

/// The response to HEAD, with the length that the body of a GET would have.
fn without_body<B: Body>(mut response: Response<B>, in_flight: InFlight) -> Response<InFlightBody<B>> {
    let length = response.body().size_hint().exact().filter(|_| !response.body().is_end_stream());
    if let Some(length) = length {
        response.headers_mut().entry(CONTENT_LENGTH).or_insert_with(|| length.into());
    }
    response.map(|_| InFlightBody::absent(in_flight))
}

/// The response to a request that names no valid host, or more than one (RFC 9112, 3.2; RFC 9113, 8.1.1).
fn bad_request<B: Body>(in_flight: InFlight, http2: bool) -> Response<InFlightBody<B>> {
    let mut response = Response::new(InFlightBody::absent(in_flight));
    *response.status_mut() = StatusCode::BAD_REQUEST;
    if !http2 {
        response.headers_mut().insert(CONNECTION, HeaderValue::from_static("close"));
    }
    response
}
