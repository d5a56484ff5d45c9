//! Fetches keys from a URL.

use std::time::Duration;

use bytes::Bytes;
use http::{
    HeaderValue, Request, StatusCode, Uri,
    header::{ACCEPT, HOST, LOCATION, USER_AGENT},
};
use http_body_util::{BodyExt, Empty, Limited};
use hyper::{
    client::conn::http1,
    rt::{Read, Write},
};
use pmesh_layers::{
    connect::{Resolver, SourceConnector, TlsConnector},
    jwt::{InvalidKeys, Keys},
};
use tokio::time::timeout;
use tower::{BoxError, ServiceExt};

use crate::{
    settings::{Jwt, Settings},
    upstream::trust::Trust,
};

/// How long a fetch may take.
const TIMEOUT: Duration = Duration::from_secs(5);
/// Maximum length of a set of keys.
const MAX_BODY: usize = 1024 * 1024;

/// Fetches the keys at a URL, on a new connection each time.
#[derive(Debug)]
pub(super) struct Client {
    url: Uri,
    connector: SourceConnector,
    /// For https.
    tls: Option<TlsConnector<SourceConnector>>,
}

/// Why the keys could not be fetched.
#[derive(Debug, thiserror::Error)]
pub(super) enum FetchError {
    #[error("no connection")]
    Connect(#[source] BoxError),
    #[error("no response")]
    Http(#[source] BoxError),
    #[error("no response within {} s", TIMEOUT.as_secs())]
    Timeout,
    #[error("the response is {0}")]
    Status(StatusCode),
    #[error("the response is {0}, a redirect, which is not followed: write its target, {1:?}")]
    Redirect(StatusCode, HeaderValue),
    #[error("the response cannot be used")]
    Keys(#[source] InvalidKeys),
    #[error("the response only has shared secrets, which must not come from a URL: write secret_file = \"…\"")]
    Secrets,
    #[error("the response is the configuration of the issuer: write the URL that it has as jwks_uri, {0}")]
    Discovery(String),
}

impl Client {
    pub(super) fn new(
        url: Uri,
        settings: &Settings,
        jwt: &Jwt,
        trust: &Trust,
        resolver: &Resolver,
    ) -> Result<Self, BoxError> {
        let connector = SourceConnector::new()
            .source_addresses(settings.source_addresses.iter().copied())
            .connect_timeout(TIMEOUT)
            .resolver(resolver.clone());
        let tls = jwt.tls().map(|tls| trust.client_config(&tls)).transpose()?;
        let tls = tls.map(|config| TlsConnector::new(connector.clone(), config));
        Ok(Self { url, connector, tls })
    }

    pub(super) fn url(&self) -> &Uri {
        &self.url
    }

    pub(super) async fn fetch(&self) -> Result<Keys, FetchError> {
        timeout(TIMEOUT, self.fetch_now()).await.unwrap_or(Err(FetchError::Timeout))
    }

    async fn fetch_now(&self) -> Result<Keys, FetchError> {
        let url = self.url.clone();
        let body = match &self.tls {
            Some(tls) => {
                let io = tls.clone().oneshot(url).await.map_err(|error| FetchError::Connect(error.into()))?;
                self.exchange(io).await?
            }
            None => {
                let connected = self.connector.clone().oneshot(url).await;
                self.exchange(connected.map_err(|error| FetchError::Connect(error.into()))?).await?
            }
        };
        let keys = Keys::from_jwks(&body).map_err(|error| discovery(&body).unwrap_or(FetchError::Keys(error)))?;
        keys.without_secrets().ok_or(FetchError::Secrets)
    }

    async fn exchange(&self, io: impl Read + Write + Unpin + Send + 'static) -> Result<Bytes, FetchError> {
        let failed = |error: hyper::Error| FetchError::Http(error.into());
        let (mut sender, connection) = http1::handshake(io).await.map_err(failed)?;
        // Ends with the response.
        tokio::spawn(connection);
        let path = self.url.path_and_query().map_or("/", |path| path.as_str());
        let request = Request::get(path)
            .header(HOST, self.url.authority().map_or("", |authority| authority.as_str()))
            .header(ACCEPT, "application/jwk-set+json, application/json")
            .header(USER_AGENT, concat!("pmesh/", env!("CARGO_PKG_VERSION")))
            .body(Empty::<Bytes>::new())
            .map_err(|error| FetchError::Http(error.into()))?;
        let response = sender.send_request(request).await.map_err(failed)?;
        let status = response.status();
        match response.headers().get(LOCATION).filter(|_| status.is_redirection()) {
            Some(location) => return Err(FetchError::Redirect(status, location.clone())),
            None if status != StatusCode::OK => return Err(FetchError::Status(status)),
            None => {}
        }
        Ok(Limited::new(response.into_body(), MAX_BODY).collect().await.map_err(FetchError::Http)?.to_bytes())
    }
}

/// The error for the configuration of an issuer (OpenID Connect Discovery), which names the URL of the keys.
fn discovery(body: &[u8]) -> Option<FetchError> {
    let page: serde_json::Value = serde_json::from_slice(body).ok()?;
    Some(FetchError::Discovery(page.get("jwks_uri")?.as_str()?.to_owned()))
}
