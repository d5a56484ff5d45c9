//! On the pages for users of other proxies, all snippets and settings are valid, and planned keys really are planned.

use pmesh::config::SETTINGS;

use crate::Start;

const PAGES: [&str; 5] = [
    include_str!("../../docs/from-caddy.md"),
    include_str!("../../docs/from-envoy.md"),
    include_str!("../../docs/from-haproxy.md"),
    include_str!("../../docs/from-nginx.md"),
    include_str!("../../docs/from-traefik.md"),
];

const MIGRATING: &str = include_str!("../../docs/migrating.md");

#[test]
fn each_snippet_is_a_valid_file() {
    for page in PAGES {
        let snippets: Vec<_> =
            page.split("\n```toml\n").skip(1).filter_map(|rest| rest.split("\n```").next()).collect();
        assert!(snippets.len() > 4, "{snippets:?}");
        snippets.into_iter().for_each(assert_valid);
    }
}

#[test]
fn each_setting_in_the_tables_is_valid() {
    for page in PAGES {
        let rows = page.lines().filter_map(|line| line.strip_prefix("| ")?.strip_suffix(" |"));
        let ours =
            rows.filter_map(|row| Some(row.rsplit_once(" | ")?.1)).flat_map(|ours| ours.split('`').skip(1).step_by(2));
        // Skip code with "…", which is not complete.
        let settings: Vec<_> = ours.filter(|code| code.contains(" = ") && !code.contains('…')).collect();
        assert!(settings.len() > 15, "{settings:?}");
        settings.into_iter().for_each(|setting| assert_valid(&in_its_place(setting)));
    }
}

#[test]
fn keys_called_planned_are_planned() {
    let list = MIGRATING.split_once("\nat the top:").expect("a list of keys").1;
    let keys: Vec<_> = list.split_once("\n```").expect("its end").0.split(',').map(str::trim).collect();
    assert_eq!(keys.len(), 4);
    for key in keys {
        let file = format!("{key} = true\n[[routes]]\nhost = \"example.com\"\nupstream = \"127.0.0.1:3000\"\n");
        let error = Start::new().file(&file).error();
        assert!(error.ends_with(&format!("`{key}` is planned, but not available in this version")), "{error}");
    }
}

fn assert_valid(file: &str) {
    let start =
        Start::new().write("down.html", "").write("public/index.html", "").file(file).variable("DOMAIN", "example.com");
    start.load().unwrap_or_else(|error| panic!("{error}: {file}"));
}

/// A file that has the setting in the table where it belongs.
fn in_its_place(setting: &str) -> String {
    let key = setting.split(" = ").next().unwrap_or_default();
    if key == "port" || setting == "tls = true" {
        let port = if key == "port" { "" } else { "port = 8448\n" };
        return format!("[listeners.more]\n{port}{setting}\n");
    }
    if key != "listeners" && SETTINGS.iter().any(|known| known.key == key) {
        return setting.to_owned();
    }
    let host = if key == "host" { "" } else { "host = \"example.com\"\n" };
    let is_answer = ["upstream", "files", "redirect", "respond"].contains(&key);
    let answer = if is_answer { "" } else { "upstream = \"127.0.0.1:3000\"\n" };
    format!("[[routes]]\n{host}{answer}{setting}\n")
}
