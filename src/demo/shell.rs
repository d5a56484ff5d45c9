//! Quotes words for the shell commands that the demo prints.

use std::{
    env,
    path::{self, Path},
};

/// The command that starts this program from a shell in the same folder.
pub(super) fn program() -> String {
    // If the system cannot tell, the shell most likely found the program by its name.
    env::current_exe().map_or_else(|_| "pmesh".to_owned(), |path| path_word(&path))
}

/// Quotes a path as one shell word, relative to the working folder if it is below it.
pub(super) fn path_word(path: &Path) -> String {
    let absolute = path::absolute(path).unwrap_or_else(|_| path.to_owned());
    let folder = env::current_dir().ok().filter(|folder| folder.parent().is_some());
    match folder.and_then(|folder| absolute.strip_prefix(folder).map(|rest| format!("./{}", rest.display())).ok()) {
        Some(below) => word(&below),
        None => word(&absolute.display().to_string()),
    }
}

/// Quotes text as one shell word.
pub(super) fn word(text: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "_-./:@%+=,".contains(c);
    if !text.is_empty() && text.chars().all(plain) {
        text.to_owned()
    } else {
        format!("'{}'", text.replace('\'', r"'\''"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_quoted_if_a_shell_would_split_or_expand_them() {
        for (text, expected) in
            [("a/b-c.d", "a/b-c.d"), ("a b", "'a b'"), ("$a", "'$a'"), ("it's", r"'it'\''s'"), ("", "''"), ("ä", "'ä'")]
        {
            assert_eq!(word(text), expected);
        }
    }

    #[test]
    fn paths_below_the_working_folder_are_short() {
        let folder = env::current_dir().unwrap();
        assert_eq!(path_word(&folder.join("a b/c")), "'./a b/c'");
        assert_eq!(path_word(Path::new("c")), "./c");
        assert_eq!(path_word(Path::new("/nonexistent/c")), "/nonexistent/c");
    }
}
