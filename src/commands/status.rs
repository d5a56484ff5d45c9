//! `pmesh status`: shows the state of a node.

use std::collections::BTreeMap;

use pmesh_layers::identity::NodeName;
use tower::BoxError;

use super::{
    ask::{OtherNode, Unreachable, block_on, get},
    peers::routes,
    span::{since, span},
};
use crate::{
    admin::{ConfigurationReport, JwtKeysReport, StatusReport},
    columns::columns,
    mesh::{PeersReport, RegistryReport},
    services::report::ServiceState,
    settings::{Settings, and_included},
};

/// How many names of services are printed for each state.
const NAMES: usize = 5;

/// Returns the state of the node in this home, or of the one called `other`, as text or JSON.
///
/// # Errors
///
/// [`Unreachable`](super::Unreachable), or that the home or the secret cannot be used.
pub fn status(settings: &Settings, other: Option<&NodeName>, json: bool) -> Result<String, BoxError> {
    let status: StatusReport = block_on(async {
        if let Some(other) = other
            && let Some(other) = OtherNode::find(settings, other).await?
        {
            return Ok(report_of(other).await?);
        }
        Ok(get(settings, "/v1/status").await?)
    })?;
    if json { Ok(serde_json::to_string_pretty(&status)? + "\n") } else { Ok(columns(&rows(&status))) }
}

/// Collects the report from another node.
async fn report_of(mut node: OtherNode) -> Result<StatusReport, Unreachable> {
    Ok(StatusReport {
        node: node.get("/v1/node").await?,
        configuration: None,
        health: node.get("/v1/health").await?,
        registry: node.get("/v1/registry").await?,
        counters: node.get("/v1/counters").await?,
        jwt_keys: Vec::new(),
        services: BTreeMap::new(),
        peers: node.get("/v1/peers").await?,
    })
}

fn rows(status: &StatusReport) -> Vec<[String; 2]> {
    let StatusReport { node, configuration, health, registry, counters, jwt_keys, services, peers } = status;
    let PeersReport { peers } = peers;
    let row = |key: &str, value: String| [key.to_owned(), value];
    let mut rows = vec![
        row("node", format!("{}, {}", node.name, state(health.serving, node.uptime))),
        row("version", node.version.clone()),
        row("instance", node.instance.clone()),
    ];
    if let Some(configuration) = configuration {
        rows.push(row("process", configuration.pid.to_string()));
        rows.push(row("config", configuration_line(configuration)));
        if let Some(error) = &configuration.error {
            let when = error.time.map(|time| format!("{} ago: ", since(time))).unwrap_or_default();
            let line = error.message.lines().next().unwrap_or_default();
            rows.push(row("reload failed", format!("{when}{line}")));
        }
    }
    rows.extend(node.listeners.iter().map(|listener| row(&listener.name, listener.address.clone())));
    rows.push(row("serves", routes(&node.serves)));
    rows.push(row("registry", registry_line(registry)));
    rows.extend(jwt_keys.iter().map(|keys| row("jwt keys", jwt_keys_line(keys))));
    if !services.is_empty() {
        rows.push(row("services", services_line(services)));
    }
    let count = |state: &str| peers.iter().filter(|peer| peer.state == state).count();
    rows.push(row("peers", format!("{}: {} alive, {} dead", peers.len(), count("alive"), count("dead"))));
    rows.push(row("connections", counters.connections.to_string()));
    rows.push(row("requests", counters.requests.to_string()));
    let counts =
        |counts: &BTreeMap<String, u64>| counts.iter().map(|(key, count)| format!("{key} {count}")).collect::<Vec<_>>();
    let silent = counts(&counters.silent);
    rows.push(row("silent", if silent.is_empty() { "none".to_owned() } else { silent.join(", ") }));
    if !counters.limited.is_empty() {
        rows.push(row("limited", counts(&counters.limited).join(", ")));
    }
    if !counters.mirrored.is_empty() {
        rows.push(row("mirrored", counts(&counters.mirrored).join(", ")));
    }
    rows
}

