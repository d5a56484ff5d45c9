//! `pmesh reload`: reloads the configuration and shows what changed.

use tower::BoxError;

use super::ask::{block_on, post};
use crate::{admin::ReloadReport, columns::columns, mesh::ListenerReport, settings::Settings};

/// How many names of each kind are printed. JSON has all.
const SHOWN: usize = 20;

/// Makes the node in this home reload its configuration, and returns what changed, as text or JSON.
///
/// # Errors
///
/// [`Unreachable`](super::Unreachable). If the configuration cannot be used, it has the node's own message.
pub fn reload(settings: &Settings, json: bool) -> Result<String, BoxError> {
    let report: ReloadReport = block_on(async { Ok(post(settings, "/v1/reload").await?) })?;
    if json { Ok(serde_json::to_string_pretty(&report)? + "\n") } else { Ok(text(&report)) }
}

fn text(report: &ReloadReport) -> String {
    let ReloadReport { generation, took_ms, routes, services, settings, needs_restart, opened, closed, warnings } =
        report;
    let listeners = |listeners: &[ListenerReport]| -> Vec<String> {
        listeners.iter().map(|ListenerReport { name, address }| format!("{name} {address}")).collect()
    };
    let rows = [
        ("routes added", &routes.added),
        ("routes changed", &routes.changed),
        ("routes removed", &routes.removed),
        ("services added", &services.added),
        ("services changed", &services.changed),
        ("services removed", &services.removed),
        ("settings changed", settings),
        ("listeners opened", &listeners(opened)),
        ("listeners closed", &listeners(closed)),
        ("needs a restart", needs_restart),
    ];
    let rows: Vec<_> = rows
        .into_iter()
        .filter(|(_, names)| !names.is_empty())
        .map(|(key, names)| [key.to_owned(), shortened(names)])
        .collect();
    let changes = if rows.is_empty() { "nothing has changed\n".to_owned() } else { columns(&rows) };
    let warnings: String = warnings.iter().map(|warning| format!("warning: {warning}\n")).collect();
    format!("reloaded in {took_ms} ms, generation {generation}\n{changes}{warnings}")
}

fn shortened(names: &[String]) -> String {
    let more = names.len().saturating_sub(SHOWN);
    let text = names[..names.len() - more].join(", ");
    if more == 0 { text } else { format!("{text}, and {more} more") }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::admin::ChangesReport;

    #[test]
    fn only_changes_are_printed() {
        let same = ReloadReport { generation: 2, took_ms: 3, ..ReloadReport::default() };
        assert_eq!(text(&same), "reloaded in 3 ms, generation 2\nnothing has changed\n");
        let changed = ReloadReport {
            routes: ChangesReport { added: vec!["a/".to_owned(), "b/".to_owned()], ..ChangesReport::default() },
            closed: vec![ListenerReport { name: "http".to_owned(), address: "127.0.0.1:80".to_owned() }],
            needs_restart: vec!["workers".to_owned()],
            warnings: vec!["no certificate".to_owned()],
            ..same
        };
        let expected = "reloaded in 3 ms, generation 2\n\
            routes added      a/, b/\n\
            listeners closed  http 127.0.0.1:80\n\
            needs a restart   workers\n\
            warning: no certificate\n";
        assert_eq!(text(&changed), expected);
    }

    #[test]
    fn many_names_are_shortened() {
        let names: Vec<_> = (0..22).map(|index| index.to_string()).collect();
        assert!(shortened(&names).ends_with("18, 19, and 2 more"));
        assert!(shortened(&names[..20]).ends_with("18, 19"));
    }
}
