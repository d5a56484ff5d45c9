//! The report on what is served.

use super::report::{RouteReport, RouteTlsReport, RoutesReport};
use crate::settings::{Listener, Route, Settings, UpstreamTls};

impl RoutesReport {
    /// The routes of `settings`.
    pub fn of(settings: &Settings) -> Self {
        Self { routes: settings.routes.iter().map(|route| report(route, settings)).collect() }
    }
}

fn report(route: &Route, settings: &Settings) -> RouteReport {
    let UpstreamTls { ca, server_name } = &route.tls;
    let listeners = [Listener::Http, Listener::Https].into_iter();
    RouteReport {
        hosts: route.patterns.iter().map(ToString::to_string).collect(),
        prefixes: route.prefixes.iter().map(ToString::to_string).collect(),
        upstream: route.endpoints().iter().map(ToString::to_string).collect(),
        listeners: listeners
            .filter(|listener| settings.addresses(listener).next().is_some())
            .map(|listener| listener.name().to_owned())
            .collect(),
        strip_prefix: route.strip_prefix,
        allow_ambiguous_paths: route.allow_ambiguous_paths,
        host_header: route.host_header.as_ref().map(|host| String::from_utf8_lossy(host.as_bytes()).into_owned()),
        tls: (ca.is_some() || server_name.is_some()).then(|| RouteTlsReport {
            ca: ca.as_ref().map(|ca| ca.path.display().to_string()),
            server_name: server_name.as_ref().map(|name| name.to_str().into_owned()),
        }),
        response_timeout: humantime::format_duration(route.response_timeout).to_string(),
        max_body: route.max_body,
    }
}
