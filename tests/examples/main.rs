//! Each program in `examples/` does what its head says.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod connector_only;
mod mesh_identity;
mod on_axum;
mod own_stack;
mod program;
mod sni_only;
mod tls;
mod websocket_proxy;
