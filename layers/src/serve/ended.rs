//! How a connection ended, reported to the caller of [`HttpServer::serve`](super::HttpServer::serve).

/// How a connection ended.
#[derive(Debug)]
#[non_exhaustive]
pub enum Ended {
    /// The connection finished normally, or was upgraded and continues as a tunnel.
    Finished,
    /// It was idle for longer than the keep-alive timeout or, while draining, for longer than a second.
    Idle,
    /// The head of a request was not complete in time.
    HeadTimeout,
    /// The response, or the rest of its request, made no progress for too long.
    Stalled,
    /// The client named no served host before the silence deadline.
    SilenceDeadline,
    /// The service returned an error, or [`Control::silence`](crate::conn::Control::silence) was called.
    Silenced,
    /// The service responded, but nothing opened the gate, so the client received nothing. An
    /// [`OpenGateLayer`](crate::silence::OpenGateLayer) is missing, or it is inside the layer that responded.
    Withheld,
    /// An HTTP/2 client kept the server busy for nothing, with empty frames or with requests that it reset.
    Flooded,
    /// The client broke the protocol, or the connection failed. A client that closes the connection as soon as it
    /// receives a `GOAWAY` can show up here as a broken pipe.
    Failed(hyper::Error),
}
