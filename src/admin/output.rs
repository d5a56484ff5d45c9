//! The output of services as the API sends it: one JSON value per line.

use std::{convert::Infallible, num::ParseIntError, str::FromStr};

use axum::{
    body::{Body, Bytes},
    http::header::{CACHE_CONTROL, CONTENT_TYPE},
    response::{IntoResponse, Response},
};
use futures_util::{StreamExt, stream};
use serde::{Deserialize, Serialize};
use tokio::sync::broadcast::{Receiver, error::RecvError};

use crate::services::report::OutputLine;

/// Maximum number of past lines in a response.
const MAX_LINES: usize = 10_000;
/// The number of past lines, unless the query sets it.
const DEFAULT_LINES: usize = 100;

/// One line of the response to `GET /v1/services/output`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum OutputItem {
    /// A line that an instance wrote.
    Line(OutputLine),
    /// The client was too slow, so lines are missing here.
    Skipped {
        /// How many, of all services.
        skipped_lines: u64,
    },
}

/// Which lines are wanted: the query of `GET /v1/services/output`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OutputQuery {
    /// The service; `None`: all.
    pub service: Option<String>,
    /// Only this instance of it.
    pub instance: Option<u16>,
    /// How many past lines.
    pub lines: usize,
    /// Whether to send further lines as they are written.
    pub follow: bool,
}

impl OutputQuery {
    /// The path and query of the request for these lines.
    pub fn path(&self) -> String {
        let service = self.service.as_ref().map(|name| format!("&service={name}")).unwrap_or_default();
        let instance = self.instance.map(|number| format!("&instance={number}")).unwrap_or_default();
        format!("/v1/services/output?lines={}&follow={}{service}{instance}", self.lines, self.follow)
    }

    /// How many lines to get from the service. Those of other instances are left out later, so more are needed then.
    pub(super) fn lines_to_ask_for(&self) -> usize {
        if self.instance.is_some() { MAX_LINES } else { self.lines }
    }

    fn wants(&self, line: &OutputLine) -> bool {
        self.service.as_ref().is_none_or(|name| *name == line.service)
            && self.instance.is_none_or(|number| number == line.instance)
    }
}

impl FromStr for OutputQuery {
    type Err = String;

    fn from_str(query: &str) -> Result<Self, String> {
        let mut parsed = Self { service: None, instance: None, lines: DEFAULT_LINES, follow: false };
        for pair in query.split('&').filter(|pair| !pair.is_empty()) {
            let (key, value) = pair.split_once('=').unwrap_or((pair, "true"));
            let number = |error: ParseIntError| format!("{key}={value}: {error}");
            match key {
                "service" => parsed.service = Some(value.to_owned()),
                "instance" => parsed.instance = Some(value.parse().map_err(number)?),
                "lines" => parsed.lines = value.parse::<usize>().map_err(number)?.min(MAX_LINES),
                "follow" => {
                    parsed.follow = value.parse().map_err(|_| format!("{key}={value}: write true or false"))?;
                }
                _ => return Err(format!("unknown parameter {key}: write service, instance, lines or follow")),
            }
        }
        Ok(parsed)
    }
}

/// Returns a response with the `last` lines and, if the query asks for them, `further` ones as they come. Memory is
/// bounded: a client that reads too slowly misses lines.
pub(super) fn stream(query: OutputQuery, last: Vec<OutputLine>, further: Receiver<OutputLine>) -> Response {
    let mut last: Vec<_> = last.into_iter().filter(|line| query.wants(line)).collect();
    last.drain(..last.len().saturating_sub(query.lines));
    let last = stream::iter(last.into_iter().map(OutputItem::Line));
    let further = query.follow.then_some(further);
    let further = stream::unfold((query, further), async |(query, mut further)| {
        let item = next(&query, further.as_mut()?).await?;
        Some((item, (query, further)))
    });
    let body = Body::from_stream(last.chain(further).map(|item| Ok::<_, Infallible>(encode(&item))));
    ([(CONTENT_TYPE, "application/x-ndjson"), (CACHE_CONTROL, "no-store")], body).into_response()
}

/// The next item that is wanted; `None` once no more can come.
async fn next(query: &OutputQuery, further: &mut Receiver<OutputLine>) -> Option<OutputItem> {
    loop {
        match further.recv().await {
            Ok(line) if query.wants(&line) => return Some(OutputItem::Line(line)),
            Ok(_) => {}
            Err(RecvError::Lagged(skipped_lines)) => return Some(OutputItem::Skipped { skipped_lines }),
            Err(RecvError::Closed) => return None,
        }
    }
}

fn encode(item: &OutputItem) -> Bytes {
    // Serializing a line never fails.
    let mut json = serde_json::to_vec(item).unwrap_or_default();
    json.push(b'\n');
    json.into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_query_is_the_same_after_encoding_and_parsing() {
        let plain = OutputQuery { service: None, instance: None, lines: 0, follow: true };
        let one = OutputQuery { service: Some("web".into()), instance: Some(2), lines: 7, follow: false };
        for query in [plain, one] {
            let path = query.path();
            assert_eq!(path.split_once('?').unwrap().1.parse(), Ok(query));
        }
        let default = OutputQuery { service: None, instance: None, lines: DEFAULT_LINES, follow: false };
        assert_eq!("".parse(), Ok(default));
        assert!("follow".parse::<OutputQuery>().unwrap().follow);
        assert_eq!("lines=99999999".parse::<OutputQuery>().unwrap().lines, MAX_LINES);
        for wrong in ["lines=x", "follow=1", "instance=70000", "name=web"] {
            assert!(wrong.parse::<OutputQuery>().is_err(), "{wrong}");
        }
    }
}
