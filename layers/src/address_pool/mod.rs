//! Assigns stable addresses or ports to keys, such as the names of local programs.
//!
//! Each program on an address of its own in 127.0.0.0/8 can listen on the same port, and no two can collide. The place of a
//! key comes from a hash of a seed and the key: the same on each start, on each machine and in each version of this crate,
//! unless another key has taken it before.
//!
//! ```
//! use std::net::{Ipv4Addr, TcpListener};
//! use pmesh_layers::address_pool::AddressPool;
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let mut pool = AddressPool::new("127.1.0.0/16".parse()?, "/home/alice/.app");
//! let web = pool.assign("web-1")?;
//! assert_eq!(pool.assign("web-1")?, web);
//! assert_ne!(pool.assign("web-2")?, web);
//!
//! // Skips addresses on which another program listens.
//! let is_free = |address: Ipv4Addr| TcpListener::bind((address, 8080)).is_ok();
//! let worker = pool.assign_where("worker", is_free)?;
//! assert_eq!(pool.get("worker"), Some(worker));
//!
//! // The address is free for others, but the key gets it back if no other has taken it.
//! pool.release("web-1");
//! assert_eq!(pool.assign("web-1")?, web);
//! # Ok(())
//! # }
//! ```
//!
//! # The hash
//!
//! The place is `H mod N` in a pool of `N` usable addresses, in order. `H` is the 64-bit FNV-1a hash of the bytes of the
//! seed, a zero byte and the bytes of the key, mixed by the finalizer of MurmurHash3. If that place is taken, the next one
//! follows, and after the last one the first.

mod addresses;
mod places;
mod ports;

pub use addresses::AddressPool;
pub use places::NoPlaceLeft;
pub use ports::PortPool;
