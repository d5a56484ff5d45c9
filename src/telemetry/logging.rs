//! The log, written to standard error as text or JSON.

use std::{
    io::{self, IsTerminal},
    sync::OnceLock,
};

use tracing_appender::non_blocking::{NonBlockingBuilder, WorkerGuard};
use tracing_subscriber::{
    EnvFilter, Registry, filter::LevelFilter, fmt, layer::SubscriberExt, registry, reload, util::SubscriberInitExt,
};

use crate::settings::{LogFormat, Settings};

/// Maximum number of lines that wait for a slow reader of the log. Further lines are dropped, because a full pipe must
/// not block the workers.
const WAITING_LINES: usize = 16 * 1024;

/// The filter of the running log, for [`set`] to change.
static FILTER: OnceLock<reload::Handle<EnvFilter, Registry>> = OnceLock::new();

/// Starts the log, which runs until the returned value is dropped. Only the first call in a process has an effect.
pub fn init(settings: &Settings) -> WorkerGuard {
    let (filter, handle) = reload::Layer::new(filter(settings));
    let (writer, guard) =
        NonBlockingBuilder::default().buffered_lines_limit(WAITING_LINES).lossy(true).finish(io::stderr());
    let writer = fmt::layer().with_writer(writer);
    let started = match settings.log_format {
        LogFormat::Text => {
            registry().with(filter).with(writer.with_ansi(io::stderr().is_terminal()).with_target(false)).try_init()
        }
        LogFormat::Json => registry().with(filter).with(writer.json().flatten_event(true)).try_init(),
    };
    // An error means that an embedding program or a test has already started its own log.
    if started.is_ok() {
        let _ = FILTER.set(handle);
    }
    guard
}

/// Applies the log settings from now on.
pub fn set(settings: &Settings) {
    if let Some(handle) = FILTER.get() {
        // An error means that the log has been shut down.
        let _ = handle.reload(filter(settings));
    }
}

fn filter(settings: &Settings) -> EnvFilter {
    let filter = EnvFilter::new(directives(&settings.log));
    // The access log does not depend on the log level.
    match "pmesh::access=info".parse() {
        Ok(access) if settings.access_log => filter.add_directive(access),
        _ => filter,
    }
}

/// Returns the filter for the value of the setting `log`.
///
/// A level up to `info` without a target applies only to pmesh. Even at `warn`, libraries log events that a client can
/// trigger thousands of times a second: h2, for example, warns about each acknowledgement of a PING that it never sent.
/// Errors that matter reach pmesh anyway. `debug` and `trace` apply to libraries as well, and so does a level with a
/// target, such as `info,h2=warn`.
fn directives(log: &str) -> String {
    let scoped = |directive: &str| match directive.trim().parse::<LevelFilter>() {
        Ok(level) if level <= LevelFilter::INFO => format!("off,pmesh={level}"),
        _ => directive.to_owned(),
    };
    // The NATS client logs every attempt to connect; the registry logs what matters.
    let directives: Vec<_> = ["async_nats=off".to_owned()].into_iter().chain(log.split(',').map(scoped)).collect();
    directives.join(",")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_level_up_to_info_applies_only_to_pmesh() {
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
