//! Redirects that add the slash at the end of a folder's path.

use http::{HeaderMap, HeaderValue, Request, Response, StatusCode, Uri, header::LOCATION};

use super::original::OriginalUri;
use crate::{body::ResponseBody, forwarded::X_FORWARDED_PREFIX};

/// Returns the URI to which the client must add a slash if the request is for a folder: links in the index are relative to
/// it.
pub(super) fn without_slash<B>(request: &Request<B>) -> Option<Uri> {
    let path = request.uri().path();
    let original = request.extensions().get();
    let uri = original.map_or(request.uri(), |OriginalUri(uri)| uri);
    if uri.path().ends_with('/') {
        return None;
    }
    // A path that another layer has changed may only work unchanged.
    let is_same_place =
        if path.ends_with('/') { is_prefix(uri.path(), request.headers()) } else { last(uri.path()) == last(path) };
    is_same_place.then(|| uri.clone())
}

/// Whether the path is a prefix that was removed.
fn is_prefix(path: &str, headers: &HeaderMap) -> bool {
    headers
        .get(X_FORWARDED_PREFIX)
        .is_some_and(|prefix| !path.is_empty() && prefix.as_bytes().ends_with(path.as_bytes()))
}

/// The redirect. A relative reference never leads to another host, and is also right behind proxies that change the path.
pub(super) fn redirect(uri: &Uri) -> Option<Response<ResponseBody>> {
    let query = uri.query().map(|query| format!("?{query}")).unwrap_or_default();
    let location = HeaderValue::try_from(format!("./{}/{query}", last(uri.path()))).ok()?;
    let mut response = Response::new(ResponseBody::empty());
    *response.status_mut() = StatusCode::PERMANENT_REDIRECT;
    response.headers_mut().insert(LOCATION, location);
    Some(response)
}

fn last(path: &str) -> &str {
    path.rsplit('/').next().unwrap_or_default()
}
