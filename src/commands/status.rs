use pmesh_layers::identity::NodeName;
use serde::Serialize;
use tower::BoxError;

use super::{
    ask::{Node, block_on},
    peers::routes,
    span::{since, span},
};
use crate::{
    columns::columns,
    mesh::{CountersReport, HealthReport, NodeReport, PeersReport, RegistryReport},
    settings::Settings,
};

/// All that a node tells of itself.
#[derive(Serialize)]
struct Status {
    node: NodeReport,
    health: HealthReport,
    registry: RegistryReport,
    counters: CountersReport,
    #[serde(flatten)]
    peers: PeersReport,
}

/// What the node of this home is and does, or the one called `other`: lines for people, or JSON.
///
/// # Errors
///
/// [`Unreachable`](super::Unreachable); or the home or the secret cannot be used.
pub fn status(settings: &Settings, other: Option<&NodeName>, json: bool) -> Result<String, BoxError> {
    let status = block_on(async {
        let mut node = Node::find(settings, other).await?;
        Ok(Status {
            node: node.get("/v1/node").await?,
            health: node.get("/v1/health").await?,
            registry: node.get("/v1/registry").await?,
            counters: node.get("/v1/counters").await?,
            peers: node.get("/v1/peers").await?,
        })
    })?;
    if json { Ok(serde_json::to_string_pretty(&status)? + "\n") } else { Ok(columns(&status.rows())) }
}

impl Status {
    fn rows(&self) -> Vec<[String; 2]> {
        let Self { node, health, registry, counters, peers: PeersReport { peers } } = self;
        let row = |key: &str, value: String| [key.to_owned(), value];
        let state = if health.serving { "serving" } else { "stopping" };
        let mut rows = vec![
            row("node", format!("{}, {state} for {}", node.name, span(node.uptime))),
            row("version", node.version.clone()),
            row("instance", node.instance.clone()),
        ];
        rows.extend(node.listeners.iter().map(|listener| row(&listener.name, listener.address.clone())));
        rows.push(row("serves", routes(&node.serves)));
        rows.push(row("registry", registry_line(registry)));
        let count = |state: &str| peers.iter().filter(|peer| peer.state == state).count();
        rows.push(row("peers", format!("{}: {} alive, {} dead", peers.len(), count("alive"), count("dead"))));
        rows.push(row("connections", counters.connections.to_string()));
        rows.push(row("requests", counters.requests.to_string()));
        let silent: Vec<_> = counters.silent.iter().map(|(reason, count)| format!("{reason} {count}")).collect();
        rows.push(row("silent", if silent.is_empty() { "none".to_owned() } else { silent.join(", ") }));
        rows
    }
}

fn registry_line(registry: &RegistryReport) -> String {
    let Some(servers) = &registry.servers else { return "none".to_owned() };
    let state = if registry.connected { "there" } else { "away" };
    let since = registry.since.map(|moment| format!(" for {}", since(moment))).unwrap_or_default();
    let error = registry.error.as_ref().map(|error| format!(": {error}")).unwrap_or_default();
    format!("{servers}, {state}{since}{error}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_registry_is_told_in_a_line() {
        let none = RegistryReport { servers: None, connected: false, since: None, error: None, unbelieved: 0 };
        assert_eq!(registry_line(&none), "none");
        let there =
            RegistryReport { servers: Some("nats://a:1".to_owned()), connected: true, since: Some(u64::MAX), ..none };
        assert_eq!(registry_line(&there), "nats://a:1, there for 0s");
        let away = RegistryReport { connected: false, error: Some("refused".to_owned()), ..there };
        assert_eq!(registry_line(&away), "nats://a:1, away for 0s: refused");
    }
}
