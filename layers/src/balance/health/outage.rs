use std::{collections::hash_map::RandomState, hash::BuildHasher, sync::Arc, time::Duration};

use super::{HealthState, LastFailure, Mark, Outage, reconnect::Reconnect};

/// The back-off after the first failure. Each further failure doubles it.
pub(super) const FIRST_BACKOFF: Duration = Duration::from_secs(1);
pub(super) const MAX_BACKOFF: Duration = Duration::from_secs(30);
/// How long a lease without an outcome prevents another one.
pub(super) const LEASE: Duration = Duration::from_secs(60);

/// What triggers a test of a failed endpoint.
#[derive(Debug, Clone, Copy)]
pub(in crate::balance) enum TestTrigger {
    /// No other endpoint is left, and connections to this one time out: its recovery must be noticed soon.
    LastResort,
    /// A request that can be sent elsewhere on failure.
    Repeatable,
    /// A request that would be lost on failure. It is used only if no other request has tested the endpoint within
    /// twice the back-off.
    Unrepeatable,
}

/// Returns the back-off after this many failures, with up to a quarter taken off at random.
pub(super) fn backoff(failures: u32, jitter: &RandomState) -> Duration {
    let backoff = FIRST_BACKOFF.saturating_mul(1 << failures.saturating_sub(1).min(5)).min(MAX_BACKOFF);
    let random = u32::try_from(jitter.hash_one(failures) % 1024).unwrap_or_default();
    backoff - backoff / 4 * random / 1024
}

pub(super) fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

/// The known state of an endpoint. Times are in milliseconds since its health was created.
#[derive(Debug, Default)]
pub(super) struct Known {
    outage: Option<Ongoing>,
    /// When the outage began, or the last one ended.
    changed_at: u64,
    last: Option<(Arc<str>, u64)>,
    /// The number of leases so far.
    leases: u64,
}

#[derive(Debug)]
struct Ongoing {
    /// When it last failed or was postponed.
    backing_off_since: u64,
    /// How many trials since the last failure have taken too long.
    postponed: u32,
    backoff: u64,
    /// The number of the lease, and when another one can be given out.
    lease: Option<(u64, u64)>,
    /// Set if the endpoint could not be reached.
    reconnect: Option<Reconnect>,
}

impl Known {
    pub(super) fn state(&self, now: u64, mark: Mark) -> HealthState {
        let since = |then: u64| Duration::from_millis(now.saturating_sub(then));
        HealthState {
            outage: self.outage.as_ref().map(|outage| Outage {
                failures: mark.failures(),
                backoff_left: Duration::from_millis((outage.backing_off_since + outage.backoff).saturating_sub(now)),
                is_being_tested: outage.lease_at(now).is_some(),
            }),
            is_drained: mark.is_drained(),
            unchanged_for: since(self.changed_at),
            last_failure: self
                .last
                .as_ref()
                .map(|(error, at)| LastFailure { error: Arc::clone(error), ago: since(*at) }),
        }
    }

    /// When the next lease can be given out, for each of [`TestTrigger`].
    pub(super) fn quiet_until(&self, now: u64) -> [u64; 3] {
        self.outage.as_ref().map_or([u64::MAX; 3], |outage| outage.quiet_until(now))
    }

    /// Returns the number of a new lease, if it is time for one.
    pub(super) fn lease(&mut self, trigger: TestTrigger, now: u64) -> Option<u64> {
        let outage = self.outage.as_mut().filter(|outage| now >= outage.quiet_until(now)[trigger as usize])?;
        self.leases += 1;
        outage.lease = Some((self.leases, now + millis(LEASE)));
        Some(self.leases)
    }

    /// Whether this lease is the current one.
    pub(super) fn is_leased(&self, number: u64) -> bool {
        self.outage.as_ref().and_then(|outage| outage.lease).is_some_and(|(current, _)| current == number)
    }

    /// Ends a lease without an outcome, if it is the current one.
    pub(super) fn give_up(&mut self, number: u64) -> bool {
        let is_leased = self.is_leased(number);
        if let Some(outage) = self.outage.as_mut().filter(|_| is_leased) {
            outage.lease = None;
        }
        is_leased
    }

    /// Starts another back-off, which `backoff` computes from the number of postponements.
    pub(super) fn postpone(&mut self, now: u64, backoff: impl FnOnce(u32) -> Duration) {
        if let Some(outage) = &mut self.outage {
            outage.postponed += 1;
            (outage.backing_off_since, outage.backoff) = (now, millis(backoff(outage.postponed)));
        }
    }

    pub(super) fn reconnect(&self) -> Option<Reconnect> {
        self.outage.as_ref()?.reconnect.clone()
    }

    pub(super) fn take_reconnect(&mut self) -> Option<Reconnect> {
        self.outage.as_mut()?.reconnect.take()
    }

    /// Whether a failure under `lease`, or without one, counts.
    pub(super) fn counts_failure(&self, lease: Option<u64>, now: u64) -> bool {
        let Some(outage) = &self.outage else { return true };
        match outage.lease_at(now) {
            Some(current) => lease == Some(current),
            None => lease.is_some() || now >= outage.backing_off_since + outage.backoff,
        }
    }

    /// Returns a value to drop outside the lock.
    pub(super) fn fail(
        &mut self,
        now: u64,
        error: Arc<str>,
        backoff: Duration,
        reconnect: Option<Reconnect>,
    ) -> Option<Reconnect> {
        self.last = Some((error, now));
        let ongoing =
            Ongoing { backing_off_since: now, postponed: 0, backoff: millis(backoff), lease: None, reconnect };
        match self.outage.replace(ongoing) {
            Some(old) => old.reconnect,
            None => {
                self.changed_at = now;
                None
            }
        }
    }

    /// Returns how long the outage lasted, and a value to drop outside the lock.
    pub(super) fn recover(&mut self, now: u64) -> (Duration, Option<Reconnect>) {
        let began = std::mem::replace(&mut self.changed_at, now);
        let reconnect = self.outage.take().and_then(|outage| outage.reconnect);
        (Duration::from_millis(now.saturating_sub(began)), reconnect)
    }
}

impl Ongoing {
    /// The number of the lease that is still valid.
    fn lease_at(&self, now: u64) -> Option<u64> {
        self.lease.filter(|(_, until)| now < *until).map(|(number, _)| number)
    }

    fn quiet_until(&self, now: u64) -> [u64; 3] {
        let due = self.backing_off_since + self.backoff;
        match self.lease {
            Some((_, until)) if now < until => [until; 3],
            // A background connection puts no request at risk.
            _ if self.reconnect.is_some() => [self.backing_off_since + millis(FIRST_BACKOFF), due, due],
            _ => [u64::MAX, due, due + self.backoff],
        }
    }
}
