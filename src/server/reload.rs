//! Reload: builds the next generation from the current configuration and switches to it.

use std::{
    fmt, mem,
    sync::Arc,
    time::{Instant, SystemTime},
};

use pmesh_layers::connect::Resolver;
use tokio::task::AbortHandle;
use tower::BoxError;

use super::{
    check, descriptors,
    generation::{Builder, Generation},
    listeners::{Listeners, Plan},
    process::{FailedReload, Process},
    worker::{Swap, WorkerHandle},
};
use crate::{
    admin::{ChangesReport, ReloadReport},
    certificates::CertificateWatch,
    config::{Source, Watched},
    file_watch::{FileWatch, Refresh},
    mesh::{About, Announcement, ListenerReport, Prober, Renewal, Served},
    services::handle::{Services, Wanted},
    settings::{Loaded, Service, ServiceName, Settings, Values},
    telemetry::logging,
    upstream::ConnectionSettings,
};

/// How many routes a log line names.
const NAMED: usize = 10;

/// The source of the configuration, read at startup and on each reload.
pub struct Configuration {
    source: Source,
    adjust: Adjust,
}

type Adjust = Box<dyn Fn(&mut Settings) -> Result<(), BoxError> + Send>;

impl Configuration {
    /// Creates a configuration that is read from `source`.
    pub fn new(source: Source) -> Self {
        Self::adjusted(source, |_| Ok(()))
    }

    /// Creates a configuration that is read from `source` and then changed by `adjust`.
    pub fn adjusted(source: Source, adjust: impl Fn(&mut Settings) -> Result<(), BoxError> + Send + 'static) -> Self {
        Self { source, adjust: Box::new(adjust) }
    }

    /// Reads the configuration.
    ///
    /// # Errors
    ///
    /// If the configuration is invalid. The error says what is wrong, and where it was written.
    pub fn load(&self) -> Result<Loaded, BoxError> {
        let mut loaded = self.source.load()?;
        (self.adjust)(&mut loaded.settings)?;
        Ok(loaded)
    }
}

impl fmt::Debug for Configuration {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Configuration").field("source", &self.source).finish_non_exhaustive()
    }
}

/// Replaces generations, on the control thread.
pub struct Reloader {
    pub(super) configuration: Configuration,
    /// The values in the current generation.
    pub(super) values: Values,
    pub(super) process: Arc<Process>,
    pub(super) builder: Builder,
    pub(super) workers: Vec<WorkerHandle>,
    pub(super) listeners: Listeners,
    /// The limit of open files.
    pub(super) descriptors: u64,
    pub(super) resolver: Resolver,
    pub(super) about: Arc<About>,
    pub(super) registry: Option<Renewal>,
    pub(super) certificates: CertificateWatch,
    pub(super) watched: Watched,
    /// The files that were read, or the paths that were tried.
    pub(super) files: FileWatch,
    pub(super) prober: Option<AbortHandle>,
    pub(super) services: Services,
}

impl Reloader {
    /// Reads the configuration and switches to it, if `all` is set or one of its files has changed, appeared or
    /// disappeared. If it cannot be used, nothing changes, the log says why, and the next call tries again. A process
    /// that is shutting down does not reload.
    pub fn refresh(&mut self, all: bool) -> Refresh<ReloadReport> {
        if *self.about.stop.borrow() {
            return Refresh::Unchanged;
        }
        let (mut files, mut read) = (mem::take(&mut self.files), None);
        files.set_files(self.watched.find());
        let refreshed = files.refresh(all, || {
            let (report, files) = self.reload()?;
            read = Some(files);
            Ok::<_, BoxError>(report)
        });
        match &refreshed {
            Refresh::Read(_) => self.process.record_reload(None),
            Refresh::Failed(Some(error)) => {
                tracing::error!("the configuration was not reloaded, so the previous one stays in use: {error}");
                self.process.record_reload(Some(FailedReload { error: error.clone(), at: SystemTime::now() }));
            }
            Refresh::Unchanged | Refresh::Failed(None) => {}
        }
        // A reload may have read a different set of files.
        self.files = read.filter(|read| files.files() != read.files()).unwrap_or(files);
        refreshed
    }

    /// Returns what has changed, and the files that were read.
    fn reload(&mut self) -> Result<(ReloadReport, FileWatch), BoxError> {
        let began = Instant::now();
        let current = self.process.generation();
        let loaded = self.configuration.load()?;
        // An editor may be replacing the file. Serving without it is unlikely to be what the user wants.
        if let Some(file) = current.file.as_ref().filter(|file| loaded.file.as_ref() != Some(file) && !file.exists()) {
            let gone = "the configuration file is gone: put it back, or restart to run without it";
            return Err(format!("{}: {gone}", file.display()).into());
        }
        let files = FileWatch::new(loaded.files());
        let (watched, file, included) = (loaded.watched.clone(), loaded.file.clone(), loaded.included.len());
        let values = loaded.values();
        let doubts = loaded.doubts.iter().map(ToString::to_string).collect::<Vec<_>>();
        let mut settings = loaded.into_settings();
        settings.keep_from_start(&current.settings);
        let changes = self.values.changes(&values);

        let certificates = CertificateWatch::new(&settings.certificates);
        let mut next = self.builder.build(settings, Some(&current))?.read_from(file, included);
        let prepared = self.prepare(&mut next);
        let (swaps, plan) = prepared.inspect_err(|_| self.builder.forget_unused(Some(&current)))?;

        // Nothing below can fail.
        let next = Arc::new(next);
        swaps.into_iter().for_each(|swap| swap());
        self.process.set_current(Arc::clone(&next));
        self.process.admission.set_limits(descriptors::limits(&next.settings, self.descriptors));
        let moved = self.listeners.apply(plan, &self.workers);
        current.routes.close_removed(&next.routes, next.settings.shutdown_timeout);
        let routes = current.routes.changes(&next.routes);
        self.builder.forget_unused(Some(&next));
        next.certificates.log_renewed(&current.certificates);
        (self.certificates, self.values) = (certificates, self.values.in_use_after(values));
        self.watched = watched;
        self.publish(Some(&current.settings), &next.settings);
        logging::set(&next.settings);

        let mut warnings = doubts;
        warnings.extend(check::doubts(&next.settings, &next.certificates));
        let keys = |needs_restart: bool| {
            let keys = changes.iter().filter(move |change| change.needs_restart == needs_restart);
            keys.map(|change| change.key.to_owned()).collect()
        };
        let report = ReloadReport {
            generation: next.number,
            took_ms: began.elapsed().as_millis().try_into().unwrap_or(u64::MAX),
            routes: ChangesReport { added: routes.added, changed: routes.changed, removed: routes.removed },
            services: service_changes(&current.settings.services, &next.settings.services),
            settings: keys(false),
            needs_restart: keys(true),
            opened: moved.opened.iter().map(ListenerReport::new).collect(),
            closed: moved.closed.iter().map(ListenerReport::new).collect(),
            warnings,
        };
        log(&report);
        Ok((report, files))
    }

