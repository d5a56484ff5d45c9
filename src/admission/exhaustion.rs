//! Notices when descriptors, memory or slots for connections run out.
//!
//! The log gets one line when that starts and one when it is over.

use std::{
    io,
    sync::atomic::{AtomicU64, Ordering},
    time::Duration,
};

use nix::errno::Errno;
use tokio::time::Instant;

/// It is over when a connection is accepted after this much time without a failure. Accepting a connection is not enough,
/// because each one that closes makes room for another.
const CALM: Duration = Duration::from_secs(1);

/// Whether connections can be accepted. All workers share it.
#[derive(Debug)]
pub struct Exhaustion {
    since: Instant,
    /// The milliseconds from `since` to the last failure, plus one; 0 while there is none.
    failed_at: AtomicU64,
}

impl Default for Exhaustion {
    fn default() -> Self {
        Self { since: Instant::now(), failed_at: AtomicU64::new(0) }
    }
}

/// A change of state.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Transition {
    /// Something has run out.
    Exhausted,
    /// It is over.
    Recovered,
}

impl Exhaustion {
    /// Whether the error means that the system has nothing left for a connection.
    pub fn is_cause_of(error: &io::Error) -> bool {
        Self::is_out_of_descriptors(error) || matches!(errno(error), Some(Errno::ENOBUFS | Errno::ENOMEM))
    }

    /// Whether the error means that the process or the system has no descriptors left.
    pub fn is_out_of_descriptors(error: &io::Error) -> bool {
        matches!(errno(error), Some(Errno::EMFILE | Errno::ENFILE))
    }

    /// Whether an error of `accept` concerns only one connection. That connection is gone, and the next one can be
    /// accepted at once. After any other error, the next attempt would fail as well. Linux also returns errors that are
    /// pending on the new connection (accept(2)).
    pub fn affects_one_connection(error: &io::Error) -> bool {
        matches!(
            errno(error),
            Some(
                Errno::ECONNABORTED
                    | Errno::ECONNRESET
                    | Errno::EINTR
                    | Errno::EPERM
                    | Errno::EPROTO
                    | Errno::ENOPROTOOPT
                    | Errno::EOPNOTSUPP
                    | Errno::ENETDOWN
                    | Errno::ENETUNREACH
                    | Errno::EHOSTDOWN
                    | Errno::EHOSTUNREACH
                    | Errno::ETIMEDOUT
            )
        )
    }

    /// Notes that there was nothing left for a connection. Returns the change, if this is one.
    pub fn failed(&self) -> Option<Transition> {
        (self.failed_at.swap(self.now(), Ordering::Relaxed) == 0).then_some(Transition::Exhausted)
    }

    /// Notes that a connection was accepted. Returns the change, if this is one.
    pub fn accepted(&self) -> Option<Transition> {
        let failed_at = self.failed_at.load(Ordering::Relaxed);
        if failed_at == 0 || u128::from(self.now().saturating_sub(failed_at)) < CALM.as_millis() {
            return None;
        }
        let first = self.failed_at.compare_exchange(failed_at, 0, Ordering::Relaxed, Ordering::Relaxed).is_ok();
        first.then_some(Transition::Recovered)
    }

    fn now(&self) -> u64 {
        u64::try_from(self.since.elapsed().as_millis()).unwrap_or(u64::MAX).saturating_add(1)
    }
}

fn errno(error: &io::Error) -> Option<Errno> {
    error.raw_os_error().map(Errno::from_raw)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn each_change_is_returned_once() {
        let exhaustion = Exhaustion::default();
        assert_eq!(exhaustion.accepted(), None);
        for _ in 0..2 {
            assert_eq!(exhaustion.failed(), Some(Transition::Exhausted));
            for _ in 0..3 {
                // One connection closes, one is accepted.
                tokio::time::advance(CALM / 2).await;
                assert_eq!((exhaustion.accepted(), exhaustion.failed()), (None, None));
            }
            tokio::time::advance(CALM).await;
            assert_eq!((exhaustion.accepted(), exhaustion.accepted()), (Some(Transition::Recovered), None));
        }
    }

    #[test]
    fn errors_are_classified() {
        for (errno, exhausted, of_descriptors, of_one) in [
            (Errno::EMFILE, true, true, false),
            (Errno::ENFILE, true, true, false),
            (Errno::ENOMEM, true, false, false),
            (Errno::ECONNABORTED, false, false, true),
            (Errno::EPERM, false, false, true),
            (Errno::EBADF, false, false, false),
            (Errno::EINVAL, false, false, false),
        ] {
            let error = io::Error::from_raw_os_error(errno as i32);
            assert_eq!(Exhaustion::is_cause_of(&error), exhausted, "{errno}");
            assert_eq!(Exhaustion::is_out_of_descriptors(&error), of_descriptors, "{errno}");
            assert_eq!(Exhaustion::affects_one_connection(&error), of_one, "{errno}");
        }
    }
}
