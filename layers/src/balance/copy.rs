use bytes::{Buf, Bytes};
use http::{HeaderMap, HeaderName, HeaderValue, Method, Request, Uri, Version, request::Parts};
use http_body::Body;

use super::lent::Lender;
use crate::body::RequestBody;

/// Initial capacity for headers. Most requests fit, with a single allocation.
const USUAL: usize = 1024;

/// A copy of a request for a retry: its head without the extensions, and its body if that is in memory or lent to the
/// attempt.
///
/// Every request is copied, but hardly any is retried. So the headers are stored in a single buffer: cloning the map
/// would change a reference count for each name and value.
#[derive(Debug)]
pub(super) struct RequestCopy {
    method: Method,
    uri: Uri,
    version: Version,
    /// For each header: the length of its name, then twice the length of its value (plus one if the value is sensitive),
    /// then name and value.
    fields: Vec<u8>,
    body: BodyCopy,
}

#[derive(Debug)]
enum BodyCopy {
    Empty,
    /// Completely in memory.
    Whole(RequestBody),
    Lent(Lender),
}

impl RequestCopy {
    /// Copies a request. Returns `None` if it has a body that is not in memory, unless `lends` is set.
    pub(super) fn new(parts: &Parts, body: &mut RequestBody, lends: bool) -> Option<Self> {
        let body = if body.is_end_stream() {
            BodyCopy::Empty
        } else if let Some(whole) = body.again() {
            BodyCopy::Whole(whole)
        } else if lends {
            BodyCopy::Lent(Lender::lend(body))
        } else {
            return None;
        };
        let mut fields = Vec::with_capacity(USUAL);
        for (name, value) in &parts.headers {
            let name = name.as_str();
            let sizes = [name.len(), value.len() << 1 | usize::from(value.is_sensitive())];
            let [first, second] = sizes.map(|size| u32::try_from(size).ok());
            // In one call, because each call checks the capacity.
            fields.extend_from_slice(&(u64::from(first?) << 32 | u64::from(second?)).to_ne_bytes());
            fields.extend_from_slice(name.as_bytes());
            fields.extend_from_slice(value.as_bytes());
        }
        let (method, uri, version) = (parts.method.clone(), parts.uri.clone(), parts.version);
        Some(Self { method, uri, version, fields, body })
    }

    pub(super) fn method(&self) -> &Method {
        &self.method
    }

    /// Whether the client has sent the whole body.
    pub(super) fn is_complete(&self) -> bool {
        !matches!(self.body, BodyCopy::Lent(_))
    }

    /// Returns the request, or `None` if the attempt has not returned the body.
    pub(super) fn request(&self) -> Option<Request<RequestBody>> {
        let body = match &self.body {
            BodyCopy::Empty => RequestBody::empty(),
            BodyCopy::Whole(body) => body.again()?,
            BodyCopy::Lent(lender) => lender.again()?,
        };
        let mut request = Request::new(body);
        *request.headers_mut() = self.headers()?;
        *request.method_mut() = self.method.clone();
        *request.uri_mut() = self.uri.clone();
        *request.version_mut() = self.version;
        Some(request)
    }

    fn headers(&self) -> Option<HeaderMap> {
        let mut rest = Bytes::copy_from_slice(&self.fields);
        let mut headers = HeaderMap::new();
        while !rest.is_empty() {
            let (name, value) = sizes(&mut rest)?;
            let name = HeaderName::from_bytes(&rest.split_to(name)).ok()?;
            let mut text = HeaderValue::from_maybe_shared(rest.split_to(value >> 1)).ok()?;
            text.set_sensitive(value & 1 == 1);
            headers.append(name, text);
        }
        Some(headers)
    }
}

/// See RFC 9110, 9.2.2.
pub(super) fn is_idempotent(method: &Method) -> bool {
    matches!(*method, Method::GET | Method::HEAD | Method::OPTIONS | Method::PUT | Method::DELETE)
}

fn sizes(fields: &mut Bytes) -> Option<(usize, usize)> {
    let sizes = u64::from_ne_bytes(*fields.first_chunk()?);
    fields.advance(size_of::<u64>());
    Some((usize::try_from(sizes >> 32).ok()?, usize::try_from(sizes & u64::from(u32::MAX)).ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;
    use http_body_util::Full;

    #[test]
    fn only_requests_without_a_body_are_copied() {
        for (method, body, expected) in [("GET", "", true), ("PUT", "x", false), ("POST", "", true)] {
            let mut secret = HeaderValue::from_static("secret");
            secret.set_sensitive(true);
            let request = Request::builder()
                .method(method)
                .uri("/path")
                .version(Version::HTTP_2)
                .header("a", "b")
                .header("host", "h")
                .header("a", HeaderValue::from_bytes(b"\xff").unwrap())
                .header("empty", "")
                .header("authorization", secret)
                .header("long", "x".repeat(USUAL))
                .body(RequestBody::new(Full::new(Bytes::from_static(body.as_bytes()))))
                .unwrap();
            let (request, mut sent) = request.into_parts();
            let copy = RequestCopy::new(&request, &mut sent, false);
            assert_eq!(copy.is_some(), expected, "{method} {body}");
            if let Some(copy) = copy {
                let copy = copy.request().unwrap();
                assert_eq!((copy.method(), copy.version()), (&request.method, request.version));
                assert_eq!((copy.uri(), copy.headers()), (&request.uri, &request.headers));
                assert!(copy.headers()["authorization"].is_sensitive() && !copy.headers()["host"].is_sensitive());
                assert!(copy.body().is_end_stream());
            }
        }
    }
}
