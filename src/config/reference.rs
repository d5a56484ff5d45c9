//! Writes the tables of `docs/settings.md` from the tables of settings and keys, in tests only.

use std::{env, fmt::Write, fs, path::Path};

use super::{
    Fallback, Kind, SETTINGS, Setting,
    keys::{
        BASIC_AUTH, CERTIFICATE, CHILD_ROUTE, CORS, FILES, FORWARD_AUTH, HEADER, HSTS, JWT, LISTENER, MATCH, MIRROR,
        RATE_LIMIT, REDIRECT, RESPOND, REWRITE, ROUTE, SERVICE, SERVICE_LIMITS, TLS,
    },
    shape::{Key, Role, Shape},
};

/// Everything above this line is written by hand.
const START: &str =
    "<!-- From here on, this page is written by: UPDATE_DOCS=1 cargo test -p pmesh --lib reference -->\n";

/// The tables of the file, in the order of the page.
const TABLES: &[(&str, &[Key])] = &[
    ("`[[routes]]` and `[[routes.routes]]`", ROUTE),
    ("`match`", MATCH),
    ("`redirect`, and targets in `[redirects]`", REDIRECT),
    ("`respond`", RESPOND),
    ("`files`", FILES),
    ("`rewrite`", REWRITE),
    ("`rate_limit`", RATE_LIMIT),
    ("`cors`", CORS),
    ("`hsts`", HSTS),
    ("`basic_auth`", BASIC_AUTH),
    ("`forward_auth`", FORWARD_AUTH),
    ("`jwt`", JWT),
    ("a header in `request_headers` and `response_headers`", HEADER),
    ("`mirror`", MIRROR),
    ("`tls`", TLS),
    ("`[services.NAME]`", SERVICE),
    ("`limits` of a service", SERVICE_LIMITS),
    ("`[listeners.NAME]`", LISTENER),
    ("`[[certificates]]`", CERTIFICATE),
];

#[test]
fn the_page_of_settings_is_current() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/settings.md");
    let page = fs::read_to_string(&path).expect("docs/settings.md");
    let (by_hand, _) = page.split_once(START).expect("the line that says how the page is written");
    let current = format!("{by_hand}{START}{}", reference());
    if env::var_os("UPDATE_DOCS").is_some() {
        fs::write(&path, current).expect("written");
        return;
    }
    let same = page.lines().zip(current.lines()).take_while(|(old, new)| old == new).count();
    assert!(
        page == current,
        "docs/settings.md is out of date from line {}: run UPDATE_DOCS=1 cargo test -p pmesh --lib reference",
        same + 1
    );
}

#[test]
fn no_table_is_left_out() {
    fn walk(shape: Shape) {
        match shape {
            Shape::Table(keys) | Shape::Tables(keys) => {
                let is_listed = keys == CHILD_ROUTE || TABLES.iter().any(|(_, listed)| *listed == keys);
                assert!(is_listed, "add to TABLES: {:?}", keys.iter().map(|key| key.name).collect::<Vec<_>>());
                keys.iter().for_each(|key| walk(key.shape));
            }
            Shape::Named(shape) => walk(*shape),
            Shape::Either(shapes) => shapes.iter().copied().for_each(walk),
            Shape::One(_) | Shape::OneOrMore(_) => {}
        }
    }

    SETTINGS.iter().for_each(|setting| walk(setting.kind.shape()));
}

fn reference() -> String {
    let mut page = String::new();
    let mut group = "";
    for setting in SETTINGS {
        if setting.group != group {
            group = setting.group;
            page += &format!("\n## {group}\n\n| setting | value | default | what it is |\n| --- | --- | --- | --- |\n");
        }
        page += &row(setting);
    }
    page += &restarts();
    page += "\n## Tables of the file\n";
    for (name, keys) in TABLES {
        page += &format!("\n### Keys of {name}\n\n");
        if *keys == ROUTE {
            page += &format!(
                "A child, `[[routes.routes]]`, has the same keys, except for `routes`. `[defaults]` can set {}.\n\n",
                list(keys.iter().filter(|key| key.role == Role::Setting))
            );
        }
        page += "| key | value | what it is |\n| --- | --- | --- |\n";
        keys.iter().for_each(|key| page += &row_of_key(keys, key));
    }
    page
}

fn restarts() -> String {
    let keys = SETTINGS.iter().filter(|setting| setting.in_file && setting.needs_restart);
    let keys: Vec<_> = keys.map(|setting| format!("`{}`", setting.key)).collect();
    format!(
        "\n## What needs a restart\n\nA [reload](reload.md) applies everything in the file except {}. Flags and variables \
         are read only at startup.\n",
        keys.join(", ")
    )
}

