//! Settings from environment variables.

use std::{
    collections::HashMap,
    env,
    ffi::{OsStr, OsString},
};

use super::{Problem, Problems, SETTINGS, Secret, Setting, renamed, suggest, table};

const PREFIX: &str = "PMESH_";
const SECRET: &str = "PMESH_SECRET";

/// Variables that pmesh sets for services. A service may run pmesh, so they are no mistake.
const OF_SERVICES: [&str; 2] = ["PMESH_SERVICE", "PMESH_INSTANCE"];

/// The environment variables that matter.
#[derive(Clone, Default)]
pub(super) struct Environment {
    /// The user's home folder, for `~/`.
    pub(super) home: Option<String>,
    /// `PMESH_SECRET`. Kept apart, because everything else is merged and shown.
    pub(super) secret: Option<Secret>,
    /// All other settings.
    pub(super) values: Vec<(&'static Setting, String)>,
    /// All variables except `PMESH_SECRET`, because the file can refer to them.
    pub(super) variables: HashMap<String, OsString>,
    /// Warnings about unknown variables, which may be typos. They are not errors, because a container image may set
    /// variables of its own for its scripts.
    pub(super) doubts: Vec<Problem>,
}

impl Environment {
    /// Picks out the program's variables. An empty variable counts as not set.
    pub(super) fn read(variables: impl IntoIterator<Item = (OsString, OsString)>, problems: &mut Problems) -> Self {
        let mut found = Self::default();
        let mut unknown = Vec::new();
        for (name, value) in variables {
            let Some(name) = name.to_str().filter(|_| !value.is_empty()) else { continue };
            if name != SECRET {
                found.variables.insert(name.to_owned(), value.clone());
            }
            if name == "HOME" {
                found.home = value.into_string().ok();
            } else if name == SECRET {
                found.secret = problems.note(utf8(name, &value)).map(Secret::from);
            } else if let Some(setting) = table::by_variable(name) {
                found.values.extend(problems.note(utf8(name, &value)).map(|text| (setting, text)));
            } else if name.starts_with(PREFIX) && !OF_SERVICES.contains(&name) && !is_from_kubernetes(name, &value) {
                unknown.push(name.to_owned());
            }
        }
        // The environment has no order, but warnings should have a stable one.
        unknown.sort_unstable();
        for name in unknown {
            if let Some(new) = renamed::by_variable(&name).and_then(|setting| setting.variable) {
                problems.push(Problem::new(name, renamed::message(new)));
                continue;
            }
            let nearest = suggest::did_you_mean(&name, SETTINGS.iter().filter_map(|setting| setting.variable));
            found.doubts.push(Problem::new(name, format!("unknown variable, ignored{nearest}")));
        }
        // A service manager may start the program without HOME. The user database still has it.
        found.home = found.home.or_else(|| env::home_dir()?.into_os_string().into_string().ok());
        found
    }

    /// Returns the value of any variable, if it is set and not empty.
    pub(super) fn variable(&self, name: &str) -> Result<Option<&str>, String> {
        if name == SECRET {
            return Err(format!("{SECRET} cannot be used here, because it is never shown"));
        }
        let value = self.variables.get(name);
        value.map(|value| value.to_str().ok_or_else(|| format!("the value of {name} is not UTF-8"))).transpose()
    }
}

/// Whether Kubernetes has set this variable. In each pod, it sets these for every Service whose name begins with
/// "pmesh", as Docker did for links: `PMESH_SERVICE_HOST`, `PMESH_WEB_SERVICE_PORT_HTTP`, `PMESH_WEB_PORT_80_TCP_ADDR`,
/// `PMESH_WEB_PORT=tcp://…`.
fn is_from_kubernetes(name: &str, value: &OsStr) -> bool {
    let is_url = value.to_str().is_some_and(|value| value.starts_with("tcp://") || value.starts_with("udp://"));
    let for_a_port = |name: &str| {
        let rest = name.split("_PORT_").nth(1).unwrap_or_default();
        rest.contains("_TCP") || rest.contains("_UDP")
    };
    name.ends_with("_SERVICE_HOST")
        || name.contains("_SERVICE_PORT")
        || (name.ends_with("_PORT") && is_url)
        || for_a_port(name)
}

fn utf8(name: &str, value: &OsStr) -> Result<String, Problem> {
    value.to_str().map(str::to_owned).ok_or_else(|| Problem::new(name, "the value is not UTF-8"))
}
