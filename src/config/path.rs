//! Paths in settings: `~/`, and paths relative to the file that contains them.

use std::path::{MAIN_SEPARATOR, Path};

/// Replaces a leading `~` by the user's home, if that is known.
pub(super) fn expand(text: &str, home: Option<&str>) -> String {
    match (text.strip_prefix('~'), home) {
        (Some(rest), Some(home)) if rest.is_empty() || rest.starts_with(MAIN_SEPARATOR) => format!("{home}{rest}"),
        _ => text.to_owned(),
    }
}

/// Resolves a path in a file in `folder`.
pub(super) fn resolve(folder: &Path, text: &str, home: Option<&str>) -> String {
    match text {
        "" | "~" => expand(text, home),
        _ if text.starts_with("~/") => expand(text, home),
        // This loses nothing: the path of the file comes from a `String`, so the folder is UTF-8.
        _ => folder.join(text).to_string_lossy().into_owned(),
    }
}

/// Maps the path in `unix:PATH`. Leaves other addresses as they are.
pub(super) fn map_socket(text: &str, map: impl FnOnce(&str) -> String) -> String {
    text.strip_prefix("unix:").map_or_else(|| text.to_owned(), |path| format!("unix:{}", map(path)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tilde_is_the_users_home() {
        for (text, home, expected) in [
            ("~/.pmesh", Some("/root"), "/root/.pmesh"),
            ("~", Some("/root"), "/root"),
            ("~other/x", Some("/root"), "~other/x"),
            ("a/~/b", Some("/root"), "a/~/b"),
            ("~/.pmesh", None, "~/.pmesh"),
        ] {
            assert_eq!(expand(text, home), expected);
        }
    }

    #[test]
    fn paths_in_a_file_are_relative_to_its_folder() {
        for (text, expected) in [("a.pem", "/etc/pmesh/a.pem"), ("/a.pem", "/a.pem"), ("~/a.pem", "/root/a.pem")] {
            assert_eq!(resolve(Path::new("/etc/pmesh"), text, Some("/root")), expected);
        }
    }
}
