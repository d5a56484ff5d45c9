//! The world as it is: the keeper, pipes, probes and watched files.

use std::{
    collections::{BTreeMap, HashMap, HashSet},
    io,
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

use nix::unistd::Uid;
use pmesh_layers::wait_ready::Readiness;
use tokio::{
    sync::{mpsc, watch},
    task::{AbortHandle, JoinSet},
    time::{sleep, timeout},
};

use super::{
    launch,
    notify::{self, Notice, NotifySocket},
    output::{Files, Reading, Sink},
    probe::{self, Doubt},
    watched,
    world::{Ending, Event, World},
};
use crate::{
    services::{
        keeper::{ExitStatus, Keeper},
        shared::Shared,
        table::{Slot, require_free},
        traffic::{Traffic, Use},
    },
    settings::{
        Ready, Service, ServiceListen, ServiceName, ServiceOutput,
        endpoint::{Instance, InstanceAddress},
    },
};

/// How long to wait for the last output of a process that was never ready, which says why.
const LAST_OUTPUT: Duration = Duration::from_millis(250);

/// How long a program that does not listen must run before it counts as ready. A broken one usually exits sooner.
const RUNNING: Duration = Duration::from_secs(1);

/// Something that the state of the services has to react to.
#[derive(Debug)]
pub(super) enum News {
    /// An event of the process with this id.
    Process(u64, Event),
    /// A request waits for this service.
    Wanted(ServiceName),
    /// A watched file of this service has changed.
    FileChanged(ServiceName),
}

/// What the state of the services needs from outside.
#[derive(Debug)]
pub(super) struct Live {
    pub(super) keeper: Option<Keeper>,
    /// The folder for the files of the program.
    pub(super) home: PathBuf,
    news: mpsc::UnboundedSender<News>,
    traffic: Arc<dyn Traffic>,
    shared: Arc<Shared>,
    files: Files,
    last_id: u64,
    running: HashMap<u64, Running>,
    watches: BTreeMap<ServiceName, Watch>,
    wanted: HashMap<ServiceName, JoinSet<()>>,
    /// Services for which the log has said that their limits are not fully enforced.
    warned: HashSet<ServiceName>,
}

/// What belongs to a process.
#[derive(Debug)]
struct Running {
    sink: Arc<Sink>,
    reading: Option<Reading>,
    doubt: Doubt,
    pid: watch::Sender<Option<u32>>,
    /// Finds out when it is ready. Ends when this is dropped.
    _probe: JoinSet<()>,
}

#[derive(Debug)]
struct Watch {
    paths: Vec<PathBuf>,
    task: AbortHandle,
}

impl Live {
    pub(super) fn new(traffic: Arc<dyn Traffic>, shared: Arc<Shared>) -> (Self, mpsc::UnboundedReceiver<News>) {
        let (news, received) = mpsc::unbounded_channel();
        let live = Self {
            keeper: None,
            home: PathBuf::new(),
            news,
            traffic,
            shared,
            files: Files::default(),
            last_id: 0,
            running: HashMap::new(),
            watches: BTreeMap::new(),
            wanted: HashMap::new(),
            warned: HashSet::new(),
        };
        (live, received)
    }

    /// Watches the files of these services, and no others.
    pub(super) fn watch<'a>(&mut self, services: impl Iterator<Item = &'a Service>) {
        let mut before = std::mem::take(&mut self.watches);
        for service in services.filter(|service| !service.watch.is_empty()) {
            let known = before.remove(&service.name);
            let known = known.filter(|known| known.paths == service.watch && !known.task.is_finished());
            let watch = known.unwrap_or_else(|| {
                let (news, name) = (self.news.clone(), service.name.clone());
                let changed = move || drop(news.send(News::FileChanged(name.clone())));
                let task = tokio::spawn(watched::watch(service.watch.clone(), changed)).abort_handle();
                Watch { paths: service.watch.clone(), task }
            });
            self.watches.insert(service.name.clone(), watch);
        }
    }

    /// Waits until all output is in its files, but not for long.
    pub(super) async fn flush(&self) {
        let _ = timeout(LAST_OUTPUT, self.files.flush()).await;
    }

    /// A process runs.
    pub(super) fn started(&self, id: u64, pid: u32) {
        if let Some(running) = self.running.get(&id) {
            running.pid.send_replace(Some(pid));
        }
    }

    /// The keeper could not start a process.
    pub(super) fn failed(&self, id: u64, error: &str) {
        let text = format!("cannot be started: {error}");
        self.send(id, Event::Ended(Ending { text, is_success: false, was_launched: false }));
    }

    /// A process has exited. If its last output is of interest, reads that first.
    pub(super) fn exited(&mut self, id: u64, status: ExitStatus, is_output_wanted: bool) {
        let ending = Ending { text: status.to_string(), is_success: status.is_success(), was_launched: true };
        let reading = self.running.get_mut(&id).and_then(|running| running.reading.take());
        match reading {
            Some(mut reading) if is_output_wanted => {
                let news = self.news.clone();
                tokio::spawn(async move {
                    let _ = timeout(LAST_OUTPUT, reading.finish()).await;
                    reading.detach();
                    let _ = news.send(News::Process(id, Event::Ended(ending)));
                });
            }
            reading => {
                reading.into_iter().for_each(Reading::detach);
                self.send(id, Event::Ended(ending));
            }
        }
    }

    fn try_launch(&mut self, id: u64, service: &Service, slot: &Slot) -> io::Result<()> {
        let keeper = self.keeper.as_ref().ok_or_else(|| io::Error::other("the keeper is not running"))?;
        if let Some(weaker) = keeper.weaker_limits(&service.limits)
            && self.warned.insert(service.name.clone())
        {
            tracing::warn!("service {}: {weaker}", service.name);
        }
        let folder = self.home.join("services");
        match &slot.instance.address {
            InstanceAddress::Socket(address) => require_free(*address)?,
            InstanceAddress::Unix(path) => prepare_socket(path)?,
        }
        let mut socket = None;
        if service.ready == Ready::Notify {
            let name = format!("{}-{}-{}", service.name, slot.instance.number, slot.half());
            socket = Some(match &service.user {
                // That user cannot enter the folder.
                Some(user) => NotifySocket::bind_abstract(&name, user.uid)?,
                None => NotifySocket::bind(&folder, &name)?,
            });
        }
        let launch = launch::launch(service, slot, socket.as_ref().map(NotifySocket::address));
        let output = keeper.launch(id, &launch)?;
        let name = service.name.to_string();
        let sink = Sink::log(name, slot.instance.number, self.shared.recent(service.name.as_str()));
        let sink = Arc::new(match &service.output {
            ServiceOutput::Log => sink,
            ServiceOutput::File(path) => sink.file(path.clone(), self.files.clone()),
            ServiceOutput::Off => sink.nowhere(),
        });
        let reading = Some(Reading::start(output, &sink));
        let doubt = Doubt::default();
        let (pid, is_started) = watch::channel(None);
        let probe = self.probe(id, service, slot, socket, doubt.clone(), is_started);
        self.running.insert(id, Running { sink, reading, doubt, pid, _probe: probe });
        Ok(())
    }

    fn probe(
        &self,
        id: u64,
        service: &Service,
        slot: &Slot,
        socket: Option<NotifySocket>,
        doubt: Doubt,
        mut pid: watch::Receiver<Option<u32>>,
    ) -> JoinSet<()> {
        let (news, instance) = (self.news.clone(), slot.instance.clone());
        let has_own_address = service.listen == ServiceListen::Address;
        let path = match &service.ready {
            Ready::Path(path) => Some(path.clone()),
            Ready::Port | Ready::Started | Ready::Notify => None,
        };
        let uid = service.user.as_ref().map_or_else(|| Uid::effective().as_raw(), |user| user.uid);
        let must_only_run = service.ready == Ready::Started;
        let mut tasks = JoinSet::new();
        tasks.spawn(async move {
            let send = |event| drop(news.send(News::Process(id, event)));
            if must_only_run {
                sleep(RUNNING).await;
                return send(Event::Ready);
            }
            let Some(socket) = socket else {
                if probe::until_ready(&instance, path.as_ref(), uid, &mut pid, &doubt).await && has_own_address {
                    tracing::warn!(
                        "service {}/{} listens on all addresses, so no other instance can run at the same time, not even \
                         to replace it: make it listen on HOST, or set listen = \"port\" for the service",
                        instance.service,
                        instance.number
                    );
                }
                return send(Event::Ready);
            };
            doubt.set("it has not sent READY=1 to NOTIFY_SOCKET".to_owned());
            socket
                .listen(|notice| {
                    send(match notice {
                        Notice::Ready => Event::Ready,
                        Notice::Stopping => Event::Leaving,
                    });
                })
                .await;
        });
        tasks
    }

    fn send(&self, id: u64, event: Event) {
        // An error means that the supervisor has ended.
        let _ = self.news.send(News::Process(id, event));
    }
}

