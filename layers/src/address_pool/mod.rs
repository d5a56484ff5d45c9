//! Assigns stable addresses or ports to keys, such as the names of local programs.
//!
//! Programs that each have an address of their own in 127.0.0.0/8 can all listen on the same port without colliding. The
//! place of a key comes from a hash of a seed and the key, so it is the same at every start, on every machine and in every
//! version of this crate, unless another key has taken it first.
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
//! // Another key can get the address now. As none has, this key gets it back.
//! pool.release("web-1");
//! assert_eq!(pool.assign("web-1")?, web);
//! # Ok(())
//! # }
//! ```
//!
//! # The hash
//!
//! The place is `H mod N` in a pool of `N` usable addresses, in order. `H` is the 64-bit FNV-1a hash of the bytes of the
//! seed, a zero byte and the bytes of the key, mixed by the finalizer of MurmurHash3. If that place is taken, the next
//! one is tried, and after the last one the first.

mod addresses;
mod places;
mod ports;

pub use addresses::AddressPool;
pub use places::NoPlaceLeft;
pub use ports::PortPool;
