//! The page on timeouts and limits has all of them.

use std::collections::BTreeSet;

use pmesh::config::{Kind, SETTINGS};

use crate::Page;

#[test]
fn the_page_on_timeouts_lists_all_timeouts_and_limits_with_their_defaults() {
    let page = Page::read("docs/timeouts.md");
    let table =
        page.text.split("\n\n").find(|part| part.starts_with("| setting | default | what it limits |")).unwrap();
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
