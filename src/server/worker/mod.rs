//! A worker: a thread with its own runtime, listening sockets, stacks and connection pools.
//!
//! The control thread talks to it through a [`WorkerHandle`]. The worker accepts connections on each [`Socket`] it
//! gets, and serves them.

mod accept;
mod connection;
mod handle;
mod listener;
mod run;
mod socket;
mod stacks;
mod state;

pub use self::{
    handle::{Swap, WorkerHandle},
    socket::Socket,
};
