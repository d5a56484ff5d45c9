//! The README and the pages on configuration, headers and redirects agree with the program.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::{collections::BTreeSet, fs};

use pmesh::{
    cli::Arguments,
    config::{self, Defaults, Fallback, Kind, SETTINGS, Setting, Source},
};

const README: &str = include_str!("../README.md");
const CONFIGURATION: &str = include_str!("../docs/configuration.md");
const HEADERS: &str = include_str!("../docs/headers.md");
const LISTENERS: &str = include_str!("../docs/listeners.md");
const TIMEOUTS: &str = include_str!("../docs/timeouts.md");
const REDIRECTS: &str = include_str!("../docs/redirects.md");

#[test]
fn the_table_holds_every_setting() {
    let heading = "| config.toml | flag | environment | default | what it is |\n| --- | --- | --- | --- | --- |\n";
    let table: String = SETTINGS.iter().map(row).collect();
    assert!(README.contains(&format!("\n{heading}{table}\n")), "the table should be:\n\n{heading}{table}");
}

#[test]
fn it_names_the_settings_that_need_a_restart() {
    let keys = SETTINGS.iter().filter(|setting| setting.in_file && setting.needs_restart);
    let keys: Vec<_> = keys.map(|setting| format!("`{}`", setting.key)).collect();
    let sentence = format!("These settings need a restart: {}.", keys.join(", "));
    let words = |text: &str| text.split_whitespace().collect::<Vec<_>>().join(" ");
    assert!(words(README).contains(&sentence), "the README should say: {sentence}");
}

fn row(setting: &Setting) -> String {
    let code = |text: String| format!("`{text}`");
    let or_dash = |text: Option<String>| text.map_or_else(|| "–".to_owned(), code);
    let default = match setting.default {
        Fallback::Value(text) => code(text.to_owned()),
        Fallback::Described(text) => text.to_owned(),
    };
    format!(
        "| {} | {} | {} | {default} | {} |\n",
        or_dash(setting.in_file.then(|| setting.key.to_owned())),
        or_dash(setting.flag.map(|flag| format!("--{flag}"))),
        or_dash(setting.variable.map(str::to_owned)),
        setting.help
    )
}

#[test]
fn the_page_on_timeouts_lists_all_timeouts_and_limits_with_their_defaults() {
    let table = TIMEOUTS.split("\n\n").find(|part| part.starts_with("| setting | default | what it limits |")).unwrap();
    let rows = table.lines().filter_map(|line| line.strip_prefix("| `")?.split_once("` | "));
    let listed: BTreeSet<_> =
        rows.filter_map(|(key, rest)| Some((key, rest.split_once(" |")?.0.replace('`', "")))).collect();
    let is_timeout = |kind: Kind| matches!(kind, Kind::Duration | Kind::TimeLimit);
    let is_limit = |key: &str| key.starts_with("max_") || ["body_min_rate", "pool_idle_max"].contains(&key);
    let limits = SETTINGS.iter().filter(|setting| is_timeout(setting.kind) || is_limit(setting.key));
    // This is a difference between clocks, not a timeout.
    let limits = limits.filter(|setting| setting.key != "mesh_clock_window");
    assert_eq!(listed, limits.map(|setting| (setting.key, setting.default.text().to_owned())).collect());
}

#[test]
fn their_files_are_valid() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("config.toml");
    for block in blocks("toml") {
        fs::write(&path, block).unwrap();
        load(["pmesh", "check", "--config", path.to_str().unwrap()], [("DOMAIN".into(), "example.com".into())])
            .unwrap_or_else(|error| panic!("{error}: {block}"));
    }
}

#[test]
fn their_commands_are_understood() {
    let commands: Vec<_> = blocks("sh").flat_map(str::lines).filter_map(|line| line.strip_prefix("pmesh")).collect();
    assert!(!commands.is_empty());
    for command in commands {
        // Up to a pipe, a redirection or a comment.
        let words = command.split_whitespace().take_while(|word| !["|", ">", "#"].contains(word));
        // The text of --help comes as an error.
        let misunderstood =
            Arguments::parse(["pmesh"].into_iter().chain(words)).err().filter(|error| error.exit_code() != 0);
        assert!(misunderstood.is_none(), "{command}: {misunderstood:?}");
    }
}

#[test]
fn its_variables_exist() {
    let known: BTreeSet<_> = SETTINGS.iter().filter_map(|setting| setting.variable).collect();
    let words = README.split(|c: char| !c.is_ascii_alphanumeric() && c != '_');
    for word in words.filter(|word| word.starts_with("PMESH_")) {
        assert!(known.contains(word), "{word}");
    }
    for block in blocks("ini") {
        let variables =
            block.lines().filter_map(|line| line.split_once('=')).map(|(name, value)| (name.into(), value.into()));
        load(["pmesh"], variables).unwrap_or_else(|error| panic!("{error}: {block}"));
    }
}

fn load<const N: usize>(
    arguments: [&str; N],
    variables: impl IntoIterator<Item = (std::ffi::OsString, std::ffi::OsString)>,
) -> Result<(), config::Error> {
    let home = [("HOME".into(), "/nonexistent".into())];
    let flags = Arguments::parse(arguments).unwrap().flags;
    Source::new(flags, variables.into_iter().chain(home), Defaults::none()).load().map(drop)
}

/// The code blocks of a language.
fn blocks(language: &str) -> impl Iterator<Item = &str> {
    // Every second part is inside of a fence.
    let blocks = |text: &'static str| text.split("\n```").skip(1).step_by(2);
    [README, CONFIGURATION, HEADERS, LISTENERS, TIMEOUTS, REDIRECTS].into_iter().flat_map(blocks).filter_map(
        move |block| {
            let (first, code) = block.split_once('\n')?;
            (first == language).then_some(code)
        },
    )
}
