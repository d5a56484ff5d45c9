//! A worker: a thread with a runtime, listening sockets, a stack and connection pools of its own.
//!
//! A [`WorkerHandle`] is what the control thread has of it. On its thread it accepts connections at each [`Socket`], and
//! serves them.

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
