//! A generation: everything that is built from one configuration.

use std::{path::PathBuf, sync::Arc, time::SystemTime};

use pmesh_layers::{
    host::{HostName, ServedHosts},
    mirror::MirrorStats,
    serve::HttpServer,
};
use rustls::ServerConfig;
use tower::BoxError;

use crate::{
    certificates::{Certificates, Issuer},
    services::{
        table::{ServiceSlots, ServiceTable},
        traffic::Traffic,
    },
    settings::{Listener, Settings},
    telemetry::counters::LimitCounters,
    upstream::{Endpoints, LocalServices, Routes, trust::Trust},
};

/// Bytes that another node can add to the head of a client's request.
const MORE_HEAD: u32 = 16 * 1024;

/// Everything that is built from one configuration. It never changes: a reload builds the next generation, and if that
/// fails, the current one stays.
#[derive(Debug)]
pub struct Generation {
    /// 1 at startup, then one more with each reload.
    pub number: u64,
    /// When it was built.
    pub since: SystemTime,
    /// The settings it was built from, with the ports that the kernel picked instead of 0.
    pub settings: Settings,
    /// The configuration file, if there is one.
    pub file: Option<PathBuf>,
    /// How many files it includes.
    pub included: usize,
    /// The certificates for clients' TLS connections.
    pub certificates: Certificates,
    /// The authorities that are trusted to certify upstreams.
    trust: Trust,
    /// The instances of the local services.
    pub services: ServiceSlots,
    /// The routes, with the services of each worker.
    pub routes: Routes,
    /// Serves client connections.
    pub server: HttpServer,
    /// Serves connections of other nodes.
    pub node_server: HttpServer,
}

impl Generation {
    /// Records where the settings were read: in `file`, which includes `included` others.
    #[must_use]
    pub fn read_from(self, file: Option<PathBuf>, included: usize) -> Self {
        Self { file, included, ..self }
    }

    /// Returns the configuration for TLS connections to `name` on a listener, or `None` if the name is not served
    /// there.
    pub fn server_config(&self, listener: &Listener, name: &HostName) -> Option<Arc<ServerConfig>> {
        self.routes.tables().for_listener(listener)?.served(name.as_str())?;
        self.certificates.server_config(name)
    }
}

/// Builds generations, on one thread. It keeps what one generation hands on to the next.
#[derive(Debug)]
pub struct Builder {
    issuer: Arc<Issuer>,
    endpoints: Endpoints,
    services: ServiceTable,
}

impl Builder {
    /// Creates a builder that gets certificates from `issuer` and connections to backends from `endpoints`.
    pub fn new(issuer: Arc<Issuer>, endpoints: Endpoints) -> Self {
        Self { issuer, endpoints, services: ServiceTable::new() }
    }

    /// The counters of requests that a limit of their route rejected.
    pub fn limited(&self) -> &Arc<LimitCounters> {
        self.endpoints.limited()
    }

    /// The counts of copies of requests.
    pub fn mirrored(&self) -> &Arc<MirrorStats> {
        self.endpoints.mirrored()
    }

    /// How the instances of services are used.
    pub fn traffic(&self) -> Arc<dyn Traffic> {
        Arc::new(self.endpoints.traffic().clone())
    }

    /// Builds a generation from `settings`. Whatever has not changed since `previous` is reused.
    ///
    /// # Errors
    ///
    /// If a setting cannot be used. The error says which one and where it was written. In that case, nothing changes.
    pub fn build(&mut self, settings: Settings, previous: Option<&Generation>) -> Result<Generation, BoxError> {
        let patterns = settings.routes.iter().flat_map(|route| route.patterns.iter().cloned());
        let before = previous.map(|previous| &previous.certificates);
        let certificates = Certificates::new(Arc::clone(&self.issuer), &settings.certificates, patterns, before)?;
        let trust = Trust::load(&settings.routes, previous.map(|previous| &previous.trust))?;
        let before = previous.map(|previous| &previous.routes);
        let routes = match self.routes(&settings, &trust, before) {
            Ok(routes) => routes,
            Err(error) => {
                self.forget_unused(previous);
                return Err(error);
            }
        };
        let services = self.services.snapshot();
        let server = http_server(&settings);
        // Other nodes forward what they have accepted from clients, with some headers added. All of it must fit here.
        let node_server = server.clone().max_head(settings.max_head.saturating_add(MORE_HEAD)).trust_clients();
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
            services,
            routes,
            server,
            node_server,
        })
    }

    fn routes(&mut self, settings: &Settings, trust: &Trust, before: Option<&Routes>) -> Result<Routes, BoxError> {
        self.services.assign(settings)?;
        Routes::build(LocalServices { settings, table: &self.services }, trust, before, &mut self.endpoints)
    }

    /// Forgets the endpoints to which `current` has no routes, and the addresses of services that it does not have.
    /// Connections are closed once the requests on them have finished.
    pub fn forget_unused(&mut self, current: Option<&Generation>) {
        if let Some(current) = current {
            self.services.keep_only(&current.services);
            current.routes.keep_only(&mut self.endpoints);
        }
    }

    /// The issuer of the certificates for clients' TLS connections.
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
        .max_headers(settings.max_fields)
        .max_streams(settings.max_streams)
}

#[cfg(test)]
mod tests;
