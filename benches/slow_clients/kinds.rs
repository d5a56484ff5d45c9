//! The ways in which clients are slow.

use std::sync::LazyLock;

use super::support::{harness::tls::Tls, proxy::HOST};

/// How a client takes what it is sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reading {
    AtOnce,
    /// A byte a second.
    Slowly,
    Never,
}

#[derive(Clone)]
pub struct Kind {
    pub name: &'static str,
    pub tls: bool,
    /// Sent at once.
    pub first: Vec<u8>,
    /// Then a byte a second of these, in a circle.
    pub then: Vec<u8>,
    pub reading: Reading,
    /// One in so many of the connections that are asked for: where each fills buffers of the kernel, all of them would
    /// run into `tcp_mem`, which stops everybody on the machine, and that would be all that is measured.
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
    // More than the kernel keeps for a client, and not more than it has for all of them.
    let large = get("/size/262144");
    // More than the buffers of the kernel hold on all the way.
    let larger = get("/size/16777216");
    let hello = Tls::stranger().hello(HOST);
    [
        plain("idle between requests", get("/"), "", Reading::AtOnce),
        plain("head, a byte a second", format!("GET / HTTP/1.1\r\nHost: {HOST}\r\nX: "), "x", Reading::AtOnce),
        plain("second head, a byte a second", get("/") + "GET / HTTP/1.1\r\nX: ", "x", Reading::AtOnce),
        plain(
            "body, a byte a second",
            format!("POST / HTTP/1.1\r\nHost: {HOST}\r\nContent-Length: 1048576\r\n\r\n"),
            "x",
            Reading::AtOnce,
        ),
        plain("response of 256 KiB, not read", large.clone(), "", Reading::Never),
        plain("response of 256 KiB, a byte a second", large, "", Reading::Slowly),
        Kind { share: 20, ..plain("response of 16 MiB, not read", larger, "", Reading::Never) },
        tls("ClientHello, a byte a second", Vec::new(), hello.clone()),
        tls("handshake, not finished", hello, Vec::new()),
    ]
});
