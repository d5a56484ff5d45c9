//! Finds unknown keys in a file, and says what to write instead.

use pmesh_layers::host::HostPattern;
use toml_edit::{Item, TableLike};

use super::{
    Kind, SETTINGS, Setting, foreign,
    keys::{CHILD_ROUTE, FILES, FORWARD_AUTH, JWT, RATE_LIMIT, ROUTE, SERVICE},
    renamed,
    shape::{self, Key, Role, Shape},
    suggest, table, toml,
};

/// An unknown or misplaced key.
pub(super) struct Unknown {
    /// Keys and indexes that lead to it.
    pub(super) path: Vec<String>,
    /// What to write instead.
    pub(super) message: String,
}

/// Which kind of file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum WhichFile {
    /// The main file.
    Main,
    /// A file that the main file includes.
    Included,
}

impl WhichFile {
    /// Whether this file can contain the setting.
    pub(super) fn holds(self, setting: &Setting) -> bool {
        match self {
            Self::Main => setting.in_file,
            Self::Included => setting.in_included,
        }
    }
}

/// Finds all unknown and misplaced keys of a file.
pub(super) fn unknown_keys(root: &dyn TableLike, which: WhichFile) -> Vec<Unknown> {
    let mut walk = Walk { which, path: Vec::new(), found: Vec::new() };
    for (key, item) in root.iter() {
        walk.path.push(key.to_owned());
        match table::by_key(key).filter(|setting| which.holds(setting)) {
            Some(setting) => walk.item(item, setting.kind.shape()),
            None => walk.report(at_root(key, which)),
        }
        walk.path.pop();
    }
    walk.found
}

struct Walk {
    which: WhichFile,
    path: Vec<String>,
    found: Vec<Unknown>,
}

impl Walk {
    fn report(&mut self, message: String) {
        self.found.push(Unknown { path: self.path.clone(), message });
    }

    fn item(&mut self, item: &Item, shape: Shape) {
        match shape {
            Shape::One(_) | Shape::OneOrMore(_) => {}
            Shape::Table(keys) => {
                if let Some(table) = item.as_table_like() {
                    self.table(table, keys);
                }
            }
            Shape::Tables(keys) => {
                for (index, table) in toml::tables(item).into_iter().enumerate() {
                    self.path.push(index.to_string());
                    self.table(table, keys);
                    self.path.pop();
                }
            }
            Shape::Named(shape) => {
                for (name, item) in item.as_table_like().into_iter().flat_map(TableLike::iter) {
                    self.path.push(name.to_owned());
                    self.item(item, *shape);
                    self.path.pop();
                }
            }
            // At most one of the shapes is a table.
            Shape::Either(shapes) => shapes.iter().for_each(|shape| self.item(item, *shape)),
        }
    }

    fn table(&mut self, table: &dyn TableLike, keys: &'static [Key]) {
        if let [redirects, first] = &self.path[..]
            && redirects == "redirects"
            && let Some(rest) = dotted_key(table)
        {
            return self.report(format!("a key with dots needs quotes: write \"{first}.{rest}\" = …"));
        }
        for (name, item) in table.iter() {
            self.path.push(name.to_owned());
            let is_default = self.path.len() == 2 && self.path[0] == "defaults";
            // [defaults] has the shape of a child route, which has no `routes`.
            let is_shared = |key: Option<&Key>| key.map_or(name != "routes", |key| key.role == Role::Setting);
            match shape::key(keys, name) {
                key if is_default && !is_shared(key) => {
                    self.report(format!(
                        "`{name}` belongs in a route: [defaults] holds only settings that routes can share"
                    ));
                }
                Some(key) => self.item(item, key.shape),
                None => self.report(match renamed::route_key(name) {
                    Some(new) if matches!(self.path[0].as_str(), "routes" | "defaults") => renamed::message(new),
                    _ => in_table(name, keys, self.which),
                }),
            }
            self.path.pop();
        }
    }
}

/// The rest of an unquoted key with dots. TOML treats it as nested tables.
fn dotted_key(table: &dyn TableLike) -> Option<String> {
    let (key, item) = table.iter().next().filter(|_| table.is_dotted())?;
    let rest = item.as_table_like().and_then(dotted_key);
    Some(rest.map_or_else(|| key.to_owned(), |rest| format!("{key}.{rest}")))
}

