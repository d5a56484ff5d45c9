//! The settings of a server, and their defaults.

use std::time::Duration;

use hyper::server::conn::http1;

/// The longest request head, in bytes. nginx allows 32 KiB, Envoy 60 KiB.
const MAX_HEAD: u32 = 64 * 1024;
/// Maximum number of headers in an HTTP/1 request. hyper, HAProxy and Envoy allow about 100.
const MAX_HEADERS: usize = 100;
/// For HTTP/1, the longest read, and the most bytes that may wait to be written before hyper takes the next piece. It
/// grows with the maximum head, because a head has to fit in.
const MAX_BUFFER: usize = 64 * 1024;
/// Maximum number of concurrent requests of an HTTP/2 client, as in nginx.
const MAX_STREAMS: u32 = 128;

/// The settings of an [`HttpServer`](super::HttpServer). Each connection refers to them.
#[derive(Debug, Clone)]
pub(super) struct ServerSettings {
    pub(super) http1: http1::Builder,
    /// Whether a maximum number of headers was ever set in `http1`.
    max_headers_set: bool,
    pub(super) limits: Limits,
}

impl ServerSettings {
    /// The defaults.
    pub(super) fn new() -> Self {
        let mut http1 = http1::Builder::new();
        // The driver enforces deadlines. hyper's own would cost another timer per request.
        http1.header_read_timeout(None).max_header_size(MAX_HEAD as usize).max_buf_size(MAX_BUFFER);
        let limits = Limits {
            silence_deadline: Duration::from_secs(10),
            keep_alive_timeout: Duration::from_secs(75),
            head_timeout: Duration::from_secs(10),
            stall_timeout: Duration::from_secs(60),
            stream_timeout: Duration::from_secs(60 * 60),
            max_head: MAX_HEAD,
            max_streams: MAX_STREAMS,
            extended_connect: false,
            trusting: false,
        };
        Self { http1, max_headers_set: false, limits }
    }

    pub(super) fn set_max_head(&mut self, bytes: u32) {
        self.http1.max_header_size(bytes as usize).max_buf_size(MAX_BUFFER.max(bytes as usize));
        self.limits.max_head = bytes;
    }

    pub(super) fn set_max_headers(&mut self, count: usize) {
        // hyper parses the default number of headers on the stack, but only if no maximum was ever set.
        if count != MAX_HEADERS || self.max_headers_set {
            self.http1.max_headers(count);
            self.max_headers_set = true;
        }
    }
}

#[derive(Debug, Clone, Copy)]
pub(super) struct Limits {
    pub(super) silence_deadline: Duration,
    pub(super) keep_alive_timeout: Duration,
    pub(super) head_timeout: Duration,
    pub(super) stall_timeout: Duration,
    pub(super) stream_timeout: Duration,
    pub(super) max_head: u32,
    pub(super) max_streams: u32,
    pub(super) extended_connect: bool,
    pub(super) trusting: bool,
}
