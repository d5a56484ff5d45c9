//! Routes that do not come from the configuration.

use pmesh_layers::{
    host::HostPattern,
    route::{Conditions, PathPrefix},
};

use super::{Answer, Listener, Origin, Route, Settings, UpstreamTls, endpoint::Endpoint};

impl Route {
    /// A route that sends all requests for a host to one endpoint, with defaults for everything else.
    pub fn to(host: HostPattern, endpoint: Endpoint, settings: &Settings) -> Self {
        Self {
            name: host.to_string(),
            patterns: vec![host],
            paths: vec![PathPrefix::root().into()],
            conditions: Conditions::new(),
            listeners: Listener::DEFAULT.to_vec(),
            answer: Answer::Upstream(vec![endpoint]),
            redirect_https: false,
            middleware: Default::default(),
            hsts: None,
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
