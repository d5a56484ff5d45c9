//! `max_in_flight`.

use figment::value::Value;

use crate::{
    config::{Parse, Problems, Reason, because},
    settings::route::Scope,
};

/// Reads the maximum. Returns `None` if it is invalid, and reports that.
pub(super) fn read(scope: &Scope<'_>, problems: &mut Problems) -> Option<Option<usize>> {
    let Some(node) = scope.field("max_in_flight") else { return Some(None) };
    node.read(problems).map(|MaxInFlight(max)| Some(max))
}

struct MaxInFlight(usize);

impl Parse for MaxInFlight {
    const EXPECTED: &'static str = "a number from 1 to 1000000";

    fn parse(value: &Value) -> Result<Self, Reason> {
        match value.to_u128() {
            Some(0) => Err(Some("no request would ever pass; to remove the limit, write false".into())),
            Some(number @ 1..=1_000_000) => number.try_into().map(Self).map_err(because),
            _ => Err(None),
        }
    }
}
