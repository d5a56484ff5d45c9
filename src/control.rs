//! The thread beside the workers: it asks other nodes how they are, and sees that the secret or certificates have
//! changed.

use std::{io, sync::Arc, thread, time::Duration};

use tokio::{
    sync::{Notify, watch},
    time::sleep,
};

use crate::{
    certificates::{CertificateWatch, Looked},
    handover::Handover,
    mesh::Prober,
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
            if let Some(handover) = &mut self.handover {
                handover.look();
            }
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
    }
}
