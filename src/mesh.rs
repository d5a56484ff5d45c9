//! Other nodes: who they are, where, and what they serve.
//!
//! - [`Announcement`] is what a node says of itself, and [`Seal`] keeps it from being forged;
//! - [`Registry`] exchanges announcements through key-value buckets of NATS, on a thread of its own;
//! - [`Peers`] is the table of all nodes that are known, from there and from the settings. It is replaced as a whole, so
//!   that who serves a request looks things up without a lock.

mod announcement;
mod api;
mod health;
mod peers;
mod registry;
mod seal;

pub use self::{
    announcement::{Announcement, Instance, InvalidInstance, Served},
    api::{API_HOST, Api},
    health::{Health, State},
    peers::{Peer, Peers, Source, Table},
    registry::{Registry, RegistryOptions, RegistryStatus, Timing},
    seal::{Seal, SealError},
};
