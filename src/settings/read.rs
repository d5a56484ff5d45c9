use std::{net::IpAddr, path::PathBuf, thread};

use figment::value::Value;
use pmesh_layers::forwarded::ProxyHeaders;
use tracing_subscriber::{EnvFilter, filter::LevelFilter};

use super::{Admin, H2c, LogFormat, Mesh, Port, SecretSource, Settings, certificate, listener, node, route};
use crate::config::{Merged, Parse, Problem, Problems, Reason, Secret, Size, SizeLimit, TimeLimit, text};

impl Settings {
    /// Validates what all sources together say.
    ///
    /// A bad value is reported and something stands in for it, so that reading goes on and finds all problems. The
    /// result must not be used where there are any.
    pub(crate) fn read(merged: &Merged, secret: Option<Secret>, problems: &mut Problems) -> Self {
        let home = home(merged, secret.is_some(), problems);
        let response_timeout = merged.read("response_timeout", problems).unwrap_or_default();
        let max_body = merged.read("max_body", problems).and_then(|SizeLimit(limit)| limit);
        let node = node::read(merged, problems);
        Self {
            http: merged.read("http", problems).unwrap_or(Port::Off),
            https: merged.read("https", problems).unwrap_or(Port::Off),
            internal: merged.read("internal", problems).unwrap_or(Port::Off),
            bind: bind(merged, problems),
            http_h2c: merged.read("http_h2c", problems).unwrap_or(H2c::Off),
            routes: route::read(merged, route::Defaults { response_timeout, max_body }, problems),
            subnet_dialer: merged.read("subnet_dialer", problems).unwrap_or_default(),
            subnet_service: merged.read("subnet_service", problems).unwrap_or_default(),
            source_addresses: merged.read_list("source_addresses", problems).into_iter().map(|Source(ip)| ip).collect(),
            connect_timeout: merged.read("connect_timeout", problems).unwrap_or_default(),
            response_timeout,
            pool_idle_timeout: merged.read("pool_idle_timeout", problems).unwrap_or_default(),
            pool_max_age: merged.read("pool_max_age", problems).and_then(|TimeLimit(limit)| limit),
            pool_idle_max: merged.read("pool_idle_max", problems).unwrap_or_default(),
            silence_deadline: merged.read("silence_deadline", problems).unwrap_or_default(),
            keep_alive_timeout: merged.read("keep_alive_timeout", problems).unwrap_or_default(),
            head_timeout: merged.read("head_timeout", problems).unwrap_or_default(),
            body_timeout: merged.read("body_timeout", problems).unwrap_or_default(),
            body_min_rate: merged.read("body_min_rate", problems).map_or(0, |SizeLimit(rate)| rate.unwrap_or(0)),
            tunnel_timeout: merged.read("tunnel_timeout", problems).unwrap_or_default(),
            max_connections: merged.read("max_connections", problems).map(|AtLeastOne(count)| count),
            max_connections_per_client: merged.read("max_connections_per_client", problems).unwrap_or_default(),
            max_body,
            max_head: merged.read("max_head", problems).map_or(HeadSize::LEAST, |HeadSize(bytes)| bytes),
            max_fields: merged.read("max_fields", problems).map_or(1, |Fields(count)| count),
            max_streams: merged.read("max_streams", problems).map_or(1, |Streams(count)| count),
            trusted_proxies: merged.read_list("trusted_proxies", problems),
            trusted_proxy_headers: merged.read("trusted_proxy_headers", problems).unwrap_or_default(),
            certificates: certificate::read(merged, problems),
            secret: SecretSource::choose(secret, merged, &home, problems),
            mesh: Mesh::read(merged, &node, problems),
            node,
            log: merged.read("log", problems).map(|Filter(directive)| directive).unwrap_or_default(),
            log_format: merged.read("log_format", problems).unwrap_or(LogFormat::Text),
            access_log: merged.read("access_log", problems).unwrap_or_default(),
            admin: Admin::read(merged, &home, problems),
            watch_config: merged.read("watch_config", problems).unwrap_or_default(),
            home,
            workers: merged.read("workers", problems).map_or_else(one_a_core, |Workers(count)| count),
            shutdown_timeout: merged.read("shutdown_timeout", problems).unwrap_or_default(),
        }
    }
}

