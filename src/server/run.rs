//! From validated settings to a running server, and to its end.

use std::{
    io,
    net::{IpAddr, UdpSocket},
    sync::Arc,
    thread,
    time::Instant,
};

use nix::sys::resource::{Resource, getrlimit, setrlimit};
use pmesh_layers::{
    connect::Resolver,
    identity::{Authority, Secret},
};
use tokio::sync::{Notify, mpsc, watch};
use tower::BoxError;

use crate::{
    admin::Socket,
    admission::{Admission, exhaustion::Exhaustion, spares::Spares},
    certificates::{CertificateWatch, Certificates, Issuer},
    mesh::{
        self, About, Announcement, Api, Clocks, IdentityWatch, Instance, Peers, Prober, Registry, RegistryOptions,
        Seal, Served,
    },
    secret::{SecretWatch, Secrets},
    server::{
        admin::{self, AdminNode},
        control,
        handover::{Derived, Handover},
        listen::{self, Bound},
        lock::{Holder, HomeLock},
        signals::Signals,
        worker::{self, Shared},
    },
    settings::{Listener, Port, SecretSource, Settings, summary},
    telemetry::counters::Counters,
    upstream::trust::Trust,
};

/// What to do where there are too few descriptors.
pub const MORE_FILES: &str =
    "raise the limit of open files with `ulimit -n` in a shell, LimitNOFILE= of systemd or --ulimit nofile= of Docker";

/// A server whose ports are bound and whose certificates are chosen, but that does not serve yet.
#[derive(Debug)]
pub struct Server {
    shared: Arc<Shared>,
    bound: Vec<Bound>,
    signals: Signals,
    secrets: Secrets,
    seal: Seal,
    watches: (Option<SecretWatch>, CertificateWatch, IdentityWatch),
    registry: Option<RegistryOptions>,
    /// Keeps others out of the home.
    lock: Option<HomeLock>,
    /// Where commands ask this process.
    admin: Option<Socket>,
}

impl Server {
    /// Locks the home, reads the secret, the certificates and the roots of upstreams, and binds the ports, in this order:
    /// what can be wrong with the settings shows before a port is bound.
    ///
    /// # Errors
    ///
    /// Whatever is wrong, for the person who wrote the settings.
    pub fn prepare(mut settings: Settings) -> Result<Self, BoxError> {
        let descriptors = enough_descriptors(&settings)?;
        let lock = HomeLock::take(&settings.home, &Holder::this(&settings))?;
        // Made before the files are read, so that no change is missed.
        let watches = (
            SecretWatch::new(&settings.secret),
            CertificateWatch::new(&settings.certificates),
            IdentityWatch::new(settings.mesh.files.clone()),
        );
        let secrets = Secrets::load_or_make(&settings.secret, &settings.home)?;
        let issuer = issuer(secrets.public())?;
        let certificates = certificates(&settings, &issuer)?;
        let identity = mesh::identity(&settings, secrets.iter())?;
        let seal = Seal::new(secrets.iter())?;
        let registry = RegistryOptions::new(&settings, seal.clone());
        let trust = Trust::load(&settings.routes, None)?;
        let admin = admin::bind(&settings, lock.is_some())?;
        let bound = listen::bind(&settings.listeners(), settings.workers)?;
        for doubt in doubts(&settings, &certificates) {
            tracing::warn!("{doubt}");
        }
        for one in &bound {
            let port = Port::Number(one.address.port());
            match one.listener {
                Listener::Http => settings.http = port,
                Listener::Https => settings.https = port,
                Listener::Internal => settings.internal = port,
            }
        }
        // From here on a signal means a stop in good order.
        let signals = Signals::listen()?;
        let admission = Arc::new(admission(&settings, descriptors)?);
        let peers = Arc::new(Peers::for_workers(settings.workers, settings.mesh.peers.clone()));
        let (exhaustion, clocks) = (Exhaustion::default(), Clocks::default());
        let shared = Arc::new(Shared {
            settings,
            issuer,
            certificates,
            trust,
            admission,
            exhaustion,
            identity,
            peers,
            clocks,
            resolver: Resolver::system(),
        });
        Ok(Self { shared, bound, signals, secrets, seal, watches, registry, lock, admin })
    }

    /// The settings, with the ports that the kernel picked in the place of 0.
    pub fn settings(&self) -> &Settings {
        &self.shared.settings
    }

