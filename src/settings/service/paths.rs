//! Paths of a service: its folder, its output, and what is watched.

use std::{
    fs, io,
    path::{self, Path, PathBuf},
};

use super::ServiceOutput;
use crate::config::{Node, Problems};

/// The folder in which the service runs: `cwd`, or the folder of the file that has its table. Returns `None` if it is
/// not a folder, and reports that.
pub(super) fn cwd(service: &Node<'_>, problems: &mut Problems) -> Option<PathBuf> {
    let Some(node) = service.field("cwd") else { return Some(absolute(service.folder())) };
    let folder: PathBuf = node.read(problems)?;
    let problem = match fs::metadata(&folder) {
        Ok(metadata) if metadata.is_dir() => return Some(absolute(&folder)),
        Ok(_) => format!("{} is not a folder", folder.display()),
        Err(error) => not_usable(&folder, &error),
    };
    problems.push(node.problem(problem));
    None
}

/// Where the output goes. Returns `None` if that is invalid, and reports it.
pub(super) fn output(node: &Node<'_>, problems: &mut Problems) -> Option<ServiceOutput> {
    match node.value.as_str() {
        Some("log") => return Some(ServiceOutput::Log),
        Some("off") => return Some(ServiceOutput::Off),
        Some("") | None => {
            problems.push(node.unexpected("\"log\", \"off\", or a file such as \"web.log\""));
            return None;
        }
        Some(_) => {}
    }
    let file: PathBuf = node.read(problems)?;
    let file = absolute(&file);
    let folder = file.parent().unwrap_or(Path::new("/"));
    let problem = if file.is_dir() {
        format!("{} is a folder: name a file in it", file.display())
    } else {
        match fs::metadata(folder) {
            Ok(_) => return Some(ServiceOutput::File(file)),
            Err(error) => not_usable(folder, &error),
        }
    };
    problems.push(node.problem(problem));
    None
}

/// The files and folders that are watched. Returns `None` if a path is invalid, and reports that.
pub(super) fn watch(node: &Node<'_>, cwd: Option<&Path>, problems: &mut Problems) -> Option<Vec<PathBuf>> {
    if let Some(is_on) = node.value.to_bool() {
        return Some(if is_on { vec![cwd?.to_owned()] } else { Vec::new() });
    }
    let nodes = node.one_or_more();
    let mut paths = Vec::with_capacity(nodes.len());
    for one in &nodes {
        if one.value.as_str().is_none_or(str::is_empty) {
            problems.push(one.unexpected("a file or a folder, a list of them, or true for `cwd`"));
        } else if one.value.as_str().is_some_and(|path| path.contains('*')) {
            problems.push(one.problem("patterns are not supported here: name the folder, to watch all files in it"));
        } else {
            paths.extend(one.read::<PathBuf>(problems).map(|path| absolute(&path)));
        }
    }
    (paths.len() == nodes.len()).then_some(paths)
}

fn not_usable(folder: &Path, error: &io::Error) -> String {
    match error.kind() {
        io::ErrorKind::NotFound => {
            format!("the folder {} does not exist: create it, or write another one", folder.display())
        }
        _ => format!("cannot use the folder {}: {error}", folder.display()),
    }
}

/// An empty path is the current folder.
fn absolute(path: &Path) -> PathBuf {
    let path = if path.as_os_str().is_empty() { Path::new(".") } else { path };
    // Fails only if the current folder is gone.
    path::absolute(path).unwrap_or_else(|_| path.to_owned())
}
