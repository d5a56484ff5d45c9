//! The log: to standard error, for people or for machines.

use std::io::{self, IsTerminal};

use tracing_appender::non_blocking::{NonBlockingBuilder, WorkerGuard};
use tracing_subscriber::{EnvFilter, fmt, layer::SubscriberExt, registry, util::SubscriberInitExt};

use crate::settings::{LogFormat, Settings};

/// Lines that wait for a reader of the log who is slower than the requests. Further ones are dropped: a full pipe
/// must not stop those who serve.
const WAITING_LINES: usize = 16 * 1024;

/// Starts the log, which lasts until the returned value is dropped. The first call in a process counts.
pub fn init(settings: &Settings) -> WorkerGuard {
    // The client of NATS logs each try to connect; the registry says what there is to say.
    let mut filter = EnvFilter::new(format!("async_nats=off,{}", settings.log));
    if settings.access_log {
        // Who turns it on wants it, whatever else is logged.
        if let Ok(access) = "pmesh::access=info".parse() {
            filter = filter.add_directive(access);
        }
    }
    let (writer, guard) =
        NonBlockingBuilder::default().buffered_lines_limit(WAITING_LINES).lossy(true).finish(io::stderr());
    let writer = fmt::layer().with_writer(writer);
    let started = match settings.log_format {
        LogFormat::Text => {
            registry().with(filter).with(writer.with_ansi(io::stderr().is_terminal()).with_target(false)).try_init()
        }
        LogFormat::Json => registry().with(filter).with(writer.json().flatten_event(true)).try_init(),
    };
    // Already started: as an embedding program or a test wants it.
    drop(started);
    guard
}
