//! Reads `[services.NAME]`.

use std::{collections::BTreeSet, time::Duration};

use figment::value::Value;
use nix::unistd::Uid;

use super::{
    Service, ServiceListen, ServiceName, ServiceOutput, command, env, limits, paths, user,
    words::{Instances, ServicePort, WaitTimeout},
};
use crate::config::{Merged, Node, Parse, Problem, Problems, SERVICE_KEYS, TimeLimit};

const START_TIMEOUT: Duration = Duration::from_secs(60);
const WAIT_TIMEOUT: Duration = Duration::from_secs(10);
const STOP_TIMEOUT: Duration = Duration::from_secs(10);
const MAX_BACKOFF: Duration = Duration::from_secs(30);

/// The names of all tables, valid or not; `None` if they were not read.
pub(in crate::settings) fn names(merged: &Merged) -> Option<BTreeSet<String>> {
    if merged.is_partial() {
        return None;
    }
    let tables = merged.node("services").and_then(|node| node.value.as_dict());
    Some(tables.into_iter().flat_map(|tables| tables.keys().cloned()).collect())
}

/// Reads all tables, sorted by name, because the keys of a TOML table have no order.
pub(in crate::settings) fn read(merged: &Merged, default_port: u16, problems: &mut Problems) -> Vec<Service> {
    let Some(node) = merged.node("services") else { return Vec::new() };
    let Some(tables) = node.value.as_dict() else {
        problems.push(node.unexpected("a table for each service, as in [services.NAME]"));
        return Vec::new();
    };
    if let Some(key) = tables.iter().find_map(|(name, value)| is_of_service(name, value).then_some(name)) {
        let at = node.field(key).unwrap_or(node);
        problems.push(at.problem(format!(
            "`{key}` is a key of a service, but the service has no name: write [services.NAME] instead of [services]"
        )));
        return Vec::new();
    }
    tables.keys().filter_map(|name| service(name, &node.field(name)?, default_port, problems)).collect()
}

/// Whether this is a key that belongs in a table.
fn is_of_service(key: &str, value: &Value) -> bool {
    value.as_dict().is_none() && SERVICE_KEYS.iter().any(|known| known.name == key)
}

fn service(name: &str, node: &Node<'_>, default_port: u16, problems: &mut Problems) -> Option<Service> {
    if node.value.as_dict().is_none() {
        let mut problem = node.unexpected("a table");
        if let Some(line) = node.value.as_str().filter(|_| node.references().is_none()) {
            problem.message += &format!(": write [services.{name}], and command = {line:?} below");
        }
        problems.push(problem);
        return None;
    }
    let name = problems.note(self::name(name, node));
    let Some(command) = node.field("command") else {
        node.lacks("no command: write the program, as in command = [\"node\", \"server.js\"]", SERVICE_KEYS, problems);
        return None;
    };
    // All are read, so that all problems are reported.
    let (shown, command) = (command::shown(&command), command::read(&command, problems));
    let cwd = paths::cwd(node, problems);
    let env = env::read(node, problems);
    let user = node.field("user").map_or(Some(None), |node| user::read(&node, problems));
    let instances = or(node, "instances", Instances(1), problems);
    let listen = or(node, "listen", Default::default(), problems);
    let port = or(node, "port", ServicePort(default_port), problems);
    report_useless_port(node, listen, problems);
    if let (Some(user), Some(Some(other)), Some(ServiceListen::Unix)) = (node.field("user"), &user, listen)
        && other.uid != Uid::effective().as_raw()
    {
        problems.push(user.problem(
            "another user cannot open the folder of the sockets, which is in the home of pmesh: remove listen = \"unix\"",
        ));
    }
    let protocol = or(node, "protocol", Default::default(), problems);
    let ready = or(node, "ready", Default::default(), problems);
    let start_timeout = or(node, "start_timeout", START_TIMEOUT, problems);
    let wait_timeout = or(node, "wait_timeout", WaitTimeout(WAIT_TIMEOUT), problems);
    let stop_signal = or(node, "stop_signal", Default::default(), problems);
    let stop_timeout = or(node, "stop_timeout", STOP_TIMEOUT, problems);
    let restart = or(node, "restart", Default::default(), problems);
    let max_backoff = or(node, "max_backoff", MAX_BACKOFF, problems);
    let limits = node.field("limits").map_or(Some(Default::default()), |node| limits::read(&node, problems));
    let output = node.field("output").map_or(Some(ServiceOutput::Log), |node| paths::output(&node, problems));
    let watch = node.field("watch").map_or(Some(Vec::new()), |node| paths::watch(&node, cwd.as_deref(), problems));
    let idle_stop = or(node, "idle_stop", TimeLimit(None), problems);
    Some(Service {
        name: name?,
        command: command?,
        shown,
        cwd: Some(cwd?),
        env: env?,
        user: user?,
        instances: instances?.0,
        listen: listen?,
        port: port?.0,
        protocol: protocol?,
        ready: ready?,
        start_timeout: start_timeout?,
        wait_timeout: wait_timeout?.0,
        stop_signal: stop_signal?,
        stop_timeout: stop_timeout?,
        restart: restart?,
        max_backoff: max_backoff?,
        limits: limits?,
        output: output?,
        watch: watch?,
        idle_stop: idle_stop?.0,
        origin: node.into(),
    })
}

/// Reports a port for instances that do not share one.
fn report_useless_port(table: &Node<'_>, listen: Option<ServiceListen>, problems: &mut Problems) {
    let instead = match listen {
        Some(ServiceListen::Port) => "with listen = \"port\", each instance has a port of its own",
        Some(ServiceListen::Unix) => "with listen = \"unix\", instances have sockets and no ports",
        Some(ServiceListen::Address) | None => return,
    };
    if let Some(port) = table.field("port") {
        problems.push(port.problem(format!("{instead}: remove this")));
    }
}

fn name(name: &str, node: &Node<'_>) -> Result<ServiceName, Problem> {
    name.parse().map_err(|error| {
        let better = name.to_ascii_lowercase().replace(['_', '.', ' '], "-");
        let is_valid = better.parse::<ServiceName>().is_ok();
        let advice = if is_valid { format!(": write [services.{better}]") } else { String::new() };
        node.problem(format!("{error}{advice}"))
    })
}

/// Reads a value, or returns the default if it is not set. Returns `None` if it is invalid, and reports that.
fn or<T: Parse>(table: &Node<'_>, key: &str, default: T, problems: &mut Problems) -> Option<T> {
    table.field(key).map_or(Some(default), |node| node.read(problems))
}
