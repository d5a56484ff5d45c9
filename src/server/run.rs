//! Starts a server from validated settings, and shuts it down.

use std::{sync::Arc, time::Instant};

use arc_swap::ArcSwap;
use pmesh_layers::{connect::Resolver, identity::Authority, mirror::MirrorStats};
use tokio::sync::{Notify, mpsc, watch};
use tower::BoxError;

use super::{
    admin::{self, Admin},
    check,
    control::{self, Control},
    descriptors,
    generation::Builder,
    handover::{Derived, Handover},
    listeners::{Listeners, Plan},
    lock::{Holder, HomeLock},
    process::Process,
    reload::{Configuration, Reloader},
    signals::Signals,
    worker::WorkerHandle,
};
use crate::{
    admin::{Node, Socket},
    admission::{Admission, spares::SpareDescriptors},
    certificates::{CertificateWatch, Issuer},
    config::Watched,
    file_watch::FileWatch,
    mesh::{self, About, Announcement, Api, IdentityWatch, Instance, Peers, Registry, RegistryOptions, Seal},
    secret::{CONTEXT, SecretWatch, Secrets},
    services::supervisor::Supervisor,
    settings::{Loaded, Settings, Values, summary},
    telemetry::counters::{Counters, LimitCounters, copies},
    upstream::Endpoints,
};

/// A server with bound ports and loaded certificates that does not serve yet.
#[derive(Debug)]
pub struct Server {
    configuration: Configuration,
    values: Values,
    watched: Watched,
    files: FileWatch,
    process: Arc<Process>,
    builder: Builder,
    plan: Plan,
    /// Where commands reach this process.
    admin: Option<Socket>,
    descriptors: u64,
    resolver: Resolver,
    signals: Signals,
    secrets: Secrets,
    seal: Seal,
    watches: (Option<SecretWatch>, CertificateWatch, IdentityWatch),
    registry: Option<RegistryOptions>,
    /// Keeps other processes out of the home.
    lock: Option<HomeLock>,
}

impl Server {
    /// Locks the home, reads the secret, the certificates and the authorities for upstreams, and binds the ports, in
    /// this order: mistakes in the settings show before a port is bound. `loaded` is what `configuration` has just
    /// read.
    ///
    /// # Errors
    ///
    /// Whatever is wrong. Messages are for the person who wrote the settings.
    pub fn prepare(configuration: Configuration, loaded: Loaded) -> Result<Self, BoxError> {
        let files = FileWatch::new(loaded.files());
        let (watched, file, included) = (loaded.watched.clone(), loaded.file.clone(), loaded.included.len());
        let values = loaded.values();
        let settings = loaded.into_settings();
        let descriptors = descriptors::require_enough(&settings)?;
        let lock = HomeLock::take(&settings.home, &Holder::this(&settings))?;
        // Created before the files are read, so that no change is missed.
        let watches = (
            SecretWatch::new(&settings.secret),
            CertificateWatch::new(&settings.certificates),
            IdentityWatch::new(settings.mesh.files.clone()),
        );
        let secrets = Secrets::load_or_make(&settings.secret, &settings.home)?;
        let identity = mesh::identity(&settings, secrets.iter())?;
        let seal = Seal::new(secrets.iter())?;
        let registry = RegistryOptions::new(&settings, seal.clone());
        let workers = settings.workers;
        let spares = SpareDescriptors::new(SpareDescriptors::count(descriptors))?;
        let admission = Arc::new(Admission::new(descriptors::limits(&settings, descriptors), workers, spares));
        let peers = Arc::new(Peers::for_workers(workers, settings.mesh.peers.clone()));
        let resolver = Resolver::system();
        let issuer = Issuer::new(Arc::new(Authority::derive(secrets.public(), CONTEXT)?))?;
        let (of_peers, of_admission) = (Arc::clone(&peers), Arc::clone(&admission));
        let endpoints = Endpoints::new(workers, of_admission, resolver.clone(), identity.clone(), of_peers);
        let mut builder = Builder::new(issuer, endpoints);
        let mut generation = builder.build(settings, None)?.read_from(file, included);
        let admin = admin::bind(&generation.settings, lock.is_some())?;
        let plan = Listeners::default().plan(&mut generation.settings)?;
        for doubt in check::doubts(&generation.settings, &generation.certificates) {
            tracing::warn!("{doubt}");
        }
        // From here on, a signal shuts down gracefully.
        let signals = Signals::listen()?;
        let process = Arc::new(Process::new(admission, identity, peers, workers, generation));
        Ok(Self {
            configuration,
            values,
            watched,
            files,
            process,
            builder,
            plan,
            admin,
            descriptors,
            resolver,
            signals,
            secrets,
            seal,
            watches,
            registry,
            lock,
        })
    }

    /// The settings, with the ports that the kernel picked instead of 0.
    pub fn settings(&self) -> Settings {
        self.process.current().settings.clone()
    }

