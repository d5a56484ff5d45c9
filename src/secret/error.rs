//! Why there is no secret, and what to do about it.

use std::{
    io,
    path::{Path, PathBuf},
};

use pmesh_layers::identity::{IdentityError, InvalidSecret};

/// Why there is no secret to start with.
#[derive(Debug, thiserror::Error)]
pub enum SecretError {
    /// The file does not exist.
    #[error("there is no secret file {path}; copy it from another node, or make one with `openssl rand -hex 32`")]
    Missing {
        /// The file.
        path: PathBuf,
    },
    /// The file cannot be opened or read.
    #[error("cannot read the secret file {path}")]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// What the system says.
        source: io::Error,
    },
    /// A folder stands where the file should.
    #[error("{path} is a folder; the secret is a file")]
    Folder {
        /// The folder.
        path: PathBuf,
    },
    /// Somebody but its owner can read or write the file.
    #[error("others than its owner can read or write the secret file {path} (mode {mode:04o}); run `chmod 600 {path}`")]
    Exposed {
        /// The file.
        path: PathBuf,
        /// Its permission bits.
        mode: u32,
    },
    /// The secret's file or folder belongs to another user, who could put another secret there.
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
    /// What should be a secret is none.
    #[error("{origin} holds no secret")]
    Invalid {
        /// What holds the text: a file or a variable.
        origin: String,
        /// What is wrong with it.
        source: InvalidSecret,
    },
    /// The home folder cannot be made or entered.
    #[error("cannot make or enter the home folder {path}; choose another with --home or PMESH_HOME")]
    Home {
        /// The folder.
        path: PathBuf,
        /// What the system says.
        source: io::Error,
    },
    /// The user has no folder for the home to be in.
    #[error("HOME is not set, which ~ in the home {path} stands for; choose one with --home or PMESH_HOME")]
    HomeUnknown {
        /// The path with the `~`.
        path: PathBuf,
    },
    /// The home folder is something else.
    #[error("the home {path} is not a folder; choose another with --home or PMESH_HOME")]
    HomeNotFolder {
        /// What stands in its place.
        path: PathBuf,
    },
    /// Somebody but its owner can write to the home folder, and so replace the secret.
    #[error("others than its owner can write to the home folder {path} (mode {mode:04o}); run `chmod go-w {path}`")]
    HomeExposed {
        /// The folder.
        path: PathBuf,
        /// Its permission bits.
        mode: u32,
    },
    /// There is a secret already.
    #[error("there is a secret in {path} already; `--force` replaces it, `pmesh secret rotate` does so without a gap")]
    Exists {
        /// The file.
        path: PathBuf,
    },
    /// The new secret is the one that is there.
    #[error("the secret in {path} is this one already")]
    Same {
        /// The file.
        path: PathBuf,
    },
    /// Another rotation has not ended.
    #[error(
        "a rotation is under way, since there is {path}: when all nodes have the new secret, end it by `pmesh secret \
         rotate --finish`"
    )]
    Rotating {
        /// The file of the old secret.
        path: PathBuf,
    },
    /// There is no rotation to end.
    #[error("no rotation is under way: there is no {path}")]
    NotRotating {
        /// The file of the old secret, if there were one.
        path: PathBuf,
    },
    /// A secret cannot be written, or removed.
    #[error("cannot write {path}")]
    Write {
        /// The file.
        path: PathBuf,
        /// What the system says.
        source: io::Error,
    },
    /// The home folder takes no new secret.
    #[error(
        "cannot write a new secret to {path}; choose another home with --home or PMESH_HOME, or give the secret by \
         PMESH_SECRET or PMESH_SECRET_FILE"
    )]
    Unwritable {
        /// The file.
        path: PathBuf,
        /// What the system says.
        source: io::Error,
    },
    /// A new secret cannot be made.
    #[error("cannot make a new secret")]
    Generate(#[from] IdentityError),
}

fn remedy(path: &Path, owner: u32, caller: u32) -> String {
    match caller {
        // Were it given to root, the service that it belongs to could not read it any more.
        0 => format!("run this as that user: `setpriv --reuid {owner} --clear-groups pmesh …`"),
        _ => format!("run `chown $(id -u) {}`", path.display()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn root_is_not_told_to_take_a_file_from_its_service() {
        let told = |caller| SecretError::Foreign { path: "/var/lib/pmesh".into(), owner: 999, caller }.to_string();
        assert!(
            told(0).ends_with("run this as that user: `setpriv --reuid 999 --clear-groups pmesh …`"),
            "{}",
            told(0)
        );
        assert!(told(1000).ends_with("run `chown $(id -u) /var/lib/pmesh`"), "{}", told(1000));
    }
}
