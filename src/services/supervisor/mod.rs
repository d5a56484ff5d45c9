//! Supervises the services: starts, watches, replaces and stops their processes.
//!
//! - [`Supervisor`] is the task on the control thread: it passes events, requests and time on to the state;
//! - the state is in `fleet` (all services), `service` (one, and how it gets to its target), `number` (one instance) and
//!   `process`. What happens to it is in `orders` (settings and commands), `exits`, `rollout` and `idle`;
//!   `describe` reports on it, and `waiters` are commands that wait for it;
//! - `world` is what the state needs from outside, and `live` is that with real processes: `launch`, `probe`, `notify`,
//!   `listener`, `output` and `watched`.

mod activity;
mod describe;
mod event;
mod exits;
mod fleet;
mod idle;
mod launch;
mod listener;
mod live;
mod notify;
mod number;
mod orders;
mod output;
mod probe;
mod process;
mod rollout;
mod service;
mod sock_diag;
mod target;
#[cfg(test)]
mod tests;
mod waiters;
mod watched;
mod world;

use std::{future::pending, sync::Arc, time::Duration};

use tokio::{
    sync::{mpsc, oneshot},
    time::{Instant, sleep_until},
};

use self::{
    fleet::Fleet,
    live::{Live, News},
};
use super::{
    handle::{Request, Services, Wanted},
    keeper::{Keeper, KeeperEvent},
    shared::Shared,
    traffic::Traffic,
};

/// Pauses between two attempts to start the keeper.
const KEEPER_PAUSES: (Duration, Duration) = (Duration::from_secs(1), Duration::from_secs(30));

/// How long killed processes may take to die on shutdown.
const GRACE: Duration = Duration::from_secs(5);

/// Supervises the services of this process.
#[derive(Debug)]
pub struct Supervisor {
    fleet: Fleet,
    live: Live,
    news: mpsc::UnboundedReceiver<News>,
    requests: mpsc::UnboundedReceiver<Request>,
    keeper: Option<mpsc::UnboundedReceiver<KeeperEvent>>,
    /// When to try again to start the keeper, and the pause before.
    retry: Option<(Instant, Duration)>,
    /// Whom to tell once everything has stopped, and how long that may take.
    shut_down: Option<(oneshot::Sender<()>, Instant)>,
}

impl Supervisor {
    /// Creates a supervisor without services, and a handle to it.
    pub fn new(traffic: Arc<dyn Traffic>) -> (Self, Services) {
        let shared = Arc::<Shared>::default();
        let (handle, requests) = Services::new(Arc::clone(&shared));
        let (live, news) = Live::new(traffic, Arc::clone(&shared));
        let fleet = Fleet::new(shared);
        (Self { fleet, live, news, requests, keeper: None, retry: None, shut_down: None }, handle)
    }

    /// Supervises until shutdown. Returns once all processes have ended.
    pub async fn run(mut self) {
        loop {
            self.start_or_stop_keeper().await;
            let is_empty = self.fleet.is_empty();
            if let Some((done, _)) = self.shut_down.take_if(|(_, until)| is_empty || *until <= Instant::now()) {
                self.live.flush().await;
                let _ = done.send(());
                return;
            }
            let until = self.shut_down.as_ref().map(|(_, until)| *until);
            let deadline = [self.fleet.deadline(), self.retry.map(|(at, _)| at), until].into_iter().flatten().min();
            tokio::select! {
                Some(event) = next(&mut self.keeper) => self.on_keeper(event),
                Some(news) = self.news.recv() => self.on_news(news),
                request = self.requests.recv() => match request {
                    Some(request) => self.on_request(request),
                    // All handles are gone.
                    None => return,
                },
                () = at(deadline) => {
                    let now = Instant::now();
                    self.retry.take_if(|(at, _)| *at <= now);
                    self.fleet.tick(now, &mut self.live);
                }
            }
        }
    }

    /// Makes sure that a keeper runs while there are services, and only then.
    async fn start_or_stop_keeper(&mut self) {
        if self.fleet.is_empty() {
            (self.live.keeper, self.keeper, self.retry) = (None, None, None);
            return;
        }
        if self.keeper.is_some() || self.shut_down.is_some() || self.retry.is_some_and(|(at, _)| at > Instant::now()) {
            return;
        }
        match Keeper::start().await {
            Ok((keeper, events)) => {
                (self.live.keeper, self.keeper, self.retry) = (Some(keeper), Some(events), None);
                self.fleet.can_launch(Instant::now(), &mut self.live);
            }
            Err(error) => {
                let pause = self.retry.map_or(KEEPER_PAUSES.0, |(_, pause)| (pause * 2).min(KEEPER_PAUSES.1));
                let shown = humantime::format_duration(pause);
                tracing::error!("services cannot start without their keeper: {error}; next attempt in {shown}");
                self.retry = Some((Instant::now() + pause, pause));
            }
        }
    }

    fn on_keeper(&mut self, event: KeeperEvent) {
        let now = Instant::now();
        match event {
            KeeperEvent::Started { id, pid } => {
                self.live.started(id, pid);
                self.fleet.event(id, world::Event::Started(pid), now, &mut self.live);
            }
            KeeperEvent::Failed { id, error } => self.live.failed(id, &error),
            KeeperEvent::Exited { id, status } => {
                // On shutdown, nothing is read later.
                let is_output_wanted = self.shut_down.is_some() || self.fleet.is_starting(id);
                self.live.exited(id, status, is_output_wanted);
            }
            KeeperEvent::Lost(error) => {
                tracing::error!("all services have ended and will be started again: {error}");
                (self.live.keeper, self.keeper) = (None, None);
                self.fleet.lose_all(now, &mut self.live);
            }
        }
    }

    fn on_news(&mut self, news: News) {
        let (now, live) = (Instant::now(), &mut self.live);
        match news {
            News::Process(id, event) => self.fleet.event(id, event, now, live),
            News::Wanted(name) => self.fleet.request_waits(&name, now, live),
            News::FileChanged(name) => {
                tracing::info!("service {name}: a watched file has changed");
                self.fleet.file_changed(&name, now, live);
            }
        }
    }

    fn on_request(&mut self, request: Request) {
        let (now, live) = (Instant::now(), &mut self.live);
        match request {
            Request::Apply(_) | Request::Command(..) if self.shut_down.is_some() => {}
            Request::Apply(wanted) => {
                let Wanted { services, home, .. } = &*wanted;
                live.home.clone_from(home);
                live.watch(services.iter());
                self.fleet.apply(*wanted, now, live);
            }
            Request::Command(name, order, answer) => self.fleet.order(&name, order, answer, now, live),
            Request::ShutDown(done) => {
                // After that, a process that cannot be killed is left to the keeper.
                self.shut_down = Some((done, now + self.fleet.longest_stop() + GRACE));
                live.watch([].into_iter());
                self.fleet.stop_all(now, live);
            }
        }
    }
}

async fn next(events: &mut Option<mpsc::UnboundedReceiver<KeeperEvent>>) -> Option<KeeperEvent> {
    match events {
        Some(events) => events.recv().await,
        None => pending().await,
    }
}

async fn at(deadline: Option<Instant>) {
    match deadline {
        Some(deadline) => sleep_until(deadline).await,
        None => pending().await,
    }
}
