//! Verifies passwords on threads of its own, and remembers the verdicts.
//!
//! A verification takes about 20 ms of a core. So there is one [`Verifier`] for the whole process, with a few threads of
//! low priority and a short queue: a flood of wrong passwords costs other requests little, and the client that sends it
//! gets 429. A password that has been verified costs a hash and a lookup.

use std::{
    collections::BTreeMap,
    fmt,
    net::IpAddr,
    panic::{self, AssertUnwindSafe},
    sync::{Arc, Condvar, LazyLock, Mutex, MutexGuard, PoisonError},
    thread,
};

use hmac::{Hmac, KeyInit, Mac};
use pmesh_layers::forwarded::ClientNetwork;
use sha2::Sha256;
use zeroize::Zeroizing;

use super::{
    credentials::Credentials,
    queue::{Busy, Job, Key, Outcome, Queue},
};
use crate::password::PasswordHash;

/// The verifier of the process: memory and cores belong to the process, and verdicts stay valid over a reload.
pub(super) static VERIFIER: LazyLock<Verifier> = LazyLock::new(|| {
    // Half of the cores stay free for the workers.
    let threads = thread::available_parallelism().map_or(1, |cores| (cores.get() / 2).clamp(1, 4));
    Verifier::new(threads)
});

/// The niceness of the threads: about a tenth of a core if all cores are busy.
#[cfg(target_os = "linux")]
const NICENESS: i32 = 10;

/// Verifies passwords on its own threads.
pub(super) struct Verifier {
    /// Its key is random, so that no client can compute the key of an entry, or find a collision.
    mac: Hmac<Sha256>,
    threads: usize,
    shared: Arc<Shared>,
}

#[derive(Default)]
struct Shared {
    state: Mutex<State>,
    queued: Condvar,
}

#[derive(Default)]
struct State {
    queue: Queue,
    /// How many have been started.
    threads: usize,
}

/// Credentials to verify.
#[derive(Debug, Clone, Copy)]
pub(super) struct Attempt<'a> {
    pub(super) client: Option<IpAddr>,
    pub(super) users: &'a BTreeMap<String, PasswordHash>,
    pub(super) credentials: &'a Credentials,
}

impl Verifier {
    fn new(threads: usize) -> Self {
        let key: [u8; 64] = rand::random();
        let mac = Hmac::new(&key.into());
        Self { mac, threads, shared: Arc::default() }
    }

    pub(super) fn verify(&self, attempt: Attempt<'_>) -> Outcome {
        let Attempt { client, users, credentials } = attempt;
        let hash = users.get(credentials.user());
        let key = self.key(credentials, hash);
        let client = client.map(ClientNetwork::from);
        let mut state = self.shared.lock();
        if let Some(outcome) = state.queue.find(&key, client) {
            return outcome;
        }
        if !self.start(&mut state) {
            return Outcome::Busy(Busy::Server);
        }
        let Some(compared) = hash.or_else(|| self.decoy(users, credentials.user())) else {
            return Outcome::Known(false);
        };
        let password = Zeroizing::new(credentials.password().to_vec());
        let job = Job { key, client, hash: compared.clone(), is_user: hash.is_some(), password };
        let verdict = state.queue.push(job);
        drop(state);
        self.shared.queued.notify_one();
        Outcome::Pending(verdict)
    }

    /// The hash to verify the password of an unknown user against, so that this takes as long as for a known one. It is always
    /// the same for a name, because hashes can differ in cost.
    fn decoy<'a>(&self, users: &'a BTreeMap<String, PasswordHash>, user: &str) -> Option<&'a PasswordHash> {
        let mut mac = self.mac.clone();
        mac.update(user.as_bytes());
        let random: [u8; 32] = mac.finalize().into_bytes().into();
        users.values().nth(usize::from(random[0]) % users.len().max(1))
    }

    fn key(&self, credentials: &Credentials, hash: Option<&PasswordHash>) -> Key {
        let hash = hash.map_or("", PasswordHash::as_str);
        let mut mac = self.mac.clone();
        for part in [credentials.user(), hash] {
            mac.update(&part.len().to_be_bytes());
            mac.update(part.as_bytes());
        }
        mac.update(credentials.password());
        mac.finalize().into_bytes().into()
    }

    /// Starts the threads that are not running yet. Returns whether any is running.
    fn start(&self, state: &mut State) -> bool {
        while state.threads < self.threads {
            let shared = Arc::clone(&self.shared);
            let name = format!("password-{}", state.threads);
            match thread::Builder::new().name(name).spawn(move || shared.work()) {
                Ok(_) => state.threads += 1,
                Err(error) => {
                    tracing::warn!(%error, "cannot start a thread to verify passwords");
                    break;
                }
            }
        }
        // A test can have none, and work through the queue itself.
        state.threads > 0 || self.threads == 0
    }
}

impl Shared {
    fn work(&self) {
        #[cfg(target_os = "linux")]
        if let Err(error) = rustix::process::setpriority_process(None, NICENESS) {
            tracing::debug!(%error, "passwords are verified at normal priority");
        }
        loop {
            let mut state = self.lock();
            let job = loop {
                match state.queue.pop() {
                    Some(job) => break job,
                    None => state = self.queued.wait(state).unwrap_or_else(PoisonError::into_inner),
                }
            };
            drop(state);
            self.run(&job);
        }
    }

