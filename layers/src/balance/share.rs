use std::time::Duration;

/// Number of endpoints whose connections may time out before a request gives up.
pub(super) const SHARES: u32 = 4;

/// One endpoint's share of the time that a request may wait for connections.
///
/// It is an equal share of `total`, but at least a quarter. Since [`Balance`](super::Balance) gives up after four
/// endpoints whose connection timed out, a request waits for `total` at most.
///
/// ```
/// use std::time::Duration;
/// use pmesh_layers::balance::connect_share;
///
/// let share = |endpoints| connect_share(Duration::from_secs(4), endpoints).as_secs();
/// assert_eq!([share(1), share(2), share(4), share(100)], [4, 2, 1, 1]);
/// ```
pub fn connect_share(total: Duration, endpoints: usize) -> Duration {
    total / u32::try_from(endpoints).unwrap_or(SHARES).clamp(1, SHARES)
}
