//! The control thread, beside the workers: it probes other nodes, answers commands, picks up a changed secret or changed
//! certificates, and renews the certificates that this node presents to others.

use std::{io, sync::Arc, thread, time::Duration};

use tokio::{
    sync::{Notify, mpsc, oneshot, watch},
    time::sleep,
};

use crate::{
    admin::SecretReport,
    certificates::{CertificateWatch, Looked},
    mesh::{IdentityWatch, Prober},
    server::{handover::Handover, worker::Shared},
};

/// How often the files are checked.
const LOOK: Duration = Duration::from_secs(1);

/// What the control thread is told to do, and where it answers.
#[derive(Debug)]
pub enum Order {
    /// Read the files of the secret again.
    ReloadSecret(oneshot::Sender<Result<SecretReport, String>>),
}

/// The files that are watched while serving.
#[derive(Debug)]
pub struct Files {
    /// The files of the secret; `None` if it is not in a file.
    pub handover: Option<Handover>,
    /// The files of certificates for clients.
    pub certificates: CertificateWatch,
    /// The files of the certificates that this node presents to others.
    pub identity: IdentityWatch,
    /// Holds the certificates made from them.
    pub shared: Arc<Shared>,
}

/// Starts the thread, which runs until `stop` is true, and `admin` on it. It checks `files` every second, and at once when
/// `hangup` is notified.
///
/// # Errors
///
/// If the system cannot provide a thread or a runtime.
pub fn start(
    prober: Option<Prober>,
    files: Files,
    admin: Option<impl Future<Output = io::Result<()>> + Send + 'static>,
    (hangup, orders): (Arc<Notify>, mpsc::UnboundedReceiver<Order>),
    mut stop: watch::Receiver<bool>,
) -> io::Result<thread::JoinHandle<()>> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let work = async move {
        if let Some(prober) = prober {
            tokio::spawn(prober.run());
        }
        let admin = async {
            match admin {
                Some(admin) => admin.await,
                None => Ok(()),
            }
        };
        let watch = async {
            if let (Err(error), ()) = tokio::join!(admin, files.watch(&hangup, orders)) {
                tracing::warn!(%error, "commands cannot ask this node");
            }
        };
        tokio::select! {
            // An error means that the sender is gone, which means stop as well.
            _ = stop.wait_for(|stop| *stop) => {}
            () = watch => {}
        }
    };
    thread::Builder::new().name("control".to_owned()).spawn(move || {
        runtime.block_on(work);
        // Does not wait for name lookups.
        runtime.shutdown_background();
    })
}

impl Files {
    async fn watch(mut self, hangup: &Notify, mut orders: mpsc::UnboundedReceiver<Order>) {
        loop {
            let (is_asked, order) = tokio::select! {
                () = hangup.notified() => (true, None),
                Some(order) = orders.recv() => (false, Some(order)),
                () = sleep(LOOK) => (false, None),
            };
            let admission = Arc::clone(&self.shared.admission);
            // So that files can be read even while clients hold all descriptors.
            admission.spares().ensure_one();
            match order {
                Some(Order::ReloadSecret(reply)) => {
                    // Whoever asked may have left.
                    let _ = reply.send(self.reload_secret());
                }
                None => self.look(is_asked),
            }
            // If this fails, it is done before the next client gets a descriptor.
            let _ = admission.spares().restore();
        }
    }

    fn look(&mut self, is_asked: bool) {
        if let Some(handover) = &mut self.handover {
            // The log says why it failed.
            let _ = handover.look(is_asked);
        }
        self.identity.look(&self.shared.identity, is_asked);
        let Looked { new, unusable } = self.certificates.look(&self.shared.certificates, is_asked);
        if is_asked {
            tracing::info!(
                new,
                unusable,
                "SIGHUP: the files of certificates and of the secret were looked at; settings are not read again, \
                 restart for new ones"
            );
        }
    }

    fn reload_secret(&mut self) -> Result<SecretReport, String> {
        match &mut self.handover {
            Some(handover) => handover.look(true).and_then(|()| handover.report().map_err(|error| error.to_string())),
            None => Err("the secret of the node is not in a file: it is read at the start only".to_owned()),
        }
    }
}
