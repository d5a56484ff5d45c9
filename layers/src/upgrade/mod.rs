//! Upgrades, such as to WebSocket, between clients and backends of either version of HTTP.
//!
//! Between the layers, an upgrade always looks as in HTTP/1.1 (RFC 9110, 7.8): a GET with `Upgrade`, answered with 101.
//! HTTP/2 asks by extended CONNECT and answers with 200 (RFC 8441). It is translated at both edges, so any client
//! reaches any backend:
//!
//! ```text
//!  the client asks                   between the layers                      the backend is asked
//!
//!  HTTP/1.1  GET, Upgrade ─────────────────────────┬─▶ TunnelLayer ─┬─▶ Pool ──────▶ GET, Upgrade         HTTP/1.1
//!  HTTP/2    CONNECT, :protocol ─▶ ExtendedConnect ┘   takes the    └─▶ Http2Pool ─▶ CONNECT, :protocol   HTTP/2
//!                                  GET, Upgrade        client's side
//!
//!  HTTP/1.1  101 ◀─────────────────────────────────┬── TunnelLayer ◀┬── Pool ◀────── 101                  HTTP/1.1
//!  HTTP/2    200 ◀──────────────── ExtendedConnect ┘   takes the    └── Http2Pool ◀─ 200                  HTTP/2
//!                                  checks the proof    backend's side   makes the proof
//!
//!  then      client ◀──── bytes ────▶ a task of TunnelLayer ◀──── bytes ────▶ backend
//! ```
//!
//! - **WebSocket** over HTTP/1.1 has a handshake that HTTP/2 does without: `Sec-WebSocket-Key`, and the proof that the
//!   server has understood it, `Sec-WebSocket-Accept`. [`ExtendedConnectLayer`] sends a key for a client of HTTP/2 and
//!   checks the backend's proof. [`Http2Pool`](crate::pool::Http2Pool) makes the proof for a client of HTTP/1.1 when the
//!   backend speaks HTTP/2.
//! - **Handing over** works the same on both sides and for both versions: hyper puts an
//!   [`OnUpgrade`](hyper::upgrade::OnUpgrade) into the extensions, its server into those of the request, its client into
//!   those of the response. [`TunnelLayer`] takes both. It also takes what has to be kept as long as the tunnel is open:
//!   the [`ConnInfo`](crate::conn::ConnInfo) of the client, and the pool's stream.
//! - **Copying** is done by one task for each tunnel, which starts when the 101 passes [`TunnelLayer`].
//! - **Closing**: the task ends when both sides have ended, when either breaks or is reset, when no byte has come from
//!   either side within [`TunnelLayer::timeout`], when a [`TunnelCloser`] says so, and with the runtime. An end of one
//!   side is passed on, and the other may go on sending.
//!
//! A request that is no upgrade passes all of this untouched. One whose upgrade is refused has an ordinary response. A
//! 101 for a protocol that was not asked for is an error ([`UnexpectedUpgrade`]), as is an extended CONNECT that the
//! backend answers like an ordinary GET ([`NotSwitched`]).

mod closer;
mod copy;
mod error;
mod extended_connect;
mod forms;
mod inbound;
mod outbound;
mod side;
mod tunnel;
mod watched;
mod websocket;

pub use closer::TunnelCloser;
pub use error::{MissingUpgrade, NotSwitched, UnexpectedUpgrade};
pub use extended_connect::{ExtendedConnect, ExtendedConnectFuture, ExtendedConnectLayer};
pub(crate) use outbound::Outbound;
pub use tunnel::{Tunnel, TunnelFuture, TunnelLayer};