    /// Serves until SIGTERM, SIGINT or SIGQUIT, then lets what is in flight end. A second signal ends the process at once.
    ///
    /// # Errors
    ///
    /// When the system gives no threads, or a worker broke down.
    pub fn serve(self) -> Result<(), BoxError> {
        let (stop, stopped) = watch::channel(false);
        let Self { shared, bound, signals, secrets, seal, watches, registry, lock, admin } = self;
        let instance = Instance::random();
        let own = Announcement::of(&shared.settings, instance);
        let peers = || Arc::clone(&shared.peers);
        let counters: Vec<Arc<Counters>> = (0..shared.settings.workers).map(|_| Arc::default()).collect();
        let about = Arc::new(About {
            name: shared.settings.node.clone(),
            instance,
            started: Instant::now(),
            listeners: bound.iter().map(|one| (one.listener, one.address)).collect(),
            serves: Served::of(&shared.settings),
            peers: peers(),
            registry: registry.as_ref().map(|options| (options.servers.clone(), options.view.clone())),
            counters: counters.clone(),
            stop: stopped.clone(),
        });
        let api = Api::new(Arc::clone(&about));
        let registry = registry.map(|options| Registry::start(options, own, peers(), stopped.clone())).transpose()?;
        let prober = Prober::new(&shared.settings, shared.identity.clone(), shared.resolver.clone(), peers());
        let (secret, certificates, identity) = watches;
        let handover = secret.map(|watch| Handover {
            watch,
            secrets,
            derived: Derived {
                identity: shared.identity.clone(),
                seal,
                renewal: registry.as_ref().map(Registry::renewal),
                shared: Arc::clone(&shared),
            },
        });
        let files = control::Files { handover, certificates, identity, shared: Arc::clone(&shared) };
        let (prober, hangup) = (shared.settings.mesh.is_used().then_some(prober), Arc::<Notify>::default());
        let (orders, received) = mpsc::unbounded_channel();
        let node = Arc::new(AdminNode { about, shared: Arc::clone(&shared), orders });
        let admin = admin.map(|socket| crate::admin::serve(socket, node, Arc::clone(&shared.admission)));
        let (drained, is_drained) = watch::channel(false);
        let control = control::start(prober, files, admin, (Arc::clone(&hangup), received), is_drained)?;
        let workers = start_workers(&shared, &api, bound, &counters, &stopped)?;
        let stop = move || {
            stop.send_replace(true);
        };
        signals.on_first(stop, hangup)?;
        let mut broken = 0;
        for worker in workers {
            broken += usize::from(worker.join().is_err());
        }
        if let Some(registry) = registry {
            registry.join();
        }
        drained.send_replace(true);
        if control.join().is_err() {
            tracing::error!("what asks other nodes and looks at files has broken down; this is a bug");
        }
        drop(lock);
        log_totals(&counters, shared.admission.room().idle_ended());
        if broken > 0 { Err(format!("{broken} workers broke down; the log says why").into()) } else { Ok(()) }
    }
}

/// Finds what is wrong with the secret and the certificates, and changes nothing: a secret that the first start would
/// make is not made. Gives what may be wrong, but would not keep the program from starting.
///
/// # Errors
///
/// Those that [`Server::prepare`] would end in, but for the ports.
pub fn check(settings: &Settings) -> Result<Vec<String>, BoxError> {
    let secrets = match &settings.secret {
        SecretSource::Home(path) if !path.exists() => Secrets::one(Secret::generate()?),
        source => Secrets::load(source)?,
    };
    let certificates = certificates(settings, &issuer(secrets.public())?)?;
    mesh::identity(settings, secrets.iter())?;
    Trust::load(&settings.routes, None)?;
    Ok(doubts(settings, &certificates))
}

/// Possible mistakes that do not keep the program from starting.
fn doubts(settings: &Settings, certificates: &Certificates) -> Vec<String> {
    let mut doubts = certificates.doubts();
    if settings.listeners().is_empty() {
        doubts.push(
            "http, https and internal are all off: nobody can connect; give one of them a port, as in --http 80".into(),
        );
    }
    if settings.routes.is_empty() {
        doubts.push("no routes: nothing is served; add one, as in --route app.example.com=127.0.0.1:3000".into());
    }
    doubts.extend(unusable_sources(settings));
    doubts
}

/// Source addresses that cannot be used now: an address that moves between machines may come later.
fn unusable_sources(settings: &Settings) -> impl Iterator<Item = String> {
    let doubt = |address: &IpAddr| {
        let error = UdpSocket::bind((*address, 0)).err()?;
        Some(match error.kind() {
            io::ErrorKind::AddrNotAvailable => format!(
                "source_addresses: this machine does not have {address}: as long as that is so, no connection leaves \
                 from there"
            ),
            _ => format!("source_addresses: no connection can leave from {address} now: {error}"),
        })
    };
    settings.source_addresses.iter().filter_map(doubt)
}

/// Serves until told to stop.
///
/// # Errors
///
/// See [`Server::prepare`] and [`Server::serve`].
pub fn run(settings: Settings) -> Result<(), BoxError> {
    let server = Server::prepare(settings)?;
    for line in summary(server.settings()).lines() {
        tracing::info!("{line}");
    }
    server.serve()
}

