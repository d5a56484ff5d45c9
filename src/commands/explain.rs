//! `pmesh explain URL`: says what happens to a request, and why.

use tower::BoxError;

use super::{
    ask::{block_on, get, post_json},
    upstreams::state,
};
use crate::{
    admin::{EndpointReport, UpstreamsReport},
    explain::{ExplainedEndpoint, Explanation, Outcome, Question, explain, text},
    settings::{Loaded, Settings},
    upstream::Surroundings,
};

/// Explains what the settings say about a request, as text or JSON.
///
/// # Errors
///
/// If the question is not about a request that a client could send to a listener.
pub fn explain_from_settings(loaded: &Loaded, question: &Question, json: bool) -> Result<String, BoxError> {
    let explanation = block_on(explain(question, Surroundings { settings: &loaded.settings, running: None }))?;
    shown(&explanation, json)
}

/// Explains what the node in this home does with a request, as text or JSON.
///
/// # Errors
///
/// [`Unreachable`](super::Unreachable)
pub fn explain_live(settings: &Settings, question: &Question, json: bool) -> Result<String, BoxError> {
    let explanation = block_on(async {
        let mut explanation: Explanation = post_json(settings, "/v1/explain", question).await?;
        if matches!(explanation.outcome, Outcome::Upstream { .. }) {
            let upstreams = get(settings, "/v1/upstreams").await?;
            add_states(&mut explanation, &upstreams);
        }
        Ok(explanation)
    })?;
    shown(&explanation, json)
}

fn shown(explanation: &Explanation, json: bool) -> Result<String, BoxError> {
    if json {
        return Ok(serde_json::to_string_pretty(explanation)? + "\n");
    }
    Ok(text(explanation))
}

/// Adds the state of each endpoint, and the instances of a service, each as an endpoint. Routes with different TLS settings
/// can have the same address.
fn add_states(explanation: &mut Explanation, UpstreamsReport { endpoints: reports }: &UpstreamsReport) {
    let Explanation { route: Some(route), outcome: Outcome::Upstream { endpoints, .. }, .. } = explanation else {
        return;
    };
    let of_route: Vec<_> = reports.iter().filter(|report| report.routes.contains(&route.place)).collect();
    *endpoints = endpoints.iter().flat_map(|endpoint| with_states(endpoint, &of_route)).collect();
}

fn with_states(endpoint: &ExplainedEndpoint, of_route: &[&EndpointReport]) -> Vec<ExplainedEndpoint> {
    let with_state = |report: &&EndpointReport| ExplainedEndpoint {
        address: report.address.clone(),
        is_backing_off: Some(report.left_alone_until.is_some()),
        state: Some(state(report)),
        ..endpoint.clone()
    };
    let instances = format!("{}/", endpoint.address);
    let is_instance = |report: &&&EndpointReport| {
        endpoint.address.starts_with("service://") && report.address.starts_with(&instances)
    };
    let instances: Vec<_> = of_route.iter().filter(is_instance).map(with_state).collect();
    if !instances.is_empty() {
        return instances;
    }
    let report = of_route.iter().find(|report| report.address == endpoint.address);
    let is_service = endpoint.address.starts_with("service://");
    vec![match report {
        Some(report) => with_state(report),
        None if is_service => ExplainedEndpoint { state: Some("no instance is ready".to_owned()), ..endpoint.clone() },
        None => endpoint.clone(),
    }]
}
