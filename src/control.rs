//! The thread beside the workers: it asks other nodes how they are, sees that the secret or certificates have changed,
//! and renews those that this node shows others.

use std::{io, sync::Arc, thread, time::Duration};

use tokio::{
    sync::{Notify, watch},
    time::sleep,
};

use crate::{
    certificates::{CertificateWatch, Looked},
    handover::Handover,
    mesh::{IdentityWatch, Prober},
    worker::Shared,
};

/// How often files are looked at.
const LOOK: Duration = Duration::from_secs(1);

/// The files that are looked at while serving.
#[derive(Debug)]
pub struct Files {
    /// Those of the secret; `None` where it is in none.
    pub handover: Option<Handover>,
    /// Those of certificates.
    pub certificates: CertificateWatch,
    /// Those that this node shows others.
    pub identity: IdentityWatch,
    /// Has the certificates that are made of them.
    pub shared: Arc<Shared>,
}

/// Starts the thread, until `stop` says true. It looks at `files` each second, and at once when `hangup` is notified.
///
/// # Errors
///
/// When the system gives no thread or no runtime.
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
            // An error: whoever could say it is gone.
            _ = stop.wait_for(|stop| *stop) => {}
            () = files.watch(&hangup) => {}
        }
    };
    thread::Builder::new().name("control".to_owned()).spawn(move || {
        runtime.block_on(work);
        // Does not wait for look-ups of names.
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
            // A changed secret counts while clients hold all descriptors, too.
            spares.ensure_one();
            if let Some(handover) = &mut self.handover {
                handover.look(is_asked);
            }
            self.identity.look(&self.shared.identity, is_asked);
            let Looked { new, unusable } = self.certificates.look(&self.shared.certificates, is_asked);
            // Where that fails, it is done when a client next asks for one.
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