impl World for Live {
    fn new_id(&mut self) -> u64 {
        self.last_id += 1;
        self.last_id
    }

    fn launch(&mut self, id: u64, service: &Service, slot: &Slot) {
        if let Err(error) = self.try_launch(id, service, slot) {
            self.failed(id, &error.to_string());
        }
    }

    fn signal(&mut self, id: u64, signal: i32) {
        if let Some(keeper) = &self.keeper {
            keeper.signal(id, signal);
        }
    }

    fn kill(&mut self, id: u64) {
        if let Some(keeper) = &self.keeper {
            keeper.kill(id);
        }
    }

    fn doubt(&self, id: u64) -> Option<String> {
        self.running.get(&id)?.doubt.reason()
    }

    fn last_line(&self, id: u64) -> Option<String> {
        self.running.get(&id)?.sink.telling_line()
    }

    fn forget(&mut self, id: u64) {
        if let Some(Running { reading: Some(reading), .. }) = self.running.remove(&id) {
            reading.detach();
        }
    }

    fn traffic(&self, instance: &Instance) -> Use {
        self.traffic.of(instance)
    }

    fn await_request(&mut self, name: &ServiceName, readiness: &Readiness) {
        let (news, readiness, of) = (self.news.clone(), readiness.clone(), name.clone());
        let mut task = JoinSet::new();
        task.spawn(async move {
            readiness.wanted().await;
            let _ = news.send(News::Wanted(of));
        });
        // A task from before, if any, has ended or waits for the same.
        self.wanted.insert(name.clone(), task);
    }
}

impl Drop for Watch {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// Creates the folder of a socket that a program will bind, and removes an old socket.
fn prepare_socket(path: &Path) -> io::Result<()> {
    let prepared = path.parent().map_or(Ok(()), notify::create_folder).and_then(|()| notify::remove(path));
    prepared.map_err(|error| io::Error::new(error.kind(), format!("{}: {error}", path.display())))
}
