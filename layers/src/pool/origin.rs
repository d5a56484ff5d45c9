use std::sync::{Arc, Weak};

use http::{
    HeaderMap, HeaderName, Request, Response, StatusCode, Version,
    header::{AUTHORIZATION, HOST, PROXY_AUTHENTICATE, WWW_AUTHENTICATE},
};
use tokio::sync::oneshot;

use super::idle::{Idle, PooledConnection, when_ready};
use crate::{
    conn::{ConnInfo, TiedTo},
    hop_by_hop::tokens,
};

/// The properties of a request that its pool needs until the response arrives.
#[derive(Debug)]
pub(super) struct Origin {
    /// The client connection, if it is HTTP/1. An HTTP/2 connection may come from a proxy or another node, and carry the
    /// requests of many clients.
    client: Option<ConnInfo>,
    /// Whether the request authenticates the connection that it is sent over.
    authenticates: bool,
    /// Whether its `Host` was taken from the endpoint.
    own_host: bool,
    /// The version of the request as received.
    version: Version,
}

impl Origin {
    pub(super) fn from_request<B>(request: &Request<B>) -> Self {
        let version = request.version();
        let client = if version < Version::HTTP_2 { request.extensions().get().cloned() } else { None };
        let authenticates = has_connection_scheme(request.headers(), &AUTHORIZATION);
        Self { client, authenticates, own_host: false, version }
    }

    /// Notes whether the `Host` was taken from the endpoint.
    pub(super) fn own_host(mut self, is: bool) -> Self {
        self.own_host = is;
        self
    }

    /// Restores the request as it was received, for another endpoint.
    pub(super) fn restore<B>(&self, request: &mut Request<B>) {
        *request.version_mut() = self.version;
        if self.own_host {
            request.headers_mut().remove(HOST);
        }
    }

    /// Returns the connection of this pool that belongs to the client.
    pub(super) fn tied(&self, pool: &Arc<Idle>) -> Option<Returning> {
        let is_of_pool = |tied: &Tied| std::ptr::eq(tied.pool.as_ptr(), Arc::as_ptr(pool));
        self.client.as_ref()?.ties()?.take(is_of_pool).map(|tied| tied.connection)
    }

    /// Returns where to keep the connection that this response arrived on.
    pub(super) fn home<R>(
        self,
        connection: &mut PooledConnection,
        response: &mut Response<R>,
        pool: Arc<Idle>,
    ) -> Home {
        connection.private |= self.authenticates || asks_for_connection_scheme(response);
        match self.client {
            _ if !connection.private => Home::Pool(pool),
            Some(client) => {
                response.extensions_mut().insert(TiedTo(client.clone()));
                Home::Client(pool, client)
            }
            None => Home::Nowhere,
        }
    }
}

/// Where a connection is kept after its response has been read.
pub(super) enum Home {
    /// In the pool, for any request.
    Pool(Arc<Idle>),
    /// With the client connection, for its requests only, because it may be authenticated.
    Client(Arc<Idle>, ConnInfo),
    /// Nowhere: it is closed.
    Nowhere,
}

impl Home {
    pub(super) fn put(self, mut connection: Box<PooledConnection>) {
        match self {
            Self::Pool(pool) => pool.put(connection),
            Self::Client(pool, client) => {
                connection.rest();
                let (give_back, returning) = oneshot::channel();
                client.ties_or_new().put(Tied { pool: Arc::downgrade(&pool), connection: returning });
                if connection.sender.is_ready() {
                    let _ = give_back.send(connection);
                } else if connection.may_be_ready() {
                    tokio::spawn(
                        async move { when_ready(connection).await.map(|connection| give_back.send(connection)) },
                    );
                }
            }
            Self::Nowhere => Idle::leave(connection),
        }
    }
}

/// A connection to an endpoint that belongs to a client connection, and its pool.
struct Tied {
    /// Weak, but keeps the allocation, so that no other pool can get its address.
    pool: Weak<Idle>,
    connection: Returning,
}

/// A connection that becomes available once its current request has been sent completely.
pub(super) type Returning = oneshot::Receiver<Box<PooledConnection>>;

/// Whether a response asks for credentials that authenticate the connection instead of the request. No scheme should do
/// that (RFC 9110, 11.7).
fn asks_for_connection_scheme<R>(response: &Response<R>) -> bool {
    match response.status() {
        StatusCode::UNAUTHORIZED => has_connection_scheme(response.headers(), &WWW_AUTHENTICATE),
        StatusCode::PROXY_AUTHENTICATION_REQUIRED => has_connection_scheme(response.headers(), &PROXY_AUTHENTICATE),
        _ => false,
    }
}

/// Challenges and credentials begin with the name of their scheme, and a header line can list several challenges. `NTLM`
/// and `Negotiate` have unregistered variants such as `Nego2`, so only the first four letters are compared, as in HAProxy.
fn has_connection_scheme(headers: &HeaderMap, field: &HeaderName) -> bool {
    let is_connection_scheme = |one: &[u8]| {
        one.first_chunk::<4>().is_some_and(|four| matches!(&four.to_ascii_lowercase()[..], b"ntlm" | b"nego"))
    };
    headers.get_all(field).iter().flat_map(tokens).any(is_connection_scheme)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn schemes_that_authenticate_a_connection_are_recognized() {
        for (status, field, value, expected) in [
            (401, WWW_AUTHENTICATE, "NTLM", true),
            (401, WWW_AUTHENTICATE, "Negotiate", true),
            (401, WWW_AUTHENTICATE, "negotiate YII=", true),
            (401, WWW_AUTHENTICATE, "Basic realm=\"a, b\", NTLM", true),
            (401, WWW_AUTHENTICATE, "Basic realm=\"NTLM\"", false),
            (401, WWW_AUTHENTICATE, "Nego2", true),
            (401, WWW_AUTHENTICATE, "NT", false),
            (401, PROXY_AUTHENTICATE, "NTLM", false),
            (407, PROXY_AUTHENTICATE, "NTLM", true),
            (200, WWW_AUTHENTICATE, "Negotiate", false),
        ] {
            let response = Response::builder().status(status).header(&field, value).body(()).unwrap();
            assert_eq!(asks_for_connection_scheme(&response), expected, "{status} {field} {value}");
        }
    }
}
