//! The secret in the home folder, which the first start creates.

use std::{
    fs::{self, DirBuilder, File},
    io::{self, Write},
    os::unix::fs::{DirBuilderExt, PermissionsExt},
    path::Path,
    time::Duration,
};

use pmesh_layers::identity::{Authority, Secret};
use tempfile::NamedTempFile;

use super::{CONTEXT, SecretError, file::check_owner, read_secret_file};
use crate::settings::SECRET_FILE;

/// Prefix and suffix of a secret that is not in place yet. A start that is killed can leave such a file behind; it is
/// useless.
const UNFINISHED: (&str, &str) = (".secret-", ".tmp");

/// No start takes this long, so older unfinished files are abandoned.
const ABANDONED_AFTER: Duration = Duration::from_secs(60);

/// Reads the secret of the home folder. The first start creates the folder with mode 0700 and the secret with mode 0600.
///
/// Concurrent first starts agree on one secret. A start that is killed leaves either a whole secret or none.
///
/// # Errors
///
/// [`SecretError`] if the home folder cannot be used or is writable by group or others, if a new secret cannot be
/// written, or if [`read_secret_file`] does not accept the file.
pub fn home_secret(home: &Path) -> Result<Secret, SecretError> {
    prepare_home(home)?;
    remove_abandoned(home);
    let path = home.join(SECRET_FILE);
    match read_secret_file(&path) {
        Err(SecretError::Missing { .. }) => make_secret(home, &path),
        read => read,
    }
}

/// Creates the home folder with mode 0700, or checks the existing one.
///
/// # Errors
///
/// [`SecretError`] if it cannot be used, or is writable by group or others.
pub fn prepare_home(home: &Path) -> Result<(), SecretError> {
    if home.starts_with("~") {
        return Err(SecretError::HomeUnknown { path: home.to_owned() });
    }
    let unusable = |source| SecretError::Home { path: home.to_owned(), source };
    let metadata = match fs::metadata(home) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            // With `recursive`, it is not an error if another start has just created it.
            DirBuilder::new().recursive(true).mode(0o700).create(home).map_err(unusable)?;
            fs::metadata(home)
        }
        found => found,
    }
    .map_err(unusable)?;
    if !metadata.is_dir() {
        return Err(SecretError::HomeNotFolder { path: home.to_owned() });
    }
    check_owner(home, &metadata)?;
    let mode = metadata.permissions().mode() & 0o7777;
    if mode & 0o022 != 0 {
        return Err(SecretError::HomeExposed { path: home.to_owned(), mode });
    }
    Ok(())
}

fn make_secret(home: &Path, path: &Path) -> Result<Secret, SecretError> {
    let secret = Secret::generate()?;
    let fingerprint = Authority::derive(&secret, CONTEXT)?.fingerprint();
    match write_new(home, path, &secret) {
        Ok(()) => {
            tracing::info!(
                "created a new secret in {}: other nodes need the same one; the fingerprint of its authority is {}",
                path.display(),
                fingerprint
            );
            Ok(secret)
        }
        // Another start was faster, so its secret is used.
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => read_secret_file(path),
        Err(source) => Err(SecretError::Unwritable { path: path.to_owned(), source }),
    }
}

/// Puts the secret in place atomically. Fails if there already is one.
pub(super) fn write_new(home: &Path, path: &Path, secret: &Secret) -> io::Result<()> {
    let placed = staged(home, secret)?.persist_noclobber(path);
    // Even if another start was faster: its secret must not get lost once this start uses it.
    File::open(home)?.sync_all()?;
    placed.map(drop).map_err(|error| error.error)
}

/// Puts the secret in place atomically, even if there already is one.
pub(super) fn replace(home: &Path, path: &Path, secret: &Secret) -> io::Result<()> {
    staged(home, secret)?.persist(path).map_err(|error| error.error)?;
    File::open(home)?.sync_all()
}

/// Writes the secret to a temporary file.
fn staged(home: &Path, secret: &Secret) -> io::Result<NamedTempFile> {
    // In the same folder, because a file cannot be renamed across file systems. Its mode is 0600.
    let mut file = tempfile::Builder::new().prefix(UNFINISHED.0).suffix(UNFINISHED.1).tempfile_in(home)?;
    file.write_all(secret.expose_hex().as_bytes())?;
    file.write_all(b"\n")?;
    file.as_file().sync_all()?;
    Ok(file)
}

