//! The nodes that a request has passed through, so that it does not go in circles.

use std::{
    sync::Arc,
    task::{Context, Poll},
};

use http::{HeaderMap, HeaderName, HeaderValue, Request};
use pmesh_layers::{ResponseFuture, conn::ConnInfo, identity::NodeName};
use tower::{BoxError, Layer, Service};

/// For backends: the node that forwarded the request.
const NODE: HeaderName = HeaderName::from_static("x-pmesh-node");
/// For other nodes: the nodes that the request passed through before the node that sends it.
pub const THROUGH: HeaderName = HeaderName::from_static("x-pmesh-through");
/// The prefix of both.
pub const HEADER_PREFIX: &str = "x-pmesh-";

/// A request that has passed through this many nodes is not sent to another one.
const MAX_NODES: usize = 8;

/// A layer that records which nodes a request has passed through, and keeps clients from forging that.
///
/// It removes headers that begin with `X-Pmesh-`, with `-` or `_`. A backend gets `X-Pmesh-Node` with the name of the
/// node that forwarded the request, taken from that node's certificate.
///
/// Requests from other nodes get [`Passed`] in their extensions. A request that has passed through this node before
/// fails with [`RoutingLoop`].
#[derive(Debug, Clone)]
pub struct PassedLayer {
    own: NodeName,
}

impl PassedLayer {
    /// Creates the layer for the node `own`.
    pub fn new(own: NodeName) -> Self {
        Self { own }
    }
}

impl<S> Layer<S> for PassedLayer {
    type Service = Pass<S>;

    fn layer(&self, inner: S) -> Pass<S> {
        Pass { inner, own: self.own.clone() }
    }
}

/// The service of [`PassedLayer`].
#[derive(Debug, Clone)]
pub struct Pass<S> {
    inner: S,
    own: NodeName,
}

impl<S, B> Service<Request<B>> for Pass<S>
where
    S: Service<Request<B>, Error = BoxError>,
{
    type Response = S::Response;
    type Error = BoxError;
    type Future = ResponseFuture<S::Future>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), BoxError>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, mut request: Request<B>) -> Self::Future {
        let peer = request.extensions().get::<ConnInfo>().and_then(ConnInfo::peer_node).cloned();
        let passed = peer.map(|peer| Passed::read(request.headers(), peer));
        remove_own_headers(request.headers_mut());
        if let Some(passed) = passed {
            if passed.contains(&self.own) {
                return ResponseFuture::error(passed.routing_loop());
            }
            if let Some(name) = passed.last() {
                request.headers_mut().insert(NODE, name);
            }
            request.extensions_mut().insert(passed);
        }
        ResponseFuture::inner(self.inner.call(request))
    }
}

/// Removes our headers in any spelling, because clients must not speak for nodes.
fn remove_own_headers(headers: &mut HeaderMap) {
    let is_ours = |name: &&HeaderName| {
        let name = name.as_str().as_bytes();
        // The first letters already rule out most headers.
        matches!(name, [b'x', b'-' | b'_', b'p', ..])
            && name.get(..HEADER_PREFIX.len()).is_some_and(|start| {
                start
                    .iter()
                    .zip(HEADER_PREFIX.bytes())
                    .all(|(byte, ours)| *byte == ours || (*byte == b'_' && ours == b'-'))
            })
    };
    // Does not allocate if there are none.
    let ours: Vec<_> = headers.keys().filter(is_ours).cloned().collect();
    for name in ours {
        headers.remove(name);
    }
}

/// The nodes that a request has passed through, in order. Only the last one has proved its name.
#[derive(Debug, Clone)]
pub struct Passed(Arc<[NodeName]>);

impl Passed {
    fn read(headers: &HeaderMap, peer: NodeName) -> Self {
        let lines = headers.get_all(THROUGH).iter().filter_map(|line| line.to_str().ok());
        let names = lines.flat_map(|line| line.split(',')).filter_map(|name| name.trim().parse().ok());
        Self(names.chain([peer]).collect())
    }

    /// Whether the request can be sent to `node`: it has not been there, and has not passed through too many nodes.
    pub fn allows(&self, node: &NodeName) -> bool {
        self.0.len() < MAX_NODES && !self.contains(node)
    }

