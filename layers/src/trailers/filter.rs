use std::task::Poll;

use bytes::Bytes;
use http::{HeaderMap, HeaderName};
use http_body::Frame;

use crate::{cgi_name, conn::Control, edit_headers::HeaderEdits, framing::is_token};

/// Which trailers of a body to drop.
#[derive(Debug)]
pub(crate) enum TrailerFilter {
    /// None.
    PassAll,
    /// Forbidden trailers, and trailers whose names begin with this prefix.
    Forbidden(Option<&'static str>),
    /// The same, and more.
    Watch(Box<Watch>),
    /// Trailers with names of headers that these edits set or remove.
    Replaced(HeaderEdits),
}

/// What the filter has to know about a message whose body can end with trailers.
#[derive(Debug)]
pub(crate) struct Watch {
    /// As in [`TrailerFilter::Forbidden`].
    pub(super) prefix: Option<&'static str>,
    /// The names in `Connection`.
    pub(super) named: Vec<HeaderName>,
    /// The connection, which is notified if the body ends without trailers.
    pub(super) connection: Option<Control>,
}

impl TrailerFilter {
    pub(crate) fn passes_all(&self) -> bool {
        matches!(self, Self::PassAll)
    }

    /// Filters the result of polling a body.
    pub(crate) fn filter<E>(&mut self, polled: &mut Poll<Option<Result<Frame<Bytes>, E>>>) {
        match polled {
            Poll::Ready(Some(Ok(frame))) => {
                let Some(trailers) = frame.trailers_mut() else { return };
                let prefix = match self {
                    Self::PassAll => return,
                    Self::Forbidden(prefix) => *prefix,
                    Self::Watch(watch) => watch.prefix,
                    Self::Replaced(edits) => return edits.remove_replaced(trailers),
                };
                drop_forbidden(trailers, prefix);
                if let Some(watch) = self.take_watch() {
                    watch.named.iter().for_each(|name| drop(trailers.remove(name)));
                }
            }
            Poll::Ready(None) => {
                if let Some(connection) = self.take_watch().and_then(|watch| watch.connection) {
                    connection.traffic().set_open_ended(false);
                }
            }
            Poll::Ready(Some(Err(_))) | Poll::Pending => {}
        }
    }

    fn take_watch(&mut self) -> Option<Box<Watch>> {
        match self {
            Self::Watch(watch) => {
                let prefix = watch.prefix;
                match std::mem::replace(self, Self::Forbidden(prefix)) {
                    Self::Watch(watch) => Some(watch),
                    _ => None,
                }
            }
            _ => None,
        }
    }
}

fn drop_forbidden(trailers: &mut HeaderMap, prefix: Option<&str>) {
    let forbidden: Vec<HeaderName> =
        trailers.keys().filter(|name| !is_token(name) || is_forbidden(name.as_str(), prefix)).cloned().collect();
    for name in forbidden {
        trailers.remove(name);
    }
}

fn is_forbidden(name: &str, prefix: Option<&str>) -> bool {
    let prefixes = ["x-forwarded", "proxy-", "access-control-"].into_iter().chain(prefix);
    FORBIDDEN.iter().any(|other| cgi_name::is_same(name, other))
        || prefixes.into_iter().any(|prefix| cgi_name::begins_with(name, prefix))
}

/// Headers that determine where a message ends, where it goes, who sends it, or how its content is read.
const FORBIDDEN: [&str; 46] = [
    // Framing, and hop-by-hop headers.
    "connection",
    "content-length",
    "keep-alive",
    "te",
    "trailer",
    "transfer-encoding",
    "upgrade",
    // Routing, and information from proxies.
    "alt-svc",
    "cdn-loop",
    "cf-connecting-ip",
    "forwarded",
    "host",
    "location",
    "max-forwards",
    "true-client-ip",
    "via",
    "x-client-ip",
    "x-http-method-override",
    "x-original-url",
    "x-real-ip",
    "x-request-id",
    "x-rewrite-url",
    // Identity and permissions.
    "authorization",
    "cookie",
    "origin",
    "set-cookie",
    "strict-transport-security",
    "www-authenticate",
    // Handling of a request, and caching of its response.
    "age",
    "cache-control",
    "date",
    "expect",
    "expires",
    "if-match",
    "if-modified-since",
    "if-none-match",
    "if-range",
    "if-unmodified-since",
    "pragma",
    "range",
    "retry-after",
    "vary",
    // The type of the content, and how to read it.
    "content-encoding",
    "content-range",
    "content-security-policy",
    "content-type",
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn forbidden_trailers_are_recognised() {
        for (name, expected) in [
            ("grpc-status", false),
            ("grpc-message", false),
            ("server-timing", false),
            ("digest", false),
            ("content-digest", false),
            ("etag", false),
            ("x-checksum", false),
            ("x-own", false),
            ("x-own-node", true),
            ("x_own-node", true),
            ("content-length", true),
            ("content_length", true),
            ("transfer-encoding", true),
            ("host", true),
            ("cdn-loop", true),
            ("forwarded", true),
            ("x-forwarded-for", true),
            ("x-forwarded", true),
            ("if-range", true),
            ("x_forwarded-proto", true),
            ("x-real_ip", true),
            ("set-cookie", true),
            ("authorization", true),
        ] {
            for prefix in ["x-own-", "X-Own-", "x_own_"] {
                assert_eq!(is_forbidden(name, Some(prefix)), expected, "{name} {prefix}");
            }
        }
    }
}
