//! What one configuration builds.

use std::{path::PathBuf, sync::Arc, time::SystemTime};

use pmesh_layers::{
    host::{HostName, ServedHosts},
    serve::HttpServer,
};
use rustls::ServerConfig;
use tower::BoxError;

use crate::{
    certificates::{Certificates, Issuer},
    settings::{Listener, Settings},
    upstream::{Endpoints, Routes, trust::Trust},
};

/// What another node adds to the head of a client's request, in bytes.
const MORE_HEAD: u32 = 16 * 1024;

/// Everything that one configuration builds. It never changes: a reload builds the next one, and if that fails, this one
/// stays.
#[derive(Debug)]
pub struct Generation {
    /// 1 at the start, and one more with each reload.
    pub number: u64,
    /// When it was built.
    pub since: SystemTime,
    /// What it was built from. Ports that the kernel picked stand in the place of 0.
    pub settings: Settings,
    /// The configuration file, if there is one.
    pub file: Option<PathBuf>,
    /// How many files it includes.
    pub included: usize,
    /// The certificates of clients' TLS connections.
    pub certificates: Certificates,
    /// Which authorities may certify upstreams.
    trust: Trust,
    /// The routes, with the services of each worker.
    pub routes: Routes,
    /// For clients' connections.
    pub server: HttpServer,
    /// For the connections of other nodes.
    pub node_server: HttpServer,
}

impl Generation {
    /// Adds where the settings were read: from `file`, which includes `included` others.
    #[must_use]
    pub fn read_from(self, file: Option<PathBuf>, included: usize) -> Self {
        Self { file, included, ..self }
    }

    /// The configuration for TLS connections to `name` on a listener; `None` if it is not served there.
    pub fn server_config(&self, listener: &Listener, name: &HostName) -> Option<Arc<ServerConfig>> {
        self.routes.tables().of(listener)?.served(name.as_str())?;
        self.certificates.server_config(name)
    }
}

/// Builds generations, on one thread. It keeps what they hand on to each other.
#[derive(Debug)]
pub struct Builder {
    issuer: Arc<Issuer>,
    endpoints: Endpoints,
}

impl Builder {
    /// Certificates come from `issuer`, connections to backends from `endpoints`.
    pub fn new(issuer: Arc<Issuer>, endpoints: Endpoints) -> Self {
        Self { issuer, endpoints }
    }

    /// Builds the generation of `settings`. What has not changed since `previous` is taken over from there.
    ///
    /// # Errors
    ///
    /// What cannot be used of the settings, and where it was written. Nothing has changed then.
    pub fn build(&mut self, settings: Settings, previous: Option<&Generation>) -> Result<Generation, BoxError> {
        let patterns = settings.routes.iter().flat_map(|route| route.patterns.iter().cloned());
        let before = previous.map(|previous| &previous.certificates);
        let certificates = Certificates::new(Arc::clone(&self.issuer), &settings.certificates, patterns, before)?;
        let trust = Trust::load(&settings.routes, previous.map(|previous| &previous.trust))?;
        let before = previous.map(|previous| &previous.routes);
        let routes = match Routes::build(&settings, &trust, before, &mut self.endpoints) {
            Ok(routes) => routes,
            Err(error) => {
                self.forget_unused(previous);
                return Err(error);
            }
        };
        let server = http_server(&settings);
        // What a client may say here has to get through there.
        let node_server = server.clone().max_head(settings.max_head.saturating_add(MORE_HEAD)).trusting();
        let number = previous.map_or(1, |previous| previous.number + 1);
        let since = SystemTime::now();
        Ok(Generation {
            number,
            since,
            settings,
            file: None,
            included: 0,
            certificates,
            trust,
            routes,
            server,
            node_server,
        })
    }

    /// Forgets the endpoints that `current` has no routes to. Their connections end with the requests on them.
    pub fn forget_unused(&mut self, current: Option<&Generation>) {
        if let Some(current) = current {
            current.routes.keep_only(&mut self.endpoints);
        }
    }

    /// Issues the certificates of clients' TLS connections.
    pub fn issuer(&self) -> &Arc<Issuer> {
        &self.issuer
    }
}

fn http_server(settings: &Settings) -> HttpServer {
    HttpServer::new()
        .extended_connect()
        .silence_deadline(settings.silence_deadline)
        .keep_alive_timeout(settings.keep_alive_timeout)
        .head_timeout(settings.head_timeout)
        .stall_timeout(settings.stall_timeout)
        .stream_timeout(settings.stream_timeout)
        .max_head(settings.max_head)
        .max_fields(settings.max_fields)
        .max_streams(settings.max_streams)
}
