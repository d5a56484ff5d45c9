//! Other nodes: their names, their addresses, and what they serve.
//!
//! - [`Announcement`] is a node's description of itself; a [`Seal`] keeps others from forging it.
//! - [`Registry`] exchanges announcements through a key-value bucket in NATS, on a thread of its own.
//! - [`Api`] reports on a node to other nodes. [`NodeClient`] queries it, and [`Prober`] does so regularly.
//! - [`Peers`] holds all known nodes, from these sources and from the settings. Their [`Table`] is replaced as a whole,
//!   so requests look up nodes without a lock.
//! - [`Linker`] holds the connections of a worker to other nodes.
//! - [`PassedLayer`] stops requests that go in circles between nodes.
//! - [`identity()`] builds this node's identity, and [`Clocks`] warns about nodes whose clocks are wrong.

mod announcement;
mod api;
mod client;
mod clocks;
mod dialer;
mod health;
mod identity;
mod jitter;
mod link;
mod linker;
mod passed;
mod peer;
mod peers;
mod prober;
mod registry;
mod seal;
mod table;

pub(crate) use self::api::Json;
pub use self::{
    announcement::{Announcement, Instance, InvalidInstance, Served},
    api::{
        About, Answer, Api, CountersReport, HealthReport, ListenerReport, NodeReport, PeerReport, PeersReport,
        RegistryReport, Route,
    },
    client::{NodeClient, NodeClientError},
    clocks::Clocks,
    dialer::Dialer,
    health::{Health, State},
    identity::{IdentityWatch, NodeIdentityError, identity},
    link::Link,
    linker::Linker,
    passed::{HEADER_PREFIX, Passed, PassedLayer, RoutingLoop, THROUGH},
    peer::{Peer, Source},
    peers::Peers,
    prober::Prober,
    registry::{Registry, RegistryOptions, RegistryStatus, RegistryView, Renewal, Timing},
    seal::{Seal, SealError},
    table::Table,
};
