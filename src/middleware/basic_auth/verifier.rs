//! Verifies passwords away from the workers, and remembers the verdicts.
//!
//! A verification takes about 20 ms of a core. So there is one [`Verifier`] for the whole process, with a few threads of
//! low priority and a short queue: a flood of wrong passwords costs other requests little, and the client that sends it
//! gets 429. A password that has been verified costs a hash and a lookup.

use std::{
    collections::{BTreeMap, HashMap, VecDeque},
    fmt,
    net::{IpAddr, Ipv6Addr},
    num::NonZeroUsize,
    panic::{self, AssertUnwindSafe},
    sync::{Arc, Condvar, LazyLock, Mutex, MutexGuard, PoisonError},
    thread,
};

use hmac::{Hmac, KeyInit, Mac};
use lru::LruCache;
use sha2::Sha256;
use tokio::sync::oneshot;
use zeroize::Zeroizing;

use super::credentials::Credentials;
use crate::password::PasswordHash;

/// The verifier of the process: memory and cores belong to the process, and verdicts stay valid over a reload.
pub(super) static VERIFIER: LazyLock<Verifier> = LazyLock::new(|| {
    // The other half is left to the workers even if all cores are busy.
    let threads = thread::available_parallelism().map_or(1, |cores| (cores.get() / 2).clamp(1, 4));
    Verifier::new(threads)
});

/// How many verifications may wait, and how many of them for one client.
const QUEUE: usize = 64;
const QUEUE_OF_CLIENT: usize = 8;

/// How many verdicts are remembered: as many right passwords, and as many wrong ones, so that a flood of wrong passwords
/// does not displace the right ones.
const REMEMBERED: NonZeroUsize = NonZeroUsize::new(4096).expect("not zero");

/// The niceness of the threads: about a tenth of a core if all cores are busy.
#[cfg(target_os = "linux")]
const NICENESS: i32 = 10;

/// Verifies passwords on its own threads.
pub(super) struct Verifier {
    /// With a random key, so that nobody can find an entry of the cache, or a collision, from outside.
    mac: Hmac<Sha256>,
    threads: usize,
    shared: Arc<Shared>,
}

#[derive(Default)]
struct Shared {
    state: Mutex<State>,
    queued: Condvar,
}

struct State {
    right: LruCache<Key, ()>,
    wrong: LruCache<Key, ()>,
    /// All verifications that have not ended, with the requests that wait for them.
    pending: HashMap<Key, Vec<oneshot::Sender<bool>>>,
    of_client: HashMap<IpAddr, usize>,
    queue: VecDeque<Job>,
    threads: usize,
}

/// The keyed hash of a user, a password, and the hash that it must have. A verdict depends on nothing else, so it is valid
/// on any route, and no longer found once the settings have another hash.
type Key = [u8; 32];

struct Job {
    key: Key,
    client: Option<IpAddr>,
    hash: PasswordHash,
    /// Otherwise the password is wrong, whatever its hash.
    is_user: bool,
    password: Zeroizing<Vec<u8>>,
}

