//! Where the secret comes from.

use std::path::{Path, PathBuf};

use crate::config::{Merged, Problem, Problems, Secret};

/// The name of the secret's file in the home folder.
pub const SECRET_FILE: &str = "secret";

/// Where the secret comes from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SecretSource {
    /// From a variable.
    Given {
        /// The secret, not yet parsed.
        value: Secret,
        /// The name of the variable.
        origin: String,
    },
    /// From a file that the user named. It must exist.
    File {
        /// The file.
        path: PathBuf,
        /// Where the user named it: `PMESH_SECRET_FILE`, or a line of a file.
        origin: String,
    },
    /// From a file in the home folder. It is created at the first start.
    Home(PathBuf),
}

impl SecretSource {
    /// The name of the variable that holds the secret, if it comes from one.
    pub fn given(&self) -> Option<&str> {
        match self {
            Self::Given { origin, .. } => Some(origin),
            Self::File { .. } | Self::Home(_) => None,
        }
    }

    /// Chooses the strongest source that is set.
    pub(super) fn choose(given: Option<Secret>, merged: &Merged, home: &Path, problems: &mut Problems) -> Self {
        const VARIABLE: &str = "PMESH_SECRET";

        let file = merged.node("secret_file");
        let Some(value) = given else {
            return match file {
                Some(node) => Self::File { path: node.read(problems).unwrap_or_default(), origin: node.place() },
                None => Self::Home(home.join(SECRET_FILE)),
            };
        };
        // The variable wins over a configuration file, but not over another variable or a flag.
        if let Some(node) = file.filter(|node| !node.is_from_file()) {
            let message = format!("the secret is set here and by {}: set only one", node.origin());
            problems.push(Problem::new(VARIABLE, message));
        }
        Self::Given { value, origin: VARIABLE.into() }
    }
}
