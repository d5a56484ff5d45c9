//! Pairs of certificate and key files.

use std::{fmt, path::PathBuf};

use crate::config::{CERTIFICATE_KEYS, Merged, Node, Problems, names};

/// A certificate chain and its private key, both in PEM.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CertificateFiles {
    /// The file with the chain.
    pub cert: PathBuf,
    /// The file with the key.
    pub key: PathBuf,
    /// Where the user named the chain: `--cert`, or a line of a file.
    pub origin: String,
    /// Where the user named the key.
    pub key_origin: String,
}

impl fmt::Display for CertificateFiles {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} with {}", self.cert.display(), self.key.display())
    }
}

/// Reads the pair from flags or variables, or else all pairs from the files.
pub(super) fn read(merged: &Merged, problems: &mut Problems) -> Vec<CertificateFiles> {
    let pair = match (merged.node("cert"), merged.node("key")) {
        (None, None) => {
            let tables = merged.elements("certificates", problems);
            return tables.iter().filter_map(|table| from_table(table, problems)).collect();
        }
        (Some(cert), Some(key)) => from_pair(&cert, &key, problems),
        (Some(cert), None) => incomplete(&cert, "key", problems),
        (None, Some(key)) => incomplete(&key, "cert", problems),
    };
    pair.into_iter().collect()
}

fn from_pair(cert: &Node<'_>, key: &Node<'_>, problems: &mut Problems) -> Option<CertificateFiles> {
    let (path, key_path) = (cert.read(problems), key.read(problems));
    Some(CertificateFiles { cert: path?, key: key_path?, origin: cert.place(), key_origin: key.place() })
}

fn incomplete(given: &Node<'_>, missing: &str, problems: &mut Problems) -> Option<CertificateFiles> {
    problems.push(given.problem(format!("a certificate and its key go together; set {} too", names(missing))));
    None
}

fn from_table(table: &Node<'_>, problems: &mut Problems) -> Option<CertificateFiles> {
    if table.value.as_dict().is_none() {
        problems.push(table.unexpected("a table with cert and key"));
        return None;
    }
    let mut path = |key: &str| match table.field(key) {
        Some(node) => Some((node.read(problems)?, node.place())),
        None => {
            table.lacks(
                format!("`{key}` is missing: a certificate and its key go together"),
                CERTIFICATE_KEYS,
                problems,
            );
            None
        }
    };
    let (cert, key) = (path("cert"), path("key"));
    let ((cert, origin), (key, key_origin)) = (cert?, key?);
    Some(CertificateFiles { cert, key, origin, key_origin })
}
