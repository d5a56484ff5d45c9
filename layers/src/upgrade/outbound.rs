use std::any::Any;

use http::{
    HeaderValue, Method, Request, Response, StatusCode,
    header::{SEC_WEBSOCKET_KEY, UPGRADE},
};
use http_body::Body;

use super::{
    forms::{make_connect, make_get, make_switching},
    side::Lease,
    websocket,
};
use crate::hop_by_hop::tokens;

/// An HTTP/1.1 upgrade, kept while its request is written as an extended CONNECT.
#[derive(Debug)]
pub(crate) struct Outbound {
    protocols: HeaderValue,
    /// The key of a WebSocket, and the proof for it.
    proof: Option<(HeaderValue, HeaderValue)>,
}

impl Outbound {
    /// The upgrade of a request, if an extended CONNECT can express it: a GET without a body and, for a WebSocket, with
    /// a key that the proof can be made for.
    pub(crate) fn from_request<B: Body>(request: &Request<B>) -> Option<Self> {
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

    /// Turns a request that is otherwise valid HTTP/2 into an extended CONNECT. It has room for only one protocol, so
    /// it names the first, which the client prefers (RFC 9110, 7.8).
    pub(crate) fn ask<B>(&self, request: &mut Request<B>) {
        if let Some(protocol) = first(&self.protocols) {
            make_connect(request, protocol);
        }
    }

    /// Turns the request back into the HTTP/1.1 upgrade that it was.
    pub(crate) fn restore<B>(self, request: &mut Request<B>) {
        make_get(request, self.protocols, self.proof.map(|(key, _)| key));
    }

    /// Turns the 200 to an extended CONNECT into a 101, and keeps `stream` until the tunnel has ended. Returns `stream`
    /// if the response is another one.
    pub(crate) fn switch<B, T: Any + Send + Sync>(self, response: &mut Response<B>, stream: T) -> Result<(), T> {
        let protocol = first(&self.protocols).and_then(|one| HeaderValue::from_str(one).ok());
        match protocol {
            // hyper opens a tunnel for a 200 only, not for other successful responses.
            Some(protocol) if response.status() == StatusCode::OK => {
                make_switching(response, protocol, self.proof.map(|(_, accept)| accept));
                response.extensions_mut().insert(Lease::new(stream));
                Ok(())
            }
            _ => Err(stream),
        }
    }
}

fn first(protocols: &HeaderValue) -> Option<&str> {
    std::str::from_utf8(tokens(protocols).next()?).ok().filter(|protocol| !protocol.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;
    use bytes::Bytes;
    use http::header::{CONNECTION, CONTENT_LENGTH, SEC_WEBSOCKET_ACCEPT};
    use http_body_util::Full;
    use hyper::ext::Protocol;

    const KEY: &str = "dGhlIHNhbXBsZSBub25jZQ==";

    fn request(method: &str, protocols: &str, body: &'static str) -> Request<Full<Bytes>> {
        Request::builder().method(method).header(UPGRADE, protocols).body(Full::from(body)).unwrap()
    }

    #[test]
    fn a_get_without_a_body_becomes_a_connect() {
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
            let upgrade = Outbound::from_request(&request);
            assert_eq!(upgrade.is_some(), expected.is_some(), "{method} {protocols}");
            if let Some(upgrade) = upgrade {
                upgrade.ask(&mut request);
                assert_eq!(request.method(), Method::CONNECT);
                assert_eq!(request.extensions().get().map(Protocol::as_str), expected);
            }
        }
    }

    #[test]
    fn the_proof_for_a_websocket_is_computed_from_its_key() {
        let mut request = request("GET", "websocket", "");
        request.headers_mut().insert(SEC_WEBSOCKET_KEY, HeaderValue::from_static(KEY));
        let upgrade = Outbound::from_request(&request).unwrap();
        upgrade.ask(&mut request);
        assert!(!request.headers().contains_key(SEC_WEBSOCKET_KEY));
        let mut response = Response::builder().header(CONTENT_LENGTH, "0").body(()).unwrap();
        assert!(upgrade.switch(&mut response, ()).is_ok());
        assert_eq!(response.status(), 101);
        assert_eq!(response.headers()[UPGRADE], "websocket");
        assert_eq!(response.headers()[SEC_WEBSOCKET_ACCEPT], "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=");
        assert!(!response.headers().contains_key(CONTENT_LENGTH));
    }

    #[test]
    fn a_restored_request_is_unchanged() {
        let mut request = request("GET", "websocket, chat", "");
        request.headers_mut().insert(CONNECTION, HeaderValue::from_static("upgrade"));
        request.headers_mut().insert(SEC_WEBSOCKET_KEY, HeaderValue::from_static(KEY));
        let before = request.headers().clone();
        let upgrade = Outbound::from_request(&request).unwrap();
        upgrade.ask(&mut request);
        request.headers_mut().remove(UPGRADE);
        request.headers_mut().remove(CONNECTION);
        upgrade.restore(&mut request);
        assert_eq!((request.method(), request.headers()), (&Method::GET, &before));
        assert!(request.extensions().get::<Protocol>().is_none());
    }
}
