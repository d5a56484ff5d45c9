//! The secrets that a node holds: one, or two during a rotation.

use std::{
    ffi::OsString,
    path::{Path, PathBuf},
};

use pmesh_layers::identity::Secret;

use super::{SecretError, home_secret, read_secret_file, secret_from_text};
use crate::settings::SecretSource;

/// The secrets that a node holds: one, or two while a new one replaces an old one.
///
/// The old one is in a file with the same path and `.old` appended. A secret that is given as text has no such file, so
/// it is always the only one.
#[derive(Debug)]
pub struct Secrets {
    new: Secret,
    old: Option<Secret>,
}

impl Secrets {
    /// A single secret, without an old one.
    pub fn one(secret: Secret) -> Self {
        Self { new: secret, old: None }
    }

    /// Reads the secrets from `source`. Never creates one.
    ///
    /// # Errors
    ///
    /// [`SecretError`], which says what to do.
    pub fn load(source: &SecretSource) -> Result<Self, SecretError> {
        match source {
            SecretSource::Given { value, origin } => Ok(Self::one(secret_from_text(value.expose(), origin)?)),
            SecretSource::File { path, .. } | SecretSource::Home(path) => Self::with_old(read_secret_file(path)?, path),
        }
    }

    /// Like [`load`](Self::load), but creates the secret of the home folder if it is missing.
    ///
    /// # Errors
    ///
    /// [`SecretError`], which says what to do.
    pub fn load_or_make(source: &SecretSource, home: &Path) -> Result<Self, SecretError> {
        match source {
            SecretSource::Home(path) => Self::with_old(home_secret(home)?, path),
            given => Self::load(given),
        }
    }

    fn with_old(new: Secret, path: &Path) -> Result<Self, SecretError> {
        let old = match read_secret_file(&old_file(path)) {
            // Both are the same if a rotation was interrupted after its first step.
            Ok(old) => Some(old).filter(|old| !is_same(old, &new)),
            Err(SecretError::Missing { .. }) => None,
            Err(error) => return Err(error),
        };
        Ok(Self { new, old })
    }

    /// The secrets that other nodes may have, in the order in which they are offered.
    pub fn iter(&self) -> impl Iterator<Item = &Secret> {
        std::iter::once(&self.new).chain(&self.old)
    }

    /// The secret that stays after a rotation.
    pub fn new_one(&self) -> &Secret {
        &self.new
    }

    /// The secret that is being replaced.
    pub fn old_one(&self) -> Option<&Secret> {
        self.old.as_ref()
    }

    /// The secret whose authority clients trust: the old one, for as long as it exists.
    pub fn public(&self) -> &Secret {
        self.old.as_ref().unwrap_or(&self.new)
    }

    /// Whether these include all of `others`.
    pub fn hold_all_of(&self, others: &Self) -> bool {
        others.iter().all(|other| self.iter().any(|one| is_same(one, other)))
    }

    /// Whether these are the same, in the same roles.
    pub fn is_same(&self, other: &Self) -> bool {
        let is_same_old = match (&self.old, &other.old) {
            (Some(one), Some(other)) => is_same(one, other),
            (None, None) => true,
            _ => false,
        };
        is_same(&self.new, &other.new) && is_same_old
    }
}

/// The file of the old secret, for a secret in the file `path`.
pub fn old_file(path: &Path) -> PathBuf {
    let mut name = OsString::from(path);
    name.push(".old");
    name.into()
}

/// Compares two of our own secrets. Not constant-time: no outsider can measure it.
pub(super) fn is_same(one: &Secret, other: &Secret) -> bool {
    one.expose_hex() == other.expose_hex()
}

#[cfg(test)]
mod tests {
    use std::{fs, fs::Permissions, os::unix::fs::PermissionsExt};

    use super::*;

    fn write(path: &Path, digit: &str) {
        fs::write(path, digit.repeat(64)).unwrap();
        fs::set_permissions(path, Permissions::from_mode(0o600)).unwrap();
    }

    fn digits(secrets: &Secrets) -> Vec<char> {
        secrets.iter().map(|secret| secret.expose_hex().chars().next().unwrap()).collect()
    }

    #[test]
    fn the_old_secret_is_read_next_to_the_new_one() {
        let home = tempfile::tempdir().unwrap();
        let path = home.path().join("secret");
        let source = SecretSource::Home(path.clone());
        assert!(matches!(Secrets::load(&source), Err(SecretError::Missing { .. })));
        write(&path, "1");
        let one = Secrets::load(&source).unwrap();
        assert_eq!((digits(&one), one.old_one().is_none()), (vec!['1'], true));

        // An interrupted rotation leaves it like this.
        write(&old_file(&path), "1");
        assert!(Secrets::load(&source).unwrap().is_same(&one));

        write(&path, "2");
        let two = Secrets::load_or_make(&source, home.path()).unwrap();
        assert_eq!(digits(&two), ['2', '1']);
        assert_eq!(two.public().expose_hex(), one.public().expose_hex());
        assert!(!two.is_same(&one) && two.hold_all_of(&one) && !one.hold_all_of(&two));

        fs::write(old_file(&path), "nothing").unwrap();
        let error = Secrets::load(&source).unwrap_err();
        assert!(error.to_string().contains("secret.old"), "{error}");
    }
}
