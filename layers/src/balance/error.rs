use http::{Request, StatusCode};
use tower::BoxError;

use crate::body::RequestBody;

/// The error of a request that got no response from any endpoint.
#[derive(Debug, thiserror::Error)]
#[error("{endpoint} did not respond")]
pub struct EndpointError {
    endpoint: String,
    attempts: u32,
    is_endpoint_failure: bool,
    /// The request, and whether none of it was sent. Boxed, because it is large and rare.
    request: Option<Box<(Request<RequestBody>, bool)>>,
    source: BoxError,
}

impl EndpointError {
    pub(super) fn new(endpoint: &str, attempts: u32, is_endpoint_failure: bool, source: BoxError) -> Self {
        Self { endpoint: endpoint.to_owned(), attempts, is_endpoint_failure, request: None, source }
    }

    pub(super) fn returning(self, request: Request<RequestBody>, is_unsent: bool) -> Self {
        Self { request: Some(Box::new((request, is_unsent))), ..self }
    }

    /// The name of the endpoint that was tried last.
    pub fn endpoint(&self) -> &str {
        &self.endpoint
    }

    /// The number of attempts, including those in which the request could not be sent.
    pub fn attempts(&self) -> u32 {
        self.attempts
    }

    /// Whether the endpoint was at fault, so that its [`Health`](super::Health) records a failure.
    pub fn is_endpoint_failure(&self) -> bool {
        self.is_endpoint_failure
    }

    /// Takes the request, if it can be sent again and the balance
    /// [returns requests](super::Balance::return_requests). The flag is true if none of it was sent.
    pub fn take_request(&mut self) -> Option<(Request<RequestBody>, bool)> {
        self.request.take().map(|request| *request)
    }

    /// The error of the endpoint's service.
    pub fn cause(&self) -> &BoxError {
        &self.source
    }
}

/// The error of a [`Balance`](super::Balance) without endpoints.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("there is no endpoint")]
pub struct NoEndpoint;

/// The error of a [`Balance`](super::Balance) if connections to all of its endpoints time out.
///
/// Requests fail at once. While requests arrive, a background task tries to connect every second.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("no endpoint can be reached: connections to all of them time out, and are retried every second")]
pub struct AllUnreachable;

/// The error of a [`Balance`](super::Balance) if all of its endpoints are [drained](super::Health::drain). The request
/// was not sent.
#[derive(Debug, thiserror::Error)]
#[error("all endpoints are drained")]
pub struct AllDrained {
    /// Boxed, because it is large.
    request: Option<Box<Request<RequestBody>>>,
}

impl AllDrained {
    pub(super) fn new(request: Request<RequestBody>) -> Self {
        Self { request: Some(Box::new(request)) }
    }

    /// Takes the request, to send it once an endpoint is back in use. `None` if it was taken before.
    pub fn take_request(&mut self) -> Option<Request<RequestBody>> {
        self.request.take().map(|request| *request)
    }
}

/// A response that the [classifier](super::Classify) considers a failure.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the endpoint responded with {0}, which counts as a failure")]
pub(super) struct FailedResponse(pub(super) StatusCode);
