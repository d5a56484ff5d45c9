//! The log: to standard error, for people or for machines.

use std::io::{self, IsTerminal};

use tracing_appender::non_blocking::{NonBlockingBuilder, WorkerGuard};
use tracing_subscriber::{
    EnvFilter, filter::LevelFilter, fmt, layer::SubscriberExt, registry, util::SubscriberInitExt,
};

use crate::settings::{LogFormat, Settings};

/// Lines that wait for a reader of the log who is slower than the requests. Further ones are dropped: a full pipe
/// must not stop those who serve.
const WAITING_LINES: usize = 16 * 1024;

/// Starts the log, which lasts until the returned value is dropped. The first call in a process counts.
pub fn init(settings: &Settings) -> WorkerGuard {
    let mut filter = EnvFilter::new(directives(&settings.log));
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

/// What the setting `log` comes to. A level up to `info` that names no part is one for pmesh alone: libraries log at
/// `warn` what a stranger can send thousands of times a second, as h2 does for a PING that acknowledges nothing. What
/// matters of that reaches pmesh as an error. `debug` and `trace` are for libraries, too, and so is a part that is named,
/// as in `info,h2=warn`.
fn directives(log: &str) -> String {
    let scoped = |directive: &str| match directive.trim().parse::<LevelFilter>() {
        Ok(level) if level <= LevelFilter::INFO => format!("off,pmesh={level}"),
        _ => directive.to_owned(),
    };
    // The client of NATS logs each try to connect; the registry says what there is to say.
    let directives: Vec<_> = ["async_nats=off".to_owned()].into_iter().chain(log.split(',').map(scoped)).collect();
    directives.join(",")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_level_up_to_info_is_one_for_pmesh_alone() {
        for (log, expected) in [
            ("info", "off,pmesh=info"),
            ("Error", "off,pmesh=error"),
            ("off", "off,pmesh=off"),
            ("debug", "debug"),
            ("info,h2=warn", "off,pmesh=info,h2=warn"),
            ("info, pmesh=debug", "off,pmesh=info, pmesh=debug"),
            ("pmesh[request{id=\"a,b\"}]=debug", "pmesh[request{id=\"a,b\"}]=debug"),
        ] {
            assert_eq!(directives(log), format!("async_nats=off,{expected}"));
        }
    }
}
