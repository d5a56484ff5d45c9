//! The thread beside the workers: it asks other nodes how they are, and sees that the secret has changed.

use std::{io, thread, time::Duration};

use tokio::{sync::watch, time::sleep};

use crate::{handover::Handover, mesh::Prober};

/// How often the files of the secret are looked at.
const LOOK: Duration = Duration::from_secs(1);

/// Starts the thread, until `stop` says true; none where there is nothing to do.
///
/// # Errors
///
/// When the system gives no thread or no runtime.
pub fn start(
    prober: Option<Prober>,
    handover: Option<Handover>,
    mut stop: watch::Receiver<bool>,
) -> io::Result<Option<thread::JoinHandle<()>>> {
    if prober.is_none() && handover.is_none() {
        return Ok(None);
    }
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let work = async move {
        if let Some(prober) = prober {
            tokio::spawn(prober.run());
        }
        let handover = async {
            match handover {
                Some(handover) => look(handover).await,
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            // An error: whoever could say it is gone.
            _ = stop.wait_for(|stop| *stop) => {}
            () = handover => {}
        }
    };
    thread::Builder::new().name("control".to_owned()).spawn(move || runtime.block_on(work)).map(Some)
}

async fn look(mut handover: Handover) {
    loop {
        sleep(LOOK).await;
        handover.look();
    }
}
