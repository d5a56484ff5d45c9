//! The protocols that a connection may speak.

/// What a client speaks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Protocol {
    /// HTTP/1.1 or 1.0.
    Http1,
    /// HTTP/2, as agreed by ALPN or known beforehand.
    Http2,
    /// HTTP/2 if the connection begins with its preface, else HTTP/1.
    Detect,
    /// As [`Detect`](Self::Detect), and the preface opens the gate: for clients that wait for SETTINGS before they
    /// send a request. Gives up silence to whoever speaks HTTP/2.
    DetectOpen,
}
