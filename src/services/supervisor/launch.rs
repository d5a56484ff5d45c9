//! What the keeper is to start for an instance.

use std::{collections::BTreeMap, env};

use crate::{
    services::{keeper::Launch, table::Slot},
    settings::{Service, ServiceCommand, endpoint::InstanceAddress},
};

/// What to start for `service` at the address of `slot`, in pmesh's own environment.
pub(super) fn launch(service: &Service, slot: &Slot, notify: Option<String>) -> Launch {
    let inherited =
        env::vars_os().filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?)));
    with_environment(service, slot, notify, inherited)
}

fn with_environment(
    service: &Service,
    slot: &Slot,
    notify: Option<String>,
    inherited: impl Iterator<Item = (String, String)>,
) -> Launch {
    let own = own_variables(slot);
    let mut variables: BTreeMap<_, _> = inherited.filter(|(name, _)| !is_own(name)).collect();
    if let Some(user) = &service.user {
        variables.insert("HOME".to_owned(), user.home.display().to_string());
        variables.insert("USER".to_owned(), user.name.clone());
        variables.insert("LOGNAME".to_owned(), user.name.clone());
    }
    variables.extend(service.env.clone());
    variables.extend(notify.map(|socket| ("NOTIFY_SOCKET".to_owned(), socket)));
    variables.extend(own.iter().map(|(name, value)| ((*name).to_owned(), value.clone())));
    let program = match &service.command {
        ServiceCommand::Shell(line) => vec!["/bin/sh".to_owned(), "-c".to_owned(), line.clone()],
        ServiceCommand::Program(words) => words.iter().map(|word| filled(word, &own)).collect(),
    };
    Launch {
        label: format!("{}-{}", service.name, slot.instance.number),
        program,
        env: variables.into_iter().collect(),
        cwd: service.cwd.clone(),
        user: service.user.as_ref().map(|user| (user.uid, user.gid, user.name.clone())),
        limits: service.limits,
        stop_signal: service.stop_signal.number,
        stop_timeout: service.stop_timeout,
    }
}

/// The variables that tell an instance who it is and where to listen.
fn own_variables(slot: &Slot) -> Vec<(&'static str, String)> {
    let instance = &slot.instance;
    let mut variables = match &instance.address {
        InstanceAddress::Socket(address) => vec![
            ("HOST", address.ip().to_string()),
            ("PORT", address.port().to_string()),
            ("LISTEN", address.to_string()),
        ],
        InstanceAddress::Unix(path) => {
            vec![("LISTEN", format!("unix:{}", path.display())), ("SOCKET", path.display().to_string())]
        }
    };
    variables.push(("PMESH_SERVICE", instance.service.to_string()));
    variables.push(("PMESH_INSTANCE", instance.number.to_string()));
    variables
}

/// Whether an inherited variable is meant for pmesh, or for another service.
fn is_own(name: &str) -> bool {
    name.starts_with("PMESH_")
        || ["NOTIFY_SOCKET", "LISTEN_FDS", "LISTEN_PID", "LISTEN_FDNAMES", "WATCHDOG_PID", "WATCHDOG_USEC"]
            .contains(&name)
        || ["HOST", "PORT", "LISTEN", "SOCKET"].contains(&name)
}

/// `word` with the values of the variables that it names in braces.
fn filled(word: &str, variables: &[(&str, String)]) -> String {
    let (mut filled, mut rest) = (String::new(), word);
    while let Some(start) = rest.find('{') {
        filled.push_str(&rest[..start]);
        rest = &rest[start..];
        let named = variables.iter().find(|(name, _)| {
            rest.strip_prefix('{').and_then(|rest| rest.strip_prefix(name)).is_some_and(|rest| rest.starts_with('}'))
        });
        match named {
            Some((name, value)) => {
                filled.push_str(value);
                rest = &rest[name.len() + 2..];
            }
            None => {
                filled.push('{');
                rest = &rest[1..];
            }
        }
    }
    filled + rest
}
