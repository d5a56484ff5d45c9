//! The URIs that TLS connectors pass to the connectors that they wrap.

use http::{Uri, uri::PathAndQuery};

/// Returns the URI for the inner connector of a TLS connector: the same host and port, without TLS.
pub(crate) fn plain(uri: Uri) -> Uri {
    let (true, Some(host)) = (asks_for_tls(&uri), uri.host()) else { return uri };
    let authority = format!("{host}:{}", uri.port_u16().unwrap_or(443));
    let path = uri.path_and_query().cloned().unwrap_or(PathAndQuery::from_static("/"));
    // Cannot fail: the parts come from a valid URI.
    Uri::builder().scheme("http").authority(authority).path_and_query(path).build().unwrap_or(uri)
}

/// Whether the scheme of the URI means TLS.
pub(crate) fn asks_for_tls(uri: &Uri) -> bool {
    matches!(uri.scheme_str(), Some("https" | "wss"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_implied_port_of_tls_is_made_explicit() {
        for (uri, expected) in [
            ("https://a.example", "http://a.example:443/"),
            ("wss://a.example/chat?x", "http://a.example:443/chat?x"),
            ("https://[::1]", "http://[::1]:443/"),
            ("https://user:password@a.example:8443", "http://a.example:8443/"),
            ("http://a.example", "http://a.example/"),
            ("/path", "/path"),
        ] {
            assert_eq!(plain(uri.parse().unwrap()).to_string(), expected);
        }
    }
}