    /// Everything that can fail once the generation is built. Sockets are bound last.
    fn prepare(&self, next: &mut Generation) -> Result<(Vec<Swap>, Plan), BoxError> {
        let swaps = self.workers.iter().map(|worker| worker.prepare(next)).collect::<Result<_, _>>()?;
        let plan = self.listeners.plan(&mut next.settings)?;
        Ok((swaps, plan))
    }

    /// Passes the new settings on to services, other nodes and the prober.
    pub(super) fn publish(&mut self, before: Option<&Settings>, now: &Settings) {
        self.services.apply(Wanted {
            services: now.services.clone(),
            instances: self.process.current().services.clone(),
            drain_limit: now.shutdown_timeout,
            home: now.home.clone(),
        });
        self.process.current().routes.refresh_jwt_keys(false);
        self.about.listeners.store(Arc::new(self.listeners.addresses()));
        self.about.serves.store(Arc::new(Served::from_settings(now)));
        self.process.peers.set_fixed(now.mesh.peers.clone());
        // Connections to nodes keep the settings that they were made with, so make new ones.
        if before.is_some_and(|before| ConnectionSettings::for_nodes(before) != ConnectionSettings::for_nodes(now)) {
            self.process.peers.reconnect();
        }
        if let Some(registry) = &self.registry {
            let own = Announcement::from_settings(now, self.about.instance);
            if before.is_some_and(|before| Announcement::from_settings(before, self.about.instance) != own) {
                registry.announce(own);
            }
        }
        let of_prober =
            |settings: &Settings| (settings.source_addresses.clone(), settings.pool_max_age, settings.mesh.is_used());
        if before.is_some_and(|before| of_prober(before) == of_prober(now)) {
            return;
        }
        if let Some(prober) = self.prober.take() {
            prober.abort();
        }
        if now.mesh.is_used() {
            let Process { identity, peers, .. } = &*self.process;
            let prober = Prober::new(now, identity.clone(), self.resolver.clone(), Arc::clone(peers));
            self.prober = Some(tokio::spawn(prober.run()).abort_handle());
        }
    }
}

impl fmt::Debug for Reloader {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Reloader").field("configuration", &self.configuration).finish_non_exhaustive()
    }
}

fn service_changes(before: &[Service], now: &[Service]) -> ChangesReport {
    let find = |services: &[Service], name: &ServiceName| services.iter().find(|one| one.name == *name).cloned();
    let names = |services: &[Service], is_one: &dyn Fn(&Service) -> bool| {
        services.iter().filter(|one| is_one(one)).map(|one| one.name.to_string()).collect()
    };
    // A service that has only moved in the file is unchanged.
    let is_same = |one: &Service, other: &Service| *one == Service { origin: one.origin.clone(), ..other.clone() };
    ChangesReport {
        added: names(now, &|one| find(before, &one.name).is_none()),
        changed: names(now, &|one| find(before, &one.name).is_some_and(|other| !is_same(one, &other))),
        removed: names(before, &|one| find(now, &one.name).is_none()),
    }
}

fn log(report: &ReloadReport) {
    let ReloadReport { generation, took_ms, routes, services, settings, needs_restart, opened, closed, warnings } =
        report;
    let addresses = |listeners: &[ListenerReport]| {
        let each = listeners.iter().map(|one| format!("{} {}", one.name, one.address));
        (!listeners.is_empty()).then(|| each.collect::<Vec<_>>().join(", "))
    };
    tracing::info!(
        generation,
        took_ms,
        added = names(&routes.added),
        changed = names(&routes.changed),
        removed = names(&routes.removed),
        added_services = names(&services.added),
        changed_services = names(&services.changed),
        removed_services = names(&services.removed),
        settings = names(settings),
        opened = addresses(opened),
        closed = addresses(closed),
        "configuration reloaded"
    );
    if let Some(keys) = names(needs_restart) {
        tracing::warn!("changed settings that need a restart: {keys}");
    }
    for warning in warnings {
        tracing::warn!("{warning}");
    }
}

/// The first few names, and how many more there are.
fn names(names: &[String]) -> Option<String> {
    let named = names.get(..NAMED).unwrap_or(names).join(", ");
    match names.len() {
        0 => None,
        count if count > NAMED => Some(format!("{named} and {} more", count - NAMED)),
        _ => Some(named),
    }
}
