//! Each setting, from each source that can set it.

use pmesh::config::{Fallback, Kind, SETTINGS, Setting};

use crate::Start;

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Source {
    Default,
    File,
    Variable,
    Flag,
}

use Source::{Default, File, Flag, Variable};

/// Whether a source can set the setting. The secret is read separately, and a file cannot name itself.
pub(crate) fn holds(source: Source, setting: &Setting) -> bool {
    match source {
        _ if matches!(setting.key, "secret" | "config") => false,
        // These are part of the routes.
        _ if matches!(setting.kind, Kind::Defaults | Kind::Redirects) => false,
        Default => !matches!(setting.kind, Kind::Listeners | Kind::Services | Kind::Certificates | Kind::Include),
        File => setting.in_file,
        Variable => setting.variable.is_some(),
        Flag => setting.flag.is_some(),
    }
}

/// One of two values for each setting, as written in a flag.
pub(crate) fn text(setting: &Setting, second: bool) -> String {
    let Setting { key, kind, .. } = *setting;
    let pick = |one: &str, two: &str| if second { two } else { one }.to_owned();
    match kind {
        Kind::Port => pick("1001", "1002"),
        Kind::Subnet => pick("127.11.0.0/16", "127.12.0.0/16"),
        Kind::Count | Kind::Within(..) => pick("11", "12"),
        // Valid for max_head, too.
        Kind::Size | Kind::SizeLimit => pick("9000", "10KiB"),
        Kind::Switch => pick("false", "true"),
        Kind::Duration | Kind::TimeLimit => pick("11s", "1m 2s"),
        Kind::Choice(words) => words[usize::from(second)].to_owned(),
        Kind::Filter => pick("warn", "pmesh=debug"),
        Kind::Addresses | Kind::Networks => pick("10.0.0.1", "10.0.0.2,::2"),
        Kind::File | Kind::Directory => pick("/one", "/two"),
        Kind::Socket => pick("off", "unix:/two"),
        Kind::Text("HOST:PORT") => pick("10.0.0.1:1", "name:2"),
        Kind::Text(_) if key == "mesh_registry" => pick("nats://a:1", "tls://b:2,tls://c:3"),
        Kind::Text(_) => pick("one", "two"),
        Kind::Peers => pick("b=10.0.0.1:1", "b=[::1]:2,c=name:3"),
        Kind::Routes => pick("one.example=127.0.0.1:1", "two.example/x=127.0.0.1:2,b:3"),
        Kind::Listeners => pick("federation: port 8448 on 0.0.0.0, TLS", "metrics: port 0 on 0.0.0.0"),
        Kind::Services => pick("web: 1 × node", "web: 2 × node server.js"),
        Kind::Certificates => "/one /two".into(),
        Kind::Include => pick("/none/*.toml", "/none/?.toml"),
        Kind::Defaults | Kind::Redirects | Kind::Secret => unreachable!("not merged"),
        Kind::Numbers(_) | Kind::MaxAge | Kind::Method | Kind::FileOrUrl | Kind::FileOr(_) | Kind::Processors => {
            unreachable!("only in tables")
        }
    }
}

/// The same value as written in a file.
fn toml(setting: &Setting, text: &str) -> String {
    let key = setting.key;
    let list = |text: &str| text.split(',').map(|word| format!("{word:?}")).collect::<Vec<_>>().join(", ");
    match setting.kind {
        Kind::Port | Kind::Count | Kind::Within(..) | Kind::Switch => format!("{key} = {text}\n"),
        Kind::Addresses | Kind::Networks => format!("{key} = [{}]\n", list(text)),
        Kind::Peers => {
            let peers = text.split(',').filter_map(|peer| peer.split_once('='));
            let peers: Vec<_> = peers.map(|(name, address)| format!("{name} = {address:?}")).collect();
            format!("{key} = {{ {} }}\n", peers.join(", "))
        }
        Kind::Routes => {
            let (from, upstreams) = text.split_once('=').expect("a route");
            let (host, prefix) = from.split_once('/').unwrap_or((from, ""));
            format!("[[{key}]]\nhost = {host:?}\nprefix = \"/{prefix}\"\nupstream = [{}]\n", list(upstreams))
        }
        Kind::Listeners => {
            let (name, port) = text.split_once(": port ").expect("a listener");
            let (port, rest) = port.split_once(' ').expect("a port");
            format!("[{key}.{name}]\nport = {port}\ntls = {}\n", rest.ends_with("TLS"))
        }
        Kind::Services => {
            let (name, rest) = text.split_once(": ").expect("a service");
            let (instances, command) = rest.split_once(" × ").expect("instances");
            format!("[{key}.{name}]\ninstances = {instances}\ncommand = {command:?}\n")
        }
        Kind::Certificates => {
            let (cert, private) = text.split_once(' ').expect("a pair");
            format!("[[{key}]]\ncert = {cert:?}\nkey = {private:?}\n")
        }
        _ => format!("{key} = {text:?}\n"),
    }
}

