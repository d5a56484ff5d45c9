use std::time::Duration;

use hyper::server::conn::{http1, http2};

use super::{streams::Streams, turn::Turns};

/// The longest request head, in bytes; nginx takes 32 KiB, Envoy 60.
const MAX_HEAD: u32 = 64 * 1024;
/// Fields in a head of HTTP/1; hyper's, as HAProxy's and Envoy's, is 100 or so.
const MAX_FIELDS: usize = 100;
/// The longest read and the most bytes that wait to be written before the next is taken, of a connection of HTTP/1; or
/// the longest head, which has to fit in.
const MAX_BUFFER: usize = 64 * 1024;
/// What a client may send on an h2 stream, and on all streams of a connection, before it is read.
const STREAM_WINDOW: u32 = 256 * 1024;
const CONNECTION_WINDOW: u32 = 1024 * 1024;
/// Response bytes buffered for an h2 stream.
const MAX_SEND_BUFFER: usize = 64 * 1024;
/// Requests that an h2 client may have open at a time; the value of nginx.
const MAX_STREAMS: u32 = 128;

/// What a trusted client may send on all streams of a connection, at most (RFC 9113, 6.9.1).
const MAX_WINDOW: u32 = (1 << 31) - 1;
/// Streams of a trusted client that may be reset at a time, by it or here.
const MAX_RESET_TRUSTED: usize = 100_000;

/// Requests of an h2 client that it reset before they were looked at (rapid reset); the default of h2.
const MAX_RESET_EARLY: usize = 20;
/// Streams of an h2 client that were reset here because it broke a rule (MadeYouReset): one for each it may have open. Each
/// is remembered for a second; h2's own limit of 1024 lets a client make it remember 10 MiB.
const MAX_RESET_HERE: usize = 128;

/// The settings of an [`HttpServer`](super::HttpServer). Each connection refers to them.
#[derive(Debug, Clone)]
pub(super) struct Settings {
    pub(super) http1: http1::Builder,
    /// Whether `http1` was told how many fields a head may have.
    fields_told: bool,
    pub(super) limits: Limits,
}

impl Settings {
    /// The defaults.
    pub(super) fn new() -> Self {
        let mut http1 = http1::Builder::new();
        // Deadlines are the driver's: hyper's would be one more timer for each request.
        http1.header_read_timeout(None).max_header_size(MAX_HEAD as usize).max_buf_size(MAX_BUFFER);
        let limits = Limits {
            silence_deadline: Duration::from_secs(10),
            keep_alive_timeout: Duration::from_secs(75),
            head_timeout: Duration::from_secs(10),
            body_timeout: Duration::from_secs(60),
            max_head: MAX_HEAD,
            max_streams: MAX_STREAMS,
            extended_connect: false,
            trusting: false,
        };
        Self { http1, fields_told: false, limits }
    }

    pub(super) fn set_max_head(&mut self, bytes: u32) {
        self.http1.max_header_size(bytes as usize).max_buf_size(MAX_BUFFER.max(bytes as usize));
        self.limits.max_head = bytes;
    }

    pub(super) fn set_max_fields(&mut self, count: usize) {
        // hyper reads the default into a place on the stack, as long as it was never told any.
        if count != MAX_FIELDS || self.fields_told {
            self.http1.max_headers(count);
            self.fields_told = true;
        }
    }
}

#[derive(Debug, Clone, Copy)]
pub(super) struct Limits {
    pub(super) silence_deadline: Duration,
    pub(super) keep_alive_timeout: Duration,
    pub(super) head_timeout: Duration,
    pub(super) body_timeout: Duration,
    max_head: u32,
    pub(super) max_streams: u32,
    pub(super) extended_connect: bool,
    pub(super) trusting: bool,
}

impl Limits {
    /// What speaks HTTP/2 within them on a connection with these turns.
    pub(super) fn http2(&self, turns: &Turns) -> http2::Builder<Streams> {
        // The streams of another node are those of many users.
        let turns = (!self.trusting).then(|| turns.clone());
        let mut http2 = http2::Builder::new(Streams::new(self.body_timeout, MAX_SEND_BUFFER, turns));
        let window = if self.trusting {
            STREAM_WINDOW.saturating_mul(self.max_streams).clamp(CONNECTION_WINDOW, MAX_WINDOW)
        } else {
            CONNECTION_WINDOW
        };
        let (reset_early, reset_here) =
            if self.trusting { (MAX_RESET_TRUSTED, MAX_RESET_TRUSTED) } else { (MAX_RESET_EARLY, MAX_RESET_HERE) };
        http2
            .initial_stream_window_size(STREAM_WINDOW)
            .initial_connection_window_size(window)
            .max_send_buf_size(MAX_SEND_BUFFER)
            .max_concurrent_streams(self.max_streams)
            .max_pending_accept_reset_streams(reset_early)
            .max_local_error_reset_streams(reset_here)
            .max_header_list_size(self.max_head);
        if self.extended_connect {
            http2.enable_connect_protocol();
        }
        http2
    }
}
