//! Replaces the secret of the home folder, and keeps the old one next to it.

use std::{fs, io, path::Path};

use pmesh_layers::identity::Secret;

use super::{
    SecretError,
    home::{prepare_home, replace, write_new},
    old_file, read_secret_file,
    secrets::is_same,
};
use crate::settings::SECRET_FILE;

/// Makes `secret` the secret of the home folder. With `force`, replaces an existing secret atomically.
///
/// # Errors
///
/// [`SecretError::Exists`] if there already is one and `force` is not set; other errors if the folder cannot be used.
pub fn set(home: &Path, secret: &Secret, force: bool) -> Result<(), SecretError> {
    prepare_home(home)?;
    let path = home.join(SECRET_FILE);
    let written = if force { replace(home, &path, secret) } else { write_new(home, &path, secret) };
    written.map_err(|source| match source.kind() {
        io::ErrorKind::AlreadyExists => SecretError::Exists { path },
        _ => SecretError::Write { path, source },
    })
}

/// Makes `new` the secret of the home folder, and keeps the current one next to it as the old one.
///
/// # Errors
///
/// [`SecretError`] if there is no current secret, if another rotation is under way, if `new` is the current secret, or
/// if a file cannot be written.
pub fn rotate(home: &Path, new: &Secret) -> Result<(), SecretError> {
    prepare_home(home)?;
    let path = home.join(SECRET_FILE);
    let current = read_secret_file(&path)?;
    if is_same(&current, new) {
        return Err(SecretError::Same { path });
    }
    let old = old_file(&path);
    match write_new(home, &old, &current) {
        Ok(()) => {}
        // Resumes a rotation that was interrupted between its two steps.
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists && is_same(&read_secret_file(&old)?, &current) => {}
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => return Err(SecretError::Rotating { path: old }),
        Err(source) => return Err(SecretError::Write { path: old, source }),
    }
    replace(home, &path, new).map_err(|source| SecretError::Write { path, source })
}

/// Removes the old secret of the home folder.
///
/// # Errors
///
/// [`SecretError::NotRotating`] if there is none; other errors if there is no new secret, or if the old one cannot be
/// removed.
pub fn finish(home: &Path) -> Result<(), SecretError> {
    let old = old_file(&home.join(SECRET_FILE));
    // Without a new secret, the old one would be the last copy.
    read_secret_file(&home.join(SECRET_FILE))?;
    fs::remove_file(&old).map_err(|source| match source.kind() {
        io::ErrorKind::NotFound => SecretError::NotRotating { path: old },
        _ => SecretError::Write { path: old, source },
    })
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;
    use crate::{secret::Secrets, settings::SecretSource};

    fn secret(digit: &str) -> Secret {
        digit.repeat(64).parse().unwrap()
    }

    fn held(home: &Path) -> Vec<char> {
        let secrets = Secrets::load(&SecretSource::Home(home.join(SECRET_FILE))).unwrap();
        secrets.iter().map(|secret| secret.expose_hex().chars().next().unwrap()).collect()
    }

    #[test]
    fn a_secret_is_set_once_unless_forced() {
        let folder = tempfile::tempdir().unwrap();
        let home = folder.path().join("home");
        set(&home, &secret("1"), false).unwrap();
        assert!(matches!(set(&home, &secret("2"), false), Err(SecretError::Exists { .. })));
        assert_eq!(held(&home), ['1']);
        set(&home, &secret("2"), true).unwrap();
        assert_eq!(held(&home), ['2']);
        let mode = fs::metadata(home.join(SECRET_FILE)).unwrap().permissions().mode() & 0o7777;
        assert_eq!((mode, fs::read_dir(&home).unwrap().count()), (0o600, 1));
    }

    #[test]
    fn concurrent_readers_see_a_whole_secret() {
        let folder = tempfile::tempdir().unwrap();
        let home = folder.path();
        set(home, &secret("1"), false).unwrap();
        std::thread::scope(|scope| {
            let writer = scope.spawn(|| {
                for digit in ["2", "1"].repeat(50) {
                    set(home, &secret(digit), true).unwrap();
                }
            });
            while !writer.is_finished() {
                assert!([['1'], ['2']].contains(&held(home)[..].try_into().unwrap()));
            }
        });
    }

    #[test]
    fn a_secret_is_rotated_in_two_steps() {
        let folder = tempfile::tempdir().unwrap();
        let home = folder.path();
        assert!(matches!(rotate(home, &secret("2")), Err(SecretError::Missing { .. })));
        assert!(matches!(finish(home), Err(SecretError::Missing { .. })));
        set(home, &secret("1"), false).unwrap();
        assert!(matches!(finish(home), Err(SecretError::NotRotating { .. })));
        assert!(matches!(rotate(home, &secret("1")), Err(SecretError::Same { .. })));
        rotate(home, &secret("2")).unwrap();
        assert_eq!(held(home), ['2', '1']);
        for name in ["secret", "secret.old"] {
            assert_eq!(fs::metadata(home.join(name)).unwrap().permissions().mode() & 0o7777, 0o600);
        }
        assert!(matches!(rotate(home, &secret("3")), Err(SecretError::Rotating { .. })));
        assert_eq!(held(home), ['2', '1']);
        finish(home).unwrap();
        assert_eq!(held(home), ['2']);
    }

    #[test]
    fn an_interrupted_rotation_is_resumed() {
        let folder = tempfile::tempdir().unwrap();
        let home = folder.path();
        set(home, &secret("1"), false).unwrap();
        write_new(home, &home.join("secret.old"), &secret("1")).unwrap();
        assert_eq!(held(home), ['1']);
        rotate(home, &secret("2")).unwrap();
        assert_eq!(held(home), ['2', '1']);
    }
}