/// Removes files that killed starts have left behind. A failure is harmless: the next start tries again.
fn remove_abandoned(home: &Path) {
    for entry in fs::read_dir(home).into_iter().flatten().flatten() {
        let name = entry.file_name();
        let unfinished =
            name.to_str().is_some_and(|name| name.starts_with(UNFINISHED.0) && name.ends_with(UNFINISHED.1));
        let age = || entry.metadata().ok()?.modified().ok()?.elapsed().ok();
        if unfinished && age().is_some_and(|age| age > ABANDONED_AFTER) {
            let _ = fs::remove_file(entry.path());
        }
    }
}

#[cfg(test)]
mod tests {
    use std::{fs::Permissions, time::SystemTime};

    use super::*;

    fn mode(path: &Path) -> u32 {
        fs::metadata(path).unwrap().permissions().mode() & 0o7777
    }

    #[test]
    fn the_first_start_creates_the_secret_that_the_next_one_reads() {
        let folder = tempfile::tempdir().unwrap();
        let home = folder.path().join("above/home");
        let made = home_secret(&home).unwrap();
        assert_eq!((mode(&home), mode(&home.join(SECRET_FILE))), (0o700, 0o600));
        assert_eq!(fs::read_dir(&home).unwrap().count(), 1);
        assert_eq!(made.expose_hex(), home_secret(&home).unwrap().expose_hex());
        assert_eq!(made.expose_hex(), read_secret_file(&home.join(SECRET_FILE)).unwrap().expose_hex());
    }

    #[test]
    fn an_invalid_secret_is_refused_and_kept() {
        let home = tempfile::tempdir().unwrap();
        let path = home.path().join(SECRET_FILE);
        fs::write(&path, "").unwrap();
        fs::set_permissions(&path, Permissions::from_mode(0o600)).unwrap();
        assert!(matches!(home_secret(home.path()), Err(SecretError::Invalid { .. })));
        assert_eq!(fs::read(&path).unwrap(), b"");
    }

    #[test]
    fn a_home_that_others_can_write_to_is_refused() {
        for exposed in [0o720, 0o702, 0o777, 0o1777] {
            let home = tempfile::tempdir().unwrap();
            fs::set_permissions(home.path(), Permissions::from_mode(exposed)).unwrap();
            let error = home_secret(home.path()).unwrap_err();
            assert!(matches!(error, SecretError::HomeExposed { mode, .. } if mode == exposed), "{error:?}");
            assert_eq!(fs::read_dir(home.path()).unwrap().count(), 0);
        }
    }

    #[test]
    fn an_impossible_home_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("file");
        fs::write(&file, "").unwrap();
        assert!(matches!(home_secret(&file), Err(SecretError::HomeNotFolder { .. })));
        assert!(matches!(home_secret(&file.join("home")), Err(SecretError::Home { .. })));
    }

    #[test]
    fn a_dangling_link_is_an_error_and_not_an_endless_loop() {
        let home = tempfile::tempdir().unwrap();
        std::os::unix::fs::symlink("nowhere", home.path().join(SECRET_FILE)).unwrap();
        assert!(matches!(home_secret(home.path()), Err(SecretError::Missing { .. })));
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn an_unwritable_home_is_reported_with_the_alternatives() {
        // Even root cannot write there.
        let error = home_secret(Path::new("/proc")).unwrap_err().to_string();
        assert!(["--home", "PMESH_HOME", "PMESH_SECRET"].iter().all(|way| error.contains(way)), "{error}");
    }

    #[test]
    fn only_old_unfinished_files_are_removed() {
        let home = tempfile::tempdir().unwrap();
        let put = |name: &str, age: u64| {
            let file = File::create(home.path().join(name)).unwrap();
            file.set_modified(SystemTime::now() - Duration::from_secs(age)).unwrap();
        };
        put(".secret-old.tmp", 120);
        put(".secret-new.tmp", 0);
        put("config.toml", 120);
        home_secret(home.path()).unwrap();
        let mut left: Vec<_> = fs::read_dir(home.path()).unwrap().map(|entry| entry.unwrap().file_name()).collect();
        left.sort();
        assert_eq!(left, [".secret-new.tmp", "config.toml", SECRET_FILE]);
    }
}
