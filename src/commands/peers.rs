//! `pmesh peers`: shows the nodes that a node knows.

use pmesh_layers::identity::NodeName;
use tower::BoxError;

use super::{
    ask::{OtherNode, block_on, get},
    span::{millis, since},
};
use crate::{
    columns::columns,
    mesh::{PeerReport, PeersReport, Route},
    settings::Settings,
};

/// Returns the nodes known to the node in this home, or to `other`, as a table or JSON.
///
/// # Errors
///
/// [`Unreachable`](super::Unreachable), or that the home or the secret cannot be used.
pub fn peers(settings: &Settings, other: Option<&NodeName>, json: bool) -> Result<String, BoxError> {
    let report: PeersReport = block_on(async {
        if let Some(other) = other
            && let Some(mut other) = OtherNode::find(settings, other).await?
        {
            return Ok(other.get("/v1/peers").await?);
        }
        Ok(get(settings, "/v1/peers").await?)
    })?;
    if json {
        return Ok(serde_json::to_string_pretty(&report)? + "\n");
    }
    if report.peers.is_empty() {
        return Ok("no other nodes are known\n".to_owned());
    }
    Ok(table(&report))
}

fn table(report: &PeersReport) -> String {
    let heading = ["NAME", "STATE", "ADDRESS", "SOURCE", "RTT", "FAILURES", "LAST SEEN", "CLOCK", "SERVES"];
    let rows = report.peers.iter().map(row);
    columns(&std::iter::once(heading.map(str::to_owned)).chain(rows).collect::<Vec<_>>())
}

fn row(peer: &PeerReport) -> [String; 9] {
    let or_dash = |text: Option<String>| text.unwrap_or_else(|| "-".to_owned());
    [
        peer.name.clone(),
        peer.state.clone(),
        peer.addresses.join(","),
        peer.source.clone(),
        or_dash(peer.rtt.map(millis)),
        peer.failures.to_string(),
        or_dash(peer.last_seen.map(|moment| format!("{} ago", since(moment)))),
        or_dash(peer.clock_ahead.map(|seconds| format!("{seconds:+} s"))),
        or_dash(peer.serves.as_ref().map(|serves| routes(serves))),
    ]
}

/// The routes that a node serves, in short form.
pub(super) fn routes(routes: &[Route]) -> String {
    if routes.is_empty() {
        return "nothing".to_owned();
    }
    routes.iter().map(|Route { host, prefix }| format!("{host}{prefix}")).collect::<Vec<_>>().join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn unknown_values_are_dashes() {
        let known = PeerReport {
            name: "berlin".to_owned(),
            addresses: vec!["10.0.0.1:8443".to_owned(), "a:1".to_owned()],
            source: "static".to_owned(),
            state: "alive".to_owned(),
            rtt: Some(1250),
            failures: 0,
            last_seen: Some(u64::MAX),
            clock_ahead: Some(-3),
            serves: Some(vec![Route { host: "*.a".to_owned(), prefix: "/x".to_owned() }]),
        };
        let unknown = PeerReport {
            name: "b".to_owned(),
            addresses: vec!["b:1".to_owned()],
            source: "registry".to_owned(),
            state: "unknown".to_owned(),
            rtt: None,
            failures: 2,
            last_seen: None,
            clock_ahead: None,
            serves: None,
        };
        let text = table(&PeersReport { peers: vec![known, unknown] });
        let words: Vec<Vec<&str>> = text
            .lines()
            .map(|line| line.split("  ").map(str::trim).filter(|word| !word.is_empty()).collect())
            .collect();
        assert_eq!(
            words[1],
            ["berlin", "alive", "10.0.0.1:8443,a:1", "static", "1.2 ms", "0", "0s ago", "-3 s", "*.a/x"]
        );
        assert_eq!(words[2], ["b", "unknown", "b:1", "registry", "-", "2", "-", "-", "-"]);
    }
}
