use std::{
    mem,
    sync::Arc,
    task::{Context, Poll},
    time::Duration,
};

use bytes::Bytes;
use futures_util::{
    FutureExt,
    future::{BoxFuture, Either},
};
use http::{HeaderName, Request};
use http_body::Body;
use tower::{BoxError, Layer, Service};

use super::{
    Algorithm, JwtRejected, SharedKeys, TokenSource,
    claim::{Claim, Claims},
    rules::{Failure, Rules},
};
use crate::{ResponseFuture, body::RequestBody};

/// A layer that lets in requests with a valid token, and rejects others with [`JwtRejected`] (401, 403 or 503). The
/// [module](super) has an example.
///
/// The signature is verified with the key that `kid` names, and only with algorithms that fit this key. `exp` is required.
/// `exp` and `nbf` are checked with a [leeway](Self::leeway) of a minute.
#[derive(Debug, Clone)]
pub struct JwtLayer {
    keys: SharedKeys,
    rules: Arc<Rules>,
}

impl JwtLayer {
    /// Creates a layer that verifies tokens in `Authorization` with these keys.
    pub fn new(keys: SharedKeys) -> Self {
        Self { keys, rules: Arc::default() }
    }

    /// Requires one of these audiences (`aud`). Without this, tokens for all audiences are accepted, even those that the
    /// issuer made for other services.
    #[must_use]
    pub fn audience(self, accepted: impl IntoIterator<Item: Into<String>>) -> Self {
        let accepted: Vec<_> = accepted.into_iter().map(Into::into).collect();
        self.with(|rules| rules.audience(&accepted))
    }

    /// Requires one of these issuers (`iss`).
    #[must_use]
    pub fn issuer(self, accepted: impl IntoIterator<Item: Into<String>>) -> Self {
        let accepted: Vec<_> = accepted.into_iter().map(Into::into).collect();
        self.with(|rules| rules.issuer(&accepted))
    }

    /// Allows only these algorithms. Without this, all algorithms that fit the keys are allowed.
    #[must_use]
    pub fn algorithms(self, allowed: impl IntoIterator<Item = Algorithm>) -> Self {
        self.with(|rules| rules.algorithms = Some(allowed.into_iter().collect()))
    }

    /// Sets how much the clocks of issuer and server may differ, in whole seconds. A minute by default.
    #[must_use]
    pub fn leeway(self, leeway: Duration) -> Self {
        self.with(|rules| rules.leeway(leeway))
    }

    /// Accepts tokens without `exp`, which never expire.
    #[must_use]
    pub fn without_expiry(self) -> Self {
        self.with(Rules::without_expiry)
    }

    /// Requires a claim with one of these values, compared as text; otherwise 403. If the claim is a list, one element must
    /// match; in `scope` and `scp`, one word. `realm_access.roles` is a claim in an object.
    #[must_use]
    pub fn require(self, claim: impl Into<String>, accepted: impl IntoIterator<Item: Into<String>>) -> Self {
        let accepted = accepted.into_iter().map(Into::into).collect();
        self.with(|rules| rules.required.push((Claim::new(claim), accepted)))
    }

    /// Sends a claim to the inner service in this header: a string, a number, a boolean, or a list of them, joined with commas.
    ///
    /// A client's headers and trailers of this name are removed, and so are names that a backend could confuse with it. If
    /// the token lacks the claim, there is no header. A token is invalid if its claim cannot be sent in a header, for
    /// instance because of a control character.
    #[must_use]
    pub fn header(self, name: HeaderName, claim: impl Into<String>) -> Self {
        self.with(|rules| rules.headers.push((name, Claim::new(claim))))
    }

    /// Takes the token from these places instead of `Authorization`. A request with different tokens is rejected.
    #[must_use]
    pub fn from(self, sources: impl IntoIterator<Item = TokenSource>) -> Self {
        self.with(|rules| rules.sources = sources.into_iter().collect())
    }

    /// Removes the token from the request. By default, the inner service gets it.
    #[must_use]
    pub fn remove_token(self) -> Self {
        self.with(|rules| rules.removes_token = true)
    }

    fn with(mut self, change: impl FnOnce(&mut Rules)) -> Self {
        change(Arc::make_mut(&mut self.rules));
        self
    }

    fn verify<B>(&self, request: &Request<B>) -> Result<Claims, Failure> {
        match self.keys.load() {
            Some(keys) => self.rules.verify(&keys, request),
            None => Err(JwtRejected::NoKeys.into()),
        }
    }

    /// Verifies the token of a request, and changes the request accordingly.
    fn admit(&self, request: &mut Request<RequestBody>) -> Result<(), Failure> {
        let claims = self.verify(request)?;
        Ok(self.rules.pass_on(request, &claims)?)
    }
}

impl<S> Layer<S> for JwtLayer {
    type Service = Jwt<S>;

    fn layer(&self, inner: S) -> Self::Service {
        Jwt { inner, layer: self.clone() }
    }
}

/// The service of [`JwtLayer`].
#[derive(Debug, Clone)]
pub struct Jwt<S> {
    inner: S,
    layer: JwtLayer,
}

impl<S> Jwt<S> {
    inner_accessors!();
}

impl<S, B> Service<Request<B>> for Jwt<S>
where
    S: Service<Request<RequestBody>, Future: Send> + Clone + Send + 'static,
    S::Error: Into<BoxError>,
    B: Body<Data = Bytes, Error: Into<BoxError>> + Send + 'static,
{
    type Response = S::Response;
    type Error = BoxError;
    /// Boxed only while a request waits for keys.
    type Future = Either<ResponseFuture<S::Future>, BoxFuture<'static, Result<S::Response, BoxError>>>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), BoxError>> {
        self.inner.poll_ready(cx).map_err(Into::into)
    }

    fn call(&mut self, request: Request<B>) -> Self::Future {
        let mut request = request.map(RequestBody::new);
        let failure = match self.layer.admit(&mut request) {
            Ok(()) => return Either::Left(ResponseFuture::inner(self.inner.call(request))),
            Err(failure) => failure,
        };
        let may_wait = matches!(failure, Failure::UnknownKey | Failure::Rejected(JwtRejected::NoKeys));
        let Some(update) = may_wait.then(|| self.layer.keys.demand()).flatten() else {
            return Either::Left(ResponseFuture::error(rejected(failure)));
        };
        let clone = self.inner.clone();
        let mut ready = mem::replace(&mut self.inner, clone);
        let layer = self.layer.clone();
        Either::Right(
            async move {
                update.await;
                match layer.admit(&mut request) {
                    Ok(()) => ready.call(request).await.map_err(Into::into),
                    Err(failure) => Err(rejected(failure).into()),
                }
            }
            .boxed(),
        )
    }
}

fn rejected(failure: Failure) -> JwtRejected {
    match failure {
        Failure::UnknownKey => JwtRejected::Invalid("no key has the kid of the token"),
        Failure::Rejected(rejected) => rejected,
    }
}
