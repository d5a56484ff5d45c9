use http::{
    HeaderValue, Method, Request, Response, StatusCode,
    header::{CONNECTION, CONTENT_LENGTH, SEC_WEBSOCKET_ACCEPT, SEC_WEBSOCKET_KEY, UPGRADE},
};
use http_body::Body;
use hyper::ext::Protocol;

use crate::{hop_by_hop::tokens, websocket};

/// The upgrade that a request asks for in the way of HTTP/1.1, kept aside while it is one of HTTP/2.
#[derive(Debug)]
pub(super) struct Upgrade {
    protocols: HeaderValue,
    /// The key of a WebSocket and the answer to it.
    proof: Option<(HeaderValue, HeaderValue)>,
}

impl Upgrade {
    /// What can be asked for by an extended CONNECT (RFC 8441): instead of a GET, and by a WebSocket whose client can be
    /// given the proof that it waits for.
    pub(super) fn of<B: Body>(request: &Request<B>) -> Option<Self> {
        let protocols = request.headers().get(UPGRADE)?;
        if *request.method() != Method::GET || !request.body().is_end_stream() {
            return None;
        }
        let mut proof = None;
        if websocket::is_websocket(first(protocols)?.as_bytes()) {
            let key = request.headers().get(SEC_WEBSOCKET_KEY)?;
            proof = Some((key.clone(), websocket::accept(key)?));
        }
        Some(Self { protocols: protocols.clone(), proof })
    }

    /// Makes an extended CONNECT of a request that is written for HTTP/2. The first protocol is the one that the client
    /// likes best (RFC 9110, 7.8), and there is room for one.
    pub(super) fn ask<B>(&self, request: &mut Request<B>) {
        let Some(protocol) = first(&self.protocols) else { return };
        request.extensions_mut().insert(Protocol::from(protocol));
        *request.method_mut() = Method::CONNECT;
        request.headers_mut().remove(SEC_WEBSOCKET_KEY);
    }

    /// Gives a request back what it has lost on its way to HTTP/2.
    pub(super) fn restore<B>(self, request: &mut Request<B>) {
        request.extensions_mut().remove::<Protocol>();
        *request.method_mut() = Method::GET;
        let headers = request.headers_mut();
        headers.insert(UPGRADE, self.protocols);
        headers.insert(CONNECTION, HeaderValue::from_static("upgrade"));
        if let Some((key, _)) = self.proof {
            headers.insert(SEC_WEBSOCKET_KEY, key);
        }
    }

    /// Makes a 101 of the 200 to an extended CONNECT; false if it is another response.
    pub(super) fn switch<B>(self, response: &mut Response<B>) -> bool {
        // Of all that succeed, hyper opens a tunnel for this one.
        let switched = response.status() == StatusCode::OK;
        if switched && let Some(protocol) = first(&self.protocols).and_then(|one| HeaderValue::from_str(one).ok()) {
            *response.status_mut() = StatusCode::SWITCHING_PROTOCOLS;
            let headers = response.headers_mut();
            headers.remove(CONTENT_LENGTH);
            headers.insert(CONNECTION, HeaderValue::from_static("upgrade"));
            headers.insert(UPGRADE, protocol);
            if let Some((_, accept)) = self.proof {
                headers.insert(SEC_WEBSOCKET_ACCEPT, accept);
            }
        }
        switched
    }
}

fn first(protocols: &HeaderValue) -> Option<&str> {
    std::str::from_utf8(tokens(protocols).next()?).ok().filter(|protocol| !protocol.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;
    use bytes::Bytes;
    use http_body_util::Full;

    const KEY: &str = "dGhlIHNhbXBsZSBub25jZQ==";

    fn request(method: &str, protocols: &str, body: &'static str) -> Request<Full<Bytes>> {
        Request::builder().method(method).header(UPGRADE, protocols).body(Full::from(body)).unwrap()
    }

    #[test]
    fn a_connect_can_ask_for_it() {
        for (method, protocols, body, expected) in [
            ("GET", "chat", "", Some("chat")),
            ("GET", "chat/2 , other", "", Some("chat/2")),
            ("GET", "", "", None),
            ("GET", "chat", "body", None),
            ("POST", "chat", "", None),
            // Without a key there is no proof.
            ("GET", "WebSocket", "", None),
        ] {
            let mut request = request(method, protocols, body);
            let upgrade = Upgrade::of(&request);
            assert_eq!(upgrade.is_some(), expected.is_some(), "{method} {protocols}");
            if let Some(upgrade) = upgrade {
                upgrade.ask(&mut request);
                assert_eq!(request.method(), Method::CONNECT);
                assert_eq!(request.extensions().get().map(Protocol::as_str), expected);
            }
        }
    }

    #[test]
    fn the_proof_of_a_websocket_is_made_here() {
        let mut request = request("GET", "websocket", "");
        request.headers_mut().insert(SEC_WEBSOCKET_KEY, HeaderValue::from_static(KEY));
        let upgrade = Upgrade::of(&request).unwrap();
        upgrade.ask(&mut request);
        assert!(!request.headers().contains_key(SEC_WEBSOCKET_KEY));
        let mut response = Response::builder().header(CONTENT_LENGTH, "0").body(()).unwrap();
        assert!(upgrade.switch(&mut response));
        assert_eq!(response.status(), 101);
        assert_eq!(response.headers()[UPGRADE], "websocket");
        assert_eq!(response.headers()[SEC_WEBSOCKET_ACCEPT], "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=");
        assert!(!response.headers().contains_key(CONTENT_LENGTH));
    }

    #[test]
    fn it_goes_elsewhere_as_it_came() {
        let mut request = request("GET", "websocket, chat", "");
        request.headers_mut().insert(CONNECTION, HeaderValue::from_static("upgrade"));
        request.headers_mut().insert(SEC_WEBSOCKET_KEY, HeaderValue::from_static(KEY));
        let before = request.headers().clone();
        let upgrade = Upgrade::of(&request).unwrap();
        upgrade.ask(&mut request);
        request.headers_mut().remove(UPGRADE);
        request.headers_mut().remove(CONNECTION);
        upgrade.restore(&mut request);
        assert_eq!((request.method(), request.headers()), (&Method::GET, &before));
        assert!(request.extensions().get::<Protocol>().is_none());
    }
}
