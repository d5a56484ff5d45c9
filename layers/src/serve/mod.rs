//! Serves HTTP/1.1 and HTTP/2 on connections that you accept, and stays silent until the client has named a served
//! host.
//!
//! [`HttpServer::serve`] takes a connection, its [`ConnInfo`](crate::conn::ConnInfo), a [`Protocol`] and a tower
//! service. It returns a future that resolves to how the connection [`Ended`]. Put an
//! [`OpenGateLayer`](crate::silence::OpenGateLayer) into the service: nothing is sent before a request has passed
//! through it. See [`HttpServer`] for an example, and for its timeouts and limits.

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