fn issuer(secret: &Secret) -> Result<Arc<Issuer>, BoxError> {
    Ok(Issuer::new(Arc::new(Authority::derive(secret)?))?)
}

fn certificates(settings: &Settings, issuer: &Arc<Issuer>) -> Result<Certificates, BoxError> {
    let patterns = settings.routes.iter().flat_map(|route| route.patterns.iter().cloned());
    Ok(Certificates::new(Arc::clone(issuer), &settings.certificates, patterns, None)?)
}

/// Gives each worker a socket of each listener.
fn start_workers(
    shared: &Arc<Shared>,
    api: &Api,
    bound: Vec<Bound>,
    counters: &[Arc<Counters>],
    stop: &watch::Receiver<bool>,
) -> Result<Vec<thread::JoinHandle<()>>, BoxError> {
    let mut sockets: Vec<Vec<_>> = counters.iter().map(|_| Vec::new()).collect();
    for bound in bound {
        for (own, socket) in sockets.iter_mut().zip(bound.sockets) {
            own.push((bound.listener, socket));
        }
    }
    let mut workers = Vec::new();
    for (index, (sockets, counters)) in sockets.into_iter().zip(counters).enumerate() {
        workers.push(worker::spawn(
            index,
            sockets,
            Arc::clone(shared),
            api.clone(),
            Arc::clone(counters),
            stop.clone(),
        )?);
    }
    Ok(workers)
}

/// The limit of open files; an error where the program itself does not get by with it, let alone clients.
fn enough_descriptors(settings: &Settings) -> Result<u64, BoxError> {
    let limit = raise_descriptor_limit();
    // As counted. With fewer, the runtimes cannot be made, and some panic.
    let own = 17 + settings.workers * (4 + settings.listeners().len()) + Spares::count(limit);
    if limit < own as u64 {
        return Err(format!(
            "cannot start with a limit of {limit} open files: {own} are for the program itself, two for each client\n  \
             {MORE_FILES}"
        )
        .into());
    }
    Ok(limit)
}

/// Many systems start programs with a soft limit of 1024. Gives the limit that holds.
fn raise_descriptor_limit() -> u64 {
    let Ok((soft, hard)) = getrlimit(Resource::RLIMIT_NOFILE) else { return 1024 };
    if soft == hard {
        return soft;
    }
    match setrlimit(Resource::RLIMIT_NOFILE, hard, hard) {
        Ok(()) => hard,
        Err(error) => {
            tracing::warn!(%error, soft, hard, "cannot raise the limit of open files");
            soft
        }
    }
}

/// Each client connection takes one descriptor, and one more for its upstream; the program itself takes some.
fn admission(settings: &Settings, descriptors: u64) -> io::Result<Admission> {
    let spares = Spares::new(Spares::count(descriptors))?;
    let own = 32 + 8 * settings.workers + Spares::count(descriptors);
    let half = || usize::try_from(descriptors).unwrap_or(usize::MAX).saturating_sub(own) / 2;
    let max = settings.max_connections.unwrap_or_else(half);
    let (per_client, exempt) = (settings.max_connections_per_client, settings.trusted_proxies.clone());
    Ok(Admission::new(max, per_client, exempt, settings.workers, spares))
}

fn log_totals(counters: &[Arc<Counters>], idle_ended: u64) {
    let total = |count: fn(&Counters) -> u64| counters.iter().map(|worker| count(worker)).sum::<u64>();
    let rejections = Counters::rejections(counters.iter().map(|worker| &**worker));
    let silent: Vec<_> = rejections.iter().map(|(reason, count)| format!("{reason} {count}")).collect();
    tracing::info!(
        connections = total(|worker| worker.connections.value()),
        requests = total(|worker| worker.requests.value()),
        silent = if silent.is_empty() { "none".to_owned() } else { silent.join(", ") },
        idle_ended,
        "stopped"
    );
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        cli::Arguments,
        config::{Defaults, Source},
    };

    #[test]
    fn each_client_has_a_descriptor_for_its_backend_too() {
        let settings = |flags: &[&str]| {
            let arguments = Arguments::parse([&["pmesh", "--workers", "2"], flags].concat()).unwrap();
            let environment = [("HOME".into(), "/nonexistent".into())];
            Source::new(arguments.flags, environment, Defaults::none()).load().unwrap().settings
        };
        for (flags, descriptors, expected) in [
            (&[][..], 1024, 472),
            (&[], 1 << 20, (1 << 19) - 40),
            (&[], 16, 1),
            (&["--max-connections", "5000"], 1024, 5000),
        ] {
            assert_eq!(admission(&settings(flags), descriptors).unwrap().max(), expected, "{descriptors}");
        }
        assert!(admission(&settings(&[]), u64::MAX).unwrap().max() > 1 << 40);
    }
}
