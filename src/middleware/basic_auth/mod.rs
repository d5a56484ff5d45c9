//! `basic_auth`: asks for a name and a password (RFC 7617).

mod credentials;
mod queue;
mod verifier;

use std::future::{Ready, ready};

use ::http::{
    HeaderName, HeaderValue, Request, Response, StatusCode,
    header::{AUTHORIZATION, RETRY_AFTER, WWW_AUTHENTICATE},
};
use futures_util::{
    FutureExt,
    future::{BoxFuture, Either},
};
use pmesh_layers::{
    body::{RequestBody, ResponseBody},
    edit_headers::HeaderEdits,
    forwarded::ClientAddr,
    respond::{Cause, plain},
};
use thiserror::Error;
use tower_http::auth::{AsyncAuthorizeRequest, AsyncRequireAuthorizationLayer};

use self::{
    credentials::Credentials,
    queue::{Busy, Outcome},
    verifier::{Attempt, VERIFIER, Verifier},
};
use crate::settings::BasicAuth;

/// The user, for the backend.
const REMOTE_USER: HeaderName = HeaderName::from_static("remote-user");
/// Other proxies send the user in this one.
const FORWARDED_USER: HeaderName = HeaderName::from_static("x-forwarded-user");

/// Why a request was rejected.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum LoginRejected {
    /// It lacks the name and password of a user.
    #[error("no name and password of a user")]
    Unauthorized,
    /// Too many other passwords are waiting to be verified.
    #[error("too many passwords to verify")]
    Busy,
}

/// Creates the layer. With `for_nodes`, the next node gets the password, because its route may ask for it, too.
pub(super) fn layer(auth: &BasicAuth, for_nodes: bool) -> AsyncRequireAuthorizationLayer<Login> {
    AsyncRequireAuthorizationLayer::new(Login { challenge: challenge(&auth.realm), auth: auth.clone(), for_nodes })
}

/// Lets in requests with the password of a user.
#[derive(Debug, Clone)]
pub(super) struct Login {
    challenge: HeaderValue,
    auth: BasicAuth,
    for_nodes: bool,
}

type Admitted = Result<Request<RequestBody>, Response<ResponseBody>>;

impl AsyncAuthorizeRequest<RequestBody> for Login {
    type RequestBody = RequestBody;
    type ResponseBody = ResponseBody;
    /// Boxed only if the password has to be verified.
    type Future = Either<Ready<Admitted>, BoxFuture<'static, Admitted>>;

    fn authorize(&mut self, request: Request<RequestBody>) -> Self::Future {
        let Some(credentials) = Credentials::of(request.headers()) else {
            return Either::Left(ready(Err(self.unauthorized())));
        };
        let outcome = self.verify(&VERIFIER, &request, &credentials);
        match outcome {
            Outcome::Known(passed) => Either::Left(ready(self.admit(request, &credentials, passed))),
            Outcome::Busy(busy) => Either::Left(ready(Err(too_busy(busy)))),
            Outcome::Pending(verdict) => {
                let login = self.clone();
                Either::Right(
                    async move {
                        match verdict.await {
                            Ok(passed) => login.admit(request, &credentials, passed),
                            Err(_) => Err(too_busy(Busy::Server)),
                        }
                    }
                    .boxed(),
                )
            }
        }
    }
}

impl Login {
    fn verify<B>(&self, verifier: &Verifier, request: &Request<B>, credentials: &Credentials) -> Outcome {
        let client = ClientAddr::from_extensions(request.extensions()).map(|client| client.ip());
        verifier.verify(Attempt { client, users: &self.auth.users, credentials })
    }

    fn admit(&self, mut request: Request<RequestBody>, credentials: &Credentials, passed: bool) -> Admitted {
        let user = HeaderValue::from_bytes(credentials.user().as_bytes()).ok().filter(|_| passed);
        let Some(user) = user else { return Err(self.unauthorized()) };
        // The password is for the proxy, not for the backend.
        if !self.for_nodes {
            request.headers_mut().remove(AUTHORIZATION);
        }
        HeaderEdits::new().set(REMOTE_USER, user).remove(FORWARDED_USER).apply_to_request(&mut request);
        Ok(request)
    }

    fn unauthorized(&self) -> Response<ResponseBody> {
        let mut response = rejection(StatusCode::UNAUTHORIZED, LoginRejected::Unauthorized);
        response.headers_mut().insert(WWW_AUTHENTICATE, self.challenge.clone());
        response
    }
}

/// `Basic realm="…", charset="UTF-8"`
fn challenge(realm: &str) -> HeaderValue {
    let realm = realm.replace('\\', "\\\\").replace('"', "\\\"");
    let challenge = format!("Basic realm=\"{realm}\", charset=\"UTF-8\"");
    HeaderValue::from_str(&challenge).unwrap_or(HeaderValue::from_static("Basic realm=\"restricted\""))
}

fn too_busy(busy: Busy) -> Response<ResponseBody> {
    let status = match busy {
        Busy::Client => StatusCode::TOO_MANY_REQUESTS,
        Busy::Server => StatusCode::SERVICE_UNAVAILABLE,
    };
    let mut response = rejection(status, LoginRejected::Busy);
    response.headers_mut().insert(RETRY_AFTER, HeaderValue::from_static("1"));
    response
}

/// A response that `error_pages` can replace.
fn rejection(status: StatusCode, cause: LoginRejected) -> Response<ResponseBody> {
    let mut response = plain(status);
    response.extensions_mut().insert(Cause::new(cause));
    response
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_realm_is_quoted() {
        assert_eq!(challenge("staging"), "Basic realm=\"staging\", charset=\"UTF-8\"");
        assert_eq!(challenge(r#"a "b" \c"#), r#"Basic realm="a \"b\" \\c", charset="UTF-8""#);
    }
}
