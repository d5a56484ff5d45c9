//! The parts of a request that depend on its endpoint: URI, host, prefix, and the nodes that it has passed through.

use http::{HeaderValue, Request, Uri, header::HOST};
use pmesh_layers::{
    edit_path::{PathEdits, PathRejected},
    forwarded::X_FORWARDED_PREFIX,
};

use crate::mesh::{Passed, THROUGH};

/// The URI and the headers of a request that differ between endpoints. They are set for each attempt, because a request
/// that could not be sent to one endpoint goes to the next.
#[derive(Debug)]
pub struct Aim {
    uri: Uri,
    host: Option<HeaderValue>,
    /// The prefix that was removed from the path, by proxies in front and by this node.
    prefix: Option<HeaderValue>,
    through: Option<HeaderValue>,
}

impl Aim {
    /// For an endpoint of this node.
    pub(super) fn for_endpoint<B>(
        request: &Request<B>,
        edits: &PathEdits,
        host: Option<&HeaderValue>,
    ) -> Result<Self, PathRejected> {
        let (uri, removed) = edits.edited(request)?;
        let aim = Self::for_node(request, None);
        Ok(Self { uri, prefix: removed.or(aim.prefix), host: host.cloned().or(aim.host), ..aim })
    }

    /// For another node: unchanged, because the other node looks up its own route.
    pub(super) fn for_node<B>(request: &Request<B>, passed: Option<&Passed>) -> Self {
        let field = |name| request.headers().get(name).cloned();
        Self {
            uri: request.uri().clone(),
            host: field(HOST),
            prefix: field(X_FORWARDED_PREFIX),
            through: passed.and_then(Passed::to_header),
        }
    }

    pub(super) fn set<B>(&self, request: &mut Request<B>) {
        request.uri_mut().clone_from(&self.uri);
        for (name, value) in [(HOST, &self.host), (X_FORWARDED_PREFIX, &self.prefix), (THROUGH, &self.through)] {
            match value {
                Some(value) => drop(request.headers_mut().insert(name, value.clone())),
                None => drop(request.headers_mut().remove(name)),
            }
        }
    }
}