/// The state of a node that started `uptime` seconds ago, in the words of the log. When a shutdown began is not reported.
fn state(serving: bool, uptime: u64) -> String {
    if serving { format!("serving for {}", span(uptime)) } else { "shutting down".to_owned() }
}

fn configuration_line(configuration: &ConfigurationReport) -> String {
    let file = configuration.file.as_deref().unwrap_or("no file");
    let file = format!("{file}{}", and_included(configuration.included));
    match configuration.generation {
        1 => file,
        generation => format!("{file}, generation {generation}, for {}", since(configuration.since)),
    }
}

fn registry_line(registry: &RegistryReport) -> String {
    let Some(servers) = &registry.servers else { return "none".to_owned() };
    let state = if registry.connected { "connected" } else { "disconnected" };
    let since = registry.since.map(|moment| format!(" for {}", since(moment))).unwrap_or_default();
    let error = registry.error.as_ref().map(|error| format!(": {error}")).unwrap_or_default();
    format!("{servers}, {state}{since}{error}")
}

fn jwt_keys_line(JwtKeysReport { url, keys, error }: &JwtKeysReport) -> String {
    let error = error.as_ref().map(|error| {
        let since = error.time.map(|time| format!(" for {}", since(time))).unwrap_or_default();
        format!(", failing{since}: {}", error.message)
    });
    format!("{url}, {keys} keys{}", error.unwrap_or_default())
}

/// `3 ready; 1 failed: api`. Services that are ready or idle are not named.
fn services_line(services: &BTreeMap<ServiceState, Vec<String>>) -> String {
    let line = |(state, names): (&ServiceState, &Vec<String>)| {
        let more = names.len().saturating_sub(NAMES);
        let names = match state {
            ServiceState::Ready | ServiceState::Idle => String::new(),
            _ if more > 0 => format!(": {} and {more} more", names[..NAMES].join(", ")),
            _ => format!(": {}", names.join(", ")),
        };
        let count = services[state].len();
        format!("{count} {state}{names}")
    };
    services.iter().map(line).collect::<Vec<_>>().join("; ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_uptime_is_shown_only_while_serving() {
        assert_eq!(state(true, 90), "serving for 1m 30s");
        assert_eq!(state(false, 90), "shutting down");
    }

    #[test]
    fn the_configuration_is_shown_in_one_line() {
        let first =
            ConfigurationReport { pid: 1, generation: 1, since: u64::MAX, file: None, included: 0, error: None };
        assert_eq!(configuration_line(&first), "no file");
        let file = Some("/etc/pmesh/config.toml".to_owned());
        let later = ConfigurationReport { generation: 2, file, included: 3, ..first };
        assert_eq!(configuration_line(&later), "/etc/pmesh/config.toml and 3 included files, generation 2, for 0s");
    }

    #[test]
    fn services_that_are_not_ready_are_named() {
        let names = |names: &str| names.split(' ').map(str::to_owned).collect();
        let services = [
            (ServiceState::Failed, names("api")),
            (ServiceState::Ready, names("a b c")),
            (ServiceState::Starting, names("d e f g h i j")),
        ];
        assert_eq!(services_line(&services.into()), "3 ready; 7 starting: d, e, f, g, h and 2 more; 1 failed: api");
    }

    #[test]
    fn the_registry_is_shown_in_one_line() {
        let none = RegistryReport { servers: None, connected: false, since: None, error: None, unbelieved: 0 };
        assert_eq!(registry_line(&none), "none");
        let there =
            RegistryReport { servers: Some("nats://a:1".to_owned()), connected: true, since: Some(u64::MAX), ..none };
        assert_eq!(registry_line(&there), "nats://a:1, connected for 0s");
        let away = RegistryReport { connected: false, error: Some("refused".to_owned()), ..there };
        assert_eq!(registry_line(&away), "nats://a:1, disconnected for 0s: refused");
    }
}
