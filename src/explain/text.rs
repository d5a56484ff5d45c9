//! The explanation as text for people.

use http::StatusCode;

use super::explanation::{ExplainedEndpoint, Explanation, Outcome, PassedOver};

/// Maximum number of listed routes that the request does not take.
const PASSED_OVER: usize = 10;
/// Width of the first column.
const LABEL: usize = 12;

/// Formats an explanation for people.
pub fn text(explanation: &Explanation) -> String {
    let mut lines = Lines::default();
    let listener = &explanation.listener;
    let port =
        if listener.port == 0 { "a port the kernel picks".to_owned() } else { format!("port {}", listener.port) };
    let note = listener.note.as_ref().map(|note| format!(" ({note})")).unwrap_or_default();
    lines.add("listener", &format!("{}, {port}{note}", listener.name));
    let host = explanation.host.as_ref().map(|host| &host.name);
    if let Some(name) = explanation.server_name.as_ref().filter(|name| host != Some(name)) {
        lines.add("handshake", &format!("SNI {name}"));
    }
    if let Some(host) = &explanation.host {
        let note = host.note.as_ref().map(|note| format!("; {note}")).unwrap_or_default();
        let is = if host.is_served { "is" } else { "is not" };
        lines.add("host", &format!("{} {is} served{note}", host.name));
    }
    if let Some(client) = &explanation.client {
        lines.add("client", client);
    }
    if let Some(route) = &explanation.route {
        lines.add("route", &format!("{}, {}, {}", route.place, route.origin, route.why));
    }
    let passed_over = |PassedOver { place, origin, why }: &PassedOver| format!("not {place}, {origin}: {why}");
    for one in explanation.passed_over.iter().take(PASSED_OVER) {
        lines.add("route", &passed_over(one));
    }
    if let Some(more @ 1..) = explanation.passed_over.len().checked_sub(PASSED_OVER) {
        lines.add("route", &format!("not {more} more"));
    }
    let width = explanation.middleware.iter().map(|part| part.key.len()).max().unwrap_or_default();
    for part in &explanation.middleware {
        lines.add("middleware", &format!("{:width$}  {}", part.key, part.effect));
    }
    outcome(&explanation.outcome, &mut lines);
    lines.text
}

fn outcome(outcome: &Outcome, lines: &mut Lines) {
    match outcome {
        Outcome::Silence { why } => {
            lines.add("answer", &format!("silence: {why}"));
        }
        Outcome::Response { status, location, allow, why } => {
            let reason = StatusCode::from_u16(*status).ok().and_then(|status| status.canonical_reason());
            let reason = reason.map(|reason| format!(" {reason}")).unwrap_or_default();
            lines.add("answer", &format!("{status}{reason}: {why}"));
            lines.extend("answer", location.as_ref().map(|location| format!("Location: {location}")));
            lines.extend("answer", allow.as_ref().map(|allow| format!("Allow: {allow}")));
        }
        Outcome::Upstream { method, endpoints } => {
            let gets = |one: &ExplainedEndpoint| format!("gets {method} {}, Host {}", one.path, one.host);
            let has_states = endpoints.iter().any(|one| one.state.is_some());
            for alike in endpoints.chunk_by(|one, other| (&one.path, &one.host) == (&other.path, &other.host)) {
                let addresses: Vec<_> = alike.iter().map(|one| &*one.address).collect();
                lines.add("upstream", &format!("{}, {}", addresses.join(" or "), gets(&alike[0])));
            }
            for one in endpoints.iter().filter(|_| has_states) {
                lines.extend("upstream", one.state.as_ref().map(|state| format!("{}: {state}", one.address)));
            }
        }
    }
}

#[derive(Default)]
struct Lines {
    text: String,
    label: &'static str,
}

impl Lines {
    /// Adds a line. A label is shown only once.
    fn add(&mut self, label: &'static str, line: &str) {
        let shown = if self.label == label { "" } else { label };
        self.text += &format!("{shown:LABEL$}{line}\n");
        self.label = label;
    }

    fn extend(&mut self, label: &'static str, line: Option<String>) {
        line.into_iter().for_each(|line| self.add(label, &line));
    }
}
