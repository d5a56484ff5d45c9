//! `config.toml` at the top of the repository has every setting with its default.

use pmesh::config::{SETTINGS, Setting};

use crate::Start;

pub(crate) const EXAMPLE: &str = include_str!("../../config.toml");

/// The file with all settings uncommented.
pub(crate) fn with_every_setting() -> String {
    // "#key" is a setting, "# text" a comment.
    let line = |line: &'static str| match line.strip_prefix('#') {
        Some(setting) if setting.starts_with(|c: char| !c.is_whitespace()) => setting,
        _ => line,
    };
    EXAMPLE.lines().map(|text| format!("{}\n", line(text))).collect()
}

#[test]
fn config_toml_has_the_defaults() {
    let start = Start::new();
    let plain = start.loaded().settings;
    assert_eq!(start.file(EXAMPLE).loaded().settings, plain);
}

#[test]
fn config_toml_has_every_key() {
    let start = Start::new()
        .write("down.html", "")
        .write("404.html", "")
        .write("web.env", "A=1\n")
        .write("public/index.html", "")
        .file(&with_every_setting());
    assert_eq!(start.loaded().settings.routes.len(), 8);
    assert_eq!(start.loaded().settings.certificates.len(), 1);
    assert_eq!(start.loaded().settings.services.len(), 1);
    for setting in SETTINGS.iter().filter(|setting| setting.in_file) {
        let (_, source) = start.explained(setting.key);
        assert!(source.starts_with("[DIR]/config.toml:"), "{} is from {source}", setting.key);
    }
    for key in ["[defaults]", "[redirects]", "cert = ", "key = "] {
        assert!(EXAMPLE.contains(&format!("\n#{key}")), "{key}");
    }
}

#[test]
fn config_toml_says_which_settings_need_a_restart() {
    for setting in SETTINGS.iter().filter(|setting| setting.in_file) {
        if let Some(comment) = comment_on(setting) {
            assert_eq!(comment.contains("Needs a restart."), setting.needs_restart, "{}: {comment}", setting.key);
        }
    }
}

/// The comment above a setting, or above the group of settings that it is in. `None` for a table.
fn comment_on(setting: &Setting) -> Option<String> {
    let is_set = |line: &&str| line.trim_start_matches('#').starts_with(&format!("{} =", setting.key));
    let lines: Vec<_> = EXAMPLE.lines().collect();
    let at = lines.iter().position(is_set)?;
    let above = lines[..at].iter().rev();
    let is_text = |line: &&&str| line.starts_with("# ");
    let comment: Vec<_> =
        above.skip_while(|line| !line.is_empty() && !is_text(line)).take_while(is_text).copied().collect();
    Some(comment.into_iter().rev().collect::<Vec<_>>().join("\n"))
}
