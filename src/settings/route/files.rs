//! Files as an answer: the `files` of a route.

use std::{
    fmt, fs, io,
    path::{self, Path, PathBuf},
};

use figment::value::Value;

use crate::config::{FILES_KEYS, Node, Parse, Problems, Reason, text};

/// The files that a route serves.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Files {
    /// The folder with the files.
    pub root: PathBuf,
    /// The name of the file to serve for a folder.
    pub index: String,
    /// Whether missing pages get the index of the root.
    pub spa: bool,
}

impl Files {
    /// Reads a folder, or a table.
    pub(super) fn read(node: &Node<'_>, problems: &mut Problems) -> Option<Self> {
        const INDEX: &str = "index.html";

        if node.value.as_dict().is_none() {
            return Some(Self { root: root(node, problems)?, index: INDEX.to_owned(), spa: false });
        }
        let root = match node.field("root") {
            Some(node) => root(&node, problems),
            None => {
                node.lacks("no folder: write root = \"/srv/www\"", FILES_KEYS, problems);
                None
            }
        };
        let index = match node.field("index") {
            Some(node) => node.read(problems).map(|FileName(name)| name),
            None => Some(INDEX.to_owned()),
        };
        let spa = node.field("spa").map_or(Some(false), |node| node.read(problems));
        Some(Self { root: root?, index: index?, spa: spa? })
    }

    /// Whether clients could read the files of a folder.
    pub(super) fn would_serve(&self, folder: &Path) -> bool {
        // It may not exist yet.
        let real = |path: &Path| path.canonicalize().or_else(|_| path::absolute(path)).ok();
        let (Some(root), Some(folder)) = (real(&self.root), real(folder)) else { return false };
        // Folders whose names begin with a dot are never served.
        let is_shown = |part: path::Component<'_>| !part.as_os_str().as_encoded_bytes().starts_with(b".");
        folder.strip_prefix(root).is_ok_and(|below| below.components().all(is_shown))
    }
}

/// Reads the folder. Returns `None` if it does not exist, and reports that.
fn root(node: &Node<'_>, problems: &mut Problems) -> Option<PathBuf> {
    let Folder(path) = node.read(problems)?;
    let problem = match fs::metadata(&path) {
        Ok(metadata) if metadata.is_dir() => return Some(path),
        Ok(_) => not_a_folder(&path),
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            format!("the folder {} does not exist: create it, or write another one", path.display())
        }
        Err(error) => format!("cannot use the folder {}: {error}", path.display()),
    };
    problems.push(node.problem(problem));
    None
}

fn not_a_folder(path: &Path) -> String {
    let folder = path.parent().filter(|parent| !parent.as_os_str().is_empty());
    let folder = folder.map(|parent| format!(", such as {}", parent.display())).unwrap_or_default();
    format!("{} is not a folder: name the folder with the files{folder}", path.display())
}

/// `/srv/www`
impl fmt::Display for Files {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.root.display().fmt(f)
    }
}

struct Folder(PathBuf);

impl Parse for Folder {
    const EXPECTED: &'static str =
        "a folder such as \"/srv/www\", or a table such as { root = \"/srv/www\", spa = true }";

    fn parse(value: &Value) -> Result<Self, Reason> {
        value.as_str().filter(|text| !text.is_empty()).map(|text| Self(text.into())).ok_or(None)
    }
}

struct FileName(String);

impl Parse for FileName {
    const EXPECTED: &'static str = "the name of a file, such as \"index.html\"";

    fn parse(value: &Value) -> Result<Self, Reason> {
        let name = text(value)?;
        if name.contains('/') {
            return Err(Some("each folder has its own index: write a name without a path".into()));
        }
        if name.is_empty() || name.starts_with('.') || name.contains('\0') {
            return Err(None);
        }
        Ok(Self(name.to_owned()))
    }
}
