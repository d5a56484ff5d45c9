//! Passes upgrades, for example to WebSocket, between clients and backends over HTTP/1.1 and HTTP/2.
//!
//! Between the layers, an upgrade always looks like HTTP/1.1 (RFC 9110, 7.8): a GET with `Upgrade`, answered with 101.
//! HTTP/2 uses an extended CONNECT, answered with 200 (RFC 8441). Both edges translate, so any client reaches any
//! backend:
//!
//! ```text
//!  from the client                   between the layers                      to the backend
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
//! - **WebSocket** over HTTP/1.1 has a handshake that HTTP/2 does without: `Sec-WebSocket-Key`, and
//!   `Sec-WebSocket-Accept`, which proves that the server has understood it. [`ExtendedConnectLayer`] sends a key on
//!   behalf of an HTTP/2 client and checks the backend's proof. [`Http2Pool`](crate::pool::Http2Pool) makes the proof
//!   for an HTTP/1.1 client if the backend speaks HTTP/2.
//! - **Handing over** works the same on both sides and for both versions. hyper's server adds an
//!   [`OnUpgrade`](hyper::upgrade::OnUpgrade) to the extensions of the request, and hyper's client adds one to the
//!   extensions of the response. [`TunnelLayer`] takes both. It also takes what must be kept while the tunnel is open:
//!   the client's [`ConnInfo`](crate::conn::ConnInfo), and the pool's stream.
//! - **Copying**: one task per tunnel copies the bytes. It starts when the 101 passes [`TunnelLayer`].
//! - **Closing**: the task ends when both sides have ended, when either breaks or is reset, when neither side has sent
//!   a byte within [`TunnelLayer::timeout`], when a [`TunnelCloser`] closes it, and with the runtime. If one side ends,
//!   the other side sees the end, and may continue to send.
//!
//! Requests that are not upgrades pass all of this unchanged. A refused upgrade gets an ordinary response. A 101 for a
//! protocol that was not requested is an error ([`UnexpectedUpgrade`]). So is a response to an extended CONNECT if it
//! is successful, but not a 101 ([`NotSwitched`]).

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
