//! `allow` and `deny`.

use ipnet::IpNet;
use pmesh_layers::client_filter::ClientFilterLayer;

use crate::{
    config::Problems,
    settings::route::{Scope, matchers::Networks},
};

/// Reads which clients are allowed. Returns `None` if that is invalid, and reports that.
pub(super) fn read(scope: &Scope<'_>, problems: &mut Problems) -> Option<Option<ClientFilterLayer>> {
    let allowed = networks(scope, "allow", "to let nobody in, write respond = 403", problems);
    let denied = networks(scope, "deny", "to deny nobody, leave this out", problems);
    let (allowed, denied) = (allowed?, denied?);
    if allowed.is_none() && denied.is_none() {
        return Some(None);
    }
    let filter = ClientFilterLayer::new().deny(denied.unwrap_or_default());
    Some(Some(allowed.into_iter().fold(filter, ClientFilterLayer::allow)))
}

fn networks(scope: &Scope<'_>, key: &str, advice: &str, problems: &mut Problems) -> Option<Option<Vec<IpNet>>> {
    let Some(node) = scope.field(key) else { return Some(None) };
    if node.is_empty_list() {
        problems.push(node.problem(format!("no address: name at least one; {advice}")));
        return None;
    }
    let all = node.one_or_more();
    let networks: Vec<Networks> = all.iter().filter_map(|element| element.read(problems)).collect();
    (networks.len() == all.len()).then(|| Some(networks.into_iter().flat_map(|Networks(networks)| networks).collect()))
}
