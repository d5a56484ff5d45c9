//! The request that a question is about.

use std::{
    convert::Infallible,
    net::{IpAddr, Ipv4Addr},
    pin::Pin,
    task::{Context, Poll},
};

use bytes::Bytes;
use http::{HeaderMap, Method, Request, Uri, header::CONTENT_LENGTH};
use http_body::{Body, Frame, SizeHint};
use pmesh_layers::{body::RequestBody, conn::ConnInfo, host::HostName};

/// The request that a question is about, and its connection.
#[derive(Debug, Clone)]
pub(super) struct Asked {
    pub(super) is_tls: bool,
    /// As written in the URL.
    pub(super) port: Option<u16>,
    /// The host of the URL. The Host header can be another one.
    pub(super) host: HostName,
    /// The SNI of the connection; `None` without TLS, or if the client sends none.
    pub(super) server_name: Option<HostName>,
    pub(super) uri: Uri,
    pub(super) method: Method,
    pub(super) headers: HeaderMap,
    pub(super) from: Option<IpAddr>,
}

impl Asked {
    /// The request as the server receives it.
    pub(super) fn to_request(&self) -> Request<RequestBody> {
        let mut request = Request::new(declared_body(&self.headers));
        *request.method_mut() = self.method.clone();
        *request.uri_mut() = self.uri.clone();
        *request.headers_mut() = self.headers.clone();
        // No client has the unspecified address. So an unknown client is in no network, except one with all clients.
        let peer = (self.from.unwrap_or(Ipv4Addr::UNSPECIFIED.into()), 0).into();
        let info = match &self.server_name {
            Some(name) => ConnInfo::tls(peer, name.clone()),
            None => ConnInfo::plain(peer),
        };
        request.extensions_mut().insert(info);
        request
    }
}

/// A body with the declared length, but no content.
pub(super) fn declared_body(headers: &HeaderMap) -> RequestBody {
    let length = headers.get(CONTENT_LENGTH).and_then(|length| length.to_str().ok()?.parse().ok());
    length.map_or_else(RequestBody::empty, |length| RequestBody::new(Declared(length)))
}

struct Declared(u64);

impl Body for Declared {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        Poll::Ready(None)
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::with_exact(self.0)
    }
}
