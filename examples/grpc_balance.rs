//! A tonic gRPC client that balances its calls over two servers, and keeps working when one of them dies.
//!
//! ```sh
//! cargo run --example grpc_balance
//!
//! # hello from a
//! # hello from b
//! # a is gone
//! # hello from b
//! # hello from b
//! ```

use std::{
    convert::Infallible,
    future::{Future, ready},
    net::SocketAddr,
    pin::Pin,
    task::{Context, Poll},
    thread,
};

use bytes::{Buf, BufMut};
use http::{Request, Response, uri::PathAndQuery};
use pmesh_layers::{
    balance::{Balance, Failure},
    body::RequestBody,
};
use tokio::{net::TcpListener, runtime::Builder, select, sync::oneshot};
use tonic::{
    Status,
    body::Body,
    codec::{Codec, DecodeBuf, Decoder, EncodeBuf, Encoder},
    server::NamedService,
    transport::{Channel, Server, server::TcpIncoming},
};
use tower::{BoxError, ServiceExt, service_fn};

const PATH: PathAndQuery = PathAndQuery::from_static("/hello.Hello/Say");

#[tokio::main]
async fn main() -> Result<(), BoxError> {
    let ((a, life_of_a), (b, _life_of_b)) = (start("a")?, start("b")?);

    let endpoint = |address: SocketAddr| {
        let channel = Channel::from_shared(format!("http://{address}"))?.connect_lazy();
        let channel = channel.map_request(|request: Request<RequestBody>| request.map(Body::new));
        Ok::<_, BoxError>((address.to_string(), channel))
    };
    // gRPC calls are POSTs with a body, so only the program knows whether they can be retried. These can.
    let classifier = |_: &BoxError| Failure::new().repeatable();
    let balance = Balance::new([endpoint(a)?, endpoint(b)?]).classify(classifier);

    // A generated client would do the same.
    let mut client = tonic::client::Grpc::new(balance);
    let mut say_hello = async || {
        client.ready().await?;
        println!("{}", client.unary(tonic::Request::new("hello".to_owned()), PATH, Text).await?.into_inner());
        Ok::<_, BoxError>(())
    };
    say_hello().await?;
    say_hello().await?;
    drop(life_of_a);
    println!("a is gone");
    say_hello().await?;
    say_hello().await?;
    Ok(())
}

/// Starts a server that appends its name to each message. It stops when the sender is dropped.
fn start(name: &'static str) -> Result<(SocketAddr, oneshot::Sender<()>), BoxError> {
    let listener = std::net::TcpListener::bind("127.0.0.1:0")?;
    listener.set_nonblocking(true)?;
    let address = listener.local_addr()?;
    let (life, death) = oneshot::channel();
    // Dropping the runtime closes the connections too.
    thread::spawn(move || {
        Builder::new_current_thread().enable_all().build()?.block_on(async {
            let incoming = TcpIncoming::from(TcpListener::from_std(listener)?);
            select! {
                ended = Server::builder().add_service(Hello(name)).serve_with_incoming(incoming) => Ok(ended?),
                _ = death => Ok::<_, BoxError>(()),
            }
        })
    });
    Ok((address, life))
}

/// The code that tonic generates from `service Hello { rpc Say(Text) returns (Text); }`.
#[derive(Clone)]
struct Hello(&'static str);

impl NamedService for Hello {
    const NAME: &'static str = "hello.Hello";
}

impl tower::Service<Request<Body>> for Hello {
    type Response = Response<Body>;
    type Error = Infallible;
    type Future = Pin<Box<dyn Future<Output = Result<Response<Body>, Infallible>> + Send>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<Body>) -> Self::Future {
        let name = self.0;
        let say = service_fn(move |request: tonic::Request<String>| {
            ready(Ok(tonic::Response::new(format!("{} from {name}", request.into_inner()))))
        });
        Box::pin(async move { Ok(tonic::server::Grpc::new(Text).unary(say, request).await) })
    }
}

/// Messages are plain text, so that this example does not need a compiler for protocol buffers.
struct Text;

impl Codec for Text {
    type Encode = String;
    type Decode = String;
    type Encoder = Self;
    type Decoder = Self;

    fn encoder(&mut self) -> Self {
        Self
    }

    fn decoder(&mut self) -> Self {
        Self
    }
}

impl Encoder for Text {
    type Item = String;
    type Error = Status;

    fn encode(&mut self, text: String, bytes: &mut EncodeBuf<'_>) -> Result<(), Status> {
        bytes.put(text.as_bytes());
        Ok(())
    }
}

impl Decoder for Text {
    type Item = String;
    type Error = Status;

    fn decode(&mut self, bytes: &mut DecodeBuf<'_>) -> Result<Option<String>, Status> {
        let text = String::from_utf8(bytes.copy_to_bytes(bytes.remaining()).into());
        text.map(Some).map_err(|_| Status::internal("not text"))
    }
}
