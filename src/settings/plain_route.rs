//! A route that no source has written.

use pmesh_layers::{host::HostPattern, route::PathPrefix};

use super::{Answer, Origin, Route, Settings, UpstreamTls, endpoint::Endpoint};

impl Route {
    /// All paths of a host, to one endpoint, as if nothing else had been written about it.
    pub fn to(host: HostPattern, endpoint: Endpoint, settings: &Settings) -> Self {
        Self {
            name: host.to_string(),
            patterns: vec![host],
            prefixes: vec![PathPrefix::root()],
            answer: Answer::Upstream(vec![endpoint]),
            strip_prefix: false,
            allow_ambiguous_paths: false,
            host_header: None,
            tls: UpstreamTls::default(),
            connect_timeout: settings.connect_timeout,
            response_timeout: settings.response_timeout,
            stall_timeout: settings.stall_timeout,
            stream_timeout: settings.stream_timeout,
            max_body: settings.max_body,
            origin: Origin::default(),
        }
    }
}
