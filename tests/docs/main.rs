//! The documentation agrees with the program: configurations, commands, names of settings, quoted messages, links.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod commands;
mod configurations;
mod deployment;
mod explain;
mod links;
mod messages;
mod names;
mod page;
mod timeouts;

use std::{fs, path::PathBuf};

use pmesh::{
    cli::Arguments,
    config::{self, Defaults, Source},
};

use self::page::Page;

/// The top of the repository.
fn root() -> PathBuf {
    env!("CARGO_MANIFEST_DIR").into()
}

/// README.md and all pages of docs/.
fn pages() -> Vec<Page> {
    let mut names: Vec<_> = fs::read_dir(root().join("docs"))
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .filter(|name| name.ends_with(".md") && name != "SUMMARY.md")
        .map(|name| format!("docs/{name}"))
        .collect();
    names.sort_unstable();
    ["README.md".to_owned()].into_iter().chain(names).map(|name| Page::read(&name)).collect()
}

/// Loads the settings as the program would with these arguments and variables.
fn load<'a>(
    arguments: impl IntoIterator<Item = &'a str>,
    variables: impl IntoIterator<Item = (&'a str, &'a str)>,
) -> Result<(), config::Error> {
    let flags = Arguments::parse(["pmesh"].into_iter().chain(arguments)).unwrap().flags;
    let variables = variables.into_iter().chain([("HOME", "/nonexistent")]);
    let variables = variables.map(|(name, value)| (name.into(), value.into()));
    Source::new(flags, variables, Defaults::none()).load().map(drop)
}
