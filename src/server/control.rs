//! The control thread, which runs alongside the workers.
//!
//! It reloads the configuration, answers the admin API, supervises the services, probes other nodes, picks up changed
//! secrets and certificates, and renews the certificate that this node presents to others.

use std::{fmt, io, panic::AssertUnwindSafe, sync::Arc, thread, time::Duration};

use tokio::{
    sync::{Notify, mpsc, oneshot, watch},
    time::{MissedTickBehavior, interval},
};

use super::{handover::Handover, process::Process, reaper, reload::Reloader};
use crate::{
    admin::{self, Node, ReloadReport, SecretReport, Socket},
    file_watch::Refresh,
    mesh::IdentityWatch,
    services::supervisor::Supervisor,
    telemetry::causes::with_causes,
};

/// How often the files are checked.
const CHECK_INTERVAL: Duration = Duration::from_secs(1);

/// A request from the admin API to the control thread.
#[derive(Debug)]
pub enum ControlRequest {
    /// Reload the configuration.
    Reload(oneshot::Sender<Result<ReloadReport, String>>),
    /// Read the secret file.
    Secret(oneshot::Sender<Result<SecretReport, String>>),
}

/// Everything that the control thread works with.
pub struct Control {
    /// The state that all threads share.
    pub process: Arc<Process>,
    /// Replaces the configuration.
    pub reloader: Reloader,
    /// Runs the services.
    pub supervisor: Option<Supervisor>,
    /// Switches to a new secret; `None` if the secret is not in a file.
    pub handover: Option<Handover>,
    /// Watches the files of the certificate that this node presents to others.
    pub identity: IdentityWatch,
    /// The socket of the admin API, and the node that answers there.
    pub admin: Option<(Socket, Arc<dyn Node>)>,
    /// Requests from the admin API.
    pub requests: mpsc::UnboundedReceiver<ControlRequest>,
}

impl fmt::Debug for Control {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Control").field("reloader", &self.reloader).finish_non_exhaustive()
    }
}

/// Starts the thread. It checks files every second until `stop` is true, and rereads all of them when `hangup` is
/// notified. On shutdown, it stops the services last.
///
/// # Errors
///
/// If the system provides no thread or no runtime.
pub fn start(
    mut control: Control,
    hangup: Arc<Notify>,
    mut stop: watch::Receiver<bool>,
) -> io::Result<thread::JoinHandle<()>> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    thread::Builder::new().name("control".to_owned()).spawn(move || {
        runtime.block_on(async {
            control.begin();
            tokio::select! {
                // An error means that the sender is gone, so stop as well.
                _ = stop.wait_for(|stop| *stop) => {}
                () = control.run(&hangup) => {}
            }
            control.reloader.services.shut_down().await;
        });
        // Does not wait for name lookups, which would delay shutdown.
        runtime.shutdown_background();
    })
}

impl Control {
    fn begin(&mut self) {
        if let Some((socket, node)) = self.admin.take() {
            let admission = Arc::clone(&self.process.admission);
            tokio::spawn(async move {
                if let Err(error) = admin::serve(socket, node, admission).await {
                    tracing::error!(%error, "the admin API has stopped: commands no longer reach this node");
                }
            });
        }
        tokio::spawn(async {
            if let Err(error) = reaper::reap_orphans().await {
                tracing::warn!(%error, "orphans are not reaped");
            }
        });
        if let Some(supervisor) = self.supervisor.take() {
            tokio::spawn(async move {
                if tokio::spawn(supervisor.run()).await.is_err_and(|error| error.is_panic()) {
                    tracing::error!(
                        "the supervisor of the services panicked, so all services are stopped; this is a bug"
                    );
                }
            });
        }
        let generation = self.process.generation();
        self.reloader.publish(None, &generation.settings);
    }

    async fn run(&mut self, hangup: &Notify) {
        let mut ticks = interval(CHECK_INTERVAL);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            tokio::select! {
                () = hangup.notified() => {
                    tracing::info!("SIGHUP: reading the configuration, certificates and the secret again");
                    self.with_descriptors(|control| {
                        control.reloader.refresh(true);
                        control.check_files(true);
                    });
                }
                _ = ticks.tick() => self.with_descriptors(|control| {
                    if control.process.current().settings.watch_config {
                        control.reloader.refresh(false);
                    }
                    control.check_files(false);
                }),
                Some(request) = self.requests.recv() => self.with_descriptors(|control| control.answer(request)),
            }
        }
    }

    /// Runs `work` with a descriptor set aside, so that changed files can be read even while clients hold all others.
    fn with_descriptors(&mut self, work: impl FnOnce(&mut Self)) {
        self.process.admission.spare_descriptors().ensure_one();
        catch_panic(|| work(self));
        // If this fails, it is tried again before the next client gets a descriptor.
        let _ = self.process.admission.spare_descriptors().restore();
    }

    /// Looks for changes in all files except the configuration.
    fn check_files(&mut self, all: bool) {
        if let Some(handover) = &mut self.handover {
            // The reason is in the log.
            let _ = handover.refresh(all);
        }
        self.identity.refresh(&self.process.identity, all);
        let generation = self.process.generation();
        self.reloader.certificates.refresh(&generation.certificates, all);
        generation.routes.refresh_maintenance(all);
        generation.routes.refresh_jwt_keys(all);
    }

    fn answer(&mut self, request: ControlRequest) {
        // The command that sent the request may be gone, so a failed send is ignored.
        match request {
            ControlRequest::Reload(answer) => {
                // One reload answers all the requests that are waiting for one.
                let (mut answers, mut others) = (vec![answer], Vec::new());
                while let Ok(request) = self.requests.try_recv() {
                    match request {
                        ControlRequest::Reload(answer) => answers.push(answer),
                        ControlRequest::Secret(_) => others.push(request),
                    }
                }
                let outcome = match self.reloader.refresh(true) {
                    Refresh::Read(report) => Ok(report),
                    Refresh::Failed(error) => Err(error.unwrap_or_default()),
                    Refresh::Unchanged => Err("the node is shutting down".into()),
                };
                answers.into_iter().for_each(|answer| drop(answer.send(outcome.clone())));
                others.into_iter().for_each(|request| self.answer(request));
            }
            ControlRequest::Secret(answer) => drop(answer.send(self.reload_secret())),
        }
    }

    fn reload_secret(&mut self) -> Result<SecretReport, String> {
        match &mut self.handover {
            Some(handover) => {
                handover.refresh(true).and_then(|()| handover.report().map_err(|error| with_causes(&error)))
            }
            None => {
                Err("the node's secret is not in a file, so the node reads it at startup and never again".to_owned())
            }
        }
    }
}

/// Runs `work` and survives a panic in it. A panic is a bug, but certificates must still be renewed, and commands need
/// a response.
fn catch_panic(work: impl FnOnce()) {
    // The next reload or check repeats work that was left half done.
    if std::panic::catch_unwind(AssertUnwindSafe(work)).is_err() {
        tracing::error!("the control thread panicked and continues; this is a bug");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_panic_does_not_stop_the_thread() {
        let mut done = 0;
        for _ in 0..2 {
            catch_panic(|| {
                done += 1;
                assert_eq!(done, 0, "a bug");
            });
        }
        assert_eq!(done, 2);
    }
}
