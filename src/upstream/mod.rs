//! Builds the services that handle requests, from the settings of their routes.

mod advice;
mod aim;
mod auth;
mod backend;
mod by_place;
mod connect_timeouts;
mod destination;
mod endpoints;
pub mod jwt_keys;
mod local_services;
mod maintenance;
mod mirror;
mod proxy;
mod route_settings;
mod routes;
mod service;
mod stand_in;
mod tables;
mod traffic;
pub mod trust;
mod turns;

pub use self::{
    endpoints::{ConnectionSettings, Connections, Endpoints, Record},
    local_services::LocalServices,
    proxy::Proxy,
    routes::{RouteChanges, Routes},
    service::RouteService,
    stand_in::{Sent, StandInRoute, Surroundings},
    tables::Tables,
    traffic::InstanceTraffic,
};
