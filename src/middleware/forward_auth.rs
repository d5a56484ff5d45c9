//! `forward_auth`: asks an authentication server about each request.

use pmesh_layers::forward_auth::ForwardAuthLayer;
use tower::{Layer, ServiceBuilder};

use super::Inner;
use crate::{respond::answer_errors, settings::ForwardAuth};

/// Creates the layer, for requests to `server`.
pub(super) fn layer<S: Inner, A: Inner>(
    auth: &ForwardAuth,
    server: A,
) -> impl Layer<S, Service: Inner> + Clone + use<S, A> {
    let layer = ForwardAuthLayer::new(server, auth.url.clone()).copy_headers(auth.copy_headers.iter().cloned());
    ServiceBuilder::new()
        .layer(layer)
        // Error responses get the server's cookies, too: it may have renewed a session, and will not do that twice.
        .layer(answer_errors())
        .into_inner()
}