/// Where it is not known, that is no obstacle if the secret is elsewhere: whoever comes to need it will say so.
fn home(merged: &Merged, has_secret: bool, problems: &mut Problems) -> PathBuf {
    let Some(node) = merged.node("home") else { return PathBuf::new() };
    match node.value.as_str() {
        Some(default) if node.is_default() && default.starts_with('~') => {
            if !has_secret && merged.node("secret_file").is_none() {
                let message =
                    format!("HOME is not set, which ~ in the default, {default}, stands for: set PMESH_HOME or --home");
                problems.push(Problem::new("home", message));
            }
            default.into()
        }
        _ => node.read(problems).unwrap_or_default(),
    }
}

fn one_a_core() -> usize {
    thread::available_parallelism().map_or(1, Into::into)
}

struct Source(IpAddr);

impl Parse for Source {
    const EXPECTED: &'static str = "an IP address of this machine, not of loopback";

    fn parse(value: &Value) -> Result<Self, Reason> {
        let address = IpAddr::parse(value)?.to_canonical();
        if address.is_loopback() {
            // From there the kernel reaches loopback only.
            return Err(Some(
                "connections to loopback leave from `subnet_dialer`, and no others can from there".into(),
            ));
        }
        if address.is_unspecified() || address.is_multicast() { Err(None) } else { Ok(Self(address)) }
    }
}

/// One address, or a list of them.
fn bind(merged: &Merged, problems: &mut Problems) -> Vec<IpAddr> {
    let Some(node) = merged.node("bind") else { return Vec::new() };
    let elements = node.elements().unwrap_or_else(|_| vec![node.clone()]);
    if elements.is_empty() {
        problems
            .push(node.problem("expected at least one IP address; 0.0.0.0 is every IPv4 address, :: every address"));
    }
    let mut addresses: Vec<IpAddr> = Vec::new();
    for element in elements {
        let Some(Bind(address)) = element.read(problems) else { continue };
        match addresses.iter().find_map(|other| listener::overlap(*other, address)) {
            Some(overlap) => problems.push(element.problem(overlap)),
            None => addresses.push(address),
        }
    }
    addresses
}

struct Bind(IpAddr);

impl Parse for Bind {
    const EXPECTED: &'static str = IpAddr::EXPECTED;

    fn parse(value: &Value) -> Result<Self, Reason> {
        IpAddr::parse(value).map(Self).map_err(|reason| reason.or_else(|| bind_of(value.as_str()?)))
    }
}

/// In other programs, the port is part of the address.
fn bind_of(text: &str) -> Reason {
    if text.contains([',', ' ']) {
        let addresses: Vec<_> = text.split([',', ' ']).filter(|address| !address.is_empty()).collect();
        return Some(format!("for several addresses, write {addresses:?}"));
    }
    let (address, port) = text.rsplit_once(':')?;
    let address = if address.is_empty() { "0.0.0.0" } else { address.trim_matches(['[', ']']) };
    let (address, port): (IpAddr, u16) = (address.parse().ok()?, port.parse().ok()?);
    Some(format!("the port is a separate setting: write bind = \"{address}\" and http = {port}"))
}

impl Parse for Port {
    const EXPECTED: &'static str = "a port (0 to 65535, where 0 lets the kernel pick) or \"off\"";

    fn parse(value: &Value) -> Result<Self, Reason> {
        match value.as_str() {
            Some(text) if text.eq_ignore_ascii_case("off") => Ok(Self::Off),
            Some(text) => Err(port_of(text)),
            None if value.to_bool() == Some(false) => Err(Some("write \"off\"".into())),
            None => value.to_u128().and_then(|port| port.try_into().ok()).map(Self::Number).ok_or(None),
        }
    }
}

