//! Helpers that the tests share.

pub(crate) mod backend;
pub(crate) mod client;
pub(crate) mod http2;
pub(crate) mod node;
pub(crate) mod readings;
pub(crate) mod tls;
