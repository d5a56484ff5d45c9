//! A client for the admin API of a running node.

use std::{io, ops::ControlFlow, time::Duration};

use bytes::Bytes;
use http::{Method, Request, Response, StatusCode, header::HOST};
use http_body_util::{BodyExt, Full, Limited};
use hyper::{body::Incoming, client::conn::http1::handshake};
use hyper_util::rt::TokioIo;
use serde::{Serialize, de::DeserializeOwned};
use tokio::{
    net::{TcpStream, UnixStream},
    time::timeout,
};
use tower::BoxError;

use super::{report::ErrorReport, serve::Connection};
use crate::settings::Admin;

/// Maximum size of a response, in bytes: enough for a hundred thousand routes.
const MAX_BODY: usize = 64 * 1024 * 1024;
/// How long to wait for a response. A reload reads all files, so this is long.
const PATIENCE: Duration = Duration::from_secs(60);

/// Sends requests to the admin API, each over a new connection.
#[derive(Debug)]
pub struct Client<'a>(&'a Admin);

impl<'a> Client<'a> {
    /// Creates a client for the address in `admin`.
    pub fn new(admin: &'a Admin) -> Self {
        Self(admin)
    }

    /// Sends `GET path` and returns the response.
    ///
    /// # Errors
    ///
    /// [`ClientError`]
    pub async fn get<T: DeserializeOwned>(&self, path: &str) -> Result<T, ClientError> {
        self.ask(Method::GET, path, Bytes::new(), Some(PATIENCE)).await
    }

    /// Sends `POST path` and returns the response.
    ///
    /// # Errors
    ///
    /// [`ClientError`]
    pub async fn post<T: DeserializeOwned>(&self, path: &str) -> Result<T, ClientError> {
        self.ask(Method::POST, path, Bytes::new(), Some(PATIENCE)).await
    }

    /// Sends `POST path` and returns the response, however long it takes.
    ///
    /// # Errors
    ///
    /// [`ClientError`]
    pub async fn post_patiently<T: DeserializeOwned>(&self, path: &str) -> Result<T, ClientError> {
        self.ask(Method::POST, path, Bytes::new(), None).await
    }

    /// Sends `GET path` and passes each line of the response to `take` as it comes, until there are no more or `take`
    /// returns [`ControlFlow::Break`].
    ///
    /// # Errors
    ///
    /// [`ClientError`]
    pub async fn stream<T: DeserializeOwned>(
        &self,
        path: &str,
        mut take: impl FnMut(T) -> ControlFlow<()>,
    ) -> Result<(), ClientError> {
        let mut body = match self.open(Method::GET, path, Bytes::new(), Some(PATIENCE)).await? {
            (StatusCode::OK, body) => body,
            (status, body) => return Err(failure(status, body).await),
        };
        let mut buffer = Vec::new();
        while let Some(frame) = body.frame().await {
            let frame = frame.map_err(|error| ClientError::Incomplete(error.into()))?;
            let Ok(data) = frame.into_data() else { continue };
            for piece in data.split_inclusive(|byte| *byte == b'\n') {
                buffer.extend_from_slice(piece);
                if buffer.len() > MAX_BODY {
                    return Err(ClientError::Incomplete("a line is too long".into()));
                }
                if piece.ends_with(b"\n") {
                    if take(serde_json::from_slice(&buffer).map_err(ClientError::Content)?).is_break() {
                        return Ok(());
                    }
                    buffer.clear();
                }
            }
        }
        Ok(())
    }

    /// Sends `POST path` with `body` as JSON, and returns the response.
    ///
    /// # Errors
    ///
    /// [`ClientError`]
    pub async fn post_json<T: DeserializeOwned>(&self, path: &str, body: &impl Serialize) -> Result<T, ClientError> {
        let body = serde_json::to_vec(body).map_err(ClientError::Content)?;
        self.ask(Method::POST, path, body.into(), Some(PATIENCE)).await
    }

