use std::net::Ipv4Addr;

use ipnet::Ipv4Net;

use super::{NoPlaceLeft, places::Places};

/// The addresses of an IPv4 network, assigned to keys. The [module](super) has an example.
///
/// The address of the network and its broadcast address are left out, unless it has only one or two addresses
/// (RFC 3021).
#[derive(Debug, Clone)]
pub struct AddressPool {
    /// The first usable address.
    first: u32,
    places: Places,
    reserved: Vec<Ipv4Addr>,
}

impl AddressPool {
    /// Creates a pool of the usable addresses of `network`. Pools with different seeds assign different addresses.
    pub fn new(network: Ipv4Net, seed: impl AsRef<[u8]>) -> Self {
        let first = network.hosts().next().unwrap_or_else(|| network.network()).to_bits();
        let count = match 32 - network.prefix_len() {
            bits @ (0 | 1) => 1 << bits,
            bits => (u32::MAX >> (32 - bits)) - 1,
        };
        Self { first, places: Places::new(count, seed.as_ref()), reserved: Vec::new() }
    }

    /// Never assigns these addresses.
    #[must_use]
    pub fn reserve(mut self, addresses: impl IntoIterator<Item = Ipv4Addr>) -> Self {
        self.reserved.extend(addresses);
        self
    }

    /// Returns the address of a key. If it has none, assigns one.
    ///
    /// # Errors
    ///
    /// If all addresses are assigned or reserved.
    pub fn assign(&mut self, key: &str) -> Result<Ipv4Addr, NoPlaceLeft> {
        self.assign_where(key, |_| true)
    }

    /// Returns the address of a key. If it has none, assigns one for which `is_free` returns true. `is_free` is called with
    /// one address after another, possibly with all of the network.
    ///
    /// # Errors
    ///
    /// If all addresses are assigned, reserved or not free.
    pub fn assign_where(
        &mut self,
        key: &str,
        mut is_free: impl FnMut(Ipv4Addr) -> bool,
    ) -> Result<Ipv4Addr, NoPlaceLeft> {
        let Self { first, places, reserved } = self;
        let place = places.assign(key, |place| {
            let address = address(*first, place);
            !reserved.contains(&address) && is_free(address)
        })?;
        Ok(address(*first, place))
    }

    /// Frees the address of a key, so that another key can get it. Returns the address, if the key had one.
    pub fn release(&mut self, key: &str) -> Option<Ipv4Addr> {
        self.places.release(key).map(|place| address(self.first, place))
    }

    /// The address of a key.
    pub fn get(&self, key: &str) -> Option<Ipv4Addr> {
        self.places.get(key).map(|place| address(self.first, place))
    }

    /// The number of assigned addresses.
    pub fn len(&self) -> usize {
        self.places.len()
    }

    /// Whether no address is assigned.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The number of usable addresses, including reserved ones.
    pub fn capacity(&self) -> u32 {
        self.places.capacity()
    }

    /// The keys with their addresses, in any order.
    pub fn iter(&self) -> impl Iterator<Item = (&str, Ipv4Addr)> {
        self.places.iter().map(|(key, place)| (key, address(self.first, place)))
    }
}

fn address(first: u32, place: u32) -> Ipv4Addr {
    Ipv4Addr::from_bits(first.wrapping_add(place))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn networks_can_have_any_size() {
        for (network, capacity, first, last) in [
            ("10.0.0.7/32", 1, "10.0.0.7", "10.0.0.7"),
            ("10.0.0.6/31", 2, "10.0.0.6", "10.0.0.7"),
            ("10.0.0.4/30", 2, "10.0.0.5", "10.0.0.6"),
            ("10.0.0.0/29", 6, "10.0.0.1", "10.0.0.6"),
            ("127.1.0.0/16", 65_534, "127.1.0.1", "127.1.255.254"),
            ("0.0.0.0/0", u32::MAX - 1, "0.0.0.1", "255.255.255.254"),
        ] {
            let pool = AddressPool::new(network.parse().unwrap(), "");
            assert_eq!(pool.capacity(), capacity, "{network}");
            let [first, last] = [first, last].map(|text| text.parse::<Ipv4Addr>().unwrap());
            assert_eq!([0, capacity - 1].map(|place| address(pool.first, place)), [first, last], "{network}");
        }
    }

    #[test]
    fn reserved_addresses_are_never_assigned() {
        let reserved = [Ipv4Addr::new(10, 0, 0, 1), Ipv4Addr::new(10, 0, 0, 6)];
        let mut pool = AddressPool::new("10.0.0.0/29".parse().unwrap(), "").reserve(reserved);
        let assigned: Vec<_> = (0..4).map(|key: u8| pool.assign(&key.to_string()).unwrap()).collect();
        assert!(reserved.iter().all(|address| !assigned.contains(address)));
        assert!(pool.assign("more").is_err());
        assert_eq!((pool.len(), pool.iter().count(), pool.is_empty()), (4, 4, false));
        assert_eq!(pool.release("0"), Some(assigned[0]));
        assert_eq!((pool.get("0"), pool.release("0")), (None, None));
    }

    #[test]
    fn different_seeds_assign_different_addresses() {
        let [one, other] =
            ["one", "other"].map(|seed| AddressPool::new("127.1.0.0/16".parse().unwrap(), seed).assign("web").unwrap());
        assert_ne!(one, other);
    }
}
