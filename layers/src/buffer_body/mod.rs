//! Reads short request bodies before it passes the request on, so that the request can be sent again.
//!
//! A backend can close a connection after it has received the whole request. A [`Balance`](crate::balance::Balance) then
//! sends a request without a body to another endpoint, if its method is idempotent. Inside this layer, it does the same for
//! requests with a body. And slow clients do not tie up workers of the backend.
//!
//! ```
//! # #[cfg(feature = "client")]
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), tower::BoxError> {
//! use bytes::Bytes;
//! use http::{Request, Uri};
//! use http_body_util::Full;
//! use pmesh_layers::{balance::Balance, buffer_body::BufferBodyLayer, connect::SourceConnector, pool::Pool};
//! use tower::{ServiceBuilder, ServiceExt};
//! # use tokio::{io::{AsyncReadExt, AsyncWriteExt}, net::TcpListener};
//! # let [first, second] = [TcpListener::bind("127.0.0.1:0").await?, TcpListener::bind("127.0.0.1:0").await?];
//! # let (breaks, works) = (first.local_addr()?.to_string(), second.local_addr()?.to_string());
//! # for (listener, response) in [(first, ""), (second, "HTTP/1.1 201 Created\r\ncontent-length: 0\r\n\r\n")] {
//! #     tokio::spawn(async move {
//! #         let (mut stream, _) = listener.accept().await?;
//! #         let (mut request, mut buffer) = (Vec::new(), [0; 1024]);
//! #         while !request.ends_with(b"\r\n\r\nbody") {
//! #             let read = stream.read(&mut buffer).await?;
//! #             request.extend_from_slice(&buffer[..read]);
//! #         }
//! #         stream.write_all(response.as_bytes()).await
//! #     });
//! # }
//!
//! let pool = |address: &str| {
//!     let uri: Uri = format!("http://{address}").parse().unwrap();
//!     (address.to_owned(), Pool::new(SourceConnector::new(), uri))
//! };
//! // The first endpoint reads the request, and closes the connection without a response.
//! let upstream = Balance::new([pool(&breaks), pool(&works)]);
//! let service = ServiceBuilder::new().layer(BufferBodyLayer::new(64 * 1024)).service(upstream);
//! let request = Request::put("/").body(Full::<Bytes>::from("body"))?;
//! assert_eq!(service.oneshot(request).await?.status(), 201);
//! # Ok(())
//! # }
//! # #[cfg(not(feature = "client"))]
//! # fn main() {}
//! ```

mod future;
mod layer;
mod memory;
mod read;
mod resumed;
#[cfg(test)]
mod tests;

pub use future::BufferBodyFuture;
pub use layer::{BufferBody, BufferBodyLayer};
pub(crate) use memory::Buffer;
pub use memory::BufferMemory;
