//! The server of HTTP on one connection, behind a gate.

mod awake;
mod body;
mod drive;
mod ended;
mod entry;
mod http1;
mod http2;
mod protocol;
mod served;
mod server;
mod settings;

pub use body::InFlightBody;
pub use ended::Ended;
pub use protocol::Protocol;
pub use server::HttpServer;
