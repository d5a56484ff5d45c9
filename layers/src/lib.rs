//! Tower layers for reverse proxies, including proxies that stay silent until a client names a served host.
//!
//! Each layer, service and connector works alone, on any tower or hyper server. Stacked, they make a proxy:
//!
//! ```text
//!  accept ─▶ SniAcceptor ─▶ HttpServer, behind a Gate                      one connection
//!            https only          │  silence: an error closes the connection without a byte
//!                                ▼
//!  Request + ConnInfo ─▶ HostLayer ─▶ OpenGateLayer ─▶ DistrustLayer       the client has named a served host
//!                                          │  from here on, errors can be answered
//!                                          ▼
//!      TrailersLayer ─▶ SniMatchLayer ─▶ ExtendedConnectLayer ─▶ FramingLayer
//!                                          │
//!                                          ▼
//!      HopByHopLayer ─▶ ForwardedLayer ─▶ CdnLoopLayer ─▶ TunnelLayer
//!                                          │
//!                                          ▼
//!      Router ─▶ BodyLimitLayer ─▶ Balance ─▶ ResponseTimeout ─▶ Pool or Http2Pool ─▶ SourceConnector ─▶ backend
//! ```
//!
//! # Modules
//!
//! | module | what it does | feature |
//! | --- | --- | --- |
//! | [`host`] | lets through only requests for a served host | |
//! | [`sni`] | accepts TLS only for served names; rejects requests for a host other than the SNI | `tls` for the acceptor |
//! | [`silence`] | sends nothing until the client has named a served host; closes connections with a FIN | `server` |
//! | [`serve`] | serves HTTP/1.1 and HTTP/2 on a connection | `server` |
//! | [`conn`] | adds information about the client connection to each request | |
//! | [`framing`] | rejects requests that two servers could read differently | |
//! | [`body`] | one type for request bodies and one for response bodies | |
//! | [`body_limit`] | limits the length of request bodies | |
//! | [`buffer_body`] | reads short request bodies first, so that requests can be sent again | |
//! | [`hop_by_hop`] | removes headers that are meant for a single connection | |
//! | [`forwarded`] | determines the client's address; sets `Forwarded`, `X-Forwarded-*` and `X-Real-IP`, and removes forged ones | |
//! | [`cdn_loop`] | detects request loops with `CDN-Loop` | |
//! | [`via`] | adds `Via` to requests | |
//! | [`trailers`] | drops trailers that could be mistaken for headers | |
//! | [`upgrade`] | tunnels upgrades, such as WebSocket, over HTTP/1.1 and HTTP/2 | `upgrade` |
//! | [`respond`] | turns errors into responses, using a table that you can change | |
//! | [`redirect`] | redirects to another URL, built from parts of the request | `regex` for regular expressions |
//! | [`https_redirect`] | redirects requests without TLS to HTTPS | |
//! | [`hsts`] | tells browsers to use HTTPS only | |
//! | [`client_filter`] | allows and denies clients by address | |
//! | [`rate_limit`] | limits how many requests pass in a span of time, by client, header or in total | `rate-limit` |
//! | [`max_in_flight`] | limits how many requests are in flight at once, up to the end of their responses | |
//! | [`forward_auth`] | asks an authentication server about each request | |
//! | [`jwt`] | lets in requests with a valid JSON Web Token; sends its claims in headers | `jwt` |
//! | [`edit_headers`] | sets, adds and removes headers of requests and responses | |
//! | [`mirror`] | sends copies of requests to a second service | |
//! | [`edit_path`] | rewrites the path of requests, removes and adds prefixes | `regex` for regular expressions |
//! | [`error_pages`] | replaces the bodies of error responses with pages of your own | |
//! | [`maintenance`] | answers with 503 while a switch is on | |
//! | [`files`] | serves files from a folder | `files` |
//! | [`fixed_response`] | responds with a status and a text, or not at all | |
//! | [`route`] | picks a service by host, path and conditions; strips prefixes | `regex` for regular expressions |
//! | [`balance`] | spreads requests over endpoints, with retries and passive health checks | |
//! | [`wait_ready`] | lets requests wait until a service is ready, up to a timeout | |
//! | [`response_timeout`] | limits the time to wait for a response | |
//! | [`stall`] | sets how long a response on an `HttpServer` may go without progress | |
//! | [`pool`] | reuses connections to an endpoint, over HTTP/1.1 or HTTP/2 | `client` |
//! | [`connect`] | connects to backends: from many source addresses, over TLS, and to Unix sockets | `client`; `tls` for TLS |
//! | [`address_pool`] | assigns stable addresses or ports to keys | |
//! | [`identity`] | derives a certificate authority from a secret, and issues certificates | `identity` |
//! | [`node`] | connects programs that share a secret, and stays silent towards all others | `node` |
//! | [`causes`] | prints an error with its causes | |
//!
//! # A silent proxy
//!
//! This example needs the features `client` and `server`. A client that does not name the host `example.com` receives
//! nothing.
//!
//! ```
//! use std::time::Duration;
//! use pmesh_layers::{
//!     conn::ConnInfo,
//!     connect::SourceConnector,
//!     host::{HostLayer, HostSet},
//!     pool::Pool,
//!     serve::{HttpServer, Protocol},
//!     silence::OpenGateLayer,
//! };
//! use tokio::{io::{AsyncReadExt, AsyncWriteExt}, net::{TcpListener, TcpStream}, time::sleep};
//! use tower::{BoxError, ServiceBuilder};
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), BoxError> {
//! # let backend = TcpListener::bind("127.0.0.1:0").await?;
//! # let endpoint = format!("http://{}", backend.local_addr()?);
//! # tokio::spawn(async move {
//! #     let (mut stream, _) = backend.accept().await?;
//! #     stream.read(&mut [0; 1024]).await?;
//! #     stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\nhello").await
//! # });
//! let pool = Pool::new(SourceConnector::new().subnet("127.2.0.0/16".parse()?), endpoint.parse()?);
//! let stack = ServiceBuilder::new()
//!     .layer(HostLayer::new(HostSet::new(["example.com".parse()?])))
//!     .layer(OpenGateLayer::new())
//!     .service(pool);
//!
//! let listener = TcpListener::bind("127.0.0.1:0").await?;
//! let address = listener.local_addr()?;
//! tokio::spawn(async move {
//!     loop {
//!         let Ok((stream, peer)) = listener.accept().await else {
//!             // Perhaps no descriptors are left. The next attempt may work.
//!             sleep(Duration::from_millis(100)).await;
//!             continue;
//!         };
//!         let stack = stack.clone();
//!         tokio::spawn(async move {
//!             HttpServer::new().serve(stream, ConnInfo::plain(peer), Protocol::Http1, stack).await
//!         });
//!     }
//! });
//!
//! for (host, answered) in [("example.com", true), ("127.0.0.1", false)] {
//!     let mut client = TcpStream::connect(address).await?;
//!     client.write_all(format!("GET / HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n").as_bytes()).await?;
//!     let mut answer = String::new();
//!     client.read_to_string(&mut answer).await?;
//!     assert_eq!(answer.ends_with("hello"), answered);
//!     assert_eq!(answer.is_empty(), !answered);
//! }
//! # Ok(())
//! # }
//! ```
//!
//! # A proxy on axum
//!
//! This example needs the features `client` and `upgrade`. Every request gets a response, here from one of two
//! backends.
//!
//! ```
//! use std::{net::SocketAddr, time::Duration};
//! use axum::{Router, extract::ConnectInfo};
//! use pmesh_layers::{
//!     balance::{Balance, connect_share},
//!     conn::{ConnInfo, ConnInfoLayer},
//!     connect::SourceConnector,
//!     forwarded::{DistrustLayer, ForwardedLayer, TrustedProxies},
//!     hop_by_hop::HopByHopLayer,
//!     pool::Pool,
//!     respond::RespondLayer,
//!     upgrade::TunnelLayer,
//! };
//! use tower::{BoxError, ServiceBuilder};
//!
//! # fn main() -> Result<(), BoxError> {
//! let connector = SourceConnector::new().subnet("127.2.0.0/16".parse()?);
//! // If one endpoint does not connect, there must be time left for the other.
//! let share = connect_share(Duration::from_secs(5), 2);
//! let pool = |uri| Pool::new(connector.clone(), http::Uri::from_static(uri)).connect_within(share);
//! let upstream = Balance::new([("a", pool("http://127.0.0.1:9001")), ("b", pool("http://127.0.0.1:9002"))]);
//!
//! let stack = ServiceBuilder::new()
//!     // Errors become responses: 502, 503, 504, ...
//!     .layer(RespondLayer::new())
//!     .layer(ConnInfoLayer::new(|extensions| {
//!         let ConnectInfo(peer) = extensions.get::<ConnectInfo<SocketAddr>>()?;
//!         Some(ConnInfo::plain(*peer))
//!     }))
//!     // Remove what clients claim about themselves, then the hop-by-hop headers. Then add our own.
//!     .layer(DistrustLayer::new(TrustedProxies::none()))
//!     .layer(HopByHopLayer::new())
//!     .layer(ForwardedLayer::new(TrustedProxies::none()))
//!     // Without it, a backend's 101 reaches the client, but no bytes do.
//!     .layer(TunnelLayer::new())
//!     .service(upstream);
//! let app = Router::new().fallback_service(stack).into_make_service_with_connect_info::<SocketAddr>();
//! // axum::serve(listener, app).await?;
//! # drop(app);
//! # Ok(())
//! # }
//! ```
//!
//! # Features
//!
//! No feature is on by default, so that a header layer does not bring TLS with it. Without features, the dependency tree
//! has 28 crates, including this one. There are no sockets, no HTTP server and no cryptography in it, and it needs no C
//! compiler.
//!
//! | feature | what it adds |
//! | --- | --- |
//! | `server` | the HTTP server and its gate |
//! | `client` | connectors and pools; turns on `upgrade` |
//! | `upgrade` | tunnels |
//! | `tls` | TLS with rustls; you choose the crypto provider in the configuration that you pass |
//! | `identity` | the authority and its certificates; compiles aws-lc, which needs a C compiler |
//! | `node` | connections between nodes; turns on `identity` and `tls` |
//! | `rate-limit` | limits on the rate of requests |
//! | `jwt` | JSON Web Tokens; compiles aws-lc, which needs a C compiler |
//! | `files` | static files, on Unix |
//! | `regex` | routes by regular expression |
//! | `full` | all of these |
//!
//! # Errors and silence
//!
//! A layer that rejects a request returns an error of its own type in a [`BoxError`](tower::BoxError). An outer layer
//! or the server decides what happens next.
//!
//! - If an error reaches [`HttpServer`](serve::HttpServer), the request gets no response and the connection is closed.
//!   There are a few exceptions once the client has named a served host: for example, a malformed host gets 400.
//! - A [`RespondLayer`](respond::RespondLayer) inside [`OpenGateLayer`](silence::OpenGateLayer) turns errors into
//!   responses, using a table of statuses that you can change.
//!
//! Silence needs a server that can close a connection without a response. So accept connections yourself and serve them
//! with [`HttpServer`](serve::HttpServer). Other servers, such as `axum::serve`, respond to every request, and some
//! write before the first request. There, make a `RespondLayer` the outermost layer and choose the response.
//!
//! # Extensions
//!
//! Layers share what they know about a request in its extensions. A layer that cannot work without an extension fails
//! with [`MissingExtension`], which says what to add. A layer that only uses an extension also works without it, but
//! does less.
//!
//! | extension | set by | needed by | used by |
//! | --- | --- | --- | --- |
//! | [`ConnInfo`](conn::ConnInfo) | `HttpServer`; on other servers [`ConnInfoLayer`](conn::ConnInfoLayer) | `SniMatchLayer`, `DistrustLayer`, `ForwardedLayer`, `ClientFilterLayer`, `RateLimitLayer` by client | `OpenGateLayer`, `TrailersLayer`, `TunnelLayer`, `Balance`, pools, `Redirect`, `HttpsRedirectLayer`, `ForwardAuthLayer`, `HstsLayer`, [`Conditions`](route::Conditions) on clients; log lines of `HostLayer` |
//! | [`HostName`](host::HostName) | `HostLayer` | `Router`; `SniMatchLayer` over TLS | `Redirect`, `HttpsRedirectLayer` |
//! | [`ClientAddr`](forwarded::ClientAddr) | `DistrustLayer`, if the client is not the peer | | [`Conditions`](route::Conditions) on clients; [`ClientAddr::from_extensions`](forwarded::ClientAddr::from_extensions), for your own layers |
//! | [`Attempts`](balance::Attempts) | your own layer | | `Balance`, which fills it in |
//! | [`Cause`](respond::Cause), in a response | `RespondLayer` | `ErrorPagesLayer` | your own layers, to log or count failures |
//! | [`StallTimeouts`](stall::StallTimeouts), in a response | `StallLayer`, or your own service | | `HttpServer` |
//!
//! # Types of other crates
//!
//! Most types in public signatures come from crates at 1.0: `http`, `http-body`, `bytes`, `hyper`, `tokio`, `ipnet`,
//! `zeroize`, `rustls-pki-types`. A breaking release of one of the following crates is a breaking release of this one:
//!
//! | crate | what is used | where, and why |
//! | --- | --- | --- |
//! | `tower` 0.5 | `Service`, `Layer` (from `tower-service` and `tower-layer` 0.3), `BoxError` | everywhere: they define a layer |
//! | `rustls` 0.23 | `ServerConfig`, `ClientConfig`, `Error` | `sni`, `connect`, `node`: you configure TLS with them |
//! | `tokio-rustls` 0.26 | `TlsStream` | `sni`, `connect`, `node`: the result of a handshake |
//! | `hyper-util` 0.1 | `TokioIo` | `connect`, `node`: connectors return what hyper's connectors return |
#![cfg_attr(docsrs, feature(doc_cfg))]
// Without all features, some shared items are unused, and some links have no target.
#![cfg_attr(not(feature = "full"), allow(dead_code, unused_imports, unused_macros, rustdoc::broken_intra_doc_links))]

#[cfg(doctest)]
#[doc = include_str!("../README.md")]
mod readme {}

#[cfg(doctest)]
#[doc = include_str!("../../docs/layers.md")]
mod guide {}

#[macro_use]
mod inner;
#[macro_use]
mod write_half;

pub mod address_pool;
mod any;
pub mod balance;
pub mod body;
pub mod body_limit;
pub mod buffer_body;
mod call;
pub mod causes;
pub mod cdn_loop;
mod cgi_name;
pub mod client_filter;
mod client_scheme;
pub mod conn;
#[cfg(feature = "client")]
pub mod connect;
mod durations;
pub mod edit_headers;
pub mod edit_path;
pub mod error_pages;
#[cfg(feature = "files")]
pub mod files;
pub mod fixed_response;
pub mod forward_auth;
pub mod forwarded;
mod frame_head;
pub mod framing;
mod future;
mod hash;
pub mod hop_by_hop;
pub mod host;
mod host_name;
pub mod hsts;
pub mod https_redirect;
#[cfg(feature = "identity")]
pub mod identity;
#[cfg(feature = "jwt")]
pub mod jwt;
pub mod maintenance;
pub mod max_in_flight;
pub mod mirror;
mod missing;
#[cfg(feature = "node")]
pub mod node;
mod plain;
#[cfg(feature = "client")]
pub mod pool;
mod quoted_list;
#[cfg(feature = "rate-limit")]
pub mod rate_limit;
pub mod redirect;
pub mod respond;
pub mod response_timeout;
pub mod route;
#[cfg(feature = "server")]
pub mod serve;
#[cfg(feature = "server")]
pub mod silence;
pub mod sni;
pub mod stall;
mod stream_kind;
mod token;
pub mod trailers;
#[cfg(feature = "upgrade")]
pub mod upgrade;
pub mod via;
pub mod wait_ready;

pub use future::ResponseFuture;
pub use missing::MissingExtension;
