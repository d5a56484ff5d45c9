//! One client of each kind.

use std::{
    net::{Ipv4Addr, SocketAddr},
    sync::Arc,
    time::Duration,
};

use bytes::Bytes;
use http::{Request, StatusCode};
use http_body_util::{BodyExt, Empty};
use hyper::client::conn::http2;
use hyper_util::rt::{TokioExecutor, TokioIo};
use rustls::{ClientConfig, client::Resumption, pki_types::ServerName};
use tokio::{
    io::{AsyncRead, AsyncReadExt, AsyncWrite},
    net::TcpStream,
    task::{JoinSet, spawn_blocking},
};
use tokio_rustls::{TlsConnector, client::TlsStream};
use tower::BoxError;
use tungstenite::Message;

use super::support::{
    harness::{Program, tls::Tls},
    proxy::HOST,
    wire::{Wire, connect},
};

/// The addresses of the proxy, and the authority to trust.
pub struct Target {
    http: SocketAddr,
    https: SocketAddr,
    without_resumption: Arc<ClientConfig>,
    http2: Arc<ClientConfig>,
}

impl Target {
    pub fn of(program: &Program) -> Self {
        let tls = Tls::trusting(program);
        let mut config = Arc::unwrap_or_clone(tls.config());
        config.resumption = Resumption::disabled();
        let http2 = tls.alpn(&["h2"]).config();
        Self { http: program.http(), https: program.https(), without_resumption: Arc::new(config), http2 }
    }

    async fn connect(&self) -> Result<Wire<TcpStream>, BoxError> {
        Ok(Wire::new(connect(Ipv4Addr::new(127, 4, 0, 2), self.http).await?))
    }

    async fn connect_tls(&self, config: &Arc<ClientConfig>) -> Result<TlsStream<TcpStream>, BoxError> {
        let stream = connect(Ipv4Addr::new(127, 4, 0, 3), self.https).await?;
        Ok(TlsConnector::from(Arc::clone(config)).connect(ServerName::try_from(HOST)?, stream).await?)
    }

    pub async fn tls(&self) -> Result<(), BoxError> {
        let stream = self.connect_tls(&self.without_resumption).await?;
        exchange(&mut Wire::new(stream), &get("/tls")).await?;
        Ok(())
    }

    /// Sends this many concurrent requests on one connection.
    pub async fn http2(&self, requests: usize) -> Result<(), BoxError> {
        let stream = TokioIo::new(self.connect_tls(&self.http2).await?);
        let (sender, connection) = http2::handshake(TokioExecutor::new(), stream).await?;
        let connection = tokio::spawn(connection);
        let mut answers = JoinSet::new();
        for _ in 0..requests {
            let mut sender = sender.clone();
            answers.spawn(async move {
                let request = Request::get(format!("https://{HOST}/http2")).body(Empty::<Bytes>::new())?;
                sender.ready().await?;
                let response = sender.send_request(request).await?;
                expect(response.status() == StatusCode::OK, || response.status().to_string())?;
                response.into_body().collect().await?;
                Ok::<_, BoxError>(())
            });
        }
        while let Some(answer) = answers.join_next().await {
            answer??;
        }
        drop(sender);
        Ok(connection.await??)
    }

    /// Sends this many messages, and waits for the echo of each.
    pub async fn websocket(&self, messages: usize) -> Result<(), BoxError> {
        let stream = self.connect().await?.into_parts().0.into_std()?;
        stream.set_nonblocking(false)?;
        stream.set_read_timeout(Some(Duration::from_secs(5)))?;
        spawn_blocking(move || {
            let (mut socket, _) = tungstenite::client(format!("ws://{HOST}/websocket"), stream)?;
            for number in 0..messages {
                let message = Message::text(format!("message {number}"));
                socket.send(message.clone())?;
                expect(socket.read()? == message, || "another message".to_owned())?;
            }
            socket.close(None)?;
            expect(socket.read()?.is_close(), || "no close".to_owned())
        })
        .await?
    }

    pub async fn upload(&self, size: usize) -> Result<(), BoxError> {
        let mut request =
            format!("POST /upload HTTP/1.1\r\nHost: {HOST}\r\nContent-Length: {size}\r\n\r\n").into_bytes();
        request.resize(request.len() + size, b'x');
        exchange(&mut self.connect().await?, &request).await
    }

    pub async fn leave_request(&self) -> Result<(), BoxError> {
        let request = format!("POST /left HTTP/1.1\r\nHost: {HOST}\r\nContent-Length: 100000\r\n\r\nthe start");
        Ok(self.connect().await?.send(request.as_bytes()).await?)
    }

    pub async fn leave_response(&self) -> Result<(), BoxError> {
        let mut wire = self.connect().await?;
        wire.send(&get("/size/1048576")).await?;
        wire.stream.read_exact(&mut [0; 1000]).await?;
        Ok(())
    }

    pub async fn reset(&self) -> Result<(), BoxError> {
        let mut wire = self.connect().await?;
        wire.send(&get("/reset")).await?;
        Ok(wire.stream.set_zero_linger()?)
    }
}

fn get(path: &str) -> Vec<u8> {
    format!("GET {path} HTTP/1.1\r\nHost: {HOST}\r\n\r\n").into_bytes()
}

async fn exchange<S: AsyncRead + AsyncWrite + Unpin>(wire: &mut Wire<S>, request: &[u8]) -> Result<(), BoxError> {
    wire.send(request).await?;
    let head = wire.head().await?.ok_or("ended without a response")?;
    expect(head.status() == Some(200), || head.word(1).to_owned())?;
    wire.body(&head).await?;
    Ok(())
}

fn expect(condition: bool, error: impl FnOnce() -> String) -> Result<(), BoxError> {
    if condition { Ok(()) } else { Err(error().into()) }
}
