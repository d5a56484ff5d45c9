//! How a connection ended, for whoever has it served.

/// How a connection ended.
#[derive(Debug)]
#[non_exhaustive]
pub enum Ended {
    /// In good order; or the connection was upgraded and lives on as a tunnel.
    Finished,
    /// No request for longer than the keep-alive timeout; or, while draining, for a second.
    Idle,
    /// The head of a request was not complete in time.
    HeadTimeout,
    /// The response or the rest of its request has not moved for too long.
    Stalled,
    /// No served host was named before the silence deadline.
    Deadline,
    /// The service answered with an error.
    Silenced,
    /// The client of HTTP/2 kept the server busy for nothing: frames that carry nothing, or requests that it reset.
    Flooded,
    /// The client broke the protocol or the connection. A client that closes at once when it is told that the connection
    /// ends (`GOAWAY`) may show up here, too, as a broken pipe.
    Failed(hyper::Error),
}
