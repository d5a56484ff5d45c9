//! Reads all settings.

use std::{path::PathBuf, thread, time::Duration};

use super::{
    Admin, H2c, LogFormat, Mesh, Port, SecretSource, Settings, bind, certificate, named_listener, node,
    route::{self, ReadPages, RootDefaults},
    service,
    values::{AtLeastOne, Fields, Filter, HeadSize, Source, Streams, Workers},
};
use crate::config::{Merged, Problem, Problems, Secret, SizeLimit, TimeLimit};

/// The port of services that set none, unless a listener has it on all addresses. Then it is the next one.
const SERVICE_PORT: u16 = 8080;

impl Settings {
    /// Validates the merged values.
    ///
    /// Reports each invalid value and continues with a placeholder, to find all problems. If there are any, the result
    /// must not be used.
    pub(crate) fn read(merged: &Merged, secret: Option<Secret>, problems: &mut Problems) -> Self {
        let home = home(merged, secret.is_some(), problems);
        let mut duration = |key: &str| -> Duration { merged.read(key, problems).unwrap_or_default() };
        let (connect_timeout, response_timeout) = (duration("connect_timeout"), duration("response_timeout"));
        let (stall_timeout, stream_timeout) = (duration("stall_timeout"), duration("stream_timeout"));
        let redirect_https = merged.read("redirect_https", problems).unwrap_or_default();
        let max_body = merged.read("max_body", problems).and_then(|SizeLimit(limit)| limit);
        let node = node::read(merged, problems);
        let bind = merged.node("bind").map(|node| bind::read::<false>(&node, problems)).unwrap_or_default();
        let named_listeners = named_listener::read(merged, &bind, problems);
        let root = RootDefaults {
            named_listeners: &named_listeners,
            redirect_https,
            connect_timeout,
            response_timeout,
            stall_timeout,
            stream_timeout,
            max_body,
            services: &service::names(merged),
            pages: &ReadPages::default(),
            home: &home,
        };
        let mut settings = Self {
            http: merged.read("http", problems).unwrap_or(Port::Off),
            https: merged.read("https", problems).unwrap_or(Port::Off),
            internal: merged.read("internal", problems).unwrap_or(Port::Off),
            bind,
            http_h2c: merged.read("http_h2c", problems).unwrap_or(H2c::Off),
            redirect_https,
            routes: route::read(merged, root, problems),
            named_listeners,
            subnet_dialer: merged.read("subnet_dialer", problems).unwrap_or_default(),
            subnet_service: merged.read("subnet_service", problems).unwrap_or_default(),
            source_addresses: merged
                .read_one_or_more("source_addresses", problems)
                .into_iter()
                .map(|Source(ip)| ip)
                .collect(),
            connect_timeout,
            response_timeout,
            pool_idle_timeout: merged.read("pool_idle_timeout", problems).unwrap_or_default(),
            pool_max_age: merged.read("pool_max_age", problems).and_then(|TimeLimit(limit)| limit),
            pool_idle_max: merged.read("pool_idle_max", problems).unwrap_or_default(),
            silence_deadline: merged.read("silence_deadline", problems).unwrap_or_default(),
            keep_alive_timeout: merged.read("keep_alive_timeout", problems).unwrap_or_default(),
            head_timeout: merged.read("head_timeout", problems).unwrap_or_default(),
            stall_timeout,
            body_min_rate: merged.read("body_min_rate", problems).map_or(0, |SizeLimit(rate)| rate.unwrap_or(0)),
            stream_timeout,
            max_connections: merged.read("max_connections", problems).map(|AtLeastOne(count)| count),
            max_connections_per_client: merged.read("max_connections_per_client", problems).unwrap_or_default(),
            max_body,
            max_head: merged.read("max_head", problems).map_or(HeadSize::MIN, |HeadSize(bytes)| bytes),
            max_fields: merged.read("max_fields", problems).map_or(1, |Fields(count)| count),
            max_streams: merged.read("max_streams", problems).map_or(1, |Streams(count)| count),
            trusted_proxies: merged.read_one_or_more("trusted_proxies", problems),
            trusted_proxy_headers: merged.read("trusted_proxy_headers", problems).unwrap_or_default(),
            via: merged.read("via", problems).unwrap_or_default(),
            services: Vec::new(),
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
            workers: merged.read("workers", problems).map_or_else(one_per_core, |Workers(count)| count),
            shutdown_timeout: merged.read("shutdown_timeout", problems).unwrap_or_default(),
        };
        let is_free = |port: &u16| settings.on_all_addresses(*port).is_none();
        let service_port = (SERVICE_PORT..).find(is_free).unwrap_or(SERVICE_PORT);
        settings.services = service::read(merged, service_port, problems);
        settings
    }
}

/// Reads the home folder. It is an error if the folder is not known and the secret has to be there. Code that needs the
/// folder for something else reports the error itself.
fn home(merged: &Merged, has_secret: bool, problems: &mut Problems) -> PathBuf {
    let Some(node) = merged.node("home") else { return PathBuf::new() };
    match node.value.as_str() {
        Some(default) if node.is_default() && default.starts_with('~') => {
            if !has_secret && merged.node("secret_file").is_none() {
                let message = format!(
                    "~ in the default {default} cannot be expanded, because HOME is not set: set PMESH_HOME or --home"
                );
                problems.push(Problem::new("home", message));
            }
            default.into()
        }
        _ => node.read(problems).unwrap_or_default(),
    }
}

fn one_per_core() -> usize {
    thread::available_parallelism().map_or(1, Into::into)
}
