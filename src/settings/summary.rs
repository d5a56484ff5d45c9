use std::fmt::Write;

use super::{Port, Settings};

/// More routes than this are counted, not listed.
const LISTED: usize = 20;

/// What is served, in a few lines: the listeners, the nodes if there are several, the routes.
pub fn summary(settings: &Settings) -> String {
    let mut lines = String::new();
    for (name, port) in [("http", settings.http), ("https", settings.https), ("internal", settings.internal)] {
        let address = match (port, settings.address(port)) {
            (Port::Number(0), _) => format!("{}, a port the kernel picks", settings.bind),
            (_, Some(address)) => address.to_string(),
            (_, None) => port.to_string(),
        };
        line(&mut lines, format_args!("{name:8}  {address}"));
    }
    if settings.mesh.is_used() {
        let node = &settings.node;
        let address =
            settings.advertised().map_or("not reached by others".to_owned(), |address| format!("at {address}"));
        line(&mut lines, format_args!("{:8}  {node}, {address}", "node"));
    }
    for (name, address) in &settings.mesh.peers {
        line(&mut lines, format_args!("{:8}  {name}={address}", "peer"));
    }
    if let Some(registry) = &settings.mesh.registry {
        line(&mut lines, format_args!("{:8}  {registry}", "registry"));
    }
    for route in settings.routes.iter().take(LISTED) {
        line(&mut lines, format_args!("{route}"));
    }
    match settings.routes.len().saturating_sub(LISTED) {
        0 => {}
        more => line(&mut lines, format_args!("and {more} more")),
    }
    lines
}

fn line(lines: &mut String, text: std::fmt::Arguments<'_>) {
    // Writing to a String cannot fail.
    let _ = writeln!(lines, "{text}");
}
