//! The server of HTTP on one connection, behind a gate.

mod body;
mod drive;
mod entry;
mod server;

pub use body::InFlightBody;
pub use server::{Ended, HttpServer, Protocol};
