//! `pmesh demo`: a backend in the same process, a route to it, and commands to paste that show what the proxy does.

mod backend;
mod guide;
mod seen;
mod shell;

use std::{
    io::{self, Write},
    net::{Ipv4Addr, SocketAddr},
};

use ipnet::Ipv4Net;
use pmesh_layers::route::PathPrefix;
use tower::BoxError;

use self::{
    backend::Backend,
    guide::{Guide, HOST},
};
use crate::{
    config::Source,
    server::{reload::Configuration, run::Server},
    settings::{Route, Settings, endpoint::Endpoint},
};

/// Serves the demo's backend, in addition to the routes of `source`, until a signal stops it.
///
/// # Errors
///
/// The errors of [`run`](crate::server::run::run); or there is no address for the backend; or the settings have their
/// own route for `demo.localhost`.
pub fn run(source: Source) -> Result<(), BoxError> {
    let backend = Backend::start(first_usable(source.load()?.settings.subnet_service))?;
    let address = backend.address();
    // Called again on each reload. The backend stays where it is.
    let configuration = Configuration::adjusted(source, move |settings| {
        settings.routes.push(route(settings, address)?);
        Ok(())
    });
    let loaded = configuration.load()?;
    let server = Server::prepare(configuration, loaded)?;
    let settings = server.settings();
    let guide = Guide::new(&settings, address);
    // The demo runs even if nobody reads its output.
    let mut stdout = io::stdout().lock();
    let _ = write!(stdout, "{guide}").and_then(|()| stdout.flush());
    drop(stdout);
    server.serve()
}

/// Skips the network's own address and the broadcast address.
fn first_usable(net: Ipv4Net) -> Ipv4Addr {
    net.hosts().next().unwrap_or(net.addr())
}

fn route(settings: &Settings, backend: SocketAddr) -> Result<Route, BoxError> {
    let (pattern, root) = (HOST.parse()?, PathPrefix::root().into());
    if settings.routes.iter().flat_map(Route::places).any(|place| *place.host == pattern && *place.path == root) {
        return Err(format!("the demo uses the host {HOST} itself: give your route another host, or a path").into());
    }
    Ok(Route::to(pattern, Endpoint::http(backend), settings))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        cli::Arguments,
        config::{Defaults, Source},
    };

    fn settings(flags: &[&str]) -> Settings {
        let arguments = Arguments::parse([&["pmesh", "demo"], flags].concat()).unwrap();
        let environment = [("HOME".into(), "/nonexistent".into())];
        Source::new(arguments.flags, environment, Defaults::demo()).load().unwrap().settings
    }

    #[test]
    fn the_users_settings_win_over_the_demos_defaults() {
        let shown = |flags| {
            let settings = settings(flags);
            format!("{:?} {} {} {}", settings.bind, settings.http, settings.https, settings.internal)
        };
        assert_eq!(shown(&[]), "[127.0.0.1] 8080 8443 off");
        assert_eq!(shown(&["--internal", "1", "--bind", "::1"]), "[::1] 8080 8443 1");
        // Setting one port turns the other off, even if it is the other's default.
        assert_eq!(shown(&["--http", "8443"]), "[127.0.0.1] 8443 off off");
        assert_eq!(shown(&["--https", "0"]), "[127.0.0.1] off 0 off");
        assert_eq!(shown(&["--http", "0", "--https", "1"]), "[127.0.0.1] 0 1 off");
        assert_eq!(shown(&["--http", "off"]), "[127.0.0.1] off 8443 off");
    }

    #[test]
    fn the_backend_has_the_first_address() {
        assert_eq!(first_usable(settings(&[]).subnet_service), Ipv4Addr::new(127, 1, 0, 1));
    }

    #[test]
    fn the_users_routes_stay() {
        let backend = ([127, 1, 0, 1], 9000).into();
        let route_beside = |flags| route(&settings(flags), backend).map(|route| route.to_string());
        for flags in [&[][..], &["--route", "a=b:1"], &["--route", "demo.localhost/api=b:1"]] {
            assert_eq!(route_beside(flags).unwrap(), "demo.localhost/ -> 127.1.0.1:9000");
        }
        let error = route_beside(&["--route", "demo.localhost=b:1"]).unwrap_err();
        assert!(error.to_string().contains("demo.localhost"), "{error}");
    }
}
