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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::admin::EndpointState;

    fn explained(address: &str) -> ExplainedEndpoint {
        ExplainedEndpoint {
            address: address.to_owned(),
            path: "/".to_owned(),
            host: "a.test".to_owned(),
            state: None,
            is_backing_off: None,
        }
    }

    fn report(address: &str) -> EndpointReport {
        EndpointReport {
            address: address.to_owned(),
            routes: vec!["a.test/".to_owned()],
            state: EndpointState::Ok,
            since: None,
            consecutive_failures: 0,
            left_alone_until: None,
            last_error: None,
            requests: 1,
            failures: 0,
            open_connections: 0,
            idle_connections: 0,
        }
    }

    #[test]
    fn a_service_is_shown_as_its_instances() {
        let reports =
            ["service://web/1 (127.1.0.5:8080)", "service://web/2 (127.1.0.6:8080)", "127.0.0.1:1"].map(report);
        let reports: Vec<_> = reports.iter().collect();
        let states = |address: &str| {
            let of = with_states(&explained(address), &reports);
            of.into_iter().map(|one| (one.address, one.state)).collect::<Vec<_>>()
        };
        let ok = |address: &str| (address.to_owned(), Some("ok".to_owned()));
        assert_eq!(states("service://web"), [ok(&reports[0].address), ok(&reports[1].address)]);
        assert_eq!(states("service://we"), [("service://we".to_owned(), Some("no instance is ready".to_owned()))]);
        assert_eq!(states("127.0.0.1:1"), [ok("127.0.0.1:1")]);
        assert_eq!(states("127.0.0.1:2"), [("127.0.0.1:2".to_owned(), None)]);
    }
}
