//! A client for the admin API of a running node.

use std::{io, time::Duration};

use bytes::Bytes;
use http::{Method, Request, StatusCode, header::HOST};
use http_body_util::{BodyExt, Full, Limited};
use hyper::client::conn::http1::handshake;
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
        self.ask(Method::GET, path, Bytes::new()).await
    }

    /// Sends `POST path` and returns the response.
    ///
    /// # Errors
    ///
    /// [`ClientError`]
    pub async fn post<T: DeserializeOwned>(&self, path: &str) -> Result<T, ClientError> {
        self.ask(Method::POST, path, Bytes::new()).await
    }

    /// Sends `POST path` with `body` as JSON, and returns the response.
    ///
    /// # Errors
    ///
    /// [`ClientError`]
    pub async fn post_json<T: DeserializeOwned>(&self, path: &str, body: &impl Serialize) -> Result<T, ClientError> {
        let body = serde_json::to_vec(body).map_err(ClientError::Content)?;
        self.ask(Method::POST, path, body.into()).await
    }

    async fn ask<T: DeserializeOwned>(&self, method: Method, path: &str, body: Bytes) -> Result<T, ClientError> {
        let exchange = async {
            let connection = self.connect().await.map_err(ClientError::Connect)?;
            exchange(connection, self.host(), method, path, body).await.map_err(ClientError::Incomplete)
        };
        let (status, body) = timeout(PATIENCE, exchange).await.map_err(|_| ClientError::Late)??;
        match status {
            StatusCode::OK => serde_json::from_slice(&body).map_err(ClientError::Content),
            StatusCode::UNPROCESSABLE_ENTITY => {
                let report: ErrorReport = serde_json::from_slice(&body).map_err(ClientError::Content)?;
                Err(ClientError::Failed(report.message))
            }
            status => Err(ClientError::Status(status)),
        }
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

async fn exchange(
    connection: Box<dyn Connection>,
    host: String,
    method: Method,
    path: &str,
    body: Bytes,
) -> Result<(StatusCode, Bytes), BoxError> {
    let (mut sender, connection) = handshake(TokioIo::new(connection)).await?;
    let request = Request::builder().method(method).uri(path).header(HOST, host).body(Full::new(body))?;
    // The task ends when `sender` is dropped.
    tokio::spawn(connection);
    let response = sender.send_request(request).await?;
    let status = response.status();
    Ok((status, Limited::new(response.into_body(), MAX_BODY).collect().await?.to_bytes()))
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
