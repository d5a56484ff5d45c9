//! The server of HTTP on one connection, behind a gate.

mod awake;
mod body;
mod budget;
mod counted;
mod drive;
mod ended;
mod entry;
mod frames;
mod protocol;
mod reads;
mod served;
mod server;
mod settings;
mod streams;
mod turn;

pub use body::InFlightBody;
pub use ended::Ended;
pub use protocol::Protocol;
pub use server::HttpServer;
