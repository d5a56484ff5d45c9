//! The handshake of WebSockets over HTTP/1.1 (RFC 6455, 4), which HTTP/2 does without (RFC 8441, 5).

use base64::{Engine, prelude::BASE64_STANDARD};
use http::HeaderValue;
use sha1::{Digest, Sha1};

/// Whether a protocol that is asked for is WebSocket.
pub(crate) fn is_websocket(protocol: &[u8]) -> bool {
    protocol.eq_ignore_ascii_case(b"websocket")
}

/// A `Sec-WebSocket-Key`; `None` when the system has no random numbers.
pub(crate) fn new_key() -> Option<HeaderValue> {
    let mut nonce = [0; 16];
    getrandom::fill(&mut nonce).ok()?;
    HeaderValue::try_from(BASE64_STANDARD.encode(nonce)).ok()
}

/// The `Sec-WebSocket-Accept` that answers to `key`.
pub(crate) fn accept(key: &HeaderValue) -> Option<HeaderValue> {
    let digest = Sha1::new().chain_update(key).chain_update(b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11").finalize();
    HeaderValue::try_from(BASE64_STANDARD.encode(digest)).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_example_of_the_rfc() {
        let accepted = accept(&HeaderValue::from_static("dGhlIHNhbXBsZSBub25jZQ=="));
        assert_eq!(accepted.unwrap(), "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=");
    }

    #[test]
    fn keys_are_16_bytes_and_not_the_same() {
        let (one, other) = (new_key().unwrap(), new_key().unwrap());
        assert_eq!(BASE64_STANDARD.decode(&one).unwrap().len(), 16);
        assert_ne!(one, other);
    }
}
