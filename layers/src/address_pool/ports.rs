use std::ops::RangeInclusive;

use super::{NoPlaceLeft, places::Places};

/// Ports assigned to keys, like the addresses of an [`AddressPool`](super::AddressPool).
///
/// ```
/// use pmesh_layers::address_pool::PortPool;
///
/// // Below the ports that Linux gives to outgoing connections.
/// let mut pool = PortPool::new(20_000..=29_999, "/home/alice/.app");
/// let web = pool.assign_where("web-1", |port| port != 25_000)?;
/// assert_eq!(pool.get("web-1"), Some(web));
/// # Ok::<_, pmesh_layers::address_pool::NoPlaceLeft>(())
/// ```
#[derive(Debug, Clone)]
pub struct PortPool {
    first: u16,
    places: Places,
}

impl PortPool {
    /// Creates a pool of these ports. Pools with different seeds assign different ports.
    pub fn new(ports: RangeInclusive<u16>, seed: impl AsRef<[u8]>) -> Self {
        let count = u32::try_from(ports.len()).unwrap_or_default();
        Self { first: *ports.start(), places: Places::new(count, seed.as_ref()) }
    }

    /// Returns the port of a key. If it has none, assigns one for which `is_free` returns true. `is_free` is called with one
    /// port after another, possibly with all of them.
    ///
    /// # Errors
    ///
    /// If all ports are assigned or not free.
    pub fn assign_where(&mut self, key: &str, mut is_free: impl FnMut(u16) -> bool) -> Result<u16, NoPlaceLeft> {
        let first = self.first;
        self.places.assign(key, |place| is_free(port(first, place))).map(|place| port(first, place))
    }

    /// Frees the port of a key, so that another key can get it. Returns the port, if the key had one.
    pub fn release(&mut self, key: &str) -> Option<u16> {
        self.places.release(key).map(|place| port(self.first, place))
    }

    /// The port of a key.
    pub fn get(&self, key: &str) -> Option<u16> {
        self.places.get(key).map(|place| port(self.first, place))
    }

    /// The number of assigned ports.
    pub fn len(&self) -> usize {
        self.places.len()
    }

    /// Whether no port is assigned.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The keys with their ports, in any order.
    pub fn iter(&self) -> impl Iterator<Item = (&str, u16)> {
        self.places.iter().map(|(key, place)| (key, port(self.first, place)))
    }
}

fn port(first: u16, place: u32) -> u16 {
    first.wrapping_add(u16::try_from(place).unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_ports_of_the_range_are_assigned() {
        let mut pool = PortPool::new(65_533..=65_535, "");
        assert!(pool.is_empty());
        let mut ports: Vec<_> = (0..3).map(|key: u8| pool.assign_where(&key.to_string(), |_| true).unwrap()).collect();
        let first = ports[0];
        ports.sort_unstable();
        assert_eq!((ports, pool.len()), (vec![65_533, 65_534, 65_535], 3));
        assert!(pool.assign_where("more", |_| true).is_err());
        assert_eq!(pool.release("0"), Some(first));
        assert_eq!(pool.get("0"), None);
    }
}
