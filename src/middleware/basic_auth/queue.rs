//! The verifications that wait, and the verdicts so far.

use std::{
    collections::{HashMap, VecDeque},
    num::NonZeroUsize,
};

use lru::LruCache;
use pmesh_layers::forwarded::ClientNetwork;
use tokio::sync::oneshot;
use zeroize::Zeroizing;

use crate::password::PasswordHash;

/// How many verifications may wait, and how many of them for one client.
pub(super) const MAX: usize = 64;
pub(super) const MAX_OF_CLIENT: usize = 8;

/// How many verdicts are remembered: as many right passwords, and as many wrong ones, so that a flood of wrong passwords
/// does not displace the right ones.
const REMEMBERED: NonZeroUsize = NonZeroUsize::new(4096).expect("not zero");

/// The keyed hash of a user, a password, and the hash that it must have. A verdict depends on nothing else, so it is valid
/// on any route, and no longer found once the settings have another hash.
pub(super) type Key = [u8; 32];

pub(super) struct Queue {
    right: LruCache<Key, ()>,
    wrong: LruCache<Key, ()>,
    /// All verifications that have not ended, with the requests that wait for them.
    pending: HashMap<Key, Vec<oneshot::Sender<bool>>>,
    of_client: HashMap<ClientNetwork, usize>,
    jobs: VecDeque<Job>,
}

/// A password to verify.
pub(super) struct Job {
    pub(super) key: Key,
    pub(super) client: Option<ClientNetwork>,
    pub(super) hash: PasswordHash,
    /// Otherwise the password is wrong, whatever its hash.
    pub(super) is_user: bool,
    pub(super) password: Zeroizing<Vec<u8>>,
}

/// Whether credentials are right.
#[derive(Debug)]
pub(super) enum Outcome {
    /// The verdict is known.
    Known(bool),
    /// It will come.
    Pending(oneshot::Receiver<bool>),
    /// There is no room in the queue.
    Busy(Busy),
}

/// Who has filled the queue.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Busy {
    /// The client itself.
    Client,
    /// All clients together.
    Server,
}

impl Queue {
    /// The outcome for a key. `None` if a new verification is necessary, and there is room for it.
    pub(super) fn find(&mut self, key: &Key, client: Option<ClientNetwork>) -> Option<Outcome> {
        if self.right.get(key).is_some() {
            return Some(Outcome::Known(true));
        }
        if self.wrong.get(key).is_some() {
            return Some(Outcome::Known(false));
        }
        if let Some(waiting) = self.pending.get_mut(key) {
            // A browser sends the password of a page with each of its first requests at once.
            waiting.retain(|waiting| !waiting.is_closed());
            let (verdict, receiver) = oneshot::channel();
            waiting.push(verdict);
            return Some(Outcome::Pending(receiver));
        }
        if client.is_some_and(|client| self.of_client.get(&client).is_some_and(|count| *count >= MAX_OF_CLIENT)) {
            return Some(Outcome::Busy(Busy::Client));
        }
        (self.pending.len() >= MAX).then_some(Outcome::Busy(Busy::Server))
    }

    /// Adds a verification. Returns where its verdict will come.
    pub(super) fn push(&mut self, job: Job) -> oneshot::Receiver<bool> {
        let (verdict, receiver) = oneshot::channel();
        self.pending.insert(job.key, vec![verdict]);
        if let Some(client) = job.client {
            *self.of_client.entry(client).or_default() += 1;
        }
        self.jobs.push_back(job);
        receiver
    }

    /// The next verification.
    pub(super) fn pop(&mut self) -> Option<Job> {
        self.jobs.pop_front()
    }

    /// Remembers the verdict on a job. Returns the requests that wait for it.
    pub(super) fn finish(&mut self, job: &Job, passed: bool) -> Vec<oneshot::Sender<bool>> {
        let verdicts = if passed { &mut self.right } else { &mut self.wrong };
        verdicts.put(job.key, ());
        if let Some(client) = job.client
            && let Some(count) = self.of_client.get_mut(&client)
        {
            *count -= 1;
            if *count == 0 {
                self.of_client.remove(&client);
            }
        }
        self.pending.remove(&job.key).unwrap_or_default()
    }

    /// How many verifications have not ended, and for how many clients.
    #[cfg(test)]
    pub(super) fn counts(&self) -> (usize, usize) {
        (self.pending.len(), self.of_client.len())
    }
}

impl Default for Queue {
    fn default() -> Self {
        Self {
            right: LruCache::new(REMEMBERED),
            wrong: LruCache::new(REMEMBERED),
            pending: HashMap::new(),
            of_client: HashMap::new(),
            jobs: VecDeque::new(),
        }
    }
}
