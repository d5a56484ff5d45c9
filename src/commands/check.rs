//! `pmesh check`: shows what would be served, with warnings.

use std::{collections::HashMap, fmt::Write};

use pmesh_layers::causes::with_causes;
use serde::Serialize;
use tower::BoxError;

use crate::{
    certificates::CertificateError,
    columns::columns,
    config::{self, Problem},
    mesh::NodeIdentityError,
    settings::{Inherited, Listener, Loaded, Place, Route, Service, ServiceListen, in_matching_order, listeners},
    upstream::{jwt_keys::JwtKeysError, trust::TrustError},
};

/// The JSON that `pmesh check --json` prints.
#[derive(Debug, Serialize)]
struct CheckReport {
    /// Whether pmesh would start, provided that its ports are free.
    is_valid: bool,
    /// The files that were read.
    files: Vec<String>,
    /// In the order in which they are tried.
    routes: Vec<CheckedRoute>,
    services: Vec<CheckedService>,
    warnings: Vec<String>,
    errors: Vec<CheckedProblem>,
}

/// One host and path of a route.
#[derive(Debug, Serialize)]
struct CheckedRoute {
    name: String,
    /// Host, path and conditions.
    place: String,
    listeners: Vec<String>,
    answer: String,
    /// File and line, or the flag or variable.
    origin: String,
    inherited: Vec<Inherited>,
}

#[derive(Debug, Serialize)]
struct CheckedService {
    name: String,
    /// What it runs, without values from the environment.
    command: String,
    instances: u16,
    /// `address`, `port` or `unix`, as in the file.
    listen: &'static str,
    /// The subnet of its addresses, and their port, if each instance has an address of its own.
    #[serde(skip_serializing_if = "Option::is_none")]
    subnet: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    port: Option<u16>,
    /// File and line.
    origin: String,
}

#[derive(Debug, Serialize)]
struct CheckedProblem {
    place: String,
    message: String,
}

/// Returns the configuration as text or JSON.
///
/// # Errors
///
/// None.
pub fn check(loaded: &Loaded, warnings: Vec<String>, json: bool) -> Result<String, BoxError> {
    let routes = routes(loaded);
    let services: Vec<_> = loaded.settings.services.iter().map(|one| service(loaded, one)).collect();
    if json {
        let files = loaded.files().iter().map(|file| file.display().to_string()).collect();
        let report = CheckReport { is_valid: true, files, routes, services, warnings, errors: Vec::new() };
        return Ok(serde_json::to_string_pretty(&report)? + "\n");
    }
    let mut text = format!("{}\n{}", loaded.file_lines(), listeners(&loaded.settings));
    services.iter().for_each(|service| text += &line(service));
    routes.iter().for_each(|route| text += &lines(route));
    Ok(text)
}

/// Returns the errors as JSON.
///
/// # Errors
///
/// None.
pub fn failed_check(error: &(dyn std::error::Error + 'static)) -> Result<String, BoxError> {
    let problem =
        |Problem { place, message }: &Problem| CheckedProblem { place: place.clone(), message: message.clone() };
    let errors = match error.downcast_ref::<config::Error>() {
        Some(error) => error.problems().iter().map(problem).collect(),
        None => vec![of_file(error)],
    };
    let report = CheckReport {
        is_valid: false,
        files: Vec::new(),
        routes: Vec::new(),
        services: Vec::new(),
        warnings: Vec::new(),
        errors,
    };
    Ok(serde_json::to_string_pretty(&report)? + "\n")
}

/// A problem with a file that the settings name, such as a certificate. It has a place if the error names one.
fn of_file(error: &(dyn std::error::Error + 'static)) -> CheckedProblem {
    let place = None
        .or_else(|| error.downcast_ref().and_then(CertificateError::origin))
        .or_else(|| error.downcast_ref().and_then(TrustError::origin))
        .or_else(|| error.downcast_ref().map(JwtKeysError::origin))
        .or_else(|| error.downcast_ref().and_then(NodeIdentityError::origin))
        .unwrap_or_default();
    let message = with_causes(error);
    let without_place = message.strip_prefix(place).and_then(|message| message.strip_prefix(": "));
    CheckedProblem { place: place.to_owned(), message: without_place.unwrap_or(&message).to_owned() }
}

/// Returns the routes in the order in which they are tried.
fn routes(loaded: &Loaded) -> Vec<CheckedRoute> {
    let routes = &loaded.settings.routes;
    let inherited = loaded.inherited();
    let by_route: HashMap<_, _> = routes.iter().map(std::ptr::from_ref).zip(inherited).collect();
    let of = |route: &Route| by_route.get(&std::ptr::from_ref(route)).cloned().unwrap_or_default();
    let checked = |(route, place): (&Route, Place<'_>)| CheckedRoute {
        name: route.name.clone(),
        place: place.to_string(),
        listeners: route.listeners.iter().map(|listener| listener.name().to_owned()).collect(),
        answer: route.answer.to_string(),
        origin: route.origin.at().to_owned(),
        inherited: of(route),
    };
    in_matching_order(routes).into_iter().map(checked).collect()
}

fn service(loaded: &Loaded, service: &Service) -> CheckedService {
    let has_address = service.listen == ServiceListen::Address;
    CheckedService {
        name: service.name.to_string(),
        command: service.shown.clone(),
        instances: service.instances,
        listen: match service.listen {
            ServiceListen::Address => "address",
            ServiceListen::Port => "port",
            ServiceListen::Unix => "unix",
        },
        subnet: has_address.then(|| loaded.settings.subnet_service.to_string()),
        port: has_address.then_some(service.port),
        origin: service.origin.at().to_owned(),
    }
}

/// Formats a service.
fn line(service: &CheckedService) -> String {
    let CheckedService { name, command, instances, listen, subnet, port, .. } = service;
    let on = match (subnet, port) {
        (Some(subnet), Some(port)) => format!("{subnet}, port {port}"),
        _ if *listen == "unix" => "Unix sockets".to_owned(),
        _ => "ports of its own".to_owned(),
    };
    format!("service   {name}: {instances} × {command}, on {on}\n")
}

/// Formats a route, followed by the settings that it inherits.
fn lines(route: &CheckedRoute) -> String {
    let CheckedRoute { place, answer, listeners, inherited, .. } = route;
    let usual = Listener::DEFAULT.map(|listener| listener.name().to_owned());
    let on = if *listeners == usual { String::new() } else { format!(" on {}", listeners.join(", ")) };
    let mut text = format!("{place} -> {answer}{on}\n");
    let rows: Vec<_> =
        inherited.iter().map(|Inherited { key, value, from }| [format!("  {key} = {value}"), from.clone()]).collect();
    // Writing to a String cannot fail.
    let _ = write!(text, "{}", columns(&rows));
    text
}
