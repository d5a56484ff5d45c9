//! Control over a connection from outside its task.

use std::{
    sync::{Arc, Weak},
    task::Waker,
    time::Duration,
};

use futures_util::task::AtomicWaker;

use super::{
    orders::{OrderSet, Orders},
    traffic::{Phase, Traffic},
};

/// A handle to control a client connection: open its gate, end it in silence, or drain it.
///
/// Clones control the same connection.
#[derive(Debug, Clone)]
pub struct Control(Arc<SharedRecord>);

/// Shared by the connection's task and all holders of its control.
#[derive(Debug)]
struct SharedRecord {
    orders: Orders,
    traffic: Traffic,
    /// The task that drives the connection.
    driver: AtomicWaker,
}

impl Control {
    /// Creates a handle for a connection that has not named a served host yet.
    pub fn closed() -> Self {
        Self::new(Orders::default())
    }

    /// Creates a handle for a connection whose gate is open from the start, for example because its SNI named a served
    /// host.
    pub fn open() -> Self {
        let orders = Orders::default();
        orders.open();
        Self::new(orders)
    }

    fn new(orders: Orders) -> Self {
        Self(Arc::new(SharedRecord { orders, traffic: Traffic::new(), driver: AtomicWaker::new() }))
    }

    /// Opens the gate: the client receives the bytes held back so far, and all later ones. Has no effect after
    /// [`silence`](Self::silence).
    pub fn open_gate(&self) {
        if self.0.orders.open() {
            self.0.driver.wake();
        }
    }

    /// Ends the connection without another byte.
    pub fn silence(&self) {
        self.0.orders.silence();
        self.0.driver.wake();
    }

    /// Drains the connection: it accepts no further request, and ends once the requests in flight have finished.
    pub fn drain(&self) {
        self.0.orders.drain();
        self.0.driver.wake();
    }

    /// Whether the gate is open. `false` once the connection has been silenced.
    pub fn is_open(&self) -> bool {
        self.orders().is_open()
    }

    /// Whether the connection must end without another byte.
    pub fn is_silenced(&self) -> bool {
        self.orders().is_silenced()
    }

    /// Whether the connection must accept no further request.
    pub fn is_draining(&self) -> bool {
        self.orders().is_draining()
    }

    /// How long the connection has been idle, or has waited for its first request. `None` if it is doing anything else,
    /// if its gate is closed, or if it is about to end.
    ///
    /// A request that has just arrived may not be counted yet; [`drain`](Self::drain) lets it finish.
    pub fn idle_for(&self) -> Option<Duration> {
        let orders = self.orders();
        let waits = self.0.traffic.phase() == Phase::Idle && orders.is_open() && !orders.is_draining();
        waits.then(|| self.0.traffic.idle_for()).flatten()
    }

    /// Returns a handle that does not keep the state of the connection alive. The state is dropped with the connection
    /// and the last of its requests and tunnels.
    pub fn downgrade(&self) -> WeakControl {
        WeakControl(Arc::downgrade(&self.0))
    }

    /// Notes that the connection has to make room for others. This alone does not close it.
    pub fn mark_crowded_out(&self) {
        self.0.orders.crowd_out();
    }

    /// Whether the connection had to make room for others and has not named a served host.
    pub fn was_crowded_out(&self) -> bool {
        self.orders().is_crowded_out()
    }

    /// Drains the connection, and leaves one request without a response.
    pub(super) fn refuse(&self) {
        self.0.orders.refuse();
        self.0.driver.wake();
    }

    /// Notes that the client has kept the server busy for nothing.
    pub(crate) fn mark_flooded(&self) {
        self.0.orders.mark_flooded();
    }

    /// Notes that the gate holds bytes to send once it opens.
    pub(crate) fn mark_bytes_held(&self) {
        if self.0.orders.mark_bytes_held() {
            self.0.driver.wake();
        }
    }

    /// The orders that the connection has received so far.
    pub(crate) fn orders(&self) -> OrderSet {
        self.0.orders.given()
    }

    /// The traffic on the connection.
    pub(crate) fn traffic(&self) -> &Traffic {
        &self.0.traffic
    }

    /// Sets the task that drives the connection.
    pub(crate) fn register_driver(&self, waker: &Waker) {
        self.0.driver.register(waker);
    }

    /// Forgets the connection's task, for when it will be woken anyway and there is no hurry.
    pub(crate) fn unregister_driver(&self) {
        self.0.driver.take();
    }

    /// Wakes the connection's task.
    pub(crate) fn wake_driver(&self) {
        self.0.driver.wake();
    }
}

/// A [`Control`] that does not keep the state of its connection alive.
#[derive(Debug, Clone)]
pub struct WeakControl(Weak<SharedRecord>);

impl WeakControl {
    /// Returns the control, unless the connection and all its requests and tunnels are gone.
    pub fn upgrade(&self) -> Option<Control> {
        self.0.upgrade().map(Control)
    }

    /// Whether the connection, or one of its requests or tunnels, still exists.
    pub fn is_alive(&self) -> bool {
        self.0.strong_count() > 0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_record_is_small() {
        // Each connection has one, even while it waits. With the two counts of an `Arc`, the allocator uses 112 bytes.
        assert!(size_of::<SharedRecord>() <= 96, "{}", size_of::<SharedRecord>());
    }
}