/// The same value as `explain` shows it.
fn shown(kind: Kind, text: &str) -> String {
    match kind {
        Kind::Addresses | Kind::Networks | Kind::Peers => text.replace(',', ", "),
        Kind::Routes => match text.split_once('=') {
            Some((from, to)) if from.contains('/') => format!("{from} -> {}", to.replace(',', ", ")),
            Some((from, to)) => format!("{from}/ -> {to}"),
            None => unreachable!("a route"),
        },
        Kind::Certificates => text.replace(' ', " with "),
        _ => text.into(),
    }
}

pub(crate) fn put(start: Start, source: Source, setting: &'static Setting, text: &str) -> Start {
    let start = match source {
        Default => start.default(setting.key, text),
        File => start.file(&toml(setting, text)),
        Variable => start.variable(setting.variable.expect("has one"), text),
        Flag => start.flags(&[&format!("--{}={text}", setting.flag.expect("has one"))]),
    };
    // These settings need others.
    match setting.key {
        "cert" => start.default("key", "/key"),
        "key" => start.default("cert", "/cert"),
        "mesh_ca" | "mesh_cert" | "mesh_key" => ["mesh_ca", "mesh_cert", "mesh_key"]
            .into_iter()
            .filter(|key| *key != setting.key)
            .fold(start, |start, key| start.default(key, "/file")),
        "mesh_registry" => start.default("mesh_advertise", "a:1"),
        _ => start,
    }
}

fn place(source: Source, setting: &Setting) -> String {
    match source {
        Default => "default".into(),
        File => "[DIR]/config.toml:1".into(),
        Variable => setting.variable.expect("has one").into(),
        Flag => format!("--{}", setting.flag.expect("has one")),
    }
}

#[test]
fn the_stronger_of_two_sources_wins_and_is_shown() {
    let mut pairs = 0;
    for setting in SETTINGS {
        for strong in [File, Variable, Flag] {
            for weak in [Default, File, Variable] {
                if weak >= strong || !holds(weak, setting) || !holds(strong, setting) {
                    continue;
                }
                for (loses, wins) in [(false, true), (true, false)] {
                    let (loses, wins) = (text(setting, loses), text(setting, wins));
                    let start = put(put(Start::new(), weak, setting, &loses), strong, setting, &wins);
                    let expected = (shown(setting.kind, &wins), place(strong, setting));
                    assert_eq!(start.explained(setting.key), expected, "{} in {strong:?} and {weak:?}", setting.key);
                }
                pairs += 1;
            }
        }
    }
    // Six pairs for each setting with all four sources, and three each for cert and key, which cannot be in the file.
    let has_all = |setting: &&Setting| [Default, File, Variable, Flag].into_iter().all(|source| holds(source, setting));
    assert_eq!(pairs, SETTINGS.iter().filter(has_all).count() * 6 + 2 * 3);
}

#[test]
fn each_source_is_shown() {
    for setting in SETTINGS {
        for source in [Default, File, Variable, Flag].into_iter().filter(|source| holds(*source, setting)) {
            let text = text(setting, true);
            let start = put(Start::new(), source, setting, &text);
            assert_eq!(start.explained(setting.key), (shown(setting.kind, &text), place(source, setting)));
        }
    }
}

#[test]
fn settings_that_no_source_sets_have_the_default_of_the_table() {
    let start = Start::new();
    for setting in SETTINGS {
        let (value, source) = start.explained(setting.key);
        let expected = match (setting.key, setting.default) {
            ("home", _) => "[DIR]/.pmesh".to_owned(),
            ("secret_file", _) => "[DIR]/.pmesh/secret".to_owned(),
            ("workers", _) => std::thread::available_parallelism().expect("known").to_string(),
            ("config", _) => "none".to_owned(),
            ("node", _) => start.loaded().settings.node.to_string(),
            (_, Fallback::Value(text) | Fallback::Described(text)) => text.to_owned(),
        };
        assert_eq!(value, expected);
        assert!(source.starts_with("default"), "{source}");
    }
}

