//! How TLS to the endpoints of a route is made.

use std::path::PathBuf;

use rustls::pki_types::ServerName;

use super::{Answer, Scope};
use crate::{
    config::Problems,
    settings::{endpoint::Endpoint, origin::Origin, upstream::UpstreamName},
};

/// How TLS to the endpoints of a route is made.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct UpstreamTls {
    /// The authority that their certificates need to be of; `None`: any that the system trusts.
    pub ca: Option<CaFile>,
    /// The name that their certificates must be valid for; `None`: the host of each.
    pub server_name: Option<ServerName<'static>>,
}

/// A file of certificates, in PEM, that are trusted to issue others.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CaFile {
    /// The file.
    pub path: PathBuf,
    /// Where the user named it, to be told when it cannot be used.
    pub origin: Origin,
}

const FOR_CLIENTS: &str = "certificates for clients go below [[certificates]]; a name without one gets one from pmesh";

/// Reads `tls`. `None` if it is unreadable, which is reported.
pub(super) fn read(scope: &Scope<'_>, answer: Option<&Answer>, problems: &mut Problems) -> Option<UpstreamTls> {
    let Some(tls) = scope.table("tls") else { return Some(UpstreamTls::default()) };
    if tls.own().value.as_dict().is_none() {
        let mut problem = tls.own().unexpected("a table such as { ca = \"ca.pem\" }, or false");
        problem.message += ": this is about TLS to the upstream; ";
        problem.message += FOR_CLIENTS;
        problems.push(problem);
        return None;
    }
    let is_own = scope.own().field("tls").is_some();
    // Where an answer could not be read there is a problem already.
    if let Some(Answer::Upstream(endpoints)) = answer
        && is_own
        && !endpoints.iter().any(Endpoint::is_tls)
    {
        let message = "it is for upstreams with TLS (https:// or h2://), and the route has none";
        let for_clients = if tls.field("cert").is_some() { format!("; {FOR_CLIENTS}") } else { String::new() };
        problems.push(tls.own().problem(format!("{message}{for_clients}")));
        return None;
    }
    let ca = tls.field("ca").map(|node| Some(CaFile { path: node.read(problems)?, origin: (&node).into() }));
    let server_name = tls.field("server_name").map(|node| node.read(problems).map(|UpstreamName(name)| name));
    // None of the route if it is there and unreadable.
    Some(UpstreamTls {
        ca: ca.map_or(Some(None), |ca| ca.map(Some))?,
        server_name: server_name.map_or(Some(None), |name| name.map(Some))?,
    })
}
