//! A change of the secret while serving: what was derived from it is replaced.

use std::sync::Arc;

use pmesh_layers::{
    identity::{Authority, IdentityError},
    node::NodeIdentity,
};

use crate::{
    causes::with_causes,
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
    /// Takes the secret that is there now, if it is another one; else does nothing.
    pub fn look(&mut self) {
        match self.watch.changed() {
            None => {}
            Some(Err(error)) => tracing::warn!(
                "the secret has changed and is of no use, so the one before stays in use: {}",
                with_causes(&error)
            ),
            Some(Ok(secrets)) if secrets.is_same(&self.secrets) => {}
            Some(Ok(secrets)) => match self.replace(&secrets) {
                Ok(()) => {
                    tracing::info!("{}", news(&self.secrets, &secrets));
                    self.secrets = secrets;
                }
                Err(error) => tracing::error!(
                    "the secret has changed, and nothing can be derived from it: {}",
                    with_causes(&error)
                ),
            },
        }
    }

    fn replace(&self, secrets: &Secrets) -> Result<(), IdentityError> {
        // All that can fail comes first.
        let authority = Authority::derive(secrets.public())?;
        self.seal.replace(secrets.iter())?;
        self.identity.replace(secrets.iter())?;
        if authority.fingerprint() != Authority::derive(self.secrets.public())?.fingerprint() {
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
            "the old secret is accepted no more: new connections of nodes and clients are those of the new one"
        }
        _ => "the secret was replaced: new connections of nodes and clients are those of the new one",
    }
}
