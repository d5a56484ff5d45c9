//! `rate_limit`.

use std::time::Duration;

use figment::value::Value;
use http::HeaderName;
use pmesh_layers::rate_limit::{RateLimit, RateLimitKey};

use crate::{
    config::{Parse, Problems, RATE_LIMIT_KEYS, Reason, because, duration, text},
    settings::route::Scope,
};

const EXAMPLE: &str = "{ requests = 100, per = \"1m\" }";

/// Reads the limit. Returns `None` if it is invalid, and reports that.
pub(super) fn read(scope: &Scope<'_>, problems: &mut Problems) -> Option<Option<RateLimit>> {
    let Some(table) = scope.table("rate_limit") else { return Some(None) };
    let own = table.own();
    if own.value.as_dict().is_none() {
        let instead = own.value.as_str().filter(|_| own.references().is_none()).and_then(as_table);
        problems.push(match instead {
            Some(instead) => own.problem(format!("write rate_limit = {instead}")),
            None => own.unexpected(&format!("a table such as {EXAMPLE}")),
        });
        return None;
    }
    let (Some(requests), Some(per)) = (table.field("requests"), table.field("per")) else {
        let missing = if table.field("requests").is_none() { "requests" } else { "per" };
        let message = format!("no {missing}: write {EXAMPLE}");
        own.lacks(message, RATE_LIMIT_KEYS, problems);
        return None;
    };
    // All are read, so that all problems are reported.
    let number = requests.read(problems);
    let time = per.read(problems);
    let burst = table.field("burst").map(|node| node.read(problems).map(|Requests(burst)| (node, burst)));
    let key = table.field("key").map_or(Some(Key(RateLimitKey::Client)), |node| node.read(problems));
    let (Requests(number), Per(time), Key(key)) = (number?, time?, key?);
    let limit = RateLimit::new(number, time).map_err(|error| per.problem(error.to_string()));
    let limit = problems.note(limit)?.key(key);
    let Some(burst) = burst else { return Some(Some(limit)) };
    let (node, burst) = burst?;
    problems.note(limit.burst(burst).map_err(|error| node.problem(error.to_string()))).map(Some)
}

/// The table that a text such as `100/s`, `10r/m` or `5 per minute` stands for.
fn as_table(text: &str) -> Option<String> {
    let end = text.find(|c: char| !c.is_ascii_digit()).filter(|end| *end > 0)?;
    let (requests, rest) = text.split_at(end);
    let (_, unit) = rest.split_once('/').or_else(|| rest.split_once("per"))?;
    let unit = unit.trim();
    let per = match span(unit) {
        Some(per) => per,
        None => humantime::parse_duration(unit).ok().map(|_| unit)?,
    };
    Some(format!("{{ requests = {requests}, per = \"{per}\" }}"))
}

/// The duration that a unit stands for.
fn span(unit: &str) -> Option<&'static str> {
    match unit.to_ascii_lowercase().as_str() {
        "s" | "sec" | "second" => Some("1s"),
        "m" | "min" | "minute" => Some("1m"),
        "h" | "hour" => Some("1h"),
        "d" | "day" => Some("1d"),
        _ => None,
    }
}

struct Requests(u32);

impl Parse for Requests {
    const EXPECTED: &'static str = "a number from 1 to 1000000";

    fn parse(value: &Value) -> Result<Self, Reason> {
        match value.to_u128() {
            Some(0) => Err(Some("no request would ever pass; to let nobody in, write respond = 403".into())),
            Some(number @ 1..=1_000_000) => number.try_into().map(Self).map_err(because),
            _ => Err(None),
        }
    }
}

struct Per(Duration);

impl Parse for Per {
    const EXPECTED: &'static str = "a duration over 0 and up to a year, such as 1s, 1m or 1h";

    fn parse(value: &Value) -> Result<Self, Reason> {
        if let Some(span) = value.as_str().and_then(span) {
            return Err(Some(format!("write \"{span}\"")));
        }
        duration(value, None).map(Self)
    }
}

struct Key(RateLimitKey);

impl Parse for Key {
    const EXPECTED: &'static str = "\"client\", \"header:NAME\" or \"route\"";

    fn parse(value: &Value) -> Result<Self, Reason> {
        let text = text(value)?;
        let write = |instead: &str| Err(Some(format!("write \"{instead}\"")));
        let Some(name) = text.strip_prefix("header:") else {
            return match text {
                "client" => Ok(Self(RateLimitKey::Client)),
                "route" => Ok(Self(RateLimitKey::All)),
                "$binary_remote_addr"
                | "$remote_addr"
                | "{remote_host}"
                | "{client_ip}"
                | "src"
                | "ip"
                | "remote_ip"
                | "client_ip"
                | "remote_address" => write("client"),
                "all" | "global" | "static" => write("route"),
                name if name.contains('-') && name.parse::<HeaderName>().is_ok() => write(&format!("header:{name}")),
                _ => Err(None),
            };
        };
        match name.trim().parse::<HeaderName>() {
            Ok(name) if matches!(name.as_str(), "x-forwarded-for" | "x-real-ip" | "forwarded") => {
                Err(Some("write \"client\", and list the proxies in front in trusted_proxies".into()))
            }
            Ok(name) => Ok(Self(RateLimitKey::Header(name))),
            Err(_) => Err(Some(format!("{:?} is not the name of a header", name.trim()))),
        }
    }
}
