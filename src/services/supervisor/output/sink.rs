//! Where the lines of an instance go.

use std::{
    path::PathBuf,
    sync::Arc,
    time::{SystemTime, UNIX_EPOCH},
};

use tracing::Level;

use super::{files::Files, level::level, tail::Tail};
use crate::services::{recent::Recent, report::OutputLine};

/// Where the lines of a process go.
#[derive(Debug)]
pub(crate) struct Sink {
    service: String,
    instance: u16,
    destination: Destination,
    recent: Option<Arc<Recent>>,
    tail: Tail,
}

#[derive(Debug)]
enum Destination {
    Log,
    File(Arc<PathBuf>, Files),
    Nowhere,
}

impl Sink {
    /// A sink that sends lines to the log.
    pub(crate) fn log(service: String, instance: u16, recent: Option<Arc<Recent>>) -> Self {
        Self { service, instance, destination: Destination::Log, recent, tail: Tail::default() }
    }

    /// Sends them to a file instead.
    pub(crate) fn file(self, path: PathBuf, files: Files) -> Self {
        Self { destination: Destination::File(Arc::new(path), files), ..self }
    }

    /// Sends them nowhere.
    pub(crate) fn nowhere(self) -> Self {
        Self { destination: Destination::Nowhere, ..self }
    }

    /// The line that says why the process has ended, if it wrote one.
    pub(crate) fn telling_line(&self) -> Option<String> {
        self.tail.telling()
    }

    /// Sends a line to its destination, and keeps it among the last ones.
    pub(super) fn push(&self, is_stderr: bool, line: &str) {
        self.tail.push(is_stderr, line);
        match &self.destination {
            Destination::Log => self.log_line(is_stderr, line),
            Destination::File(path, files) => files.write(path, line),
            Destination::Nowhere => {}
        }
        if let Some(recent) = &self.recent {
            let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
            recent.push(OutputLine {
                time_ms: u64::try_from(since.as_millis()).unwrap_or(u64::MAX),
                service: self.service.clone(),
                instance: self.instance,
                is_stderr,
                text: line.to_owned(),
            });
        }
    }

    /// The log has a thread of its own, and drops lines if it is slow.
    fn log_line(&self, is_stderr: bool, line: &str) {
        let Self { service, instance, .. } = self;
        let by_stream = if is_stderr { Level::WARN } else { Level::INFO };
        match level(line).unwrap_or(by_stream) {
            Level::ERROR => tracing::error!(target: "pmesh::output", "{service}/{instance}: {line}"),
            Level::WARN => tracing::warn!(target: "pmesh::output", "{service}/{instance}: {line}"),
            Level::INFO => tracing::info!(target: "pmesh::output", "{service}/{instance}: {line}"),
            Level::DEBUG => tracing::debug!(target: "pmesh::output", "{service}/{instance}: {line}"),
            Level::TRACE => tracing::trace!(target: "pmesh::output", "{service}/{instance}: {line}"),
        }
    }
}
