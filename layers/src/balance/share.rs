use std::time::Duration;

/// After so many endpoints that connections time out to, a request goes to no other.
pub(super) const SHARES: u32 = 4;

/// How long a request may wait for a connection to each of so many endpoints, so that it waits for `total` in all: an
/// equal share, and a quarter at least. After four endpoints without a connection in time, [`Balance`](super::Balance)
/// tries no other.
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
