//! The error of a layer that needs an extension which the request does not have.

/// A layer needs an extension that neither the server nor an outer layer has added to the request.
///
/// This is a mistake in the stack, not in the request. [`RespondLayer`](crate::respond::RespondLayer) responds with
/// 500, and logs the error.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("{layer} found no {extension} in the request's extensions: {remedy}")]
pub struct MissingExtension {
    layer: &'static str,
    extension: &'static str,
    remedy: &'static str,
}

impl MissingExtension {
    /// The error of `layer`, which needs a [`ConnInfo`](crate::conn::ConnInfo).
    pub(crate) fn conn_info(layer: &'static str) -> Self {
        let remedy = "serve with HttpServer, or put a ConnInfoLayer outside this layer";
        Self { layer, extension: "ConnInfo", remedy }
    }

    /// The error of a `ConnInfoLayer` whose closure returned no [`ConnInfo`](crate::conn::ConnInfo).
    pub(crate) fn for_conn_info() -> Self {
        let remedy =
            "its closure returned None; with axum, serve `into_make_service_with_connect_info`, which adds the address";
        Self { layer: "ConnInfoLayer", extension: "ConnInfo", remedy }
    }

    /// The error of `layer`, which needs a [`HostName`](crate::host::HostName).
    pub(crate) fn host_name(layer: &'static str) -> Self {
        Self { layer, extension: "HostName", remedy: "put a HostLayer outside this layer" }
    }
}
