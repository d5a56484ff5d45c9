use std::{error::Error, fmt, io, net::SocketAddr, path::PathBuf, sync::Arc};

use http::Uri;

use crate::plain::asks_for_tls;

/// An error while connecting.
#[derive(Debug)]
pub struct ConnectError {
    step: Step,
    /// Shared, because one failed lookup can fail several connections.
    source: Option<Arc<dyn Error + Send + Sync>>,
}

#[derive(Debug)]
enum Step {
    NoHost(String),
    NoTls(String),
    Resolve(String),
    ResolveTimeout(String),
    NoAddress(String),
    NameTimeout(String, Box<[SocketAddr]>),
    Connect(SocketAddr),
    NoSource(SocketAddr),
    Timeout(SocketAddr),
    Socket(PathBuf),
    SocketTimeout(PathBuf),
}

impl ConnectError {
    pub(super) fn no_host(uri: &Uri) -> Self {
        Self { step: Step::NoHost(uri.to_string()), source: None }
    }

    /// Fails if the URI asks for TLS: connectors without TLS must not send in clear text what was meant for TLS.
    pub(super) fn refuse_tls(uri: &Uri) -> Result<(), Self> {
        if asks_for_tls(uri) { Err(Self { step: Step::NoTls(uri.to_string()), source: None }) } else { Ok(()) }
    }

    pub(super) fn resolve(host: &str, error: Arc<dyn Error + Send + Sync>) -> Self {
        Self { step: Step::Resolve(host.to_owned()), source: Some(error) }
    }

    pub(super) fn resolve_timeout(host: &str) -> Self {
        Self { step: Step::ResolveTimeout(host.to_owned()), source: None }
    }

    pub(super) fn no_address(host: &str) -> Self {
        Self { step: Step::NoAddress(host.to_owned()), source: None }
    }

    pub(super) fn name_timeout(host: &str, addresses: &[SocketAddr]) -> Self {
        Self { step: Step::NameTimeout(host.to_owned(), addresses.into()), source: None }
    }

    pub(super) fn connect(address: SocketAddr, error: io::Error) -> Self {
        let no_source = error.kind() == io::ErrorKind::AddrNotAvailable;
        let step = if no_source { Step::NoSource(address) } else { Step::Connect(address) };
        Self { step, source: Some(Arc::new(error)) }
    }

    pub(super) fn timeout(address: SocketAddr) -> Self {
        Self { step: Step::Timeout(address), source: None }
    }

    pub(super) fn socket(path: PathBuf, error: io::Error) -> Self {
        Self { step: Step::Socket(path), source: Some(Arc::new(error)) }
    }

    pub(super) fn socket_timeout(path: PathBuf) -> Self {
        Self { step: Step::SocketTimeout(path), source: None }
    }

    /// Whether the destination did not respond in time, or its name was not resolved in time.
    pub fn is_timeout(&self) -> bool {
        use Step::{NameTimeout, ResolveTimeout, SocketTimeout, Timeout};
        matches!(self.step, Timeout(_) | NameTimeout(..) | ResolveTimeout(_) | SocketTimeout(_))
    }
}

impl fmt::Display for ConnectError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.step {
            Step::NoHost(uri) => write!(f, "there is no host in {uri}"),
            Step::NoTls(uri) => {
                write!(f, "{uri} needs TLS, which this connector does not speak: wrap it in a TlsConnector")
            }
            Step::Resolve(host) => write!(f, "cannot resolve {host}"),
            Step::ResolveTimeout(host) => write!(f, "{host} was not resolved in time"),
            Step::NoAddress(host) => write!(f, "{host} has no address"),
            Step::NameTimeout(host, addresses) => {
                write!(f, "{host} did not accept a connection in time, at ")?;
                addresses
                    .iter()
                    .enumerate()
                    .try_for_each(|(index, address)| write!(f, "{}{address}", if index > 0 { ", " } else { "" }))
            }
            Step::NoSource(address) => {
                let ipv6 = if address.is_ipv6() { ", or it has no IPv6" } else { "" };
                write!(
                    f,
                    "no source address to connect to {address} from: all source ports for it are in use, or this \
                     machine does not have the configured source address{ipv6}"
                )
            }
            Step::Connect(address) => write!(f, "cannot connect to {address}"),
            Step::Socket(path) => write!(f, "cannot connect to {}", path.display()),
            Step::SocketTimeout(path) => {
                write!(f, "{} accepted no connection in time: its backlog is full", path.display())
            }
            Step::Timeout(address) => write!(f, "{address} did not accept a connection in time"),
        }
    }
}

impl Error for ConnectError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        self.source.as_deref().map(|error| error as _)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_message_for_a_missing_source_lists_all_causes() {
        for (address, last) in [("192.0.2.1:80", "source address"), ("[2001:db8::1]:80", "it has no IPv6")] {
            let error = ConnectError::connect(address.parse().unwrap(), io::ErrorKind::AddrNotAvailable.into());
            let message = error.to_string();
            assert!(message.contains(address) && message.ends_with(last), "{message}");
        }
    }
}
