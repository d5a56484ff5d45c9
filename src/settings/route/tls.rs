//! The `tls` of a route: TLS to its endpoints.

use std::path::PathBuf;

use rustls::pki_types::ServerName;

use super::{Answer, Mirror, Scope};
use crate::{
    config::{Node, Problems},
    settings::{endpoint::Endpoint, origin::Origin, upstream::UpstreamName},
};

/// TLS settings for connections to the endpoints of a route.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct UpstreamTls {
    /// Which certificates to accept from the endpoints.
    pub accepted: AcceptedCertificates,
    /// The name to send (SNI), for which their certificates must be valid; `None`: the host of each endpoint.
    pub server_name: Option<ServerName<'static>>,
    /// The certificate that pmesh presents to them.
    pub client: Option<ClientCertificate>,
}

/// Which certificates of upstreams to accept.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum AcceptedCertificates {
    /// Certificates from the authorities that the system trusts.
    #[default]
    System,
    /// Certificates from the authority in this file.
    Ca(PemFile),
    /// Any certificate. The origin is where the user switched verification off.
    Any(Origin),
}

/// A certificate chain and its private key, which pmesh presents to upstreams.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ClientCertificate {
    /// The chain.
    pub cert: PemFile,
    /// Its key.
    pub key: PemFile,
}

/// A PEM file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PemFile {
    /// The file.
    pub path: PathBuf,
    /// Where the user named the file, for error messages.
    pub origin: Origin,
}

impl UpstreamTls {
    /// The authority for their certificates, if it is not one of the system's.
    pub fn ca(&self) -> Option<&PemFile> {
        match &self.accepted {
            AcceptedCertificates::Ca(file) => Some(file),
            AcceptedCertificates::System | AcceptedCertificates::Any(_) => None,
        }
    }
}

const FOR_CLIENTS: &str = "certificates that pmesh presents to clients go below [[certificates]]; for names without one, pmesh issues one itself";

/// Reads `tls`. Returns `None` if it is invalid, and reports that.
pub(super) fn read(scope: &Scope<'_>, answer: Option<&Answer>, problems: &mut Problems) -> Option<UpstreamTls> {
    let Some(tls) = scope.table("tls") else { return Some(UpstreamTls::default()) };
    if tls.own().value.as_dict().is_none() {
        let mut problem = tls.own().unexpected("a table such as { ca = \"ca.pem\" }, or false");
        problem.message += ": `tls` is about connections to the upstream; ";
        problem.message += FOR_CLIENTS;
        problems.push(problem);
        return None;
    }
    let is_own = scope.own().field("tls").is_some();
    // If there is no answer, that has already been reported.
    if let Some(Answer::Upstream(endpoints) | Answer::Files(_, endpoints)) = answer
        && is_own
        && !endpoints.iter().any(Endpoint::is_tls)
        && !Mirror::has_tls(scope)
    {
        let message = match endpoints[..] {
            [Endpoint::Service(_)] => "services speak HTTP without TLS to pmesh: remove `tls`",
            _ => "`tls` is for upstreams with TLS (https:// or h2://), and this route has none",
        };
        let for_clients = if tls.field("cert").is_some() { format!("; {FOR_CLIENTS}") } else { String::new() };
        problems.push(tls.own().problem(format!("{message}{for_clients}")));
        return None;
    }
    read_keys(&tls, problems)
}

/// Reads the keys of a table. Returns `None` if one of them is invalid, and reports that.
pub(super) fn read_keys(tls: &Scope<'_>, problems: &mut Problems) -> Option<UpstreamTls> {
    let accepted = accepted(tls, problems);
    let server_name = optional(tls.field("server_name"), |node| node.read(problems).map(|UpstreamName(name)| name));
    let client = client(tls, problems);
    Some(UpstreamTls { accepted: accepted?, server_name: server_name?, client: client? })
}

fn accepted(tls: &Scope<'_>, problems: &mut Problems) -> Option<AcceptedCertificates> {
    let skip = optional(tls.field("skip_verify"), |node| Some((node.read(problems)?, node)))?;
    match (skip.filter(|(is_on, _)| *is_on), tls.field("ca")) {
        (Some((_, skip)), Some(ca)) => {
            problems.push(skip.problem(format!(
                "this switches verification off, so `ca` ({}) would have no effect: remove one of them",
                ca.origin()
            )));
            None
        }
        (Some((_, skip)), None) => Some(AcceptedCertificates::Any((&skip).into())),
        (None, Some(ca)) => file(&ca, problems).map(AcceptedCertificates::Ca),
        (None, None) => Some(AcceptedCertificates::System),
    }
}

fn client(tls: &Scope<'_>, problems: &mut Problems) -> Option<Option<ClientCertificate>> {
    let lacks = |given: &Node<'_>, missing: &str| {
        given.problem(format!("a certificate and its key go together: set `{missing}` too, or remove this one"))
    };
    match (tls.field("cert"), tls.field("key")) {
        (None, None) => Some(None),
        (Some(cert), Some(key)) => {
            let (cert, key) = (file(&cert, problems), file(&key, problems));
            Some(Some(ClientCertificate { cert: cert?, key: key? }))
        }
        (Some(cert), None) => {
            problems.push(lacks(&cert, "key"));
            None
        }
        (None, Some(key)) => {
            problems.push(lacks(&key, "cert"));
            None
        }
    }
}

fn file(node: &Node<'_>, problems: &mut Problems) -> Option<PemFile> {
    Some(PemFile { path: node.read(problems)?, origin: node.into() })
}

/// Returns `Some(None)` if the value is not set, and `None` if it is invalid.
fn optional<'a, T>(node: Option<Node<'a>>, read: impl FnOnce(Node<'a>) -> Option<T>) -> Option<Option<T>> {
    node.map_or(Some(None), |node| read(node).map(Some))
}