fn row(setting: &Setting) -> String {
    let default = match setting.default {
        Fallback::Value(text) => code(text),
        Fallback::Described(text) => text.to_owned(),
    };
    let value = match setting.kind {
        Kind::Routes | Kind::Listeners | Kind::Services | Kind::Defaults | Kind::Redirects | Kind::Certificates => {
            String::new()
        }
        kind => value(kind),
    };
    let note = match (setting.in_file, setting.needs_restart) {
        (false, _) => " Not in the file.",
        (true, true) => " Needs a restart.",
        (true, false) => "",
    };
    format!("| {} | {value} | {default} | {}.{note} |\n", names(setting), cell(setting.help))
}

/// The key, which other pages can link to, above the flag and the variable.
fn names(setting: &Setting) -> String {
    let key = setting.key;
    let table = match setting.kind {
        Kind::Routes => Some("[`[[routes]]`](#keys-of-routes-and-routesroutes)".to_owned()),
        Kind::Listeners => Some("[`[listeners.NAME]`](#keys-of-listenersname)".to_owned()),
        Kind::Services => Some("[`[services.NAME]`](#keys-of-servicesname)".to_owned()),
        Kind::Defaults => Some("[`[defaults]`](#keys-of-routes-and-routesroutes)".to_owned()),
        Kind::Redirects => Some("[`[redirects]`](#keys-of-redirect-and-targets-in-redirects)".to_owned()),
        Kind::Certificates => Some("[`[[certificates]]`](#keys-of-certificates)".to_owned()),
        _ => setting.in_file.then(|| code(key)),
    };
    let anchor = format!("<a id=\"{key}\"></a>");
    let is_table = table.as_ref().is_some_and(|table| table.starts_with('['));
    let mut names: Vec<_> = table.into_iter().chain(setting.names().iter().map(|name| code(name))).collect();
    if !is_table {
        names[0].insert_str(0, &anchor);
    }
    names.join("<br>")
}

fn row_of_key(table: &[Key], key: &Key) -> String {
    let mut help = format!("{}.", cell(key.help));
    if key.is_required {
        help += if table == ROUTE { " Required, unless inherited." } else { " Required." };
    }
    let is_setting = |setting: &&Setting| setting.key == key.name && matches!(setting.kind.shape(), Shape::One(_));
    if table == ROUTE && SETTINGS.iter().any(|setting| is_setting(&setting)) {
        let _ = write!(help, " Default: the [top-level setting](#{}).", key.name);
    }
    format!("| `{}` | {} | {help} |\n", key.name, shape(key.shape))
}

fn shape(shape: Shape) -> String {
    match shape {
        Shape::One(kind) => value(kind),
        Shape::OneOrMore(kind) => format!("{}, or a list", value(kind)),
        Shape::Table(_) => "a table".to_owned(),
        Shape::Tables(_) => "tables".to_owned(),
        Shape::Named(of) => format!("a table of {}", self::shape(*of)),
        Shape::Either(shapes) => shapes.iter().map(|shape| self::shape(*shape)).collect::<Vec<_>>().join(" or "),
    }
}

/// What to write, as named at the top of the page.
fn value(kind: Kind) -> String {
    match kind {
        Kind::Choice(words) => words.iter().map(|word| code(word)).collect::<Vec<_>>().join(", "),
        Kind::Numbers(numbers) => numbers.iter().map(u16::to_string).collect::<Vec<_>>().join(", "),
        Kind::Within(least, most) => format!("{least} to {most}"),
        Kind::SizeLimit | Kind::TimeLimit => format!("{} or `off`", code(kind.value_name())),
        Kind::FileOr(words) => {
            let words = words.iter().map(|word| code(word)).collect::<Vec<_>>();
            format!("{} or {}", words.join(", "), code(kind.value_name()))
        }
        Kind::Socket => "`unix`, `unix:PATH`, `IP:PORT` or `off`".to_owned(),
        kind => code(kind.value_name()),
    }
}

fn list<'a>(keys: impl Iterator<Item = &'a Key>) -> String {
    let keys: Vec<_> = keys.map(|key| code(key.name)).collect();
    let (last, others) = keys.split_last().expect("keys");
    format!("{} and {last}", others.join(", "))
}

/// Code in a table cell. A `|` would end the cell.
fn code(text: &str) -> String {
    format!("`{}`", text.replace('|', "\\|"))
}

/// Text in a table cell. A `*` could start emphasis.
fn cell(text: &str) -> String {
    text.replace('|', "\\|").replace('*', "\\*")
}
