//! Keys in a file.

use std::{
    fs::{self, File},
    io::{self, Read},
    path::{Path, PathBuf},
    sync::{Mutex, PoisonError},
};

use pmesh_layers::jwt::{InvalidKeys, Keys, SharedKeys};
use zeroize::Zeroizing;

use super::error::JwtKeysError;
use crate::{
    file_watch::{FileWatch, Refresh},
    settings::{Jwt, JwtKeys},
};

/// Maximum length of a file.
const LIMIT: u64 = 1024 * 1024;

/// A file with keys.
#[derive(Debug)]
pub(super) struct KeyFile {
    jwt: Jwt,
    path: PathBuf,
    keys: SharedKeys,
    watch: Mutex<FileWatch>,
}

impl KeyFile {
    /// Reads the file. The keys must not be at a URL.
    pub(super) fn new(jwt: &Jwt) -> Result<Self, JwtKeysError> {
        let path = path(&jwt.keys).map(Path::to_owned).unwrap_or_default();
        let watch = Mutex::new(FileWatch::new([path.clone()]));
        let keys = SharedKeys::new(read(jwt, &path)?);
        Ok(Self { jwt: jwt.clone(), path, keys, watch })
    }

    pub(super) fn keys(&self) -> &SharedKeys {
        &self.keys
    }

    /// Reads the file again if it has changed, or in any case. If it cannot be used, the old keys stay.
    pub(super) fn refresh(&self, all: bool) {
        let mut watch = self.watch.lock().unwrap_or_else(PoisonError::into_inner);
        let had_failed = watch.has_failed();
        let refreshed = watch.refresh(all, || read(&self.jwt, &self.path));
        let path = self.path.display();
        match refreshed {
            Refresh::Read(keys) => {
                if had_failed || watch.found_change() {
                    tracing::info!(keys = keys.len(), "jwt: read {path} again");
                }
                self.keys.replace(keys);
            }
            Refresh::Failed(Some(error)) => tracing::warn!("jwt: the old keys stay in use: {error}"),
            Refresh::Unchanged | Refresh::Failed(None) => {}
        }
    }
}

/// Reads the file, if the keys are in one, to check it.
pub(super) fn check(jwt: &Jwt) -> Result<(), JwtKeysError> {
    let Some(path) = path(&jwt.keys) else { return Ok(()) };
    let keys = read(jwt, path)?;
    let allowed = &jwt.algorithms;
    if allowed.is_empty() || keys.algorithms().any(|algorithm| allowed.contains(&algorithm)) {
        return Ok(());
    }
    let mut supported: Vec<_> = keys.algorithms().map(|algorithm| algorithm.to_string()).collect();
    supported.dedup();
    let (origin, path, supported) = (jwt.origin.to_string(), path.to_owned(), supported.join(", "));
    Err(JwtKeysError::NoAlgorithm { origin, path, supported })
}

fn path(keys: &JwtKeys) -> Option<&Path> {
    match keys {
        JwtKeys::File(path) | JwtKeys::Secret(path) => Some(path),
        JwtKeys::Url { .. } => None,
    }
}

fn read(jwt: &Jwt, path: &Path) -> Result<Keys, JwtKeysError> {
    let origin = || jwt.origin.to_string();
    let text = text(path).map_err(|source| JwtKeysError::Unreadable { origin: origin(), path: path.into(), source })?;
    let instead = |instead| Err(JwtKeysError::Instead { origin: origin(), path: path.into(), instead });
    let is_json = text.trim_ascii_start().starts_with(b"{");
    let keys = match &jwt.keys {
        JwtKeys::Secret(_) if text.starts_with(b"-----BEGIN") => {
            return instead("this is a key in PEM and not a shared secret: write keys = \"…\"");
        }
        JwtKeys::Secret(_) if is_json && Keys::from_jwks(&text).is_ok() => {
            return instead("this is a JSON Web Key Set and not a shared secret: write keys = \"…\"");
        }
        JwtKeys::Secret(_) => Keys::from_secret(without_line_break(&text)),
        _ if is_json => Keys::from_jwks(&text),
        _ => Keys::from_pem(&text),
    };
    keys.or_else(|source| match source {
        InvalidKeys::NoPem => instead(
            "this is neither a JSON Web Key Set nor a public key in PEM (-----BEGIN PUBLIC KEY-----); for a shared secret, \
             write secret_file = \"…\"",
        ),
        InvalidKeys::Private => instead(
            "this is a private key, with which anybody who reads it can make tokens: write the public key, as `openssl pkey \
             -pubout -in FILE` prints it",
        ),
        source => Err(JwtKeysError::Invalid { origin: origin(), path: path.into(), source }),
    })
}

/// The content, which can be a secret, so it is wiped from memory on drop.
fn text(path: &Path) -> io::Result<Zeroizing<Vec<u8>>> {
    // Reading a pipe could take forever.
    if !fs::metadata(path)?.is_file() {
        return Err(io::Error::other("not a file"));
    }
    let mut text = Zeroizing::new(Vec::new());
    File::open(path)?.take(LIMIT + 1).read_to_end(&mut text)?;
    if text.len() as u64 > LIMIT { Err(io::Error::other("longer than 1 MiB")) } else { Ok(text) }
}

/// Editors end a file with a line break, which is not part of the secret.
fn without_line_break(text: &[u8]) -> &[u8] {
    let text = text.strip_suffix(b"\n").unwrap_or(text);
    text.strip_suffix(b"\r").unwrap_or(text)
}
