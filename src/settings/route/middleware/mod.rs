//! What a route puts around its answer.

mod clients;
mod headers;

use pmesh_layers::{client_filter::ClientFilterLayer, edit_headers::HeaderEdits};

use self::headers::Message;
use super::Scope;
use crate::config::Problems;

/// What a route puts around its answer. [`middleware`](crate::middleware) has the order.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Middleware {
    /// Whether to compress responses.
    pub compress: bool,
    /// Which clients are allowed, if not all.
    pub clients: Option<ClientFilterLayer>,
    /// Changes to the headers of requests.
    pub request_headers: HeaderEdits,
    /// Changes to the headers of responses.
    pub response_headers: HeaderEdits,
}

impl Middleware {
    /// Reads it. Returns `None` if it is invalid, and reports that.
    pub(super) fn read(scope: &Scope<'_>, problems: &mut Problems) -> Option<Self> {
        let compress = scope.switch("compress").map_or(Some(false), |node| node.read(problems));
        let clients = clients::read(scope, problems);
        let request_headers = headers::read(scope, Message::Request, problems);
        let response_headers = headers::read(scope, Message::Response, problems);
        Some(Self {
            compress: compress?,
            clients: clients?,
            request_headers: request_headers?,
            response_headers: response_headers?,
        })
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }
}