    /// Serves until SIGTERM, SIGINT or SIGQUIT, then lets requests in flight finish. A second signal exits at once.
    ///
    /// # Errors
    ///
    /// If the system provides no threads, or a worker panicked.
    pub fn serve(self) -> Result<(), BoxError> {
        let (stop, stopped) = watch::channel(false);
        let Self { configuration, values, watched, files, process, builder, plan, admin, .. } = self;
        let generation = process.generation();
        let peers = || Arc::clone(&process.peers);
        let instance = Instance::random();
        let (limited, mirrored) = (Arc::clone(builder.limited()), Arc::clone(builder.mirrored()));
        let about = Arc::new(About {
            name: generation.settings.node.clone(),
            instance,
            started: Instant::now(),
            listeners: ArcSwap::default(),
            serves: ArcSwap::default(),
            peers: peers(),
            registry: self.registry.as_ref().map(|options| (options.servers.clone(), options.view.clone())),
            counters: process.counters.clone(),
            limited: Arc::clone(&limited),
            mirrored: Arc::clone(&mirrored),
            stop: stopped.clone(),
        });
        let api = Api::new(Arc::clone(&about));
        let own = Announcement::from_settings(&generation.settings, instance);
        let registry = self.registry.map(|options| Registry::start(options, own, peers(), stopped.clone()));
        let registry = registry.transpose()?;
        let renewal = registry.as_ref().map(Registry::renewal);
        let (secret, certificates, identity) = self.watches;
        let derived = Derived {
            identity: process.identity.clone(),
            seal: self.seal,
            renewal: renewal.clone(),
            peers: peers(),
            issuer: Arc::clone(builder.issuer()),
        };
        let handover = secret.map(|watch| Handover { watch, secrets: self.secrets, derived });

        let start = |index| WorkerHandle::start(index, Arc::clone(&process), api.clone(), stopped.clone());
        let started = (0..process.counters.len()).map(start).collect::<Result<Vec<_>, _>>()?;
        let (workers, threads): (Vec<_>, Vec<_>) = started.into_iter().unzip();
        let mut listeners = Listeners::default();
        listeners.apply(plan, &workers);
        let (requests, received) = mpsc::unbounded_channel();
        let (supervisor, services) = Supervisor::new(builder.traffic());
        let node: Arc<dyn Node> = Arc::new(Admin {
            process: Arc::clone(&process),
            about: Arc::clone(&about),
            services: services.clone(),
            requests,
        });
        let control = Control {
            process: Arc::clone(&process),
            reloader: Reloader {
                configuration,
                values,
                process: Arc::clone(&process),
                builder,
                workers,
                listeners,
                descriptors: self.descriptors,
                resolver: self.resolver,
                about,
                registry: renewal,
                certificates,
                watched,
                files,
                prober: None,
                services,
            },
            supervisor: Some(supervisor),
            handover,
            identity,
            admin: admin.map(|socket| (socket, node)),
            requests: received,
        };
        drop(generation);
        let hangup = Arc::<Notify>::default();
        // Commands are answered, and services run, until all workers are done.
        let (drained, is_drained) = watch::channel(false);
        let control = control::start(control, Arc::clone(&hangup), is_drained)?;
        self.signals.on_first(
            move || {
                stop.send_replace(true);
            },
            hangup,
        )?;

        let mut broken = 0;
        for thread in threads {
            broken += usize::from(thread.join().is_err());
        }
        if let Some(registry) = registry {
            registry.join();
        }
        drained.send_replace(true);
        if control.join().is_err() {
            tracing::error!("the control thread panicked; this is a bug");
        }
        drop(self.lock);
        log_totals(&process.counters, &limited, &mirrored, process.admission.room().idle_ended());
        if broken > 0 { Err(format!("workers that panicked: {broken}; the log says why").into()) } else { Ok(()) }
    }
}

/// Serves `configuration`, which has just been read as `loaded`, until a signal stops the process.
///
/// # Errors
///
/// See [`Server::prepare`] and [`Server::serve`].
pub fn run(configuration: Configuration, loaded: Loaded) -> Result<(), BoxError> {
    let server = Server::prepare(configuration, loaded)?;
    for line in summary(&server.settings()).lines() {
        tracing::info!("{line}");
    }
    server.serve()
}

fn log_totals(counters: &[Arc<Counters>], limited: &LimitCounters, mirrored: &MirrorStats, idle_ended: u64) {
    let total = |count: fn(&Counters) -> u64| counters.iter().map(|worker| count(worker)).sum::<u64>();
    let rejections = Counters::rejections(counters.iter().map(|worker| &**worker));
    let limited: Vec<_> = limited.counts().map(|(key, count)| format!("{key} {count}")).collect();
    let mirrored: Vec<_> = copies(mirrored).map(|(what, count)| format!("{what} {count}")).collect();
    let silent: Vec<_> = rejections.iter().map(|(reason, count)| format!("{reason} {count}")).collect();
    tracing::info!(
        connections = total(|worker| worker.connections.value()),
        requests = total(|worker| worker.requests.value()),
        silent = if silent.is_empty() { "none".to_owned() } else { silent.join(", ") },
        limited = (!limited.is_empty()).then(|| limited.join(", ")),
        mirrored = (!mirrored.is_empty()).then(|| mirrored.join(", ")),
        idle_ended,
        "stopped"
    );
}
