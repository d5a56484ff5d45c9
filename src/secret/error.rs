//! Errors of the secret, and what to do about them.

use std::{
    io,
    path::{Path, PathBuf},
};

use pmesh_layers::identity::{IdentityError, InvalidSecret};

/// Why there is no secret to start with.
#[derive(Debug, thiserror::Error)]
pub enum SecretError {
    /// The file does not exist.
    #[error(
        "the secret file {path} does not exist; copy it from another node, or create one with `openssl rand -hex 32`"
    )]
    Missing {
        /// The file.
        path: PathBuf,
    },
    /// The file cannot be opened or read.
    #[error("cannot read the secret file {path}")]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// The error from the system.
        source: io::Error,
    },
    /// A folder is in the place of the file.
    #[error("{path} is a folder; the secret must be a file")]
    Folder {
        /// The folder.
        path: PathBuf,
    },
    /// Users other than its owner can read or write the file.
    #[error("other users can read or write the secret file {path} (mode {mode:04o}); run `chmod 600 {path}`")]
    Exposed {
        /// The file.
        path: PathBuf,
        /// Its permission bits.
        mode: u32,
    },
    /// The file or folder of the secret belongs to another user, who could replace the secret.
    #[error(
        "{path} belongs to another user (uid {owner}), who could replace the secret; {}",
        remedy(path, *owner, *caller)
    )]
    Foreign {
        /// The file or folder.
        path: PathBuf,
        /// The user id of its owner.
        owner: u32,
        /// The user id of this process.
        caller: u32,
    },
    /// The text is not a secret.
    #[error("{origin} does not hold a valid secret")]
    Invalid {
        /// Where the text is: a file or a variable.
        origin: String,
        /// The cause.
        source: InvalidSecret,
    },
    /// The home folder cannot be created or opened.
    #[error("cannot create or open the home folder {path}; choose another with --home or PMESH_HOME")]
    Home {
        /// The folder.
        path: PathBuf,
        /// The error from the system.
        source: io::Error,
    },
    /// The path of the home begins with `~`, and `HOME` is not set.
    #[error("cannot resolve ~ in the home {path}, because HOME is not set; choose a home with --home or PMESH_HOME")]
    HomeUnknown {
        /// The path with the `~`.
        path: PathBuf,
    },
    /// The home is not a folder.
    #[error("the home {path} is not a folder; choose another with --home or PMESH_HOME")]
    HomeNotFolder {
        /// The path.
        path: PathBuf,
    },
    /// Users other than its owner can write to the home folder, and so replace the secret.
    #[error("other users can write to the home folder {path} (mode {mode:04o}); run `chmod go-w {path}`")]
    HomeExposed {
        /// The folder.
        path: PathBuf,
        /// Its permission bits.
        mode: u32,
    },
    /// There already is a secret.
    #[error("{path} already holds a secret; `--force` replaces it, `pmesh secret rotate` does so without interruption")]
    Exists {
        /// The file.
        path: PathBuf,
    },
    /// The new secret is the current one.
    #[error("{path} already holds this secret")]
    Same {
        /// The file.
        path: PathBuf,
    },
    /// Another rotation is under way.
    #[error(
        "a rotation is under way, because {path} exists; once all nodes have the new secret, finish it with `pmesh \
         secret rotate --finish`"
    )]
    Rotating {
        /// The file of the old secret.
        path: PathBuf,
    },
    /// There is no rotation to finish.
    #[error("no rotation is under way: {path} does not exist")]
    NotRotating {
        /// The file that would hold the old secret.
        path: PathBuf,
    },
    /// A secret cannot be written or removed.
    #[error("cannot write or remove {path}")]
    Write {
        /// The file.
        path: PathBuf,
        /// The error from the system.
        source: io::Error,
    },
    /// A new secret cannot be written to the home folder.
    #[error(
        "cannot write a new secret to {path}; choose another home with --home or PMESH_HOME, or set PMESH_SECRET or \
         PMESH_SECRET_FILE"
    )]
    Unwritable {
        /// The file.
        path: PathBuf,
        /// The error from the system.
        source: io::Error,
    },
    /// A new secret cannot be generated.
    #[error("cannot generate a new secret")]
    Generate(#[from] IdentityError),
}

fn remedy(path: &Path, owner: u32, caller: u32) -> String {
    match caller {
        // Not `chown`, because the service that owns the file could no longer read it.
        0 => format!("run this as that user: `setpriv --reuid {owner} --clear-groups pmesh …`"),
        _ => format!("run `chown $(id -u) {}`", path.display()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn root_is_not_advised_to_take_a_file_from_its_service() {
        let told = |caller| SecretError::Foreign { path: "/var/lib/pmesh".into(), owner: 999, caller }.to_string();
        assert!(
            told(0).ends_with("run this as that user: `setpriv --reuid 999 --clear-groups pmesh …`"),
            "{}",
            told(0)
        );
        assert!(told(1000).ends_with("run `chown $(id -u) /var/lib/pmesh`"), "{}", told(1000));
    }
}
