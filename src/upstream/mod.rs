//! From a route of the settings to the service behind it.

mod advice;
mod aim;
mod backend;
mod endpoints;
mod routes;
pub mod trust;
mod turns;

pub use self::{
    endpoints::{ConnectionSettings, Connections, Endpoints, Record},
    routes::{RouteChanges, RouteService, Routes},
};
