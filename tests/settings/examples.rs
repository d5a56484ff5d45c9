//! The files in examples/config are valid, and say how to run them.

use std::{
    fs,
    path::{Path, PathBuf},
};

use crate::Start;

#[test]
fn each_example_is_valid() {
    let examples = examples();
    assert!(examples.len() > 20, "{examples:?}");
    for path in examples {
        let text = fs::read_to_string(&path).expect("a readable file");
        let mut start = Start::new().flags(&["--config", path.to_str().expect("UTF-8")]);
        for (name, value) in variables(&text) {
            start = start.variable(name, value);
        }
        let loaded = start.load().unwrap_or_else(|error| panic!("{error}"));
        assert!(!loaded.settings.routes.is_empty(), "{}", path.display());
        assert!(loaded.doubts.is_empty(), "{}: {:?}", path.display(), loaded.doubts);
    }
}

#[test]
fn each_example_begins_with_its_purpose_and_its_command() {
    for path in examples() {
        let text = fs::read_to_string(&path).expect("a readable file");
        let head: Vec<_> = text.lines().take_while(|line| line.starts_with("# ")).collect();
        let command = format!("pmesh --config {}", path.file_name().and_then(|name| name.to_str()).expect("a name"));
        assert!((2..=6).contains(&head.len()), "{}", path.display());
        assert!(head.iter().any(|line| line.contains(&command)), "{}: {command}", path.display());
        assert!(text.lines().count() <= 40, "{}", path.display());
    }
}

#[test]
fn all_examples_are_listed_in_the_readme() {
    let list = include_str!("../../examples/config/README.md");
    for path in examples() {
        let name = path.file_name().and_then(|name| name.to_str()).expect("a name");
        assert!(list.contains(&format!("\n| [{name}]({name}) | ")), "{name}");
    }
    assert_eq!(list.matches(".toml](").count(), examples().len(), "files that are gone");
}

fn examples() -> Vec<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("examples/config");
    let entries = fs::read_dir(folder).expect("a folder").map(|entry| entry.expect("an entry").path());
    entries.filter(|path| path.extension().is_some_and(|extension| extension == "toml")).collect()
}

/// Variables that the comments tell the user to set: `NAME=value`.
fn variables(text: &str) -> impl Iterator<Item = (&str, &str)> {
    let words = text.lines().filter_map(|line| line.strip_prefix("# ")).flat_map(str::split_whitespace);
    words.filter_map(|word| word.split_once('=')).filter(|(name, value)| {
        !value.is_empty() && !name.is_empty() && name.chars().all(|c| c.is_ascii_uppercase() || c == '_')
    })
}
