//! Certificates in TLS connections to upstreams, accepted or presented by pmesh.

mod authorities;
mod client;
mod error;
mod unverified;
mod verifier;

use std::{collections::HashMap, path::PathBuf, sync::Arc};

use rustls::{ClientConfig, crypto::aws_lc_rs};

pub use self::error::TrustError;
use self::{
    authorities::{Authorities, AuthoritiesId},
    client::Client,
};
use crate::settings::{AcceptedCertificates, ClientCertificate, Jwt, Route, UpstreamTls};

/// The TLS settings of all routes of a configuration, with the contents of their files.
#[derive(Debug)]
pub struct Trust {
    /// The authorities that the system trusts, if a route needs them.
    system: Option<Authorities>,
    files: HashMap<PathBuf, Authorities>,
    any: Authorities,
    clients: HashMap<[PathBuf; 2], Client>,
}

/// Identifies what a route trusts and presents. Two configurations have equal ids if they trust the same authorities
/// and present the same certificate; the contents of the files count, not their paths.
///
/// A connection is only used for requests with the id that it was made with.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct TrustId {
    authorities: Option<AuthoritiesId>,
    /// Digest of the certificate that pmesh presents.
    client: Option<[u8; 32]>,
}

impl Trust {
    /// Reads the certificates that `routes` need: none if no upstream uses TLS. Authorities that have not changed are
    /// reused from `previous`.
    ///
    /// # Errors
    ///
    /// Names the file that cannot be used, and where it was configured.
    pub fn load(routes: &[Route], previous: Option<&Self>) -> Result<Self, TrustError> {
        let (system, files, any, clients) = (None, HashMap::new(), Authorities::any(), HashMap::new());
        let mut trust = Self { system, files, any, clients };
        let same = |id| previous.and_then(|previous| previous.find_by_id(id));
        let of_routes = routes.iter().flat_map(|route| {
            let tls = route.connects_to().filter(|to| to.endpoint.is_tls()).map(|to| to.tls.clone());
            tls.map(move |tls| (route, tls))
        });
        let of_jwt = routes.iter().filter_map(|route| Some((route, Jwt::tls(route.middleware.jwt.as_ref()?)?)));
        for (route, tls) in of_routes.chain(of_jwt) {
            match &tls.accepted {
                AcceptedCertificates::Ca(file) if !trust.files.contains_key(&file.path) => {
                    trust.files.insert(file.path.clone(), Authorities::from_file(file, same)?);
                }
                AcceptedCertificates::System if trust.system.is_none() => {
                    trust.system = Some(Authorities::from_system(route, same)?);
                }
                _ => {}
            }
            if let Some(client) = &tls.client
                && !trust.clients.contains_key(&paths(client))
            {
                trust.clients.insert(paths(client), Client::load(client)?);
            }
        }
        Ok(trust)
    }

    /// The configuration for TLS to the upstreams of a route. Sessions can be resumed.
    ///
    /// # Errors
    ///
    /// If `tls` does not belong to a loaded route.
    pub fn client_config(&self, tls: &UpstreamTls) -> Result<ClientConfig, rustls::Error> {
        let unread = || rustls::Error::General("the certificates were not read".to_owned());
        let authorities = self.authorities(tls).ok_or_else(unread)?;
        let builder = ClientConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()))
            .with_protocol_versions(&[&rustls::version::TLS13, &rustls::version::TLS12])?
            .dangerous()
            .with_custom_certificate_verifier(Arc::clone(&authorities.verifier));
        Ok(match &tls.client {
            Some(files) => {
                let client = self.clients.get(&paths(files)).ok_or_else(unread)?;
                builder.with_client_cert_resolver(Arc::clone(&client.certified) as _)
            }
            None => builder.with_no_client_auth(),
        })
    }

    /// The id for the upstreams of a route, which must have been loaded.
    pub fn id(&self, tls: &UpstreamTls) -> TrustId {
        let client = tls.client.as_ref().and_then(|files| self.clients.get(&paths(files)));
        TrustId {
            authorities: self.authorities(tls).map(|authorities| authorities.id),
            client: client.map(|client| client.digest),
        }
    }

    fn authorities(&self, tls: &UpstreamTls) -> Option<&Authorities> {
        match &tls.accepted {
            AcceptedCertificates::System => self.system.as_ref(),
            AcceptedCertificates::Ca(file) => self.files.get(&file.path),
            AcceptedCertificates::Any(_) => Some(&self.any),
        }
    }

    /// Finds authorities even if their file was moved.
    fn find_by_id(&self, id: AuthoritiesId) -> Option<&Authorities> {
        self.files.values().chain(&self.system).find(|authorities| authorities.id == id)
    }
}

fn paths(ClientCertificate { cert, key }: &ClientCertificate) -> [PathBuf; 2] {
    [cert.path.clone(), key.path.clone()]
}

#[cfg(test)]
mod tests;
