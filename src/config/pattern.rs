//! File names and patterns for them.

use std::path::{Path, PathBuf};

use glob::{GlobError, MatchOptions};

use super::path;

/// `*` and `?` do not match hidden files, such as the temporary files of editors.
const OPTIONS: MatchOptions =
    MatchOptions { case_sensitive: true, require_literal_separator: true, require_literal_leading_dot: true };

/// A file name, or a pattern.
#[derive(Debug, Clone)]
pub(super) enum Pattern {
    /// One file, whether or not it exists.
    Name(PathBuf),
    /// All files that match, if any.
    Glob(String),
}

impl Pattern {
    /// Parses an entry in a file in `folder`.
    pub(super) fn new(text: &str, folder: &Path, user_home: Option<&str>) -> Result<Self, String> {
        if !text.contains(['*', '?', '[']) {
            return Ok(Self::Name(path::resolve(folder, text, user_home).into()));
        }
        let (folder, rest) = match (text.strip_prefix("~/"), user_home) {
            (Some(rest), Some(home)) => (Path::new(home), rest),
            _ => (folder, text),
        };
        // The name of the folder is literal. `components` removes `./` and `//`, which `glob` does not handle.
        let escaped = glob::Pattern::escape(&folder.to_string_lossy());
        let pattern: PathBuf = Path::new(&escaped).join(rest).components().collect();
        let pattern = pattern.to_string_lossy().into_owned();
        glob::Pattern::new(&pattern).map_err(|error| format!("this pattern is not valid: {}", error.msg))?;
        Ok(Self::Glob(pattern))
    }

    /// The files that exist now, sorted by name. Calls `report` for each folder that cannot be read.
    pub(super) fn find(&self, mut report: impl FnMut(&GlobError)) -> Vec<PathBuf> {
        let pattern = match self {
            Self::Name(path) => return vec![path.clone()],
            Self::Glob(pattern) => pattern,
        };
        let is_wanted = |file: &PathBuf| {
            let is_backup = file.to_string_lossy().ends_with('~') && !pattern.ends_with('~');
            // A dangling link is kept: it is reported when it is read. Pipes are skipped: reading one might never end.
            !is_backup && (file.is_file() || !file.exists())
        };
        // `new` has checked the pattern.
        let matching = glob::glob_with(pattern, OPTIONS).into_iter().flatten();
        let mut files: Vec<_> =
            matching.filter_map(|file| file.inspect_err(&mut report).ok()).filter(is_wanted).collect();
        files.sort_unstable();
        files
    }

    pub(super) fn is_name(&self) -> bool {
        matches!(self, Self::Name(_))
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    #[test]
    fn special_characters_in_the_name_of_the_folder_are_literal() {
        let folder = tempfile::tempdir().expect("a folder");
        let folder = folder.path().join("[a]*");
        fs::create_dir_all(folder.join("b")).expect("a folder");
        for name in ["2.toml", "10.toml", ".3.toml", "4.toml~", "b/5.toml", "b/6.conf"] {
            fs::write(folder.join(name), "").expect("a file");
        }
        let home = folder.to_string_lossy().into_owned();
        for (text, expected) in [
            ("*.toml", &["10.toml", "2.toml"][..]),
            ("./*.toml", &["10.toml", "2.toml"]),
            ("*", &["10.toml", "2.toml"]),
            ("?.toml", &["2.toml"]),
            ("[0-9].toml", &["2.toml"]),
            (".*.toml", &[]),
            ("*~", &["4.toml~"]),
            ("*/*.toml", &["b/5.toml"]),
            ("b//*", &["b/5.toml", "b/6.conf"]),
            ("b/../*.toml", &["b/../10.toml", "b/../2.toml"]),
            ("**/*.toml", &["10.toml", "2.toml", "b/5.toml"]),
            ("~/b/*.conf", &["b/6.conf"]),
            ("none.d/*.toml", &[]),
            ("none.toml", &["none.toml"]),
            ("4.toml~", &["4.toml~"]),
        ] {
            let pattern = Pattern::new(text, &folder, Some(&home)).expect("valid");
            let found = pattern.find(|error| panic!("{error}"));
            let expected: Vec<_> = expected.iter().map(|name| folder.join(name)).collect();
            assert_eq!(found, expected, "{text}");
        }
        let absolute = folder.join("b").to_string_lossy().replace('[', "[[]").replace("]*", "[]][*]") + "/?.conf";
        let found = Pattern::new(&absolute, Path::new("/etc"), None).expect("valid").find(|error| panic!("{error}"));
        assert_eq!(found, [folder.join("b/6.conf")]);
    }
}