    /// The header for the next node. It names all nodes except this one, which proves its name itself.
    pub fn to_header(&self) -> Option<HeaderValue> {
        HeaderValue::try_from(self.to_string()).ok()
    }

    /// The error of a request that can be sent nowhere else.
    pub fn routing_loop(&self) -> RoutingLoop {
        RoutingLoop { through: self.to_string() }
    }

    fn contains(&self, node: &NodeName) -> bool {
        self.0.contains(node)
    }

    fn last(&self) -> Option<HeaderValue> {
        HeaderValue::from_str(self.0.last()?.as_str()).ok()
    }
}

impl std::fmt::Display for Passed {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        for (index, name) in self.0.iter().enumerate() {
            let comma = if index == 0 { "" } else { ", " };
            write!(f, "{comma}{name}")?;
        }
        Ok(())
    }
}

/// A request that nodes send in circles: their routes lead to each other, and nowhere else.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the request goes in circles: it came through {through}, and its route leads back there")]
pub struct RoutingLoop {
    through: String,
}

#[cfg(test)]
mod tests {
    use super::*;
    use http::Response;
    use tower::{ServiceExt, service_fn};

    /// The headers that begin with `x`, and the nodes that the request has passed through, as seen by the inner
    /// service.
    async fn seen(info: ConnInfo, fields: &[(&'static str, &str)]) -> Result<(Vec<String>, Option<Passed>), BoxError> {
        let mut request = Request::builder().extension(info);
        for (name, value) in fields {
            request = request.header(*name, *value);
        }
        let inner = service_fn(async |request: Request<()>| {
            let line = |(name, value): (&HeaderName, &HeaderValue)| format!("{name}: {}", value.to_str().unwrap());
            let lines: Vec<_> = request.headers().iter().map(line).collect();
            Ok::<_, BoxError>(Response::new((lines, request.extensions().get().cloned())))
        });
        let service = PassedLayer::new("own".parse().unwrap()).layer(inner);
        Ok(service.oneshot(request.body(()).unwrap()).await?.into_body())
    }

    fn from_node(name: &str) -> ConnInfo {
        ConnInfo::node(([10, 0, 0, 1], 1).into(), name.parse().unwrap())
    }

    #[tokio::test]
    async fn headers_from_clients_are_removed() {
        let client = ConnInfo::plain(([10, 0, 0, 1], 1).into());
        let fields = [
            ("x-pmesh-node", "a"),
            ("x_pmesh_node", "a"),
            ("x-pmesh_node", "a"),
            ("X-Pmesh-Through", "own"),
            ("x-pmesh-", "a"),
            ("x-pmesh", "stays"),
        ];
        let (lines, passed) = seen(client, &fields).await.unwrap();
        assert_eq!(lines, ["x-pmesh: stays"]);
        assert!(passed.is_none());
    }

    #[tokio::test]
    async fn a_node_is_named_after_its_certificate() {
        let fields = [("x-pmesh-node", "evil"), ("x-pmesh-through", "a, b"), ("x_pmesh_through", "own")];
        let (lines, passed) = seen(from_node("c"), &fields).await.unwrap();
        assert_eq!(lines, ["x-pmesh-node: c"]);
        let passed = passed.unwrap();
        assert_eq!(passed.to_header().unwrap(), "a, b, c");
        for (name, expected) in [("a", false), ("b", false), ("c", false), ("d", true)] {
            assert_eq!(passed.allows(&name.parse().unwrap()), expected, "{name}");
        }
    }

    #[tokio::test]
    async fn requests_do_not_return_and_do_not_travel_forever() {
        for through in ["own", "a,own , b", "OWN"] {
            let error = seen(from_node("c"), &[("x-pmesh-through", through)]).await.unwrap_err();
            assert!(error.is::<RoutingLoop>(), "{through}");
        }
        let long: Vec<_> = (0..MAX_NODES - 1).map(|number| format!("n{number}")).collect();
        for (count, expected) in [(MAX_NODES - 2, true), (MAX_NODES - 1, false)] {
            let (_, passed) = seen(from_node("c"), &[("x-pmesh-through", &long[..count].join(","))]).await.unwrap();
            assert_eq!(passed.unwrap().allows(&"d".parse().unwrap()), expected, "{count}");
        }
    }
}
