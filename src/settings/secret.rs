//! Where the secret is.

use std::path::{Path, PathBuf};

use crate::config::{Merged, Problem, Problems, Secret};

/// The name of the secret's file in the home folder.
pub const SECRET_FILE: &str = "secret";

/// Where the secret is to be read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SecretSource {
    /// It was given itself.
    Given {
        /// The secret, as it was written.
        value: Secret,
        /// The variable it was in.
        origin: String,
    },
    /// In a file the user named, which must exist.
    File {
        /// The file.
        path: PathBuf,
        /// Where the user named it: `PMESH_SECRET_FILE`, or a line of a file.
        origin: String,
    },
    /// In a file below the program's home, which is made at the first start.
    Home(PathBuf),
}

impl SecretSource {
    /// The variable that holds the secret itself, if one does.
    pub fn given(&self) -> Option<&str> {
        match self {
            Self::Given { origin, .. } => Some(origin),
            Self::File { .. } | Self::Home(_) => None,
        }
    }

    /// Chooses the strongest of what was set.
    pub(super) fn choose(given: Option<Secret>, merged: &Merged, home: &Path, problems: &mut Problems) -> Self {
        const VARIABLE: &str = "PMESH_SECRET";

        let file = merged.node("secret_file");
        let Some(value) = given else {
            return match file {
                Some(node) => Self::File { path: node.read(problems).unwrap_or_default(), origin: node.place() },
                None => Self::Home(home.join(SECRET_FILE)),
            };
        };
        // A variable wins over the file of settings, but not over its like.
        if let Some(node) = file.filter(|node| !node.is_from_file()) {
            let message = format!("the secret is set here and by {}: set only one", node.origin());
            problems.push(Problem::new(VARIABLE, message));
        }
        Self::Given { value, origin: VARIABLE.into() }
    }
}
