use http::{HeaderValue, Request, Response, StatusCode, header::SEC_WEBSOCKET_ACCEPT};
use hyper::ext::Protocol;

use super::{
    NotSwitched,
    forms::{make_get, make_ok},
    websocket,
};
use crate::{hop_by_hop::is_transport, token::is_token};

/// An upgrade that a client requested by extended CONNECT, while its request is written as an HTTP/1.1 upgrade.
#[derive(Debug)]
pub(super) struct Inbound {
    /// The proof that the backend has to send for a WebSocket.
    accept: Option<HeaderValue>,
}

impl Inbound {
    /// Rewrites the request as an HTTP/1.1 upgrade, but keeps its version.
    pub(super) fn rewrite<B>(request: &mut Request<B>, protocol: &Protocol) -> Result<Self, NotSwitched> {
        let protocol = protocol.as_str();
        if !is_protocol(protocol) {
            return Err(NotSwitched::Protocol);
        }
        if is_transport(protocol.as_bytes()) {
            return Err(NotSwitched::Unsupported);
        }
        let protocols = HeaderValue::from_str(protocol).map_err(|_| NotSwitched::Protocol)?;
        let (mut key, mut accept) = (None, None);
        if websocket::is_websocket(protocol.as_bytes()) {
            // A key from the client means nothing (RFC 8441, 5), and may be malformed.
            let new = websocket::new_key().ok_or(NotSwitched::Unsupported)?;
            accept = Some(websocket::accept(&new).ok_or(NotSwitched::Unsupported)?);
            key = Some(new);
        }
        make_get(request, protocols, key);
        Ok(Self { accept })
    }

    /// Turns the 101 into a 200. Fails if another response would make the client believe that it has a tunnel.
    pub(super) fn answer<B>(&self, mut response: Response<B>) -> Result<Response<B>, NotSwitched> {
        if response.status() == StatusCode::SWITCHING_PROTOCOLS {
            let proofs = response.headers().get_all(SEC_WEBSOCKET_ACCEPT).iter();
            if self.accept.as_ref().is_some_and(|accept| !proofs.eq([accept])) {
                return Err(NotSwitched::Proof);
            }
            make_ok(&mut response);
        } else if response.status().is_success() {
            return Err(NotSwitched::Ignored);
        }
        Ok(response)
    }
}

/// Whether the text is one element of `Upgrade` (RFC 9110, 7.8): a token, perhaps with a version.
fn is_protocol(text: &str) -> bool {
    match text.split_once('/') {
        Some((name, version)) => is_token(name) && is_token(version),
        None => is_token(text),
    }
}
