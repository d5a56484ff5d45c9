//! From a route of the settings to the service behind it.

mod advice;
mod aim;
mod backend;
mod connect_timeouts;
mod endpoints;
mod routes;
pub mod trust;
mod turns;
mod way;

pub use self::{
    endpoints::{ConnectionSettings, Connections, Endpoints, Record},
    routes::{RouteChanges, RouteService, Routes},
};
