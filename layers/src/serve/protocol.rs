//! The protocols that a connection may speak.

/// The protocol that a client speaks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Protocol {
    /// HTTP/1.1 or 1.0.
    Http1,
    /// HTTP/2, as negotiated by ALPN or known beforehand.
    Http2,
    /// HTTP/2 if the connection begins with its preface, otherwise HTTP/1, for listeners without TLS.
    Detect,
    /// Like [`Detect`](Self::Detect), but the preface opens the gate, for clients that wait for SETTINGS before they
    /// send a request. HTTP/2 clients then get no silence.
    DetectOpen,
}
