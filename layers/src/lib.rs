//! Tower layers of a reverse proxy.

pub mod balance;
pub mod conn;
pub mod connect;
pub mod forwarded;
pub mod framing;
mod future;
pub mod hop_by_hop;
pub mod host;
pub mod identity;
pub mod pool;
pub mod response_timeout;
pub mod route;
pub mod serve;
pub mod silence;
pub mod sni;
pub mod tunnel;

pub use future::ResponseFuture;
