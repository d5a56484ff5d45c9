//! Issues certificates, and holds the parts that all TLS configurations share for the life of the process.

use std::{ops::Range, sync::Arc, time::SystemTime};

use arc_swap::ArcSwap;
use pmesh_layers::{
    host::{HostName, HostPattern},
    identity::Authority,
};
use rustls::ServerConfig;
use tower::BoxError;

use super::{CertificateError, tls::Tls};

/// Issues certificates, and holds the parts that all TLS configurations share. There is one for the whole life of the
/// process, so that clients can resume their sessions after a reload.
#[derive(Debug)]
pub struct Issuer {
    authority: ArcSwap<Authority>,
    pub(super) tls: Tls,
}

impl Issuer {
    /// Creates an issuer of certificates from `authority`.
    ///
    /// # Errors
    ///
    /// [`CertificateError::Tls`] if no key for session tickets can be generated.
    pub fn new(authority: Arc<Authority>) -> Result<Arc<Self>, CertificateError> {
        Ok(Arc::new(Self { authority: ArcSwap::new(authority), tls: Tls::new()? }))
    }

    /// Issues certificates from another authority from now on. Existing ones are replaced at the next handshake that
    /// needs them. Established connections stay open, and sessions can still be resumed.
    pub fn replace_authority(&self, authority: Arc<Authority>) {
        self.authority.store(authority);
    }

    pub(super) fn is_in_use(&self, current: &Current, now: SystemTime) -> bool {
        current.in_use.contains(&now) && Arc::ptr_eq(&current.authority, &self.authority.load())
    }

    /// Issues a new certificate. Returns the old one if that fails, because it may still be valid.
    pub(super) fn replace(&self, old: Option<Arc<Current>>, name: &HostName, now: SystemTime) -> Option<Arc<Current>> {
        match self.issue(name, now) {
            Ok(new) => Some(Arc::new(new)),
            Err(error) => {
                tracing::error!(error, "cannot issue a certificate for {name}");
                old
            }
        }
    }

    fn issue(&self, name: &HostName, now: SystemTime) -> Result<Current, BoxError> {
        let authority = self.authority.load_full();
        let issued = authority.issue(&HostPattern::Exact(name.clone()), now)?;
        let lifetime = issued.not_after.duration_since(issued.not_before)?;
        Ok(Current {
            in_use: issued.not_before..issued.not_after - lifetime / 3,
            config: self.tls.server_config(issued.chain, issued.key)?,
            authority,
        })
    }
}

/// The last certificate issued for a name.
#[derive(Debug)]
pub(super) struct Current {
    pub(super) config: Arc<ServerConfig>,
    /// The authority that issued it.
    authority: Arc<Authority>,
    /// When it can be used. It is replaced when a third of its lifetime is left, or if the clock was set back to a time
    /// before it is valid.
    in_use: Range<SystemTime>,
}
