//! Reads the pipes of a process.

use std::{io, sync::Arc};

use tokio::{
    net::unix::pipe::Receiver,
    task::{AbortHandle, JoinSet, yield_now},
};

use super::{lines::Lines, sink::Sink};
use crate::services::keeper::Output;

/// How much is read at once, in bytes.
const CHUNK: usize = 8 * 1024;

/// The tasks that read the pipes of a process. They end with the pipes.
#[derive(Debug)]
pub(crate) struct Reading(JoinSet<()>);

impl Reading {
    /// Sends the lines of `output` to `sink`.
    pub(crate) fn start(output: Output, sink: &Arc<Sink>) -> Self {
        let mut tasks = JoinSet::new();
        let Output { stdout, stderr } = output;
        for (pipe, is_stderr) in [(stdout, false), (stderr, true)] {
            let _: AbortHandle = tasks.spawn(read(pipe, is_stderr, Arc::clone(sink)));
        }
        Self(tasks)
    }

    /// Waits until everything was read.
    pub(crate) async fn finish(&mut self) {
        while self.0.join_next().await.is_some() {}
    }

    /// Lets the tasks continue without this handle.
    pub(crate) fn detach(mut self) {
        self.0.detach_all();
    }
}

async fn read(pipe: Receiver, is_stderr: bool, sink: Arc<Sink>) {
    let mut lines = Lines::default();
    while pipe.readable().await.is_ok() {
        match read_chunk(&pipe, &mut lines, is_stderr, &sink) {
            Ok(0) => break,
            // Lets other tasks run, however much a program writes.
            Ok(_) => yield_now().await,
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
            Err(_) => break,
        }
    }
    lines.finish(|line| sink.push(is_stderr, line));
}

/// Not part of the task, so that the buffer takes no memory while there is nothing to read.
fn read_chunk(pipe: &Receiver, lines: &mut Lines, is_stderr: bool, sink: &Sink) -> io::Result<usize> {
    let mut chunk = [0; CHUNK];
    let length = pipe.try_read(&mut chunk)?;
    lines.push(&chunk[..length], |line| sink.push(is_stderr, line));
    Ok(length)
}
