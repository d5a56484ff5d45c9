//! Finds the main file.

use std::{
    fs, io,
    path::{Path, PathBuf},
};

use super::{Merged, Problem};

/// The file and its text, if one was found, and the paths that do not exist.
type Found = (Option<(PathBuf, String)>, Vec<PathBuf>);

/// Reads the file that the user named, or else HOME/config.toml, or else `system_file`.
///
/// `named` holds the values of all other sources. If `system_file` is `None`, only a named file is read.
pub(super) fn find(named: &Merged, system_file: Option<&Path>) -> Result<Found, Problem> {
    if let Some(node) = named.node("config") {
        let path: PathBuf = node.parse()?;
        let text = fs::read_to_string(&path)
            .map_err(|error| node.problem(format!("cannot read {}: {}", path.display(), unreadable(&error))))?;
        return Ok((Some((path, text)), Vec::new()));
    }
    let mut absent = Vec::new();
    let Some(system_file) = system_file else { return Ok((None, absent)) };
    let in_home = named.node("home").and_then(|node| Some(node.parse::<PathBuf>().ok()?.join("config.toml")));
    for path in in_home.into_iter().chain([system_file.to_owned()]) {
        match fs::read_to_string(&path) {
            Ok(text) => return Ok((Some((path, text)), absent)),
            Err(error) if is_absent(&error) => absent.push(path),
            Err(error) => {
                let message = format!("cannot be read: {}", unreadable(&error));
                return Err(Problem::new(path.display().to_string(), message));
            }
        }
    }
    Ok((None, absent))
}

/// Why a file cannot be read, in clearer words than the system's where possible.
pub(super) fn unreadable(error: &io::Error) -> String {
    match error.kind() {
        io::ErrorKind::InvalidData => "it is not UTF-8; save it as UTF-8".into(),
        io::ErrorKind::IsADirectory => "it is a folder; write the path of the file in it".into(),
        _ => error.to_string(),
    }
}

fn is_absent(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory)
}