fn at_root(key: &str, which: WhichFile) -> String {
    if let Some(setting) = renamed::setting(key) {
        return renamed::message(setting.key);
    }
    if which == WhichFile::Included
        && let Some(message) = only_in_main(key)
    {
        return message;
    }
    if let Some(elsewhere) = table::by_key(key) {
        return format!("this key cannot be set in a file; set {}", elsewhere.names().join(" or "));
    }
    if table::PLANNED.contains(&key) {
        return shape::planned(key);
    }
    if let Some(advice) = foreign::at_root(key) {
        return advice;
    }
    if shape::key(ROUTE, key).is_some() {
        return "unknown key; the keys of a route go below a [[routes]] line, or below [defaults] for all routes"
            .into();
    }
    if key.contains('.') && key.parse::<HostPattern>().is_ok() {
        return format!("unknown key; a route begins with a [[routes]] line, followed by host = \"{key}\"");
    }
    let known = || SETTINGS.iter().filter(|setting| which.holds(setting));
    let keys = || known().map(|setting| setting.key);
    match suggest::nearest(key, keys()).and_then(|near| known().find(|setting| setting.key == near)) {
        Some(setting) if matches!(setting.kind, Kind::Listeners | Kind::Services) => {
            format!("unknown key; did you mean [{}.NAME]?", setting.key)
        }
        Some(setting) if matches!(setting.kind, Kind::Routes | Kind::Certificates) => {
            format!("unknown key; did you mean [[{}]]?", setting.key)
        }
        _ => format!("unknown key{}", suggest::did_you_mean(key, keys())),
    }
}

fn in_table(key: &str, known: &'static [Key], which: WhichFile) -> String {
    if key == "routes" && known == CHILD_ROUTE {
        return "unknown key; a child cannot have children: write another [[routes.routes]]".into();
    }
    let foreign = || {
        if known == CHILD_ROUTE || known == ROUTE {
            foreign::in_route(key)
        } else if known == FILES {
            foreign::in_files(key)
        } else if known == RATE_LIMIT {
            foreign::in_rate_limit(key)
        } else if known == JWT {
            foreign::in_jwt(key)
        } else if known == FORWARD_AUTH {
            foreign::in_forward_auth(key)
        } else if known == SERVICE {
            foreign::in_service(key)
        } else {
            None
        }
    };
    let misplaced = || match which {
        WhichFile::Main => misplaced(key),
        WhichFile::Included => only_in_main(key),
    };
    foreign().or_else(|| in_inner_table(key, known)).or_else(misplaced).unwrap_or_else(|| {
        let known = known.iter().map(|key| key.name);
        format!("unknown key{}", suggest::did_you_mean(key, known))
    })
}

/// Advice on a key that belongs in a table inside this one.
fn in_inner_table(key: &str, known: &'static [Key]) -> Option<String> {
    if known.iter().any(|own| suggest::names(key, own.name)) {
        return None;
    }
    known.iter().find_map(|outer| {
        let inner = outer.shape.table()?.iter().find(|inner| suggest::names(key, inner.name))?;
        Some(format!("unknown key; did you mean {} = {{ {} = … }}?", outer.name, inner.name))
    })
}

/// Advice on a setting that is only allowed in the main file.
fn only_in_main(key: &str) -> Option<String> {
    let setting = table::by_key(key).filter(|setting| setting.in_file && !setting.in_included)?;
    if setting.kind == Kind::Include {
        return Some("an included file cannot include others: name them in the main file".into());
    }
    let keys = SETTINGS.iter().filter(|setting| setting.in_included).map(|setting| format!("`{}`", setting.key));
    let keys = keys.collect::<Vec<_>>().join(", ");
    Some(format!("`{key}` belongs in the main file: an included file can only have {keys}"))
}

/// Advice on a top-level setting that TOML treats as a key of the table above it.
pub(crate) fn misplaced(key: &str) -> Option<String> {
    let setting = table::by_key(key).or_else(|| renamed::setting(key)).filter(|setting| setting.in_file)?;
    let key = setting.key;
    Some(format!("unknown key: `{key}` is a top-level setting: move it above the first [table] of the file"))
}
