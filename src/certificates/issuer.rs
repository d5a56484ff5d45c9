//! Issuing certificates, with what TLS configurations share for the life of the process.

use std::{ops::Range, sync::Arc, time::SystemTime};

use arc_swap::ArcSwap;
use pmesh_layers::{
    host::{HostName, HostPattern},
    identity::Authority,
};
use rustls::ServerConfig;
use tower::BoxError;

use super::{CertificateError, tls::Tls};

/// Issues certificates, and holds what all TLS configurations have in common. There is one for the whole life of the
/// process, so that clients can resume their sessions after a reload.
#[derive(Debug)]
pub struct Issuer {
    authority: ArcSwap<Authority>,
    pub(super) tls: Tls,
}

impl Issuer {
    /// Issues certificates of `authority`.
    ///
    /// # Errors
    ///
    /// [`CertificateError::Tls`] if no key for session tickets can be made.
    pub fn new(authority: Arc<Authority>) -> Result<Arc<Self>, CertificateError> {
        Ok(Arc::new(Self { authority: ArcSwap::new(authority), tls: Tls::new()? }))
    }

    /// Issues certificates of another authority from now on. Those of the previous one are replaced when they are next
    /// asked for. Established connections go on, and sessions can still be resumed.
    pub fn replace_authority(&self, authority: Arc<Authority>) {
        self.authority.store(authority);
    }

    pub(super) fn is_in_use(&self, current: &Current, now: SystemTime) -> bool {
        current.in_use.contains(&now) && Arc::ptr_eq(&current.authority, &self.authority.load())
    }

    /// A new certificate, or the old one if none can be issued: it may still be valid.
    pub(super) fn replace(&self, old: Option<Arc<Current>>, name: &HostName, now: SystemTime) -> Option<Arc<Current>> {
        match self.issue(name, now) {
            Ok(new) => Some(Arc::new(new)),
            Err(error) => {
                tracing::error!(error, "no certificate can be issued for {name}");
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
    /// It is replaced outside of these times: when a third of its lifetime is left, and when the clock was set back to
    /// before it is valid.
    in_use: Range<SystemTime>,
}
