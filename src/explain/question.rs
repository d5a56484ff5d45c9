//! The question: a request, as the user describes it.

use std::net::IpAddr;

use http::{HeaderMap, HeaderName, HeaderValue, Method, Uri, header::HOST};
use pmesh_layers::host::HostName;
use serde::{Deserialize, Serialize};

use super::request::Asked;
use crate::settings::{Listener, Port, Settings};

/// A request to explain, as the user describes it.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Question {
    /// `https://app.example.com/path`, or without the scheme.
    pub url: String,
    /// GET by default.
    #[serde(default)]
    pub method: Option<String>,
    /// Each as `Name: value`.
    #[serde(default)]
    pub headers: Vec<String>,
    /// The client's address.
    #[serde(default)]
    pub from: Option<IpAddr>,
    /// The name in the TLS handshake, if it is not the host of the URL.
    #[serde(default)]
    pub sni: Option<String>,
}

/// A question that is not about a request.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub(super) struct InvalidQuestion(pub(super) String);

/// Whether this is meant as a URL, not as the key of a setting.
pub fn is_url(text: &str) -> bool {
    text.contains('/')
}

impl Question {
    pub(super) fn parse(&self, settings: &Settings) -> Result<Asked, InvalidQuestion> {
        let (is_tls, rest) = match self.url.split_once("://") {
            Some((scheme, rest)) => (is_tls(scheme, rest)?, rest),
            None => (guess_tls(&self.url, settings)?, &*self.url),
        };
        // Clients do not send the fragment.
        let rest = rest.split('#').next().unwrap_or_default();
        let (authority, target) = rest.split_at(rest.find(['/', '?']).unwrap_or(rest.len()));
        if let Some((_, host)) = authority.rsplit_once('@') {
            let url = format!("{}://{host}{target}", scheme(is_tls));
            return Err(invalid(format!(
                "a URL with a user: write {url}, and give the password with --header 'Authorization: …'"
            )));
        }
        let host = HostName::from_authority(authority.as_bytes())
            .map_err(|error| invalid(format!("{authority:?} is not a host: {error}")))?;
        let port = authority.rsplit_once(':').map(|(_, port)| port).and_then(|port| port.parse::<u16>().ok());
        let target = if target.starts_with('/') { target.to_owned() } else { format!("/{target}") };
        let uri = target.parse::<Uri>().map_err(|_| {
            invalid(format!("{target:?} cannot be the path of a request: write other characters as %20 and the like"))
        })?;
        let method = self.method.as_deref().unwrap_or("GET");
        let method = Method::from_bytes(method.as_bytes())
            .map_err(|_| invalid(format!("--method {method:?} is not a method: write one such as POST")))?;
        let is_default = port.is_some_and(|port| port == default_port(is_tls));
        let sent_host =
            if is_default { authority.rsplit_once(':').map_or(authority, |(host, _)| host) } else { authority };
        let headers = headers(sent_host, &self.headers)?;
        let server_name = match &self.sni {
            Some(name) if is_tls => {
                Some(name.parse().map_err(|error| invalid(format!("--sni {name:?} is not a host: {error}")))?)
            }
            Some(_) => return Err(invalid("--sni is for https: without TLS there is no SNI")),
            // Clients send no SNI for an address (RFC 6066, 3).
            None => Some(host.clone()).filter(|host| is_tls && !host.is_ip()),
        };
        Ok(Asked { is_tls, port, host, server_name, uri, method, headers, from: self.from })
    }
}

fn is_tls(scheme: &str, rest: &str) -> Result<bool, InvalidQuestion> {
    match scheme.to_ascii_lowercase().as_str() {
        "https" => Ok(true),
        "http" => Ok(false),
        upgrade @ ("ws" | "wss") => Err(invalid(format!(
            "for a WebSocket, write {}://{rest} with --header 'Connection: upgrade' --header 'Upgrade: websocket'",
            if upgrade == "ws" { "http" } else { "https" }
        ))),
        "" => Err(invalid(format!("the scheme is missing: write https://{rest} or http://{rest}"))),
        other => Err(invalid(format!(
            "the scheme {other:?} is not one that pmesh serves: write https://{rest} or http://{rest}"
        ))),
    }
}

/// A URL without a scheme is clear only if a single listener can be meant.
fn guess_tls(url: &str, settings: &Settings) -> Result<bool, InvalidQuestion> {
    let is_on = |listener| settings.port(&listener) != Port::Off;
    match (is_on(Listener::Http), is_on(Listener::Https)) {
        (true, false) => Ok(false),
        (false, true) => Ok(true),
        _ => Err(invalid(format!("the scheme is missing: write https://{url} or http://{url}"))),
    }
}

pub(super) fn scheme(is_tls: bool) -> &'static str {
    if is_tls { "https" } else { "http" }
}

pub(super) fn default_port(is_tls: bool) -> u16 {
    if is_tls { 443 } else { 80 }
}

/// The headers that the client sends: Host, and the ones that were given, which can replace it.
fn headers(host: &str, given: &[String]) -> Result<HeaderMap, InvalidQuestion> {
    let mut headers = HeaderMap::new();
    for line in given {
        let advice = || invalid(format!("--header {line:?} is not a header: write 'Name: value'"));
        let (name, value) = line.split_once(':').ok_or_else(advice)?;
        let name = HeaderName::from_bytes(name.trim().as_bytes()).map_err(|_| advice())?;
        headers.append(name, HeaderValue::from_str(value.trim()).map_err(|_| advice())?);
    }
    if !headers.contains_key(HOST) {
        headers.insert(HOST, HeaderValue::from_str(host).map_err(invalid)?);
    }
    Ok(headers)
}

#[expect(clippy::needless_pass_by_value, reason = "so that it can be given to map_err")]
fn invalid(reason: impl ToString) -> InvalidQuestion {
    InvalidQuestion(reason.to_string())
}
