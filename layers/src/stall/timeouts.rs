use std::time::Duration;

use crate::durations::bounded;

/// How long a response may go without progress. An extension of the response.
///
/// If a timeout is not set, that of the [`HttpServer`](crate::serve::HttpServer) applies. Its method
/// [`stall_timeout`](crate::serve::HttpServer::stall_timeout) says what counts as progress.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct StallTimeouts {
    stall: Option<Duration>,
    stream: Option<Duration>,
}

impl StallTimeouts {
    /// Creates an empty set, which leaves all timeouts to the server.
    pub fn new() -> Self {
        Self::default()
    }

    /// Sets the timeout of a response that is not a stream.
    #[must_use]
    pub fn with_stall(mut self, timeout: Duration) -> Self {
        self.stall = Some(bounded(timeout));
        self
    }

    /// Sets the timeout of an event stream or a gRPC response.
    #[must_use]
    pub fn with_stream(mut self, timeout: Duration) -> Self {
        self.stream = Some(bounded(timeout));
        self
    }

    /// Returns the timeout of a response that is not a stream, or `None` for the server's.
    pub fn stall(&self) -> Option<Duration> {
        self.stall
    }

    /// Returns the timeout of an event stream or a gRPC response, or `None` for the server's.
    pub fn stream(&self) -> Option<Duration> {
        self.stream
    }
}
