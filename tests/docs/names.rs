//! Flags, variables and keys on the pages exist.

use std::{
    collections::BTreeSet,
    fs,
    path::{Path, PathBuf},
};

use clap::error::ErrorKind;
use pmesh::{
    cli::Arguments,
    config::{self, SETTINGS},
};
use serde_json::Value;

use crate::{commands, load, page::Span, pages};

/// Other programs. Next to their names, pages cite flags and settings of theirs.
const OTHERS: &[&str] = &[
    "nginx",
    "HAProxy",
    "Caddy",
    "Traefik",
    "Envoy",
    "Apache",
    "Kestrel",
    "curl",
    "Docker",
    "docker",
    "podman",
    "Kubernetes",
    "systemd",
    "openssl",
    "cargo",
    "h2spec",
    "wrk",
];

/// Variables that services get.
const OF_SERVICES: [&str; 2] = ["PMESH_SERVICE", "PMESH_INSTANCE"];

#[test]
fn variables_exist() {
    let of_settings = SETTINGS.iter().filter_map(|setting| setting.variable);
    let known: BTreeSet<_> = of_settings.chain(OF_SERVICES).collect();
    for page in pages() {
        let words = page.text.split(|c: char| !c.is_ascii_alphanumeric() && c != '_');
        // The prefix alone means all of them.
        for word in words.filter(|word| word.starts_with("PMESH_") && *word != "PMESH_") {
            assert!(known.contains(word), "{}: there is no variable {word}", page.name);
        }
    }
}

#[test]
fn flags_exist() {
    let mut flags = 0;
    for page in pages() {
        for span in page.spans.iter().filter(|span| span.code.starts_with("--") && !is_of_others(span)) {
            let flag = span.code.split([' ', '=']).next().unwrap_or_default();
            assert!(flag == "--" || is_flag(flag), "{}: there is no flag {flag}", page.name);
            flags += 1;
        }
    }
    assert!(flags > 10, "{flags}");
}

#[test]
fn keys_exist() {
    let (keys, words) = (Keys::read(), Words::read());
    let (mut named, mut unknown) = (0, Vec::new());
    for page in pages() {
        for span in page.spans.iter().filter(|span| !is_of_others(span)) {
            for key in keys_in(&span.code) {
                if !keys.has(key) && !words.0.contains(key) && !is_said_to_be_planned(key, span) {
                    unknown.push(format!("{}: {key} in `{}`", page.name, span.code));
                }
                named += 1;
            }
        }
    }
    assert!(named > 100, "{named}");
    assert!(unknown.is_empty(), "keys that do not exist:\n{}", unknown.join("\n"));
}

#[test]
fn keys_are_found_in_code() {
    for (code, expected) in [
        ("connect_timeout", &["connect_timeout"][..]),
        ("tls.server_name", &["server_name"]),
        ("tls.ca = \"x\"", &["tls", "ca"]),
        ("redirect = { to = \"/x\", status = 301 }", &["redirect"]),
        ("[[routes.routes]]", &["routes", "routes"]),
        ("[listeners.NAME]", &["listeners"]),
        ("[services.web]", &["services"]),
        ("[services.web.env]", &["services", "env"]),
        ("upstream", &[]),
        ("pool_*", &[]),
        ("X-Forwarded-For", &[]),
        ("host_header: x", &[]),
    ] {
        assert_eq!(keys_in(code), expected, "{code}");
    }
}

/// All keys of the file, at every level.
pub(crate) struct Keys(BTreeSet<String>);

impl Keys {
    pub(crate) fn read() -> Self {
        fn walk(schema: &Value, keys: &mut BTreeSet<String>) {
            if let Some(properties) = schema.get("properties").and_then(Value::as_object) {
                keys.extend(properties.keys().cloned());
            }
            match schema {
                Value::Object(schema) => schema.values().for_each(|value| walk(value, keys)),
                Value::Array(schemas) => schemas.iter().for_each(|value| walk(value, keys)),
                _ => {}
            }
        }

        let mut keys = SETTINGS.iter().map(|setting| setting.key.to_owned()).collect();
        walk(&serde_json::from_str(&config::schema()).unwrap(), &mut keys);
        Self(keys)
    }

