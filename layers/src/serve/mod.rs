//! The server of HTTP on one connection, behind a gate.
//!
//! For readers of the source: `state` has the table of what a connection does when. `served` holds it, `awake` and
//! `drive` run the server of `http1` or `http2`, `timing` says when something is late, and `ending` closes it.

mod awake;
mod body;
mod dispatch;
mod drive;
mod ended;
mod ending;
mod http1;
mod http2;
mod protocol;
mod served;
mod server;
mod settings;
mod state;
mod timing;

pub use body::InFlightBody;
pub use ended::Ended;
pub use protocol::Protocol;
pub use server::HttpServer;
