//! The WebSocket handshake over HTTP/1.1 (RFC 6455, 4), which HTTP/2 does without (RFC 8441, 5).

use base64::{Engine, prelude::BASE64_STANDARD};
use http::HeaderValue;
use sha1::{Digest, Sha1};

/// Whether a requested protocol is WebSocket.
pub(crate) fn is_websocket(protocol: &[u8]) -> bool {
    protocol.eq_ignore_ascii_case(b"websocket")
}

/// A new `Sec-WebSocket-Key`. `None` if the system has no random numbers.
pub(crate) fn new_key() -> Option<HeaderValue> {
    let mut nonce = [0; 16];
    getrandom::fill(&mut nonce).ok()?;
    HeaderValue::try_from(BASE64_STANDARD.encode(nonce)).ok()
}

/// The `Sec-WebSocket-Accept` for `key`.
pub(crate) fn accept(key: &HeaderValue) -> Option<HeaderValue> {
    let digest = Sha1::new().chain_update(key).chain_update(b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11").finalize();
    HeaderValue::try_from(BASE64_STANDARD.encode(digest)).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_proof_matches_the_example_of_the_rfc() {
        let accepted = accept(&HeaderValue::from_static("dGhlIHNhbXBsZSBub25jZQ=="));
        assert_eq!(accepted.unwrap(), "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=");
    }

    #[test]
    fn keys_have_16_bytes_and_differ() {
        let (one, other) = (new_key().unwrap(), new_key().unwrap());
        assert_eq!(BASE64_STANDARD.decode(&one).unwrap().len(), 16);
        assert_ne!(one, other);
    }
}
