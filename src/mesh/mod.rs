//! Other nodes: who they are, where, and what they serve.
//!
//! - [`Announcement`] is what a node says of itself, and [`Seal`] keeps it from being forged;
//! - [`Registry`] exchanges announcements through key-value buckets of NATS, on a thread of its own;
//! - [`Api`] is what a node tells others of itself, a [`NodeClient`] asks for it, and a [`Prober`] does so for as long as
//!   the program runs;
//! - [`Peers`] holds all nodes that are known, from there and from the settings, in a [`Table`] that is replaced as a
//!   whole, so that requests look things up without a lock;
//! - [`Linker`] keeps the connections of a worker to them;
//! - [`PassedLayer`] keeps requests that come through them from going in circles, and [`Api`] answers those that are for
//!   the node itself;
//! - [`identity()`] is what this node is to others, and [`Clocks`] tells of those whose clock is wrong.

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
    client::{AskError, NodeClient},
    clocks::Clocks,
    dialer::Dialer,
    health::{Health, State},
    identity::{IdentityWatch, NodeIdentityError, identity},
    link::Link,
    linker::Linker,
    passed::{Circle, OWN_FIELDS, Passed, PassedLayer, THROUGH},
    peer::{Peer, Source},
    peers::Peers,
    prober::Prober,
    registry::{Registry, RegistryOptions, RegistryStatus, RegistryView, Renewal, Timing},
    seal::{Seal, SealError},
    table::Table,
};
