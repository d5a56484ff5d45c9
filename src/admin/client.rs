//! Asking the admin API of a running node.

use std::{io, time::Duration};

use bytes::Bytes;
use http::{Method, Request, StatusCode, header::HOST};
use http_body_util::{BodyExt, Empty, Limited};
use hyper::client::conn::http1::handshake;
use hyper_util::rt::TokioIo;
use serde::de::DeserializeOwned;
use tokio::{
    net::{TcpStream, UnixStream},
    time::timeout,
};
use tower::BoxError;

use super::{report::ErrorReport, serve::Connection};
use crate::settings::Admin;

/// Maximum size of an answer, in bytes: a hundred thousand routes.
const LONGEST: usize = 64 * 1024 * 1024;
/// How long an answer may take: a reload reads all files.
const PATIENCE: Duration = Duration::from_secs(60);

/// Asks the admin API, each time over a new connection.
#[derive(Debug)]
pub struct Client<'a>(&'a Admin);

impl<'a> Client<'a> {
    /// Asks where `admin` says.
    pub fn new(admin: &'a Admin) -> Self {
        Self(admin)
    }

    /// The answer to `GET path`.
    ///
    /// # Errors
    ///
    /// [`ClientError`]
    pub async fn get<T: DeserializeOwned>(&self, path: &str) -> Result<T, ClientError> {
        self.ask(Method::GET, path).await
    }

    /// The answer to `POST path`.
    ///
    /// # Errors
    ///
    /// [`ClientError`]
    pub async fn post<T: DeserializeOwned>(&self, path: &str) -> Result<T, ClientError> {
        self.ask(Method::POST, path).await
    }

    async fn ask<T: DeserializeOwned>(&self, method: Method, path: &str) -> Result<T, ClientError> {
        let exchange = async {
            let connection = self.connect().await.map_err(ClientError::Connect)?;
            exchange(connection, self.host(), method, path).await.map_err(ClientError::BrokenOff)
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
) -> Result<(StatusCode, Bytes), BoxError> {
    let (mut sender, connection) = handshake(TokioIo::new(connection)).await?;
    let request = Request::builder().method(method).uri(path).header(HOST, host).body(Empty::<Bytes>::new())?;
    // Ends with the exchange.
    tokio::spawn(connection);
    let response = sender.send_request(request).await?;
    let status = response.status();
    Ok((status, Limited::new(response.into_body(), LONGEST).collect().await?.to_bytes()))
}

/// Why there is no answer from the admin API.
#[derive(Debug, thiserror::Error)]
pub enum ClientError {
    /// Nobody listens, or the socket is not accessible.
    #[error("cannot connect")]
    Connect(#[source] io::Error),
    /// The connection has ended before the answer.
    #[error("the node closed the connection before it answered")]
    BrokenOff(#[source] BoxError),
    /// There is no answer.
    #[error("the node has not answered for {} s", PATIENCE.as_secs())]
    Late,
    /// The node has another version.
    #[error("the node answered {0}; is it another version?")]
    Status(StatusCode),
    /// The node has another version.
    #[error("the answer of the node cannot be read; is it another version?")]
    Content(#[source] serde_json::Error),
    /// The request failed, with the reason.
    #[error("{0}")]
    Failed(String),
}