    async fn ask<T: DeserializeOwned>(
        &self,
        method: Method,
        path: &str,
        body: Bytes,
        patience: Option<Duration>,
    ) -> Result<T, ClientError> {
        let exchange = async {
            match self.open(method, path, body, None).await? {
                (StatusCode::OK, body) => serde_json::from_slice(&whole(body).await?).map_err(ClientError::Content),
                (status, body) => Err(failure(status, body).await),
            }
        };
        within(patience, exchange).await
    }

    /// Sends a request, and returns the status and the unread body of the response.
    async fn open(
        &self,
        method: Method,
        path: &str,
        body: Bytes,
        patience: Option<Duration>,
    ) -> Result<(StatusCode, Incoming), ClientError> {
        let exchange = async {
            let connection = self.connect().await.map_err(ClientError::Connect)?;
            send(connection, self.host(), method, path, body).await.map_err(ClientError::Incomplete)
        };
        let (parts, body) = within(patience, exchange).await?.into_parts();
        Ok((parts.status, body))
    }

    async fn connect(&self) -> io::Result<Box<dyn Connection>> {
        Ok(match self.0 {
            Admin::Unix(path) => Box::new(UnixStream::connect(path).await?),
            Admin::Tcp(address) => Box::new(TcpStream::connect(address).await?),
            Admin::Off => return Err(io::ErrorKind::NotFound.into()),
        })
    }

    fn host(&self) -> String {
        match self.0 {
            Admin::Tcp(address) => address.to_string(),
            Admin::Unix(_) | Admin::Off => "localhost".to_owned(),
        }
    }
}

async fn within<T>(
    patience: Option<Duration>,
    exchange: impl Future<Output = Result<T, ClientError>>,
) -> Result<T, ClientError> {
    match patience {
        Some(patience) => timeout(patience, exchange).await.map_err(|_| ClientError::Late)?,
        None => exchange.await,
    }
}

async fn send(
    connection: Box<dyn Connection>,
    host: String,
    method: Method,
    path: &str,
    body: Bytes,
) -> Result<Response<Incoming>, BoxError> {
    let (mut sender, connection) = handshake(TokioIo::new(connection)).await?;
    let request = Request::builder().method(method).uri(path).header(HOST, host).body(Full::new(body))?;
    // The task ends with the response, because `sender` is dropped before that.
    tokio::spawn(connection);
    Ok(sender.send_request(request).await?)
}

async fn whole(body: Incoming) -> Result<Bytes, ClientError> {
    Ok(Limited::new(body, MAX_BODY).collect().await.map_err(ClientError::Incomplete)?.to_bytes())
}

/// The error for a response whose status is not 200.
async fn failure(status: StatusCode, body: Incoming) -> ClientError {
    if status != StatusCode::UNPROCESSABLE_ENTITY {
        return ClientError::Status(status);
    }
    match whole(body).await.map(|body| serde_json::from_slice::<ErrorReport>(&body)) {
        Ok(Ok(report)) => ClientError::Failed(report.message),
        Ok(Err(error)) => ClientError::Content(error),
        Err(error) => error,
    }
}

/// Why there is no usable response from the admin API.
#[derive(Debug, thiserror::Error)]
pub enum ClientError {
    /// Nothing listens there, or the socket is not accessible.
    #[error("cannot connect")]
    Connect(#[source] io::Error),
    /// The connection failed, or was closed before the end of the response.
    #[error("the node did not send a complete response")]
    Incomplete(#[source] BoxError),
    /// The response took too long.
    #[error("the node did not respond within {} s", PATIENCE.as_secs())]
    Late,
    /// An unexpected status. The node probably runs another version.
    #[error("the node responded with {0}; does it run another version?")]
    Status(StatusCode),
    /// An unexpected body. The node probably runs another version.
    #[error("cannot read the node's response; does it run another version?")]
    Content(#[source] serde_json::Error),
    /// The node could not do what was requested. Holds its reason.
    #[error("{0}")]
    Failed(String),
}
