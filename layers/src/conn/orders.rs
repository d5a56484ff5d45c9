//! Orders to a connection, from its service or from the server as a whole.

use std::sync::atomic::{AtomicU8, Ordering};

/// Flags that anyone can set and nobody can clear.
#[derive(Debug, Default)]
pub(super) struct Orders(AtomicU8);

/// The flags at one moment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct OrderSet(u8);

/// The client has named a served host.
const OPENED: u8 = 1;
/// Send no further byte. Overrides `OPENED`.
const SILENCED: u8 = 1 << 1;
/// The gate holds bytes back.
const HOLDING: u8 = 1 << 2;
/// Accept no further request.
const DRAINING: u8 = 1 << 3;
/// A request gets no response: the connection ends once the other requests have finished.
const REFUSED: u8 = 1 << 4;
/// The connection has to make room for others.
const CROWDED_OUT: u8 = 1 << 5;
/// The client has kept the server busy for nothing.
const FLOODED: u8 = 1 << 6;

impl Orders {
    /// Opens the gate. Returns whether it held bytes back until now.
    pub(super) fn open(&self) -> bool {
        // Runs for each request of a connection, so it avoids the write.
        if self.given().has(OPENED) {
            return false;
        }
        let before = self.set(OPENED);
        !before.has(OPENED) && !before.has(SILENCED) && before.has(HOLDING)
    }

    pub(super) fn silence(&self) {
        self.set(SILENCED);
    }

    pub(super) fn drain(&self) {
        self.set(DRAINING);
    }

    /// Also drains.
    pub(super) fn refuse(&self) {
        self.set(REFUSED | DRAINING);
    }

    pub(super) fn crowd_out(&self) {
        self.set(CROWDED_OUT);
    }

    pub(super) fn mark_flooded(&self) {
        self.set(FLOODED);
    }

    /// Notes that the gate holds bytes back. Returns whether it has been opened in the meantime.
    pub(super) fn mark_bytes_held(&self) -> bool {
        self.set(HOLDING).has(OPENED)
    }

    pub(super) fn given(&self) -> OrderSet {
        OrderSet(self.0.load(Ordering::Acquire))
    }

    /// Sets flags, and returns the flags from before.
    fn set(&self, flags: u8) -> OrderSet {
        OrderSet(self.0.fetch_or(flags, Ordering::AcqRel))
    }
}

impl OrderSet {
    fn has(self, flag: u8) -> bool {
        self.0 & flag != 0
    }

    /// Whether the gate is open. `false` once the connection has been silenced.
    pub(crate) fn is_open(self) -> bool {
        self.0 & (OPENED | SILENCED) == OPENED
    }

    /// Whether the connection must end without another byte.
    pub(crate) fn is_silenced(self) -> bool {
        self.has(SILENCED)
    }

    /// Whether the connection must accept no further request.
    pub(crate) fn is_draining(self) -> bool {
        self.has(DRAINING)
    }

    /// Whether the connection will end because a request was refused. Others may still be in flight.
    pub(crate) fn is_refused(self) -> bool {
        self.has(REFUSED)
    }

    /// Whether the connection had to make room for others and has not named a served host.
    pub(super) fn is_crowded_out(self) -> bool {
        self.has(CROWDED_OUT) && !self.is_open()
    }

    /// Whether the client has kept the server busy for nothing.
    pub(crate) fn is_flooded(self) -> bool {
        self.has(FLOODED)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    type Order = fn(&Orders);

    const ALL: [Order; 7] = [
        |orders| _ = orders.open(),
        Orders::silence,
        Orders::drain,
        Orders::refuse,
        Orders::crowd_out,
        Orders::mark_flooded,
        |orders| _ = orders.mark_bytes_held(),
    ];
    const OPEN: Order = ALL[0];

    /// All sequences of four orders.
    fn sequences() -> impl Iterator<Item = Vec<Order>> {
        let count = ALL.len();
        (0..count.pow(4)).map(move |number| (0..4).map(|place| ALL[number / count.pow(place) % count]).collect())
    }

    #[test]
    fn orders_are_never_taken_back_and_silence_is_final() {
        for sequence in sequences() {
            let (orders, mut before) = (Orders::default(), OrderSet(0));
            for order in sequence {
                order(&orders);
                let given = orders.given();
                assert_eq!(given.0 & before.0, before.0);
                assert!(!(given.is_open() && given.is_silenced()));
                assert!(!given.is_refused() || given.is_draining());
                if before.is_silenced() {
                    assert!(given.is_silenced() && !given.is_open());
                }
                before = given;
            }
        }
    }

    #[test]
    fn only_open_opens_the_gate() {
        for sequence in sequences() {
            let orders = Orders::default();
            let others = sequence.iter().filter(|order| !std::ptr::fn_addr_eq(**order, OPEN));
            others.for_each(|order| order(&orders));
            assert!(!orders.given().is_open());
        }
    }

    #[test]
    fn held_bytes_are_reported_once_when_the_gate_opens() {
        let orders = Orders::default();
        assert!(!orders.mark_bytes_held());
        assert!(orders.open());
        assert!(!orders.open());
        assert!(orders.mark_bytes_held(), "it was opened before");
        let orders = Orders::default();
        orders.mark_bytes_held();
        orders.silence();
        assert!(!orders.open());
    }
}
