//! Stops a service without requests.

use tokio::time::Instant;

use super::{service::Managed, target::Mode, world::World};

impl Managed {
    /// When to look next for requests.
    pub(super) fn idle_deadline(&self) -> Option<Instant> {
        (self.mode == Mode::Running && self.target.definition.idle_stop.is_some()).then_some(self.activity.next_look())
    }

    /// Stops the service if it has had no requests for long enough.
    pub(super) fn check_idle(&mut self, now: Instant, world: &mut dyn World) {
        let Some(limit) = self.target.definition.idle_stop.filter(|_| self.mode == Mode::Running) else { return };
        if !self.activity.is_due(now, limit) {
            return;
        }
        let uses: Vec<_> = self.configured.1.slots.iter().map(|slot| world.traffic(&slot.instance)).collect();
        let requests = uses.iter().map(|of| of.requests).sum();
        let is_used = uses.iter().any(|of| of.in_use > 0) || self.configured.1.readiness.waiting() > 0;
        let is_busy = is_used || !self.is_settled();
        if self.activity.note(is_busy, requests, now) >= limit {
            tracing::info!(
                "service {} has had no requests for {}; stopping it until the next one",
                self.name,
                humantime::format_duration(limit)
            );
            self.rest(Mode::Idle);
            self.show_readiness();
            world.await_request(&self.name, &self.configured.1.readiness);
        }
    }

    /// A request waits for it.
    pub(super) fn wake(&mut self, now: Instant) {
        if self.mode == Mode::Idle {
            tracing::info!("service {} is being started for a request", self.name);
            self.run(now);
        }
    }
}
