//! The announcement of a node: its address and its routes.

use std::{fmt, str::FromStr};

use pmesh_layers::{
    host::HostPattern,
    identity::NodeName,
    route::{PathPrefix, RoutePath},
};

use crate::settings::{
    Answer, Listener, Route, Settings,
    endpoint::{Endpoint, HostPort},
};

/// A node's description of itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Announcement {
    /// Its name.
    pub node: NodeName,
    /// The run of the program.
    pub instance: Instance,
    /// The address of its internal port, as others reach it.
    pub address: HostPort,
    /// The routes that it serves itself.
    pub serves: Vec<Served>,
    /// The version of the program.
    pub software: String,
}

/// A host and a path prefix.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Served {
    /// The host.
    pub host: HostPattern,
    /// The prefix.
    pub prefix: PathPrefix,
}

impl Announcement {
    /// Describes this node: its address and the routes that it serves itself. `None` if others cannot reach it.
    pub fn from_settings(settings: &Settings, instance: Instance) -> Option<Self> {
        Some(Self {
            node: settings.node.clone(),
            instance,
            address: settings.advertised()?,
            serves: Served::from_settings(settings),
            software: env!("CARGO_PKG_VERSION").to_owned(),
        })
    }
}

impl Served {
    /// The routes that a node serves to others, except routes that lead only to other nodes. Only prefixes are
    /// announced; exact paths and regular expressions below them are included.
    pub fn from_settings(settings: &Settings) -> Vec<Self> {
        let served = settings.served(&Listener::Internal).into_iter().filter(|served| is_own(served.route));
        let mut serves: Vec<_> = served
            .filter_map(|served| match served.place.path {
                RoutePath::Prefix(prefix) => Some(Self { host: served.place.host.clone(), prefix: prefix.clone() }),
                _ => None,
            })
            .collect();
        serves.sort_unstable();
        serves.dedup();
        serves
    }
}

/// Whether the node serves the route itself. Other routes are not announced, because requests would go in circles.
fn is_own(route: &Route) -> bool {
    match &route.answer {
        Answer::Upstream(endpoints) => !endpoints.iter().all(Endpoint::is_mesh),
        Answer::Files(..) | Answer::Redirect(_) | Answer::Respond(_) => true,
    }
}

/// One run of the program, identified by a random number.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Instance(u128);

impl Instance {
    /// Creates a new one, for a start of the program.
    pub fn random() -> Self {
        Self(rand::random())
    }
}

impl fmt::Display for Instance {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:032x}", self.0)
    }
}

impl FromStr for Instance {
    type Err = InvalidInstance;

    fn from_str(text: &str) -> Result<Self, InvalidInstance> {
        let mut bytes = [0; 16];
        match base16ct::mixed::decode(text, &mut bytes) {
            Ok(all) if all.len() == 16 => Ok(Self(u128::from_be_bytes(bytes))),
            _ => Err(InvalidInstance),
        }
    }
}

/// The error for text that is not an [`Instance`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("an instance is 32 hexadecimal digits")]
pub struct InvalidInstance;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        cli::Arguments,
        config::{Defaults, Source},
    };

    fn announced(flags: &[&str]) -> Option<Announcement> {
        let arguments = Arguments::parse([&["pmesh"], flags].concat()).unwrap();
        let settings =
            Source::new(arguments.flags, [("HOME".into(), "/x".into())], Defaults::none()).load().unwrap().settings;
        Announcement::from_settings(&settings, Instance::random())
    }

    #[test]
    fn routes_that_lead_only_to_other_nodes_are_not_announced() {
        let flags =
            ["--bind", "10.0.0.1", "--mesh-peer", "b=c:1", "--route", "z/x=mesh://b,d:1", "--route", "y=mesh://*"];
        let own = announced(&[&flags[..], &["--route", "*.a=d:1"]].concat()).unwrap();
        assert_eq!(own.address.to_string(), "10.0.0.1:8443");
        let serves: Vec<_> = own.serves.iter().map(|one| format!("{}{}", one.host, one.prefix)).collect();
        assert_eq!(serves, ["z/x", "*.a/"]);
        assert_eq!(announced(&["--internal", "off"]), None);
    }

    #[test]
    fn instances_are_written_and_read() {
        let one = Instance::random();
        assert_eq!(one.to_string().parse(), Ok(one));
        assert_ne!(one, Instance::random());
        for text in ["", "0", "+0000000000000000000000000000001", &"g".repeat(32), &"0".repeat(31), &"0".repeat(34)] {
            assert_eq!(text.parse::<Instance>(), Err(InvalidInstance));
        }
    }
}
