//! `cors`: lets pages of other origins read the responses (CORS, in the Fetch standard).

use ::http::{
    HeaderMap, HeaderName, HeaderValue, Method, Request, Response,
    header::{
        ACCESS_CONTROL_ALLOW_CREDENTIALS, ACCESS_CONTROL_ALLOW_HEADERS, ACCESS_CONTROL_ALLOW_METHODS,
        ACCESS_CONTROL_ALLOW_ORIGIN, ACCESS_CONTROL_EXPOSE_HEADERS, ACCESS_CONTROL_MAX_AGE,
        ACCESS_CONTROL_REQUEST_METHOD, ORIGIN, VARY,
    },
};
use pmesh_layers::body::{RequestBody, ResponseBody};
use tower::{Layer, ServiceBuilder};
use tower_http::cors::{AllowHeaders, AllowMethods, AllowOrigin, CorsLayer, ExposeHeaders};

use super::{Inner, list};
use crate::{
    respond::answer_errors,
    settings::{Allowed, Cors},
};

/// Creates the layer.
pub(super) fn layer<S: Inner>(cors: &Cors) -> impl Layer<S, Service: Inner> + Clone + use<S> {
    let Cors { origins, methods, headers, expose_headers, credentials, max_age } = cors.clone();
    let layer = CorsLayer::new()
        .allow_origin(match origins {
            Allowed::All => AllowOrigin::any(),
            // Even a single origin is a list: it is then sent only to pages of that origin, with `Vary`.
            Allowed::Only(origins) => AllowOrigin::list(origins),
        })
        .allow_methods(match methods {
            Allowed::All => AllowMethods::any(),
            Allowed::Only(methods) => AllowMethods::list(methods),
        })
        .allow_headers(match headers {
            Allowed::All => AllowHeaders::any(),
            Allowed::Only(names) => AllowHeaders::list(names),
        })
        .expose_headers(match expose_headers {
            Allowed::All => ExposeHeaders::any(),
            Allowed::Only(names) => ExposeHeaders::list(names),
        })
        .allow_credentials(credentials);
    ServiceBuilder::new()
        .map_request(hide_options)
        .layer(max_age.into_iter().fold(layer, CorsLayer::max_age))
        .map_request(restore_options)
        .map_response(remove_cors)
        // Pages must be able to read errors, too.
        .layer(answer_errors())
        .into_inner()
}

/// Marks a request whose method was hidden.
#[derive(Debug, Clone, Copy)]
struct HiddenOptions;

/// Hides the method of an OPTIONS request that is not a preflight request, because `CorsLayer` answers every OPTIONS
/// request as one.
fn hide_options(mut request: Request<RequestBody>) -> Request<RequestBody> {
    let headers = request.headers();
    let is_preflight = headers.contains_key(ORIGIN) && headers.contains_key(ACCESS_CONTROL_REQUEST_METHOD);
    if *request.method() == Method::OPTIONS && !is_preflight {
        *request.method_mut() = Method::GET;
        request.extensions_mut().insert(HiddenOptions);
    }
    request
}

fn restore_options(mut request: Request<RequestBody>) -> Request<RequestBody> {
    if request.extensions_mut().remove::<HiddenOptions>().is_some() {
        *request.method_mut() = Method::OPTIONS;
    }
    request
}

/// Removes the backend's CORS headers. Otherwise they could allow origins that the route does not.
fn remove_cors(mut response: Response<ResponseBody>) -> Response<ResponseBody> {
    const PRIVATE_NETWORK: HeaderName = HeaderName::from_static("access-control-allow-private-network");

    let headers = response.headers_mut();
    for name in [
        ACCESS_CONTROL_ALLOW_CREDENTIALS,
        ACCESS_CONTROL_ALLOW_HEADERS,
        ACCESS_CONTROL_ALLOW_METHODS,
        ACCESS_CONTROL_ALLOW_ORIGIN,
        ACCESS_CONTROL_EXPOSE_HEADERS,
        ACCESS_CONTROL_MAX_AGE,
        PRIVATE_NETWORK,
    ] {
        headers.remove(name);
    }
    remove_vary_origin(headers);
    response
}

/// Removes `Origin` from `Vary`. `CorsLayer` adds it again if the response depends on it.
fn remove_vary_origin(headers: &mut HeaderMap) {
    if !list::has(headers, &VARY, "origin") {
        return;
    }
    let rest = list::elements(headers, &VARY).filter(|name| !name.eq_ignore_ascii_case(b"origin"));
    let rest = rest.collect::<Vec<_>>().join(&b", "[..]);
    headers.remove(VARY);
    if let Some(value) = HeaderValue::from_bytes(&rest).ok().filter(|value| !value.is_empty()) {
        headers.insert(VARY, value);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn origin_is_removed_from_vary() {
        for (values, expected) in [
            (&["Origin"][..], &[][..]),
            (&["Accept, origin", "Cookie"], &["Accept, Cookie"]),
            (&["Accept", "Cookie"], &["Accept", "Cookie"]),
            (&["*"], &["*"]),
            (&[], &[]),
        ] {
            let mut headers = HeaderMap::new();
            for value in values {
                headers.append(VARY, HeaderValue::from_static(value));
            }
            remove_vary_origin(&mut headers);
            assert_eq!(headers.get_all(VARY).iter().collect::<Vec<_>>(), expected, "{values:?}");
        }
    }
}
