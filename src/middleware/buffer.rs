//! Reads request bodies before the request is forwarded.

use pmesh_layers::{
    body_limit::BodyLimitLayer,
    buffer_body::{BufferBodyLayer, BufferMemory},
    response_timeout::ResponseTimeoutLayer,
};
use tower::{
    ServiceBuilder,
    layer::util::{Identity, Stack},
};

use crate::settings::Route;

/// The memory for the bodies of all routes.
const MEMORY: usize = 256 << 20;

/// Reads the bodies of requests. The limit of their length is checked before anything is read.
pub type BufferLayer = Stack<BufferBodyLayer, Stack<BodyLimitLayer, Identity>>;

/// The memory that all routes share.
pub fn memory() -> BufferMemory {
    BufferMemory::new(MEMORY)
}

/// The layer, if bodies are buffered. The same limits apply to the client as without it.
pub fn layer(route: &Route, body_min_rate: u64, memory: &BufferMemory) -> Option<BufferLayer> {
    if route.endpoints().is_empty() {
        return None;
    }
    let timeout = ResponseTimeoutLayer::new(route.response_timeout).min_rate(body_min_rate, route.stall_timeout);
    let buffer = BufferBodyLayer::new(route.middleware.buffer?).memory(memory.clone()).timeout(timeout);
    Some(ServiceBuilder::new().layer(BodyLimitLayer::new(route.max_body)).layer(buffer).into_inner())
}
