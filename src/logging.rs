//! The log: to standard error, for people or for machines.

use std::io::{self, IsTerminal};

use tracing_subscriber::{EnvFilter, fmt, layer::SubscriberExt, registry, util::SubscriberInitExt};

use crate::settings::{LogFormat, Settings};

/// Starts the log. The first call in a process counts.
pub fn init(settings: &Settings) {
    let filter = EnvFilter::new(&settings.log);
    let writer = fmt::layer().with_writer(io::stderr);
    let started = match settings.log_format {
        LogFormat::Text => {
            registry().with(filter).with(writer.with_ansi(io::stderr().is_terminal()).with_target(false)).try_init()
        }
        LogFormat::Json => registry().with(filter).with(writer.json().flatten_event(true)).try_init(),
    };
    // Already started: as an embedding program or a test wants it.
    drop(started);
}
