//! A client of the API of another node.

use std::{error::Error, fmt, time::Duration};

use bytes::Bytes;
use http::{Request, StatusCode, Uri};
use http_body_util::{BodyExt, Empty, Limited};
use hyper::client::conn::http2::{Builder, SendRequest};
use hyper_util::rt::{TokioExecutor, TokioTimer};
use pmesh_layers::{
    connect::SourceConnector,
    identity::NodeName,
    node::{NodeConnector, NodeError, NodeIdentity},
};
use serde::de::DeserializeOwned;
use tokio::time::Instant;
use tower::{BoxError, ServiceExt};

use crate::settings::{API_HOST, endpoint::HostPort};

/// Maximum size of a response, in bytes: enough for a thousand nodes with a hundred routes each.
const MAX_BODY: usize = 16 * 1024 * 1024;

/// A client of one node's API. It reuses its connection as long as possible.
#[derive(Debug)]
pub struct NodeClient {
    connector: NodeConnector<SourceConnector>,
    peer: NodeName,
    addresses: Vec<HostPort>,
    max_age: Option<Duration>,
    connection: Option<Connection>,
}

/// A connection, and when it was opened.
type Connection = (SendRequest<Empty<Bytes>>, Instant);

impl NodeClient {
    /// Creates a client that connects to the node `peer` as `identity`, at the first of `addresses` that accepts.
    pub fn new(connector: SourceConnector, identity: NodeIdentity, peer: NodeName, addresses: Vec<HostPort>) -> Self {
        let connector = NodeConnector::new(connector, identity, peer.clone());
        Self { connector, peer, addresses, max_age: None, connection: None }
    }

    /// Sets the maximum age at which a connection gets another request. No maximum by default.
    #[must_use]
    pub fn max_age(mut self, age: Option<Duration>) -> Self {
        self.max_age = age;
        self
    }

    /// Requests `path`. Returns the response and how long it took, not counting the time to connect. There is no
    /// deadline: to give up, drop the future, which closes the connection.
    ///
    /// # Errors
    ///
    /// [`NodeClientError`]. The next call opens a new connection.
    pub async fn get<T: DeserializeOwned>(&mut self, path: &'static str) -> Result<(T, Duration), NodeClientError> {
        if let Some((mut sender, since)) = self.connection.take()
            && self.max_age.is_none_or(|age| since.elapsed() < age)
            // A connection that was closed in the meantime fails here, or in the exchange.
            && sender.ready().await.is_ok()
            && let Ok(answer) = self.exchange(&mut sender, path).await
        {
            self.connection = Some((sender, since));
            return Ok(answer);
        }
        let mut sender = self.connect().await?;
        let answer = self.exchange(&mut sender, path).await?;
        self.connection = Some((sender, Instant::now()));
        Ok(answer)
    }

    async fn connect(&self) -> Result<SendRequest<Empty<Bytes>>, NodeClientError> {
        let mut failure = None;
        for address in &self.addresses {
            match self.connect_to(address).await {
                Ok(sender) => return Ok(sender),
                Err(step) => failure = Some(step),
            }
        }
        Err(self.error(failure.unwrap_or(Step::NoAddress)))
    }

    async fn connect_to(&self, address: &HostPort) -> Result<SendRequest<Empty<Bytes>>, Step> {
        let uri = Uri::builder().scheme("https").authority(address.to_string()).path_and_query("/").build();
        let uri = uri.map_err(|error| Step::Http(error.into()))?;
        let io = self.connector.clone().oneshot(uri).await.map_err(Step::Connect)?;
        let handshake = Builder::new(TokioExecutor::new()).timer(TokioTimer::new()).handshake(io);
        let (sender, connection) = handshake.await.map_err(|error| Step::Http(error.into()))?;
        tokio::spawn(connection);
        Ok(sender)
    }

    async fn exchange<T: DeserializeOwned>(
        &self,
        sender: &mut SendRequest<Empty<Bytes>>,
        path: &'static str,
    ) -> Result<(T, Duration), NodeClientError> {
        let start = Instant::now();
        let answer = ask(sender, path).await.map_err(|step| self.error(step))?;
        Ok((answer, start.elapsed()))
    }

    fn error(&self, step: Step) -> NodeClientError {
        NodeClientError { peer: self.peer.clone(), step }
    }
}

async fn ask<T: DeserializeOwned>(sender: &mut SendRequest<Empty<Bytes>>, path: &str) -> Result<T, Step> {
    let request = Request::get(format!("https://{API_HOST}{path}")).body(Empty::new());
    let request = request.map_err(|error| Step::Http(error.into()))?;
    let response = sender.send_request(request).await.map_err(|error| Step::Http(error.into()))?;
    let status = response.status();
    // A node that is shutting down responds with 503 and a report.
    if !status.is_success() && status != StatusCode::SERVICE_UNAVAILABLE {
        return Err(Step::Status(status));
    }
    let body = Limited::new(response.into_body(), MAX_BODY).collect().await.map_err(Step::Http)?.to_bytes();
    serde_json::from_slice(&body).map_err(Step::Content)
}

/// The error of a query to a node.
#[derive(Debug)]
pub struct NodeClientError {
    peer: NodeName,
    step: Step,
}

#[derive(Debug)]
enum Step {
    NoAddress,
    Connect(NodeError),
    Http(BoxError),
    Status(StatusCode),
    Content(serde_json::Error),
}

impl NodeClientError {
    /// Whether the node closed the connection without sending a byte, as it does if it accepts none of the proofs.
    pub fn is_silence(&self) -> bool {
        matches!(&self.step, Step::Connect(error) if error.is_silence())
    }

    /// Whether no connection could be opened.
    pub fn is_unconnected(&self) -> bool {
        matches!(&self.step, Step::NoAddress) || matches!(&self.step, Step::Connect(error) if error.is_unconnected())
    }
}

impl fmt::Display for NodeClientError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let peer = &self.peer;
        match &self.step {
            Step::NoAddress => write!(f, "no address of node {peer} is known"),
            Step::Connect(error) => error.fmt(f),
            Step::Http(_) => write!(f, "the request to node {peer} failed"),
            Step::Status(status) => write!(f, "node {peer} responded with {status}; does it run an older version?"),
            Step::Content(_) => write!(f, "the response of node {peer} cannot be read; does it run another version?"),
        }
    }
}

impl Error for NodeClientError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        match &self.step {
            Step::Connect(error) => error.source(),
            Step::Http(error) => Some(&**error),
            Step::Content(error) => Some(error),
            Step::NoAddress | Step::Status(_) => None,
        }
    }
}
