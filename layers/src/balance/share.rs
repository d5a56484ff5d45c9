use std::time::Duration;

/// Number of endpoints whose connections can time out before a request fails.
pub(super) const SHARES: u32 = 4;

/// Returns one endpoint's share of `total`, the time that a request may wait for connections.
///
/// All endpoints get an equal share, but at least a quarter of `total`. A request never waits longer than `total`,
/// because [`Balance`](super::Balance) gives up once connections to four endpoints have timed out.
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