    pub(crate) fn has(&self, key: &str) -> bool {
        self.0.contains(key)
    }
}

/// The words of the sources: log fields, JSON keys, Rust names. The folders with old and planned keys are left out.
struct Words(BTreeSet<String>);

impl Words {
    fn read() -> Self {
        fn walk(folder: &Path, words: &mut BTreeSet<String>) {
            let paths = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
            for path in paths.filter(|path| !["src/config", "src/cli"].iter().any(|folder| path.ends_with(folder))) {
                if path.is_dir() {
                    walk(&path, words);
                } else if let Ok(text) = fs::read_to_string(&path) {
                    let found = text.split(|c: char| !c.is_ascii_alphanumeric() && c != '_');
                    words.extend(found.filter(|word| word.contains('_')).map(str::to_owned));
                }
            }
        }

        let mut words = BTreeSet::new();
        for folder in ["src", "layers/src", "examples", "benches"] {
            walk(&crate::root().join(PathBuf::from(folder)), &mut words);
        }
        Self(words)
    }
}

/// Whether the key is planned, and the page says that it is not available.
fn is_said_to_be_planned(key: &str, span: &Span) -> bool {
    let says_so = ["not ", "cannot", " yet"].iter().any(|word| span.context.contains(word));
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("config.toml");
    let is_planned = |file: String| {
        fs::write(&path, file).unwrap();
        let error = load(["check", "--config", path.to_str().unwrap()], []).err();
        error.is_some_and(|error| error.to_string().contains(&format!("`{key}` is planned")))
    };
    let of_a_route = format!("[[routes]]\nhost = \"example.com\"\nupstream = \"127.0.0.1:1\"\n{key} = true\n");
    says_so && (is_planned(of_a_route) || is_planned(format!("{key} = true\n")))
}

fn is_of_others(span: &Span) -> bool {
    OTHERS.iter().any(|name| span.context.contains(name))
}

/// Whether the program or one of its commands has this flag.
fn is_flag(flag: &str) -> bool {
    let is_known = |command: &[&str]| {
        let arguments = ["pmesh"].iter().chain(command).copied().chain([flag]);
        Arguments::parse(arguments).err().is_none_or(|error| error.kind() != ErrorKind::UnknownArgument)
    };
    let commands = commands::subcommands();
    let below = [["secret", "set"], ["secret", "rotate"], ["services", "logs"]];
    is_known(&[]) || commands.iter().any(|command| is_known(&[command])) || below.iter().any(|path| is_known(path))
}

/// The keys in a piece of code: words with `_`, in brackets, or before ` = `.
fn keys_in(code: &str) -> Vec<&str> {
    let (path, is_certain) = match code.split_once(" = ") {
        Some((path, _)) => (path, true),
        None if code.starts_with('[') && code.ends_with(']') => (code.trim_matches(['[', ']']), true),
        None => (code, false),
    };
    let is_key = |word: &str| !word.is_empty() && word.bytes().all(|b| b.is_ascii_lowercase() || b == b'_');
    let stands_for_others = |segment: &&str| ["NAME", "table", "list"].contains(segment);
    let mut segments: Vec<_> = path.split('.').filter(|segment| !stands_for_others(segment)).collect();
    // The user chooses the name of a service, such as web in `[services.web]`.
    if let ["services", name, ..] = segments[..]
        && is_key(name)
    {
        segments.remove(1);
    }
    if !segments.iter().all(|segment| is_key(segment)) {
        return Vec::new();
    }
    segments.into_iter().filter(|segment| is_certain || segment.contains('_')).collect()
}
