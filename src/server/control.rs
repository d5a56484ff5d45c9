//! The control thread, beside the workers: it probes other nodes, picks up a changed secret or changed certificates,
//! and renews the certificates that this node presents to others.

use std::{io, sync::Arc, thread, time::Duration};

use tokio::{
    sync::{Notify, watch},
    time::sleep,
};

use crate::{
    certificates::{CertificateWatch, Looked},
    mesh::{IdentityWatch, Prober},
    server::{handover::Handover, worker::Shared},
};

/// How often the files are checked.
const LOOK: Duration = Duration::from_secs(1);

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

/// Starts the thread, which runs until `stop` is true. It checks `files` every second, and at once when `hangup` is
/// notified.
///
/// # Errors
///
/// If the system cannot provide a thread or a runtime.
pub fn start(
    prober: Option<Prober>,
    files: Files,
    hangup: Arc<Notify>,
    mut stop: watch::Receiver<bool>,
) -> io::Result<thread::JoinHandle<()>> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let work = async move {
        if let Some(prober) = prober {
            tokio::spawn(prober.run());
        }
        tokio::select! {
            // An error means that the sender is gone, which means stop as well.
            _ = stop.wait_for(|stop| *stop) => {}
            () = files.watch(&hangup) => {}
        }
    };
    thread::Builder::new().name("control".to_owned()).spawn(move || {
        runtime.block_on(work);
        // Does not wait for name lookups.
        runtime.shutdown_background();
    })
}

impl Files {
    async fn watch(mut self, hangup: &Notify) {
        loop {
            let is_asked = tokio::select! {
                () = hangup.notified() => true,
                () = sleep(LOOK) => false,
            };
            let spares = self.shared.admission.spares();
            // So that a changed secret can be read even while clients hold all descriptors.
            spares.ensure_one();
            if let Some(handover) = &mut self.handover {
                handover.look(is_asked);
            }
            self.identity.look(&self.shared.identity, is_asked);
            let Looked { new, unusable } = self.certificates.look(&self.shared.certificates, is_asked);
            // If this fails, it is done before the next client gets a descriptor.
            let _ = spares.restore();
            if is_asked {
                tracing::info!(
                    new,
                    unusable,
                    "SIGHUP: the files of certificates and of the secret were looked at; settings are not read again, \
                     restart for new ones"
                );
            }
        }
    }
}
