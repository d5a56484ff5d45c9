//! `pmesh upstreams`: shows the endpoints and their state.

use tower::BoxError;

use super::{
    ask::{block_on, get},
    span::{since, until},
};
use crate::{
    admin::{EndpointReport, EndpointState, UpstreamsReport},
    columns::columns,
    settings::Settings,
};

/// Returns the endpoints that the node in this home uses, with their state, as a table or JSON.
///
/// # Errors
///
/// [`Unreachable`](super::Unreachable)
pub fn upstreams(settings: &Settings, json: bool) -> Result<String, BoxError> {
    let report: UpstreamsReport = block_on(async { Ok(get(settings, "/v1/upstreams").await?) })?;
    if json {
        return Ok(serde_json::to_string_pretty(&report)? + "\n");
    }
    if report.endpoints.is_empty() {
        return Ok("no endpoints: no route has an upstream\n".to_owned());
    }
    Ok(table(&report))
}

fn table(report: &UpstreamsReport) -> String {
    let heading = ["ENDPOINT", "STATE", "REQUESTS", "FAILED", "OPEN", "IDLE", "ROUTES"].map(str::to_owned);
    let rows: Vec<_> = std::iter::once(heading).chain(report.endpoints.iter().map(row)).collect();
    let table = columns(&rows);
    let mut lines = table.lines();
    let mut text = lines.next().unwrap_or_default().to_owned() + "\n";
    for (line, endpoint) in lines.zip(&report.endpoints) {
        text = text + line + "\n" + &failure(endpoint);
    }
    text
}

fn row(endpoint: &EndpointReport) -> [String; 7] {
    [
        endpoint.address.clone(),
        state_since(endpoint),
        endpoint.requests.to_string(),
        endpoint.failures.to_string(),
        endpoint.open_connections.to_string(),
        endpoint.idle_connections.to_string(),
        routes(&endpoint.routes),
    ]
}

/// The first route and how many more there are, so that a line stays readable.
fn routes(routes: &[String]) -> String {
    let Some(first) = routes.first() else { return "-".to_owned() };
    match routes.len() - 1 {
        0 => first.clone(),
        more => format!("{first} and {more} more"),
    }
}

/// The state of an endpoint in one line.
pub(super) fn state(endpoint: &EndpointReport) -> String {
    let failure = last_failure(endpoint).filter(|_| endpoint.state == EndpointState::Failed);
    let failure = failure.map(|failure| format!("; {failure}")).unwrap_or_default();
    format!("{}{failure}", state_since(endpoint))
}

fn state_since(endpoint: &EndpointReport) -> String {
    let state = match endpoint.state {
        EndpointState::Ok => "ok",
        EndpointState::Failed => "failed",
        EndpointState::Unknown => "unknown",
        EndpointState::Draining => "draining",
    };
    let since = endpoint.since.map(|moment| format!(" for {}", since(moment))).unwrap_or_default();
    format!("{state}{since}")
}

/// A line below that of the endpoint, if a request has ever failed there.
fn failure(endpoint: &EndpointReport) -> String {
    last_failure(endpoint).map(|failure| format!("  {failure}\n")).unwrap_or_default()
}

fn last_failure(endpoint: &EndpointReport) -> Option<String> {
    let error = endpoint.last_error.as_ref()?;
    let when = error.time.map(|moment| format!(" {} ago", since(moment))).unwrap_or_default();
    let is_failed = endpoint.state == EndpointState::Failed;
    let next = endpoint.left_alone_until.filter(|_| is_failed).and_then(until);
    let next = next.map(|span| format!("; backing off for {span}")).unwrap_or_default();
    let row = match endpoint.consecutive_failures {
        count @ 2.. if is_failed => format!(", {count} in a row"),
        _ => String::new(),
    };
    Some(format!("last failure{when}{row}: {}{next}", error.message))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::admin::ErrorReport;

    #[test]
    fn an_endpoint_and_its_last_failure_have_a_line_each() {
        let route = |host: &str| format!("{host}/");
        let unknown = EndpointReport {
            address: "127.0.0.1:9001".to_owned(),
            routes: vec![route("a.test")],
            state: EndpointState::Unknown,
            since: None,
            consecutive_failures: 0,
            left_alone_until: None,
            last_error: None,
            requests: 0,
            failures: 0,
            open_connections: 0,
            idle_connections: 0,
        };
        let failed = EndpointReport {
            address: "h2://b:443".to_owned(),
            routes: vec![route("a.test"), route("b.test"), route("c.test")],
            state: EndpointState::Failed,
            // A time in the future counts as now.
            since: Some(u64::MAX),
            consecutive_failures: 3,
            left_alone_until: Some(0),
            last_error: Some(ErrorReport { message: "refused".to_owned(), time: Some(u64::MAX) }),
            requests: 12,
            failures: 3,
            open_connections: 2,
            idle_connections: 1,
        };
        let text = table(&UpstreamsReport { endpoints: vec![unknown, failed.clone()] });
        assert_eq!(
            text,
            "ENDPOINT        STATE          REQUESTS  FAILED  OPEN  IDLE  ROUTES\n\
             127.0.0.1:9001  unknown        0         0       0     0     a.test/\n\
             h2://b:443      failed for 0s  12        3       2     1     a.test/ and 2 more\n\
             \x20 last failure 0s ago, 3 in a row: refused\n"
        );
        let backing_off = EndpointReport { left_alone_until: Some(u64::MAX), ..failed.clone() };
        assert!(failure(&backing_off).contains("; backing off for "), "{}", failure(&backing_off));
        let recovered = EndpointReport { state: EndpointState::Ok, ..failed };
        assert_eq!(failure(&recovered), "  last failure 0s ago: refused\n");
    }
}
