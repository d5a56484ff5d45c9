//! The report on routes.

use std::time::Duration;

use super::report::{RouteReport, RouteTlsReport, RoutesReport};
use crate::settings::{AcceptedCertificates, Answer, PemFile, Route, Settings, ShownPath, UpstreamTls};

impl RoutesReport {
    /// Reports the routes of `settings`.
    pub fn from_settings(settings: &Settings) -> Self {
        Self { routes: settings.routes.iter().map(|route| report(route, settings)).collect() }
    }
}

fn report(route: &Route, settings: &Settings) -> RouteReport {
    RouteReport {
        name: route.name.clone(),
        hosts: route.patterns.iter().map(ToString::to_string).collect(),
        paths: route.paths.iter().map(|path| ShownPath(path).to_string()).collect(),
        conditions: (!route.conditions.is_empty()).then(|| route.conditions.to_string()),
        files: match &route.answer {
            Answer::Files(files, _) => Some(files.root.display().to_string()),
            _ => None,
        },
        redirect: matches!(route.answer, Answer::Redirect(_)).then(|| route.answer.to_string()),
        respond: matches!(route.answer, Answer::Respond(_)).then(|| route.answer.to_string()),
        middleware: route.middleware.keys.iter().map(|key| (*key).to_owned()).collect(),
        redirect_https: route.redirect_https,
        hsts: route.hsts.map(|hsts| span(hsts.max_age)),
        connect_timeout: span(route.connect_timeout),
        stall_timeout: span(route.stall_timeout),
        stream_timeout: span(route.stream_timeout),
        upstream: route.endpoints().iter().map(ToString::to_string).collect(),
        listeners: route
            .listeners
            .iter()
            .filter(|listener| settings.addresses(listener).next().is_some())
            .map(|listener| listener.name().to_owned())
            .collect(),
        strip_prefix: route.strip_prefix,
        allow_ambiguous_paths: route.allow_ambiguous_paths,
        host_header: route.host_header.as_ref().map(|host| String::from_utf8_lossy(host.as_bytes()).into_owned()),
        tls: (route.tls != UpstreamTls::default()).then(|| tls(&route.tls)),
        response_timeout: span(route.response_timeout),
        max_body: route.max_body,
    }
}

/// Formats a duration as in a configuration. `humantime` would turn days into months and years, which are not whole
/// days.
fn span(duration: Duration) -> String {
    const DAY: u64 = 24 * 60 * 60;

    let days = duration.as_secs() / DAY;
    let rest = duration.saturating_sub(Duration::from_secs(days * DAY));
    match (days, rest.is_zero()) {
        (0, _) => humantime::format_duration(rest).to_string(),
        (_, true) => format!("{days}d"),
        (_, false) => format!("{days}d {}", humantime::format_duration(rest)),
    }
}

fn tls(tls: &UpstreamTls) -> RouteTlsReport {
    let path = |file: &PemFile| file.path.display().to_string();
    RouteTlsReport {
        ca: tls.ca().map(path),
        server_name: tls.server_name.as_ref().map(|name| name.to_str().into_owned()),
        cert: tls.client.as_ref().map(|client| path(&client.cert)),
        key: tls.client.as_ref().map(|client| path(&client.key)),
        skip_verify: matches!(tls.accepted, AcceptedCertificates::Any(_)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_are_shown_as_they_are_written() {
        for text in ["0s", "1s", "1m 30s", "1h", "1d", "1d 12h", "30d", "365d", "3650d"] {
            let duration = humantime::parse_duration(text).unwrap();
            assert_eq!(span(duration), text);
        }
    }
}
