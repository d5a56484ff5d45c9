//! The `hsts` of a route.

use std::time::Duration;

use figment::value::Value;

use super::Scope;
use crate::config::{HSTS_KEYS, Parse, Problems, Reason, text};

/// Makes browsers use https only (RFC 6797).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Hsts {
    /// For how long; sent in whole seconds.
    pub max_age: Duration,
    /// Whether this applies to all names below the host, too.
    pub include_subdomains: bool,
    /// Whether browsers may put the host on their preload lists.
    pub preload: bool,
}

impl Hsts {
    /// Reads a duration, or a table. Returns `None` if it is invalid, and reports that.
    pub(super) fn read(scope: &Scope<'_>, problems: &mut Problems) -> Option<Option<Self>> {
        let Some(hsts) = scope.table("hsts") else { return Some(None) };
        let own = hsts.own();
        if own.value.as_dict().is_none() {
            let MaxAge(max_age) = own.read(problems)?;
            return Some(Some(Self { max_age, include_subdomains: false, preload: false }));
        }
        let Some(max_age) = hsts.field("max_age") else {
            own.lacks("no max_age: write max_age = \"365d\"", HSTS_KEYS, problems);
            return None;
        };
        let MaxAge(max_age) = max_age.read(problems)?;
        let mut switch = |key| hsts.switch(key).map_or(Some(false), |node| node.read(problems));
        let (include_subdomains, preload) = (switch("include_subdomains")?, switch("preload")?);
        Some(Some(Self { max_age, include_subdomains, preload }))
    }
}

struct MaxAge(Duration);

impl Parse for MaxAge {
    const EXPECTED: &'static str = "a duration up to ten years, such as 365d, or 0s to make browsers forget it";

    fn parse(value: &Value) -> Result<Self, Reason> {
        const TEN_YEARS: Duration = Duration::from_secs(10 * 366 * 24 * 60 * 60);

        if value.to_bool() == Some(true) {
            return Err(Some("write \"365d\"".into()));
        }
        if let Some(number) = value.to_u128() {
            return Err(Some(format!("add a unit, as in {number}s or {number}d")));
        }
        let text = text(value)?.trim();
        if !text.is_empty() && text != "0" && text.bytes().all(|byte| byte.is_ascii_digit()) {
            return Err(Some(format!("add a unit, as in {text}s or {text}d")));
        }
        if let Some(seconds) = text.strip_prefix("max-age=") {
            let seconds = seconds.split(';').next().unwrap_or_default();
            return Err(Some(format!("this is a duration, not the header's value: write \"{seconds}s\"")));
        }
        let duration = humantime::parse_duration(text).map_err(|_| None)?;
        if duration > TEN_YEARS { Err(None) } else { Ok(Self(duration)) }
    }
}
