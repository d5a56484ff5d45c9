//! Writes output to files, on a thread of its own because a disk can be slow.

use std::{
    collections::HashMap,
    fs::File,
    io::{self, Write},
    os::unix::fs::{MetadataExt, OpenOptionsExt},
    path::{Path, PathBuf},
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicU64, AtomicUsize, Ordering},
        mpsc,
    },
    thread,
    time::{Duration, Instant},
};

use nix::libc::O_NONBLOCK;
use tokio::time::sleep;

/// Maximum number of bytes that wait for a slow disk. Further lines are dropped.
const MAX_WAITING: usize = 4 * 1024 * 1024;

/// How often to check whether a file was moved or deleted.
const LOOK: Duration = Duration::from_secs(1);

/// How long a file to which nothing is written stays open while others are opened.
const KEEP: Duration = Duration::from_secs(60);

/// Writes to files. Clones use the same thread, which starts with the first line and ends with the last clone.
#[derive(Debug, Clone, Default)]
pub(crate) struct Files(Arc<Queue>);

#[derive(Debug, Default)]
struct Queue {
    sender: Mutex<Option<mpsc::Sender<Line>>>,
    waiting: Arc<AtomicUsize>,
    dropped: Arc<AtomicU64>,
}

/// A line for a file.
type Line = (Arc<PathBuf>, String);

impl Files {
    /// Waits until all lines are written.
    pub(crate) async fn flush(&self) {
        while self.0.waiting.load(Ordering::Relaxed) > 0 {
            sleep(Duration::from_millis(1)).await;
        }
    }

    /// Adds a line to a file. Never waits for it.
    pub(super) fn write(&self, path: &Arc<PathBuf>, line: &str) {
        let Queue { sender, waiting, dropped } = &*self.0;
        if waiting.load(Ordering::Relaxed) + line.len() > MAX_WAITING {
            dropped.fetch_add(1, Ordering::Relaxed);
            return;
        }
        let mut sender = sender.lock().unwrap_or_else(PoisonError::into_inner);
        if sender.is_none() {
            let (lines, received) = mpsc::channel();
            let shared = (Arc::clone(waiting), Arc::clone(dropped));
            let thread = thread::Builder::new().name("output".to_owned());
            let started = thread.spawn(move || run(&received, &shared.0, &shared.1));
            if let Err(error) = started {
                dropped.fetch_add(1, Ordering::Relaxed);
                tracing::error!("the output of services cannot be written: {error}");
                return;
            }
            *sender = Some(lines);
        }
        if let Some(sender) = &*sender {
            waiting.fetch_add(line.len() + 1, Ordering::Relaxed);
            let _ = sender.send((Arc::clone(path), format!("{line}\n")));
        }
    }
}

fn run(lines: &mpsc::Receiver<Line>, waiting: &AtomicUsize, dropped: &AtomicU64) {
    let mut files = HashMap::<Arc<PathBuf>, Output>::new();
    while let Ok((path, line)) = lines.recv() {
        if !files.contains_key(&path) {
            // Those of earlier settings.
            files.retain(|_, output| output.is_in_use());
        }
        files.entry(Arc::clone(&path)).or_default().write(&path, &line);
        waiting.fetch_sub(line.len(), Ordering::Relaxed);
        if waiting.load(Ordering::Relaxed) == 0 {
            let dropped = dropped.swap(0, Ordering::Relaxed);
            if dropped > 0 {
                tracing::warn!("the disk was too slow for the output of services: {dropped} lines were dropped");
            }
        }
    }
}

/// A file that is open, or cannot be opened.
#[derive(Debug, Default)]
struct Output {
    open: Option<(File, Instant)>,
    has_failed: bool,
}

impl Output {
    /// Whether to keep it: one that has failed remembers that the log has said so.
    fn is_in_use(&self) -> bool {
        self.open.as_ref().map_or(self.has_failed, |(_, looked)| looked.elapsed() < KEEP)
    }

    fn write(&mut self, path: &Path, line: &str) {
        let written = self.file(path).and_then(|mut file| file.write_all(line.as_bytes()));
        match written {
            Ok(()) => self.has_failed = false,
            Err(error) => {
                self.open = None;
                if !self.has_failed {
                    tracing::error!("cannot write the output of a service to {}: {error}", path.display());
                }
                self.has_failed = true;
            }
        }
    }

    fn file(&mut self, path: &Path) -> io::Result<&File> {
        let now = Instant::now();
        if let Some((file, looked)) = &mut self.open
            && now.duration_since(*looked) >= LOOK
        {
            *looked = now;
            let same =
                |one: std::fs::Metadata, other: std::fs::Metadata| (one.dev(), one.ino()) == (other.dev(), other.ino());
            if !std::fs::metadata(path).is_ok_and(|there| file.metadata().is_ok_and(|open| same(open, there))) {
                self.open = None;
            }
        }
        let (file, _) = match self.open.take() {
            Some(open) => self.open.insert(open),
            None => {
                // A named pipe that nobody reads is an error, and does not hold up the other files.
                let file = File::options().append(true).create(true).custom_flags(O_NONBLOCK).open(path)?;
                self.open.insert((file, now))
            }
        };
        Ok(file)
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    #[test]
    fn a_file_that_was_moved_is_opened_again() {
        let folder = tempfile::tempdir().unwrap();
        let [path, moved] = ["out.log", "out.log.1"].map(|name| folder.path().join(name));
        fs::write(&path, "old\n").unwrap();
        let mut output = Output::default();
        output.write(&path, "one\n");
        fs::rename(&path, &moved).unwrap();
        output.write(&path, "two\n");
        if let Some((_, looked)) = &mut output.open {
            *looked = looked.checked_sub(LOOK).unwrap();
        }
        output.write(&path, "three\n");
        assert_eq!([&moved, &path].map(|path| fs::read_to_string(path).unwrap()), ["old\none\ntwo\n", "three\n"]);
    }

    #[test]
    fn a_pipe_that_nobody_reads_holds_up_nothing() {
        let folder = tempfile::tempdir().unwrap();
        let pipe = folder.path().join("pipe");
        rustix::fs::mknodat(rustix::fs::CWD, &pipe, rustix::fs::FileType::Fifo, rustix::fs::Mode::RWXU, 0).unwrap();
        let mut output = Output::default();
        output.write(&pipe, "lost\n");
        assert!(output.has_failed && output.open.is_none() && output.is_in_use());
    }

    #[test]
    fn a_file_is_closed_after_a_while() {
        let folder = tempfile::tempdir().unwrap();
        let mut output = Output::default();
        assert!(!output.is_in_use());
        output.write(&folder.path().join("file"), "line\n");
        assert!(output.is_in_use());
        if let Some((_, looked)) = &mut output.open {
            *looked = looked.checked_sub(KEEP).unwrap();
        }
        assert!(!output.is_in_use());
    }

    #[tokio::test]
    async fn lines_of_several_files_are_written() {
        let folder = tempfile::tempdir().unwrap();
        let paths = ["a", "b"].map(|name| Arc::new(folder.path().join(name)));
        let files = Files::default();
        for number in 0..100 {
            paths.iter().for_each(|path| files.write(path, &number.to_string()));
        }
        files.flush().await;
        let expected: String = (0..100).map(|number| format!("{number}\n")).collect();
        assert_eq!(paths.map(|path| fs::read_to_string(&*path).unwrap()), [expected.clone(), expected]);
    }
}
