//! Tower layers of a reverse proxy.

pub mod connect;
pub mod host;
pub mod identity;
