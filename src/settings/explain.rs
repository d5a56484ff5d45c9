//! `pmesh explain`: the value of each setting, and where it was set.

use super::{
    Listener, Loaded, Mesh, NamedListener, Route, SECRET_FILE,
    inline::{NONE, inline, plain},
};
use crate::{
    columns::columns,
    config::{Error, Kind, Node, Problem, ROUTE_KEYS, SERVICE_KEYS, SETTINGS, Setting, did_you_mean, renamed},
};

/// Returns the values of settings and where they were set, as `pmesh explain` prints them.
///
/// Without a key, there is one line per setting, or per element of a list. A setting can be named by its key, flag or
/// variable: then there are only its lines and its description.
///
/// # Errors
///
/// Fails if there is no such setting.
pub fn explain(loaded: &Loaded, key: Option<&str>) -> Result<String, Error> {
    let Some(key) = key else {
        return Ok(columns(&SETTINGS.iter().flat_map(|setting| rows(loaded, setting)).collect::<Vec<_>>()));
    };
    let setting = find(key).ok_or_else(|| {
        if let Some(setting) = renamed::setting(key) {
            return Problem::new(key, renamed::message(setting.key));
        }
        if let Some(known) = ROUTE_KEYS.iter().find(|known| known.name == key) {
            return Problem::new(key, format!("a key of routes, not a setting: {}", known.help));
        }
        if let Some(known) = SERVICE_KEYS.iter().find(|known| known.name == key) {
            return Problem::new(key, format!("a key of services, not a setting: {}", known.help));
        }
        if key.contains(['.', ':']) {
            return Problem::new(key, format!("not a setting; to explain a request, write https://{key}/"));
        }
        let nearest = did_you_mean(key, SETTINGS.iter().map(|setting| setting.key));
        Problem::new(key, format!("unknown setting{nearest}"))
    })?;
    let mut names = setting.names();
    if setting.in_file {
        let files = if setting.in_included { "in the file or an included file" } else { "in the file" };
        names.push(format!("`{}` {files}", setting.key));
    }
    let table = columns(&rows(loaded, setting));
    let change = if setting.needs_restart { "A change needs a restart" } else { "A change takes effect on reload" };
    Ok(format!(
        "{table}\n{}.\nSet by {}.\nDefault: {}.\n{change}.\n",
        setting.help,
        names.join(", "),
        setting.default.text()
    ))
}

fn find(name: &str) -> Option<&'static Setting> {
    let flag = name.strip_prefix("--").unwrap_or(name);
    SETTINGS.iter().find(|setting| {
        setting.key == name || setting.flag == Some(flag) || setting.variable.is_some_and(|variable| variable == name)
    })
}

/// The value of a setting in one line, without a password.
pub(super) fn value(loaded: &Loaded, setting: &Setting) -> String {
    let values: Vec<_> = rows(loaded, setting).into_iter().map(|[_, value, _]| value).collect();
    values.join(", ")
}

type Row = [String; 3];

/// Key, value and source. Only the first row of a list has the key.
fn rows(loaded: &Loaded, setting: &Setting) -> Vec<Row> {
    let mut key = setting.key.to_owned();
    let values = match loaded.merged.node(setting.key) {
        Some(node) => elements(loaded, setting, &node),
        None => vec![unset(loaded, setting)],
    };
    values.into_iter().map(|(value, source)| [std::mem::take(&mut key), value, source]).collect()
}

fn elements(loaded: &Loaded, setting: &Setting, node: &Node<'_>) -> Vec<(String, String)> {
    let settings = &loaded.settings;
    // The settings are valid, so a list has the elements that were written, in the same order.
    let written = node.elements().unwrap_or_default().into_iter().map(|element| element.origin());
    let values: Vec<_> = match setting.kind {
        Kind::Routes => {
            let of_route = |route: &Route| (route.to_string(), route.origin.at().to_owned());
            settings.routes.iter().map(of_route).collect()
        }
        Kind::Defaults | Kind::Redirects => {
            let table = node.value.as_dict().into_iter().flatten();
            let fields = table.filter_map(|(key, _)| Some((key, node.field(key)?)));
            fields.map(|(key, node)| (format!("{key} = {}", inline(&node)), node.origin())).collect()
        }
        Kind::Certificates => match replaced_certificates(loaded) {
            Some(row) => vec![row],
            None => settings.certificates.iter().map(ToString::to_string).zip(written).collect(),
        },
        Kind::Listeners => {
            let origin =
                |listener: &Listener| node.field(listener.name()).map_or(node.origin(), |table| table.origin());
            let row = |named: &NamedListener| (named.to_string(), origin(&named.listener));
            settings.named_listeners.iter().map(row).collect()
        }
        Kind::Services => settings.services.iter().map(|one| (one.to_string(), one.origin.at().to_owned())).collect(),
        Kind::Include => {
            let row = |entry: &Node<'_>| (plain(entry.value), entry.origin());
            node.one_or_more().iter().map(row).collect()
        }
        Kind::Peers => vec![(peers(&settings.mesh), node.origin())],
        // The parsed value is shown without its password.
        _ if setting.key == "mesh_registry" => {
            let registry = settings.mesh.registry.as_ref();
            vec![(registry.map_or(NONE.into(), ToString::to_string), node.origin())]
        }
        _ => vec![(plain(node.value), node.origin())],
    };
    if values.is_empty() { vec![(NONE.into(), node.origin())] } else { values }
}

fn peers(mesh: &Mesh) -> String {
    let peers: Vec<_> = mesh.peers.iter().map(|(name, address)| format!("{name}={address}")).collect();
    if peers.is_empty() { NONE.into() } else { peers.join(", ") }
}

/// `--cert` wins over the list in the file.
fn replaced_certificates(loaded: &Loaded) -> Option<(String, String)> {
    let cert = loaded.merged.node("cert")?;
    Some(("replaced by cert and key".into(), cert.origin()))
}

fn unset(loaded: &Loaded, setting: &Setting) -> (String, String) {
    let settings = &loaded.settings;
    let described = setting.default.text();
    match setting.key {
        "secret" => match settings.secret.given() {
            Some(origin) => ("not shown".into(), origin.into()),
            None => (described.into(), "default".into()),
        },
        "secret_file" => (settings.home.join(SECRET_FILE).display().to_string(), "default".into()),
        "node" => (settings.node.to_string(), format!("default: {described}")),
        "workers" => (settings.workers.to_string(), format!("default: {described}")),
        "config" => (loaded.file.as_ref().map_or(NONE.into(), |path| path.display().to_string()), "default".into()),
        "certificates" => replaced_certificates(loaded).unwrap_or((described.into(), "default".into())),
        _ => (described.into(), "default".into()),
    }
}
