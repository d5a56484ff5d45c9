//! TLS to the endpoints of a route.

use std::path::PathBuf;

use rustls::pki_types::ServerName;

use super::{Answer, Scope};
use crate::{
    config::{Node, Problems},
    settings::{endpoint::Endpoint, origin::Origin, upstream::UpstreamName},
};

/// TLS settings for connections to the endpoints of a route.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct UpstreamTls {
    /// Which certificates are accepted from them.
    pub accepted: AcceptedCertificates,
    /// The name to ask for (SNI), which their certificates must be valid for; `None`: the host of each.
    pub server_name: Option<ServerName<'static>>,
    /// What pmesh presents to them.
    pub client: Option<ClientCertificate>,
}

/// Which certificates of upstreams are accepted.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum AcceptedCertificates {
    /// Those of the authorities that the system trusts.
    #[default]
    System,
    /// Those of the authority in this file.
    Ca(PemFile),
    /// All, since verification was switched off here.
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

/// A file in PEM.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PemFile {
    /// The file.
    pub path: PathBuf,
    /// Where the user named it, for error messages.
    pub origin: Origin,
}

impl UpstreamTls {
    /// The authority that must have issued their certificates.
    pub fn ca(&self) -> Option<&PemFile> {
        match &self.accepted {
            AcceptedCertificates::Ca(file) => Some(file),
            AcceptedCertificates::System | AcceptedCertificates::Any(_) => None,
        }
    }
}

const FOR_CLIENTS: &str =
    "certificates for clients go below [[certificates]]; for names without one, pmesh issues one itself";

/// Reads `tls`. `None` if it is unreadable, which is reported.
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
    // An answer that could not be read has been reported.
    if let Some(Answer::Upstream(endpoints)) = answer
        && is_own
        && !endpoints.iter().any(Endpoint::is_tls)
    {
        let message = "`tls` is for upstreams with TLS (https:// or h2://), and this route has none";
        let for_clients = if tls.field("cert").is_some() { format!("; {FOR_CLIENTS}") } else { String::new() };
        problems.push(tls.own().problem(format!("{message}{for_clients}")));
        return None;
    }
    let accepted = accepted(&tls, problems);
    let server_name = optional(tls.field("server_name"), |node| node.read(problems).map(|UpstreamName(name)| name));
    let client = client(&tls, problems);
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

/// `Some(None)` if there is none; `None` if it is unreadable.
fn optional<'a, T>(node: Option<Node<'a>>, read: impl FnOnce(Node<'a>) -> Option<T>) -> Option<Option<T>> {
    node.map_or(Some(None), |node| read(node).map(Some))
}
