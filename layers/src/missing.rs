//! The error of a layer that misses an extension set by another layer.

/// A layer needs an extension that no outer layer or server has added to the request.
///
/// This is a mistake in the stack, not in the request. [`RespondLayer`](crate::respond::RespondLayer) answers it with
/// 500, and logs it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("{layer} found no {extension} in the request's extensions: {remedy}")]
pub struct MissingExtension {
    layer: &'static str,
    extension: &'static str,
    remedy: &'static str,
}

impl MissingExtension {
    /// `layer` needs a [`ConnInfo`](crate::conn::ConnInfo).
    pub(crate) fn conn_info(layer: &'static str) -> Self {
        let remedy = "serve with HttpServer, or put a ConnInfoLayer outside this layer";
        Self { layer, extension: "ConnInfo", remedy }
    }

    /// The closure of a `ConnInfoLayer` returned no [`ConnInfo`](crate::conn::ConnInfo).
    pub(crate) fn for_conn_info() -> Self {
        let remedy =
            "its closure returned None; with axum, serve `into_make_service_with_connect_info`, which adds the address";
        Self { layer: "ConnInfoLayer", extension: "ConnInfo", remedy }
    }

    /// `layer` needs a [`HostName`](crate::host::HostName).
    pub(crate) fn host_name(layer: &'static str) -> Self {
        Self { layer, extension: "HostName", remedy: "put a HostLayer outside this layer" }
    }
}
