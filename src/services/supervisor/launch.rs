//! What the keeper starts for an instance.

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

/// Whether an inherited variable is meant for pmesh itself, or is one that each instance has of its own.
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

#[cfg(test)]
mod tests {
    use std::collections::HashMap;

    use super::*;
    use crate::{
        cli::Arguments,
        config::{Defaults, Source},
        services::table::ServiceTable,
    };

    /// What is started for the second instance of a service with these keys.
    fn second(keys: &str, inherited: &[(&str, &str)]) -> (Launch, HashMap<String, String>) {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("config.toml");
        std::fs::write(&path, format!("[services.web]\ninstances = 2\n{keys}\n")).unwrap();
        let arguments = ["pmesh", "--config", path.to_str().unwrap(), "--home", "/x"];
        let source = Source::new(Arguments::parse(arguments).unwrap().flags, [], Defaults::none());
        let settings = source.load().unwrap().settings;
        let mut table = ServiceTable::new();
        table.assign(&settings).unwrap();
        let service = &settings.services[0];
        let slot = &table.get(&service.name).unwrap().pair(2).unwrap()[0];
        let inherited = inherited.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
        let launch = with_environment(service, slot, Some("/n".to_owned()), inherited);
        let variables = launch.env.iter().cloned().collect();
        (launch, variables)
    }

    #[test]
    fn a_program_gets_its_own_variables() {
        let keys = "command = [\"run\", \"--at={HOST}:{PORT}\", \"{LISTEN}{}\", \"{x}{PMESH_INSTANCE}{\"]\nport = 81\n\
            env = { A = \"own\" }";
        let inherited =
            [("A", "inherited"), ("B", "inherited"), ("PMESH_SECRET", "x"), ("LISTEN_FDS", "1"), ("SOCKET", "/x")];
        let (launch, variables) = second(keys, &inherited);
        let variable = |name: &str| variables.get(name).map(String::as_str);
        let listen = variable("LISTEN").unwrap();
        assert_eq!(format!("{}:{}", variables["HOST"], variables["PORT"]), listen);
        assert!(listen.starts_with("127.1.") && listen.ends_with(":81"), "{listen}");
        assert_eq!(launch.program, ["run", &format!("--at={listen}"), &format!("{listen}{{}}"), "{x}2{"]);
        assert_eq!(launch.label, "web-2");
        assert_eq!(["A", "B", "NOTIFY_SOCKET"].map(variable), [Some("own"), Some("inherited"), Some("/n")]);
        assert_eq!(["PMESH_SERVICE", "PMESH_INSTANCE"].map(variable), [Some("web"), Some("2")]);
        assert_eq!(["PMESH_SECRET", "LISTEN_FDS", "SOCKET"].map(variable), [None; 3]);
    }

    #[test]
    fn a_program_on_a_unix_socket_gets_its_path() {
        let (launch, variables) = second("command = \"run $SOCKET\"\nlisten = \"unix\"", &[("PORT", "80")]);
        assert_eq!(launch.program, ["/bin/sh", "-c", "run $SOCKET"]);
        assert_eq!(variables["SOCKET"], "/x/services/web-2-a.sock");
        assert_eq!(variables["LISTEN"], "unix:/x/services/web-2-a.sock");
        assert!(!variables.contains_key("HOST") && !variables.contains_key("PORT"));
    }
}
