//! Switches to a new secret while serving, and replaces everything that was derived from the old one.

use std::sync::Arc;

use pmesh_layers::{
    identity::{Authority, IdentityError},
    node::NodeIdentity,
};

use crate::{
    admin::SecretReport,
    certificates::Issuer,
    file_watch::Refresh,
    mesh::{Peers, Renewal, Seal},
    secret::{CONTEXT, SecretWatch, Secrets},
};

/// Watches the secret and switches to a new one.
#[derive(Debug)]
pub struct Handover {
    /// Watches the files of the secret.
    pub watch: SecretWatch,
    /// The secrets in use.
    pub secrets: Secrets,
    /// Everything that is derived from them.
    pub derived: Derived,
}

/// Everything that is derived from the secrets.
#[derive(Debug)]
pub struct Derived {
    /// The identity that this node presents to others.
    pub identity: NodeIdentity,
    /// Seals this node's entry in the registry.
    pub seal: Seal,
    /// Rewrites that entry.
    pub renewal: Option<Renewal>,
    /// The other nodes. Connections to them are replaced.
    pub peers: Arc<Peers>,
    /// Issues the certificates for client connections.
    pub issuer: Arc<Issuer>,
}

impl Handover {
    /// Switches to the secret in the files if it is a new one. Unchanged files are read again only if `all` is set or
    /// the last read failed.
    ///
    /// # Errors
    ///
    /// If the files cannot be used. Each reason is logged and returned once, or every time if `all` is set.
    pub fn refresh(&mut self, all: bool) -> Result<(), String> {
        let Self { watch, secrets, derived } = self;
        let had_failed = watch.has_failed();
        let take = |now: Secrets| {
            let is_new = !now.is_same(secrets);
            if is_new {
                derived.replace(secrets, &now)?;
                tracing::info!("{}", change(secrets, &now));
                *secrets = now;
            }
            Ok(is_new)
        };
        match watch.refresh(all, take) {
            Refresh::Read(false) if had_failed => {
                tracing::info!("the secret file can be used again: it holds the secret that is in use");
            }
            Refresh::Unchanged | Refresh::Read(_) | Refresh::Failed(None) => {}
            Refresh::Failed(Some(error)) => {
                tracing::warn!(
                    "the secret has changed and cannot be used; the previous one stays in use, and the file is read \
                     again every second: {error}"
                );
                return Err(error);
            }
        }
        Ok(())
    }

    /// Reports on the secret in use.
    ///
    /// # Errors
    ///
    /// If nothing can be derived from it.
    pub fn report(&self) -> Result<SecretReport, IdentityError> {
        SecretReport::from_secrets(&self.secrets)
    }
}

impl Derived {
    /// Replaces everything, or nothing.
    fn replace(&self, before: &Secrets, now: &Secrets) -> Result<(), IdentityError> {
        // Do everything that can fail first.
        let authority = Authority::derive(now.public(), CONTEXT)?;
        let is_same_authority = authority.fingerprint() == Authority::derive(before.public(), CONTEXT)?.fingerprint();
        let seal = Seal::new(now.iter())?;
        self.identity.replace(now.iter())?;
        self.seal.replace(&seal);
        if !now.hold_all_of(before) {
            self.peers.reconnect();
        }
        if !is_same_authority {
            self.issuer.replace_authority(Arc::new(authority));
        }
        if let Some(renewal) = &self.renewal {
            renewal.renew();
        }
        Ok(())
    }
}

/// Describes the change for the log.
fn change(before: &Secrets, now: &Secrets) -> &'static str {
    match (before.old_one(), now.old_one()) {
        (None, Some(_)) => {
            "secret rotation started: connections to other nodes now try the new secret first; until `pmesh secret \
             rotate --finish`, the old one is still accepted, and clients get certificates from its authority"
        }
        (Some(_), None) => {
            "secret rotation finished: the old secret is no longer accepted, node connections made with it are \
             closed, and new client connections get certificates from the new authority"
        }
        _ => {
            "the secret was replaced: node connections made with the previous one are closed, and new \
             client connections get certificates from the new authority"
        }
    }
}
