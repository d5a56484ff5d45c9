//! Each program in `examples/` does what its head says.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod axum_middleware;
mod axum_serve;
mod connector_dns;
mod connector_only;
mod custom_layer;
mod grpc_balance;
mod mesh_identity;
mod on_axum;
mod own_stack;
mod program;
mod sni_only;
mod tls;
mod websocket_proxy;
