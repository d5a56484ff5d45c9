//! `pmesh explain URL` prints what the page on troubleshooting shows.

use std::fs;

use pmesh::{
    cli::{Arguments, Command},
    commands::explain_from_settings,
    config::{Defaults, Source},
};

use crate::Page;

#[test]
fn the_page_shows_what_explain_prints() {
    let page = Page::read("docs/troubleshooting.md");
    let is_explained = |code: &str| code.starts_with("pmesh explain https://") && code.lines().count() == 1;
    let file = page.blocks.iter().find(|(language, _)| language == "toml").map(|(_, code)| code).unwrap();
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("config.toml");
    fs::write(&path, file).unwrap();
    let mut shown = 0;
    for pair in page.blocks.windows(2) {
        let [(_, command), (_, expected)] = pair else { continue };
        if !is_explained(command) {
            continue;
        }
        let arguments = command.split_whitespace().chain(["--config", path.to_str().unwrap()]);
        let Arguments { command, flags } = Arguments::parse(arguments).unwrap();
        let Command::ExplainUrl { question, .. } = command else { panic!("{command:?}") };
        let loaded = Source::new(flags, [("HOME".into(), "/nonexistent".into())], Defaults::program()).load().unwrap();
        let printed = explain_from_settings(&loaded, &question, false).unwrap();
        assert_eq!(printed.replace(path.to_str().unwrap(), "/etc/pmesh/config.toml"), *expected);
        shown += 1;
    }
    assert_eq!(shown, 2);
}
