//! From the settings of a route to the service that handles its requests.

mod advice;
mod aim;
mod backend;
mod by_place;
mod connect_timeouts;
mod endpoints;
mod proxy;
mod route_settings;
mod routes;
mod service;
mod tables;
pub mod trust;
mod turns;
mod way;

pub use self::{
    endpoints::{ConnectionSettings, Connections, Endpoints, Record},
    proxy::Proxy,
    routes::{RouteChanges, Routes},
    service::RouteService,
    tables::Tables,
};
