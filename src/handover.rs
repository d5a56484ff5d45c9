//! A change of the secret while serving: what was derived from it is replaced.

use std::sync::Arc;

use pmesh_layers::{
    identity::{Authority, IdentityError},
    node::NodeIdentity,
};

use crate::{
    file_watch::Look,
    mesh::{Renewal, Seal},
    secret::{SecretWatch, Secrets},
    worker::Shared,
};

/// Looks for changes of the secret, and makes them count.
#[derive(Debug)]
pub struct Handover {
    /// Sees the changes.
    pub watch: SecretWatch,
    /// The secrets in use.
    pub secrets: Secrets,
    /// What was made of them.
    pub derived: Derived,
}

/// What was made of the secrets.
#[derive(Debug)]
pub struct Derived {
    /// What other nodes are shown.
    pub identity: NodeIdentity,
    /// What seals the own entry in the registry.
    pub seal: Seal,
    /// Puts that entry anew.
    pub renewal: Option<Renewal>,
    /// Has the certificates that clients are shown.
    pub shared: Arc<Shared>,
}

impl Handover {
    /// Takes the secret that is there now, if it is another one; else does nothing. It looks at unchanged files, too, if
    /// `all` is set, or if the last look has failed.
    pub fn look(&mut self, all: bool) {
        let Self { watch, secrets, derived } = self;
        let take = |now: Secrets| {
            if !now.is_same(secrets) {
                derived.replace(secrets, &now)?;
                tracing::info!("{}", news(secrets, &now));
                *secrets = now;
            }
            Ok(())
        };
        if let Look::Failed(Some(error)) = watch.look(all, take) {
            tracing::warn!(
                "the secret has changed and is of no use; the previous one stays in use, and the file is read again every \
                 second: {error}"
            );
        }
    }
}

impl Derived {
    /// Replaces all of it, or nothing.
    fn replace(&self, before: &Secrets, now: &Secrets) -> Result<(), IdentityError> {
        // All that can fail comes first.
        let authority = Authority::derive(now.public())?;
        let is_same_authority = authority.fingerprint() == Authority::derive(before.public())?.fingerprint();
        let seal = Seal::new(now.iter())?;
        self.identity.replace(now.iter())?;
        self.seal.replace(&seal);
        if !now.hold_all_of(before) {
            self.shared.peers.reconnect();
        }
        if !is_same_authority {
            self.shared.certificates.replace_authority(Arc::new(authority));
        }
        if let Some(renewal) = &self.renewal {
            renewal.renew();
        }
        Ok(())
    }
}

/// What has changed.
fn news(before: &Secrets, now: &Secrets) -> &'static str {
    match (before.old_one(), now.old_one()) {
        (None, Some(_)) => {
            "there is a new secret: nodes are asked with it first, the old one is accepted, too, and clients see \
             certificates of the old one, until `pmesh secret rotate --finish`"
        }
        (Some(_), None) => {
            "the old secret is accepted no more: connections of nodes that were made with it end, and new ones of clients are \
             those of the new one"
        }
        _ => {
            "the secret was replaced: connections of nodes that were made with the previous one end, and new ones of clients \
             are those of the new one"
        }
    }
}
