//! The ways in which clients are slow.

use std::sync::LazyLock;

use super::support::{harness::tls::Tls, proxy::HOST};

/// How a client reads.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reading {
    AtOnce,
    /// One byte per second.
    Slowly,
    Never,
}

#[derive(Clone)]
pub struct Kind {
    pub name: &'static str,
    pub tls: bool,
    /// Sent at once, after connecting.
    pub first: Vec<u8>,
    /// Sent after that, one byte per second, again and again.
    pub then: Vec<u8>,
    pub reading: Reading,
    /// The number of connections is divided by this. If every connection filled its kernel buffers, they would exhaust `tcp_mem`.
    /// That stalls the whole machine, and the bench would measure only that.
    pub share: u32,
}

pub static KINDS: LazyLock<[Kind; 9]> = LazyLock::new(|| {
    let plain = |name, first: String, then: &str, reading| Kind {
        name,
        tls: false,
        first: first.into_bytes(),
        then: then.as_bytes().to_vec(),
        reading,
        share: 1,
    };
    let get = |path: &str| format!("GET {path} HTTP/1.1\r\nHost: {HOST}\r\n\r\n");
    let tls = |name, first, then| Kind { name, tls: true, first, then, reading: Reading::AtOnce, share: 1 };
    // More than the kernel buffers for one client, but less than it can buffer for all.
    let large = get("/size/262144");
    // More than all kernel buffers on the way can hold.
    let larger = get("/size/16777216");
    let hello = Tls::stranger().hello(HOST);
    [
        plain("idle between requests", get("/"), "", Reading::AtOnce),
        plain("head, a byte per second", format!("GET / HTTP/1.1\r\nHost: {HOST}\r\nX: "), "x", Reading::AtOnce),
        plain("second head, a byte per second", get("/") + "GET / HTTP/1.1\r\nX: ", "x", Reading::AtOnce),
        plain(
            "body, a byte per second",
            format!("POST / HTTP/1.1\r\nHost: {HOST}\r\nContent-Length: 1048576\r\n\r\n"),
            "x",
            Reading::AtOnce,
        ),
        plain("response of 256 KiB, not read", large.clone(), "", Reading::Never),
        plain("response of 256 KiB, a byte per second", large, "", Reading::Slowly),
        Kind { share: 20, ..plain("response of 16 MiB, not read", larger, "", Reading::Never) },
        tls("ClientHello, a byte per second", Vec::new(), hello.clone()),
        tls("handshake, not finished", hello, Vec::new()),
    ]
});