/// Credentials to verify.
#[derive(Debug, Clone, Copy)]
pub(super) struct Attempt<'a> {
    pub(super) client: Option<IpAddr>,
    pub(super) users: &'a BTreeMap<String, PasswordHash>,
    pub(super) credentials: &'a Credentials,
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
        let client = client.map(network);
        let mut state = self.shared.lock();
        let State { right, wrong, pending, of_client, .. } = &mut *state;
        if right.get(&key).is_some() {
            return Outcome::Known(true);
        }
        if wrong.get(&key).is_some() {
            return Outcome::Known(false);
        }
        let (verdict, receiver) = oneshot::channel();
        if let Some(waiting) = pending.get_mut(&key) {
            // A browser sends the password of a page with each of its first requests at once.
            waiting.retain(|waiting| !waiting.is_closed());
            waiting.push(verdict);
            return Outcome::Pending(receiver);
        }
        if client.is_some_and(|client| of_client.get(&client).is_some_and(|count| *count >= QUEUE_OF_CLIENT)) {
            return Outcome::Busy(Busy::Client);
        }
        if pending.len() >= QUEUE || !self.start(&mut state) {
            return Outcome::Busy(Busy::Server);
        }
        let Some(compared) = hash.or_else(|| self.decoy(users, credentials.user())) else {
            return Outcome::Known(false);
        };
        state.pending.insert(key, vec![verdict]);
        if let Some(client) = client {
            *state.of_client.entry(client).or_default() += 1;
        }
        let password = Zeroizing::new(credentials.password().to_vec());
        state.queue.push_back(Job { key, client, hash: compared.clone(), is_user: hash.is_some(), password });
        drop(state);
        self.shared.queued.notify_one();
        Outcome::Pending(receiver)
    }

    /// The hash for an unknown user, so that this user takes as long as a known one. It is always the same, because hashes
    /// can differ in cost.
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

    /// Starts the threads if they do not run yet. Returns whether there is one at least.
    fn start(&self, state: &mut State) -> bool {
        while state.threads < self.threads {
            let shared = Arc::clone(&self.shared);
            let name = format!("password-{}", state.threads);
            match thread::Builder::new().name(name).spawn(move || shared.work()) {
                Ok(_) => state.threads += 1,
                Err(error) => {
                    tracing::warn!(%error, "no thread to verify passwords");
                    break;
                }
            }
        }
        // Without any, a test drives the queue itself.
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
                match state.queue.pop_front() {
                    Some(job) => break job,
                    None => state = self.queued.wait(state).unwrap_or_else(PoisonError::into_inner),
                }
            };
            drop(state);
            self.run(&job);
        }
    }

    fn run(&self, job: &Job) {
        // A panic would leave one thread less, and requests that wait for ever.
        let passed = panic::catch_unwind(AssertUnwindSafe(|| job.hash.verify(&job.password))).unwrap_or(false);
        let passed = passed && job.is_user;
        let mut state = self.lock();
        let verdicts = if passed { &mut state.right } else { &mut state.wrong };
        verdicts.put(job.key, ());
        if let Some(client) = job.client
            && let Some(count) = state.of_client.get_mut(&client)
        {
            *count -= 1;
            if *count == 0 {
                state.of_client.remove(&client);
            }
        }
        let waiting = state.pending.remove(&job.key).unwrap_or_default();
        drop(state);
        for verdict in waiting {
            // The client may have left.
            let _ = verdict.send(passed);
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Default for State {
    fn default() -> Self {
        Self {
            right: LruCache::new(REMEMBERED),
            wrong: LruCache::new(REMEMBERED),
            pending: HashMap::new(),
            of_client: HashMap::new(),
            queue: VecDeque::new(),
            threads: 0,
        }
    }
}

impl fmt::Debug for Verifier {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Verifier").field("threads", &self.threads).finish_non_exhaustive()
    }
}

/// The address of a client. For IPv6, the network that a client usually has to itself.
fn network(client: IpAddr) -> IpAddr {
    match client.to_canonical() {
        IpAddr::V6(ip) => Ipv6Addr::from_bits(ip.to_bits() >> 64 << 64).into(),
        ip @ IpAddr::V4(_) => ip,
    }
}

#[cfg(test)]
mod tests {
    use ::http::{HeaderMap, HeaderValue, header::AUTHORIZATION};
    use base64::{Engine, prelude::BASE64_STANDARD};

    use super::*;

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
        let job = verifier.shared.lock().queue.pop_front().expect("a job");
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
        assert!(verifier.shared.lock().pending.len() == 1 && verifier.shared.lock().of_client.len() == 1);
        run_one(&verifier);
        assert!(matches!(verify(&verifier, &second, "alice", "a", "192.0.2.1"), Outcome::Known(false)));
        assert!(verifier.shared.lock().pending.is_empty() && verifier.shared.lock().of_client.is_empty());
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
        assert_eq!(verifier.shared.lock().queue.len(), 1);
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
        for index in 0..2 * QUEUE_OF_CLIENT {
            // Addresses of one client.
            let client = format!("2001:db8::{index}");
            let expected = (index >= QUEUE_OF_CLIENT).then_some(Busy::Client);
            assert_eq!(busy(&format!("wrong {index}"), &client), expected, "{index}");
        }
        for index in QUEUE_OF_CLIENT..2 * QUEUE {
            let expected = (index >= QUEUE).then_some(Busy::Server);
            assert_eq!(busy(&format!("wrong {index}"), &format!("192.0.2.{index}")), expected, "{index}");
        }
        while !verifier.shared.lock().queue.is_empty() {
            run_one(&verifier);
        }
        assert_eq!(busy("a", "2001:db8::1"), None);
        run_one(&verifier);
    }

    #[test]
    fn its_threads_verify() {
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