/// In other programs, a port is set together with its address.
fn port_of(text: &str) -> Reason {
    let (address, port) = text.rsplit_once(':')?;
    let port: u16 = port.parse().ok()?;
    Some(match address {
        "" | "*" => format!("write {port}"),
        _ => format!(
            "the address is a separate setting: write {port} here, and bind = \"{}\"",
            address.trim_matches(['[', ']'])
        ),
    })
}

impl Parse for H2c {
    const EXPECTED: &'static str = "off, silent or open";

    fn parse(value: &Value) -> Result<Self, Reason> {
        match &*text(value)?.to_ascii_lowercase() {
            "off" => Ok(Self::Off),
            "silent" => Ok(Self::Silent),
            "open" => Ok(Self::Open),
            _ => Err(None),
        }
    }
}

impl Parse for ProxyHeaders {
    const EXPECTED: &'static str = "x-forwarded or forwarded";

    fn parse(value: &Value) -> Result<Self, Reason> {
        match &*text(value)?.to_ascii_lowercase() {
            "x-forwarded" => Ok(Self::XForwarded),
            "forwarded" => Ok(Self::Forwarded),
            _ => Err(None),
        }
    }
}

impl Parse for LogFormat {
    const EXPECTED: &'static str = "text or json";

    fn parse(value: &Value) -> Result<Self, Reason> {
        match text(value)? {
            "text" => Ok(Self::Text),
            "json" => Ok(Self::Json),
            _ => Err(None),
        }
    }
}

struct Workers(usize);

impl Parse for Workers {
    // More are never meant, and a slip of the pen should not make a million threads.
    const EXPECTED: &'static str = "a number from 1 to 1024";

    fn parse(value: &Value) -> Result<Self, Reason> {
        usize::parse(value).ok().filter(|count| (1..=1024).contains(count)).map(Self).ok_or(None)
    }
}

struct AtLeastOne(usize);

impl Parse for AtLeastOne {
    const EXPECTED: &'static str = "a number from 1";

    fn parse(value: &Value) -> Result<Self, Reason> {
        usize::parse(value).ok().filter(|count| *count > 0).map(Self).ok_or(None)
    }
}

struct HeadSize(u32);

impl HeadSize {
    /// What a server of HTTP should take for the request line alone (RFC 9112, 3).
    const LEAST: u32 = 8 * 1024;
    const MOST: u32 = 16 * 1024 * 1024;
}

impl Parse for HeadSize {
    const EXPECTED: &'static str = "a size from 8KiB to 16MiB";

    fn parse(value: &Value) -> Result<Self, Reason> {
        let Size(bytes) = Size::parse(value)?;
        u32::try_from(bytes).ok().filter(|bytes| (Self::LEAST..=Self::MOST).contains(bytes)).map(Self).ok_or(None)
    }
}

struct Fields(usize);

impl Parse for Fields {
    // http's map of fields takes 32768 of them; there is a place for each, whether it is used or not.
    const EXPECTED: &'static str = "a number from 1 to 10000";

    fn parse(value: &Value) -> Result<Self, Reason> {
        usize::parse(value).ok().filter(|count| (1..=10_000).contains(count)).map(Self).ok_or(None)
    }
}

struct Streams(u32);

impl Parse for Streams {
    const EXPECTED: &'static str = "a number from 1 to 10000";

    fn parse(value: &Value) -> Result<Self, Reason> {
        let count = usize::parse(value).ok().and_then(|count| u32::try_from(count).ok());
        count.filter(|count| (1..=10_000).contains(count)).map(Self).ok_or(None)
    }
}

struct Filter(String);

impl Parse for Filter {
    const EXPECTED: &'static str = "off, error, warn, info, debug or trace, or a filter such as info,pmesh=debug";

    fn parse(value: &Value) -> Result<Self, Reason> {
        let directives = text(value)?;
        // A lone word that is no level would be the name of a part that does not exist: a log of nothing.
        let is_meant = |directive: &str| directive.contains(['=', '[']) || directive.parse::<LevelFilter>().is_ok();
        if !directives.split(',').all(|directive| is_meant(directive.trim())) {
            return Err(None);
        }
        EnvFilter::builder().parse(directives).map(|_| Self(directives.to_owned())).map_err(|_| None)
    }
}
