//! Reading a secret from a file that only its owner can read.

use std::{
    fs::{File, Metadata},
    io::{self, Read},
    os::unix::fs::{MetadataExt, PermissionsExt},
    path::Path,
};

use pmesh_layers::identity::{InvalidSecret, Secret};
use zeroize::Zeroizing;

use super::SecretError;

/// Maximum number of bytes to read. A secret is far shorter, and reading this much of a wrong file costs nothing.
const READ_LIMIT: usize = 1024;

/// Reads the secret from a file that only its owner can read and write.
///
/// # Errors
///
/// [`SecretError`] if the file does not exist, cannot be read, is a folder, belongs to another user, is open to group
/// or others, or does not contain a secret.
pub fn read_secret_file(path: &Path) -> Result<Secret, SecretError> {
    let unreadable = |source: io::Error| match source.kind() {
        io::ErrorKind::NotFound => SecretError::Missing { path: path.to_owned() },
        _ => SecretError::Unreadable { path: path.to_owned(), source },
    };
    let file = File::open(path).map_err(unreadable)?;
    // The open file is checked, because the path may name another one by now.
    let metadata = file.metadata().map_err(unreadable)?;
    if metadata.is_dir() {
        return Err(SecretError::Folder { path: path.to_owned() });
    }
    check_owner(path, &metadata)?;
    let mode = metadata.permissions().mode() & 0o7777;
    if mode & 0o077 != 0 {
        return Err(SecretError::Exposed { path: path.to_owned(), mode });
    }
    // Allocated in full, because growing would leave a copy behind.
    let mut text = Zeroizing::new(Vec::with_capacity(READ_LIMIT));
    file.take(READ_LIMIT as u64).read_to_end(&mut text).map_err(unreadable)?;
    std::str::from_utf8(&text)
        .map_err(|_| InvalidSecret::NotHex)
        .and_then(str::parse)
        .map_err(|source| SecretError::Invalid { origin: format!("the secret file {}", path.display()), source })
}

/// Refuses a file or folder that belongs neither to this process's user nor to root. Any other owner could put their
/// own secret there.
pub(super) fn check_owner(path: &Path, metadata: &Metadata) -> Result<(), SecretError> {
    let (owner, caller) = (metadata.uid(), nix::unistd::geteuid().as_raw());
    if owner == 0 || owner == caller {
        return Ok(());
    }
    Err(SecretError::Foreign { path: path.to_owned(), owner, caller })
}

#[cfg(test)]
mod tests {
    use std::{fs, fs::Permissions, path::PathBuf};

    use tempfile::TempDir;

    use super::*;

    const HEX: &str = "000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1eff";

    fn file(text: impl AsRef<[u8]>, mode: u32) -> (TempDir, PathBuf) {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("some-secret");
        fs::write(&path, text).unwrap();
        fs::set_permissions(&path, Permissions::from_mode(mode)).unwrap();
        (folder, path)
    }

    #[test]
    fn a_file_that_only_its_owner_can_read_is_accepted() {
        for mode in [0o600, 0o400] {
            let (_folder, path) = file(format!("{HEX}\n"), mode);
            assert_eq!(read_secret_file(&path).unwrap().expose_hex().as_str(), HEX);
        }
    }

    #[test]
    fn a_file_open_to_others_is_refused_with_the_remedy() {
        for mode in [0o640, 0o604, 0o620, 0o602, 0o610, 0o666] {
            let (_folder, path) = file(HEX, mode);
            let error = read_secret_file(&path).unwrap_err();
            assert!(matches!(error, SecretError::Exposed { mode: found, .. } if found == mode), "{error:?}");
            assert!(error.to_string().contains(&format!("chmod 600 {}", path.display())), "{error}");
        }
    }

    #[test]
    fn text_that_is_not_a_secret_is_refused_with_the_path() {
        for text in [&b""[..], b"\n", b"0123", &[b'7'; 65], &[b'7'; 5000], b"not hex at all", b"\xff\xfe"] {
            let (_folder, path) = file(text, 0o600);
            let error = read_secret_file(&path).unwrap_err();
            assert!(matches!(error, SecretError::Invalid { .. }), "{error:?}");
            assert!(error.to_string().contains(&path.display().to_string()), "{error}");
        }
    }

    #[test]
    fn folders_and_missing_files_are_refused() {
        let (folder, path) = file(HEX, 0o600);
        let read = |path: &Path| read_secret_file(path).unwrap_err();
        assert!(matches!(read(folder.path()), SecretError::Folder { .. }));
        assert!(matches!(read(&folder.path().join("other")), SecretError::Missing { .. }));
        assert!(matches!(read(&path.join("below")), SecretError::Unreadable { .. }));
    }

    #[test]
    fn a_file_without_permissions_is_unreadable() {
        let (_folder, path) = file(HEX, 0o000);
        // Root ignores permissions.
        if File::open(&path).is_err() {
            assert!(matches!(read_secret_file(&path).unwrap_err(), SecretError::Unreadable { .. }));
        }
    }
}
