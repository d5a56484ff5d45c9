//! `pmesh routes`: what is served.

use tower::BoxError;

use super::ask::{block_on, get};
use crate::{
    admin::{RouteReport, RouteTlsReport, RoutesReport},
    columns::columns,
    settings::Settings,
};

/// What the node of this home serves: a table, or JSON.
///
/// # Errors
///
/// [`Unreachable`](super::Unreachable)
pub fn routes(settings: &Settings, json: bool) -> Result<String, BoxError> {
    let report: RoutesReport = block_on(async { Ok(get(settings, "/v1/routes").await?) })?;
    if json {
        return Ok(serde_json::to_string_pretty(&report)? + "\n");
    }
    if report.routes.is_empty() {
        return Ok("no routes: nothing is served\n".to_owned());
    }
    Ok(table(&report))
}

fn table(report: &RoutesReport) -> String {
    let heading = ["ROUTE", "LISTENERS", "UPSTREAM", "OPTIONS"].map(str::to_owned);
    columns(&std::iter::once(heading).chain(report.routes.iter().flat_map(rows)).collect::<Vec<_>>())
}

/// One for each host.
fn rows(route: &RouteReport) -> impl Iterator<Item = [String; 4]> {
    let or_dash = |texts: Vec<String>| if texts.is_empty() { "-".to_owned() } else { texts.join(", ") };
    let rest = [or_dash(route.listeners.clone()), or_dash(route.upstream.clone()), or_dash(options(route))];
    route.hosts.iter().flat_map(|host| route.prefixes.iter().map(move |prefix| format!("{host}{prefix}"))).map(
        move |place| {
            let [listeners, upstream, options] = rest.clone();
            [place, listeners, upstream, options]
        },
    )
}

/// Those that are set, as in the configuration.
fn options(route: &RouteReport) -> Vec<String> {
    let switch = |is_on: bool, key: &str| is_on.then(|| key.to_owned());
    let text = |key: &str, value: &Option<String>| value.as_ref().map(|value| format!("{key} {value}"));
    let (ca, server_name) = match &route.tls {
        Some(RouteTlsReport { ca, server_name }) => (text("ca", ca), text("server_name", server_name)),
        None => (None, None),
    };
    [
        switch(route.strip_prefix, "strip_prefix"),
        switch(route.allow_ambiguous_paths, "allow_ambiguous_paths"),
        text("host_header", &route.host_header),
        ca,
        server_name,
    ]
    .into_iter()
    .flatten()
    .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_route_is_a_line_for_each_host() {
        let plain = RouteReport {
            hosts: vec!["a.test".to_owned(), "*.a.test".to_owned()],
            prefixes: vec!["/api".to_owned()],
            upstream: vec!["127.0.0.1:1".to_owned(), "127.0.0.1:2".to_owned()],
            listeners: vec!["http".to_owned(), "https".to_owned()],
            strip_prefix: true,
            allow_ambiguous_paths: false,
            host_header: Some("x".to_owned()),
            tls: Some(RouteTlsReport { ca: Some("/ca.pem".to_owned()), server_name: None }),
            response_timeout: "30s".to_owned(),
            max_body: None,
        };
        let bare = RouteReport {
            hosts: vec!["b".to_owned()],
            strip_prefix: false,
            host_header: None,
            tls: None,
            listeners: Vec::new(),
            ..plain.clone()
        };
        assert_eq!(
            table(&RoutesReport { routes: vec![plain, bare] }),
            "ROUTE         LISTENERS    UPSTREAM                  OPTIONS\n\
             a.test/api    http, https  127.0.0.1:1, 127.0.0.1:2  strip_prefix, host_header x, ca /ca.pem\n\
             *.a.test/api  http, https  127.0.0.1:1, 127.0.0.1:2  strip_prefix, host_header x, ca /ca.pem\n\
             b/api         -            127.0.0.1:1, 127.0.0.1:2  -\n"
        );
    }
}
