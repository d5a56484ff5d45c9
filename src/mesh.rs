//! Other nodes: who they are, where, and what they serve.
//!
//! - [`Announcement`] is what a node says of itself, and [`Seal`] keeps it from being forged;
//! - [`Registry`] exchanges announcements through key-value buckets of NATS, on a thread of its own;
//! - [`Api`] is what a node tells others of itself, a [`NodeClient`] asks for it, and a [`Prober`] does so for as long as
//!   the program runs;
//! - [`Peers`] is the table of all nodes that are known, from there and from the settings. It is replaced as a whole, so
//!   that who serves a request looks things up without a lock.

mod announcement;
mod api;
mod client;
mod health;
mod identity;
mod peers;
mod prober;
mod registry;
mod seal;

pub use self::{
    announcement::{Announcement, Instance, InvalidInstance, Served},
    api::{
        API_HOST, About, Answer, Api, CountersReport, HealthReport, ListenerReport, NodeReport, PeerReport,
        PeersReport, RegistryReport, Route,
    },
    client::{AskError, NodeClient},
    health::{Health, State},
    identity::{NodeIdentityError, identity, keep_valid},
    peers::{Peer, Peers, Source, Table},
    prober::Prober,
    registry::{Registry, RegistryOptions, RegistryStatus, RegistryView, Renewal, Timing},
    seal::{Seal, SealError},
};
