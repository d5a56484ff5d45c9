//! The server of HTTP on one connection, behind a gate.

mod awake;
mod body;
mod budget;
mod counted;
mod drive;
mod entry;
mod frames;
mod reads;
mod served;
mod server;
mod streams;
mod turn;

pub use body::InFlightBody;
pub use server::{Ended, HttpServer, Protocol};
