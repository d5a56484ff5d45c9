//! `mirror`.

use figment::value::Value;

use crate::{
    config::{MIRROR_KEYS, Node, Parse, Problems, Reason, Size, because},
    settings::{endpoint::Endpoint, route::Scope},
};

/// The longest body that can be copied.
const MAX_BODY: u64 = 16 << 20;

/// Sends copies of requests to a second upstream.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mirror {
    /// Where copies go. Never another node or a service.
    pub upstream: Endpoint,
    /// The percentage of requests to copy.
    pub percent: usize,
    /// The longest body to copy.
    pub max_body: usize,
    /// Maximum number of copies in flight.
    pub max_in_flight: usize,
}

impl Mirror {
    /// Reads an address, or a table. Returns `None` if it is invalid, and reports that.
    pub(super) fn read(scope: &Scope<'_>, problems: &mut Problems) -> Option<Option<Self>> {
        let Some(mirror) = scope.table("mirror") else { return Some(None) };
        let own = mirror.own();
        if own.value.as_dict().is_none() {
            return endpoint(own, problems).map(|upstream| Some(Self::new(upstream)));
        }
        let Some(upstream) = mirror.field("upstream") else {
            own.lacks("no upstream: write { upstream = \"127.0.0.1:9002\" }", MIRROR_KEYS, problems);
            return None;
        };
        // All are read, so that all problems are reported.
        let upstream = endpoint(&upstream, problems);
        let percent = mirror.field("percent").map(|node| node.read(problems));
        let max_body = mirror.field("max_body").map(|node| node.read(problems));
        let max_in_flight = mirror.field("max_in_flight").map(|node| node.read(problems));
        let mut read = Self::new(upstream?);
        if let Some(percent) = percent {
            Percent(read.percent) = percent?;
        }
        if let Some(max_body) = max_body {
            MaxBody(read.max_body) = max_body?;
        }
        if let Some(max_in_flight) = max_in_flight {
            MaxInFlight(read.max_in_flight) = max_in_flight?;
        }
        Some(Some(read))
    }

    /// Whether the mirror of a table is reached over TLS.
    pub(in crate::settings::route) fn has_tls(scope: &Scope<'_>) -> bool {
        let Some(mirror) = scope.table("mirror") else { return false };
        let upstream = if mirror.own().value.as_dict().is_some() { mirror.field("upstream") } else { None };
        let endpoint = upstream.as_ref().unwrap_or(mirror.own()).parse();
        // An invalid address is reported when it is read.
        endpoint.is_ok_and(|endpoint: Endpoint| endpoint.is_tls())
    }

    fn new(upstream: Endpoint) -> Self {
        Self { upstream, percent: 100, max_body: 64 * 1024, max_in_flight: 100 }
    }
}

fn endpoint(node: &Node<'_>, problems: &mut Problems) -> Option<Endpoint> {
    let endpoint: Endpoint = node.read(problems)?;
    if endpoint.is_mesh() {
        problems.push(node.problem("a mirror cannot be another node: write the address of a backend"));
        return None;
    }
    if matches!(endpoint, Endpoint::Service(_)) {
        problems.push(node.problem(
            "a mirror cannot be a service in this version: write the address of a program that pmesh does not run",
        ));
        return None;
    }
    Some(endpoint)
}

struct Percent(usize);

impl Parse for Percent {
    const EXPECTED: &'static str = "a whole number from 1 to 100";

    fn parse(value: &Value) -> Result<Self, Reason> {
        match value.to_u128() {
            Some(0) => Err(Some("nothing would be copied; to switch the mirror off, write mirror = false".into())),
            Some(number @ 1..=100) => number.try_into().map(Self).map_err(because),
            _ => Err(None),
        }
    }
}

struct MaxBody(usize);

impl Parse for MaxBody {
    const EXPECTED: &'static str = "a size up to 16MiB, such as 64KiB; 0 for requests without a body only";

    fn parse(value: &Value) -> Result<Self, Reason> {
        match Size::parse(value)? {
            Size(size @ ..=MAX_BODY) => usize::try_from(size).map(Self).map_err(|_| None),
            Size(_) => Err(None),
        }
    }
}

struct MaxInFlight(usize);

impl Parse for MaxInFlight {
    const EXPECTED: &'static str = "a number from 1 to 1000000";

    fn parse(value: &Value) -> Result<Self, Reason> {
        match value.to_u128() {
            Some(0) => Err(Some("nothing would be copied; to switch the mirror off, write mirror = false".into())),
            Some(number @ 1..=1_000_000) => number.try_into().map(Self).map_err(because),
            _ => Err(None),
        }
    }
}
