//! The last lines that a service wrote, and the readers that follow it.

use std::{
    collections::VecDeque,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use tokio::sync::broadcast;

use super::report::OutputLine;

/// Maximum number of lines that are kept.
const MAX_LINES: usize = 200;

/// Maximum number of bytes that are kept.
const MAX_BYTES: usize = 64 * 1024;

/// Maximum number of lines that wait for a slow follower. Beyond that, it misses lines.
const WAITING_LINES: usize = 512;

/// The last lines of a service.
#[derive(Debug)]
pub(super) struct Recent {
    ring: Mutex<Ring>,
    /// The followers of all services.
    of_all: Arc<Followers>,
}

/// The lines, under a lock.
#[derive(Debug, Default)]
pub(super) struct Ring {
    lines: VecDeque<OutputLine>,
    bytes: usize,
    followers: Followers,
}

/// The readers that get further lines. While there are none, this takes no memory.
#[derive(Debug, Default)]
pub(super) struct Followers(Mutex<Option<broadcast::Sender<OutputLine>>>);

impl Recent {
    /// Creates an empty one, whose lines also go to the followers of all services.
    pub(super) fn new(of_all: Arc<Followers>) -> Self {
        Self { ring: Mutex::default(), of_all }
    }

    /// Adds a line.
    pub(super) fn push(&self, line: OutputLine) {
        let mut ring = self.lock();
        ring.followers.send(&line);
        self.of_all.send(&line);
        ring.bytes += line.text.len();
        ring.lines.push_back(line);
        while ring.lines.len() > MAX_LINES || ring.bytes > MAX_BYTES {
            let Some(oldest) = ring.lines.pop_front() else { break };
            ring.bytes -= oldest.text.len();
        }
    }

    /// Locks the lines. Until the guard is dropped, none are added.
    pub(super) fn lock(&self) -> MutexGuard<'_, Ring> {
        self.ring.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Ring {
    /// The last lines, at most `count`, oldest first.
    pub(super) fn last(&self, count: usize) -> impl Iterator<Item = &OutputLine> {
        self.lines.iter().skip(self.lines.len().saturating_sub(count))
    }

    /// Receives further lines.
    pub(super) fn follow(&self) -> broadcast::Receiver<OutputLine> {
        self.followers.follow()
    }
}

impl Followers {
    /// Receives further lines.
    pub(super) fn follow(&self) -> broadcast::Receiver<OutputLine> {
        let mut sender = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        sender.get_or_insert_with(|| broadcast::channel(WAITING_LINES).0).subscribe()
    }

    fn send(&self, line: &OutputLine) {
        let mut sender = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        // An error means that the last follower is gone.
        if sender.as_ref().is_some_and(|sender| sender.receiver_count() == 0 || sender.send(line.clone()).is_err()) {
            *sender = None;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line(text: &str) -> OutputLine {
        OutputLine { time_ms: 0, service: "web".to_owned(), instance: 1, is_stderr: false, text: text.to_owned() }
    }

    fn texts(recent: &Recent, count: usize) -> Vec<String> {
        recent.lock().last(count).map(|line| line.text.clone()).collect()
    }

    #[test]
    fn the_last_lines_are_kept() {
        let recent = Recent::new(Arc::default());
        (0..MAX_LINES + 3).for_each(|number| recent.push(line(&number.to_string())));
        assert_eq!(texts(&recent, 2), ["201", "202"]);
        assert_eq!(texts(&recent, usize::MAX).len(), MAX_LINES);
        for _ in 0..5 {
            recent.push(line(&"x".repeat(MAX_BYTES / 4)));
        }
        assert_eq!(texts(&recent, usize::MAX).len(), 4);
    }

    #[test]
    fn followers_get_further_lines() {
        let all = Arc::<Followers>::default();
        let recents = [Recent::new(Arc::clone(&all)), Recent::new(Arc::clone(&all))];
        recents[0].push(line("before"));
        let (mut of_all, mut of_first) = (all.follow(), recents[0].lock().follow());
        recents[0].push(line("first"));
        recents[1].push(line("second"));
        let next = |follower: &mut broadcast::Receiver<OutputLine>| follower.try_recv().ok().map(|line| line.text);
        assert_eq!(
            [next(&mut of_all), next(&mut of_all), next(&mut of_all)],
            [Some("first".into()), Some("second".into()), None]
        );
        assert_eq!([next(&mut of_first), next(&mut of_first)], [Some("first".into()), None]);
        drop(of_all);
        recents[0].push(line("third"));
        assert!(all.0.lock().unwrap().is_none());
    }
}