#[test]
fn a_list_replaces_the_list_of_a_weaker_source() {
    let start = Start::new()
        .file("[[routes]]\nhost = \"a\"\nupstream = [\"a:1\"]\n[[routes]]\nhost = \"b\"\nupstream = [\"b:1\"]\n")
        .variable("PMESH_ROUTE", "c=c:1");
    let loaded = start.loaded();
    let routes = loaded.settings.routes;
    assert_eq!(routes.iter().map(ToString::to_string).collect::<Vec<_>>(), ["c/ -> c:1"]);
    let doubts: Vec<_> = loaded.doubts.iter().map(ToString::to_string).collect();
    assert_eq!(doubts, ["PMESH_ROUTE: replaces all 2 routes in the file"]);
}

#[test]
fn cert_and_key_replace_the_certificates_in_the_file() {
    let start = Start::new().file("[[certificates]]\ncert = \"a\"\nkey = \"b\"\n");
    let of_file = &start.loaded().settings.certificates;
    assert_eq!(of_file.len(), 1);
    assert_eq!(of_file[0].cert, start.folder.join("a"));
    assert_eq!(start.without_folder(&of_file[0].origin), "[DIR]/config.toml:2: certificates[0].cert");
    assert_eq!(start.without_folder(&of_file[0].key_origin), "[DIR]/config.toml:3: certificates[0].key");

    let start = start.flags(&["--cert", "x"]).variable("PMESH_KEY", "y");
    let given = &start.loaded().settings.certificates;
    assert_eq!(given.iter().map(ToString::to_string).collect::<Vec<_>>(), ["x with y"]);
    assert_eq!((&*given[0].origin, &*given[0].key_origin), ("--cert", "PMESH_KEY"));
    assert_eq!(start.explained("certificates"), ("replaced by cert and key".into(), "--cert".into()));
}

#[test]
fn empty_variables_count_as_not_set() {
    let start = Start::new()
        .variable("PMESH_HTTP", "")
        .variable("PMESH_CONFIG", "")
        .variable("PMESH_SECRET", "")
        .variable("PMESH_ROUTE", "")
        .variable("PMESH_UNKNOWN", "");
    assert_eq!(start.loaded().doubts, []);
    assert_eq!(start.explained("http"), ("80".into(), "default".into()));
}

#[test]
fn variables_set_by_kubernetes_are_ignored() {
    let start = Start::new()
        .variable("PMESH_SERVICE_HOST", "10.96.0.1")
        .variable("PMESH_SERVICE_PORT_HTTPS", "443")
        .variable("PMESH_PORT", "tcp://10.96.0.1:443")
        .variable("PMESH_PORT_443_TCP_ADDR", "10.96.0.1");
    assert_eq!(start.loaded().doubts, []);
}

#[test]
fn a_service_can_run_pmesh_without_a_warning() {
    let start = Start::new().variable("PMESH_SERVICE", "web").variable("PMESH_INSTANCE", "1");
    assert_eq!(start.loaded().doubts, []);
}

#[test]
fn unknown_variables_cause_a_warning() {
    for (name, expected) in [
        ("PMESH_HTPP", "unknown variable, ignored; did you mean `PMESH_HTTP`?"),
        ("PMESH_ROUTES", "unknown variable, ignored; did you mean `PMESH_ROUTE`?"),
        ("PMESH_PORT", "unknown variable, ignored; did you mean `PMESH_HTTP`?"),
        ("PMESH_VERSION", "unknown variable, ignored"),
    ] {
        let doubts = Start::new().variable(name, "1").loaded().doubts;
        let doubts: Vec<_> = doubts.iter().map(ToString::to_string).collect();
        assert_eq!(doubts, [format!("{name}: {expected}")]);
    }
}

#[test]
fn switches_accept_several_words() {
    for (text, expected) in [("yes", "true"), ("1", "true"), ("On", "true"), ("no", "false"), ("0", "false")] {
        let start = Start::new().default("access_log", "true").variable("PMESH_ACCESS_LOG", text);
        assert_eq!(start.explained("access_log"), (expected.into(), "PMESH_ACCESS_LOG".into()));
    }
}
