use std::{pin::pin, time::Duration};

use http::{HeaderMap, HeaderName, HeaderValue, Request, StatusCode, header::SET_COOKIE};
use http_body::Body;
use thiserror::Error;

use crate::{
    body::{RequestBody, ResponseBody},
    edit_headers::HeaderEdits,
};

/// The authentication server answered with a status that neither admits the request nor can be sent to the client, such as
/// 101.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[error("the authentication server answered with {0}, which neither admits nor rejects the request")]
pub struct NoVerdict(pub(super) StatusCode);

/// The headers that are copied from the server to the request.
#[derive(Debug, Clone, Default)]
pub(super) struct Copied {
    names: Vec<HeaderName>,
    /// Removes these headers from the client's request.
    of_client: HeaderEdits,
}

impl Copied {
    pub(super) fn and(&self, names: impl IntoIterator<Item = HeaderName>) -> Self {
        let mut all = self.clone();
        for name in names {
            if !all.names.contains(&name) {
                all.of_client = all.of_client.remove(name.clone());
                all.names.push(name);
            }
        }
        all
    }

    pub(super) fn copy(&self, verdict: &HeaderMap, request: &mut Request<RequestBody>) {
        self.of_client.apply_to_request(request);
        let headers = request.headers_mut();
        for name in &self.names {
            for value in verdict.get_all(name) {
                // Some servers send a header twice, and some backends would join both to one value.
                if !headers.get_all(name).iter().any(|other| other == value) {
                    headers.append(name, value.clone());
                }
            }
        }
    }
}

pub(super) fn cookies(verdict: &HeaderMap) -> Vec<HeaderValue> {
    verdict.get_all(SET_COOKIE).iter().cloned().collect()
}

/// Reads the rest of an unneeded answer, so that its connection can be reused. Gives up if the rest is long or slow.
pub(super) fn drain(rest: ResponseBody) {
    const LONG: usize = 64 * 1024;
    const SLOW: Duration = Duration::from_secs(5);

    if rest.is_end_stream() {
        return;
    }
    tokio::spawn(tokio::time::timeout(SLOW, async move {
        let mut rest = pin!(rest);
        let mut left = LONG;
        while let Some(Ok(frame)) = std::future::poll_fn(|cx| rest.as_mut().poll_frame(cx)).await {
            match left.checked_sub(frame.data_ref().map_or(0, bytes::Bytes::len)) {
                Some(fewer) => left = fewer,
                None => break,
            }
        }
    }));
}
