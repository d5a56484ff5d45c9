//! Whether the client of a request used TLS.

use http::Request;

use crate::{
    conn::{ConnInfo, Scheme},
    forwarded::X_FORWARDED_PROTO,
};

/// The scheme that the client used, to this program or to a proxy in front of it. `None` if that is unknown.
///
/// `X-Forwarded-Proto` takes precedence over the connection: behind a
/// [`ForwardedLayer`](crate::forwarded::ForwardedLayer), it is always set and can be trusted. WebSocket over TLS counts
/// as `https` (RFC 8441, 5).
pub(crate) fn client_scheme<B>(request: &Request<B>) -> Option<Scheme> {
    if let Some(proto) = request.headers().get(X_FORWARDED_PROTO) {
        let secure = ["https", "wss"].iter().any(|scheme| proto.as_bytes().eq_ignore_ascii_case(scheme.as_bytes()));
        return Some(if secure { Scheme::Https } else { Scheme::Http });
    }
    request.extensions().get().map(ConnInfo::scheme)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_header_takes_precedence_over_the_connection() {
        let plain = || ConnInfo::plain(([192, 0, 2, 1], 1).into());
        let tls = || ConnInfo::tls(([192, 0, 2, 1], 1).into(), "a.test".parse().unwrap());
        for (info, proto, expected) in [
            (None, None, None),
            (None, Some("https"), Some(Scheme::Https)),
            (Some(plain()), None, Some(Scheme::Http)),
            (Some(tls()), None, Some(Scheme::Https)),
            (Some(plain()), Some("https"), Some(Scheme::Https)),
            (Some(plain()), Some("WSS"), Some(Scheme::Https)),
            (Some(tls()), Some("http"), Some(Scheme::Http)),
            (Some(tls()), Some("ws"), Some(Scheme::Http)),
            (Some(plain()), Some("httpsx"), Some(Scheme::Http)),
        ] {
            let mut request = Request::new(());
            if let Some(info) = info {
                request.extensions_mut().insert(info);
            }
            if let Some(proto) = proto {
                request.headers_mut().insert(X_FORWARDED_PROTO, proto.parse().unwrap());
            }
            assert_eq!(client_scheme(&request), expected, "{proto:?}");
        }
    }
}
