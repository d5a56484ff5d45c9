use super::{Algorithm, InvalidKeys, jwk, key::Key, spki};

/// Keys that verify signatures. Each is only used with the algorithms that fit it, whatever a token says.
#[derive(Debug, Clone)]
pub struct Keys {
    keys: Vec<Key>,
    ignored: usize,
}

impl Keys {
    /// Maximum number of keys in a set; further ones are ignored.
    pub const MAX: usize = 100;

    /// Reads a JSON Web Key Set or a single JSON Web Key (RFC 7517).
    ///
    /// As the RFC demands, unusable keys are [ignored](Self::ignored), such as keys of unknown types or for encryption.
    ///
    /// # Errors
    ///
    /// If the text is not JSON, contains a private key, or has no usable key.
    pub fn from_jwks(json: &[u8]) -> Result<Self, InvalidKeys> {
        let all = jwk::read(json)?;
        let (mut keys, mut reason) = (Vec::new(), InvalidKeys::Empty);
        let count = all.len();
        for key in all {
            match key {
                Ok(key) if keys.len() < Self::MAX => keys.push(key),
                Ok(_) => {}
                Err(InvalidKeys::Private) => return Err(InvalidKeys::Private),
                Err(error) => reason = error,
            }
        }
        if keys.is_empty() {
            return Err(reason);
        }
        Ok(Self { ignored: count - keys.len(), keys })
    }

    /// Reads public keys in PEM (`-----BEGIN PUBLIC KEY-----`). They have no names, so they verify tokens with any `kid`.
    ///
    /// # Errors
    ///
    /// If there is no public key, or if one cannot be used.
    pub fn from_pem(pem: &[u8]) -> Result<Self, InvalidKeys> {
        let keys = spki::read(pem)?;
        Ok(Self { keys, ignored: 0 })
    }

    /// Uses a shared secret of at least 32 bytes. HS384 needs 48, HS512 64.
    ///
    /// # Errors
    ///
    /// If the secret is shorter.
    pub fn from_secret(secret: &[u8]) -> Result<Self, InvalidKeys> {
        Ok(Self { keys: vec![Key::secret(secret)?], ignored: 0 })
    }

    /// Removes shared secrets, which must not come from a public place. Returns `None` if nothing is left.
    #[must_use]
    pub fn without_secrets(mut self) -> Option<Self> {
        let before = self.keys.len();
        self.keys.retain(|key| !key.algorithms.iter().any(|algorithm| algorithm.is_symmetric()));
        self.ignored += before - self.keys.len();
        (!self.keys.is_empty()).then_some(self)
    }

    /// The number of keys, at least one.
    #[expect(clippy::len_without_is_empty, reason = "it is never empty")]
    pub fn len(&self) -> usize {
        self.keys.len()
    }

    /// The number of ignored keys in the set.
    pub fn ignored(&self) -> usize {
        self.ignored
    }

    /// The algorithms that the keys can verify.
    pub fn algorithms(&self) -> impl Iterator<Item = Algorithm> {
        self.keys.iter().flat_map(|key| key.algorithms.iter().copied())
    }

    /// The keys for tokens with this `kid`, including keys without a name.
    pub(super) fn named<'a>(&'a self, id: Option<&'a str>) -> impl Iterator<Item = &'a Key> {
        let fits = move |key: &&Key| id.is_none_or(|id| key.id.as_deref().is_none_or(|name| name == id));
        self.keys.iter().filter(fits)
    }
}