    fn run(&self, job: &Job) {
        // A panic would end the thread, and leave requests waiting forever.
        let passed = panic::catch_unwind(AssertUnwindSafe(|| job.hash.verify(&job.password))).unwrap_or(false);
        let passed = passed && job.is_user;
        let waiting = self.lock().queue.finish(job, passed);
        for verdict in waiting {
            // The client may have left.
            let _ = verdict.send(passed);
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl fmt::Debug for Verifier {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Verifier").field("threads", &self.threads).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use ::http::{HeaderMap, HeaderValue, header::AUTHORIZATION};
    use base64::{Engine, prelude::BASE64_STANDARD};

    use super::*;
    use crate::middleware::basic_auth::queue;

    type Users = BTreeMap<String, PasswordHash>;

    fn users(password: &str) -> Users {
        let hash = bcrypt::hash(password, 4).unwrap().parse().unwrap();
        [("alice".to_owned(), hash)].into()
    }

    fn credentials(user: &str, password: &str) -> Credentials {
        let encoded = BASE64_STANDARD.encode(format!("{user}:{password}"));
        let value = HeaderValue::from_str(&format!("Basic {encoded}")).unwrap();
        Credentials::of(&HeaderMap::from_iter([(AUTHORIZATION, value)])).unwrap()
    }

    fn verify(verifier: &Verifier, users: &Users, user: &str, password: &str, client: &str) -> Outcome {
        let credentials = credentials(user, password);
        verifier.verify(Attempt { client: client.parse().ok(), users, credentials: &credentials })
    }

    fn run_one(verifier: &Verifier) {
        let job = verifier.shared.lock().queue.pop().expect("a job");
        verifier.shared.run(&job);
    }

    #[test]
    fn a_verdict_is_remembered_until_the_hash_changes() {
        let (verifier, first, second) = (Verifier::new(0), users("a"), users("b"));
        for (user, password, expected) in [("alice", "a", true), ("alice", "b", false), ("bob", "a", false)] {
            let Outcome::Pending(mut verdict) = verify(&verifier, &first, user, password, "192.0.2.1") else {
                panic!("{user} is known")
            };
            run_one(&verifier);
            assert_eq!(verdict.try_recv(), Ok(expected), "{user} {password}");
            let again = verify(&verifier, &first, user, password, "192.0.2.2");
            assert!(matches!(again, Outcome::Known(passed) if passed == expected), "{again:?}");
        }
        assert!(matches!(verify(&verifier, &second, "alice", "a", "192.0.2.1"), Outcome::Pending(_)));
        assert_eq!(verifier.shared.lock().queue.counts(), (1, 1));
        run_one(&verifier);
        assert!(matches!(verify(&verifier, &second, "alice", "a", "192.0.2.1"), Outcome::Known(false)));
        assert_eq!(verifier.shared.lock().queue.counts(), (0, 0));
    }

    #[test]
    fn equal_requests_wait_for_one_verification() {
        let (verifier, users) = (Verifier::new(0), users("a"));
        let mut verdicts: Vec<_> = (0..100)
            .map(|_| match verify(&verifier, &users, "alice", "a", "192.0.2.1") {
                Outcome::Pending(verdict) => verdict,
                other => panic!("{other:?}"),
            })
            .collect();
        assert_eq!(verifier.shared.lock().queue.counts(), (1, 1));
        run_one(&verifier);
        assert!(verdicts.iter_mut().all(|verdict| verdict.try_recv() == Ok(true)));
    }

    #[test]
    fn a_client_cannot_fill_the_queue() {
        let (verifier, users) = (Verifier::new(0), users("a"));
        let busy = |password: &str, client: &str| match verify(&verifier, &users, "alice", password, client) {
            Outcome::Busy(busy) => Some(busy),
            _ => None,
        };
        for index in 0..2 * queue::MAX_OF_CLIENT {
            // Addresses of one client.
            let client = format!("2001:db8::{index}");
            let expected = (index >= queue::MAX_OF_CLIENT).then_some(Busy::Client);
            assert_eq!(busy(&format!("wrong {index}"), &client), expected, "{index}");
        }
        for index in queue::MAX_OF_CLIENT..2 * queue::MAX {
            let expected = (index >= queue::MAX).then_some(Busy::Server);
            assert_eq!(busy(&format!("wrong {index}"), &format!("192.0.2.{index}")), expected, "{index}");
        }
        (0..queue::MAX).for_each(|_| run_one(&verifier));
        assert_eq!(verifier.shared.lock().queue.counts(), (0, 0));
        assert_eq!(busy("a", "2001:db8::1"), None);
        run_one(&verifier);
    }

    #[test]
    fn threads_verify_passwords() {
        let (verifier, users) = (Verifier::new(2), users("a"));
        let all = [("alice", "a", true), ("alice", "b", false), ("bob", "a", false)];
        for (user, password, expected) in all {
            match verify(&verifier, &users, user, password, "192.0.2.1") {
                Outcome::Pending(verdict) => assert_eq!(verdict.blocking_recv(), Ok(expected)),
                other => panic!("{other:?}"),
            }
        }
    }
}
