use std::time::Duration;

use http::{HeaderName, HeaderValue, Request};
use jsonwebtoken::{AlgorithmFamily, Validation, decode, decode_header, errors::ErrorKind};

use super::{
    Algorithm, JwtRejected, Keys, TokenSource,
    claim::{Claim, Claims},
    source,
};
use crate::{body::RequestBody, edit_headers::HeaderEdits};

/// Maximum number of keys to try for a token without `kid`.
const TRIES: usize = 10;

/// The conditions for a token, and the headers for its claims.
#[derive(Debug, Clone)]
pub(super) struct Rules {
    pub(super) sources: Vec<TokenSource>,
    pub(super) removes_token: bool,
    /// `None` allows all.
    pub(super) algorithms: Option<Vec<Algorithm>>,
    pub(super) required: Vec<(Claim, Vec<String>)>,
    pub(super) headers: Vec<(HeaderName, Claim)>,
    /// By family of algorithms. The algorithms of the key have been checked by then.
    validations: Vec<(AlgorithmFamily, Validation)>,
}

/// Why a token was not verified.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Failure {
    /// There is no key with its `kid`.
    UnknownKey,
    Rejected(JwtRejected),
}

impl From<JwtRejected> for Failure {
    fn from(rejected: JwtRejected) -> Self {
        Self::Rejected(rejected)
    }
}

impl Default for Rules {
    fn default() -> Self {
        let families = [AlgorithmFamily::Rsa, AlgorithmFamily::Ec, AlgorithmFamily::Ed, AlgorithmFamily::Hmac];
        let validation = |family: AlgorithmFamily| {
            let mut validation = Validation::new_for_family(family);
            validation.validate_nbf = true;
            // Switched on by `audience`.
            validation.validate_aud = false;
            (family, validation)
        };
        Self {
            sources: vec![TokenSource::Authorization],
            removes_token: false,
            algorithms: None,
            required: Vec::new(),
            headers: Vec::new(),
            validations: families.into_iter().map(validation).collect(),
        }
    }
}

impl Rules {
    pub(super) fn audience(&mut self, accepted: &[String]) {
        self.validations(|validation| {
            validation.validate_aud = true;
            validation.set_audience(accepted);
            validation.required_spec_claims.insert("aud".to_owned());
        });
    }

    pub(super) fn issuer(&mut self, accepted: &[String]) {
        self.validations(|validation| {
            validation.set_issuer(accepted);
            validation.required_spec_claims.insert("iss".to_owned());
        });
    }

    pub(super) fn leeway(&mut self, leeway: Duration) {
        // More than a year would be no check at all. The limit also prevents an overflow.
        let leeway = leeway.as_secs().min(366 * 24 * 60 * 60);
        self.validations(|validation| validation.leeway = leeway);
    }

    pub(super) fn without_expiry(&mut self) {
        self.validations(|validation| {
            validation.required_spec_claims.remove("exp");
        });
    }

    fn validations(&mut self, change: impl Fn(&mut Validation)) {
        self.validations.iter_mut().for_each(|(_, validation)| change(validation));
    }

    /// Verifies the token of a request. Returns its claims.
    pub(super) fn verify<B>(&self, keys: &Keys, request: &Request<B>) -> Result<Claims, Failure> {
        let token = source::find(&self.sources, request.headers())?;
        let claims = self.verify_token(keys, token)?;
        let is_met = |(claim, accepted): &(Claim, Vec<String>)| claim.is_one_of(accepted, &claims);
        if self.required.iter().all(is_met) { Ok(claims) } else { Err(JwtRejected::Insufficient.into()) }
    }

    fn verify_token(&self, keys: &Keys, token: &[u8]) -> Result<Claims, Failure> {
        let invalid = |reason| Err(JwtRejected::Invalid(reason).into());
        // `jwk`, `jku` and the like are ignored: only the keys of the layer count.
        let Ok(header) = decode_header(token) else { return invalid("the token is malformed") };
        if header.crit.is_some() {
            return invalid("the token has critical headers, which are not supported");
        }
        let algorithm = Algorithm(header.alg);
        if self.algorithms.as_ref().is_some_and(|allowed| !allowed.contains(&algorithm)) {
            return invalid("the algorithm is not allowed");
        }
        let mut named = keys.named(header.kid.as_deref()).peekable();
        if named.peek().is_none() {
            return Err(Failure::UnknownKey);
        }
        let mut fitting = named.filter(|key| key.algorithms.contains(&algorithm)).peekable();
        if fitting.peek().is_none() {
            return invalid("no key is for this algorithm");
        }
        let family = algorithm.family();
        let Some((_, validation)) = self.validations.iter().find(|(other, _)| *other == family) else {
            return invalid("the algorithm is not allowed");
        };
        for key in fitting.take(TRIES) {
            match decode::<Claims>(token, &key.decoding, validation) {
                Ok(token) => return Ok(token.claims),
                Err(error) => match error.kind() {
                    ErrorKind::InvalidSignature => {}
                    kind => return invalid(reason(kind)),
                },
            }
        }
        invalid("the signature is invalid")
    }

    /// Adds the headers with claims to a request, and removes headers of these names that the client sent.
    pub(super) fn pass_on(&self, request: &mut Request<RequestBody>, claims: &Claims) -> Result<(), JwtRejected> {
        let mut edits = HeaderEdits::new();
        for source in &self.sources {
            if self.removes_token {
                source.remove(request.headers_mut());
            }
            // The backend must not find another token in a header with a similar name.
            if let TokenSource::Header(name) = source {
                let token = request.headers().get(name).cloned();
                edits = set(edits, name, token);
            }
        }
        for (name, claim) in &self.headers {
            edits = set(edits, name, claim.to_header(claims)?);
        }
        edits.apply_to_request(request);
        Ok(())
    }
}

fn set(edits: HeaderEdits, name: &HeaderName, value: Option<HeaderValue>) -> HeaderEdits {
    match value {
        Some(value) => edits.set(name.clone(), value),
        None => edits.remove(name.clone()),
    }
}

/// The reason that the client gets.
fn reason(kind: &ErrorKind) -> &'static str {
    match kind {
        ErrorKind::ExpiredSignature => "the token has expired",
        ErrorKind::ImmatureSignature => "the token is not valid yet",
        ErrorKind::InvalidAudience => "the token is for another audience",
        ErrorKind::InvalidIssuer => "the token is from another issuer",
        ErrorKind::MissingRequiredClaim(claim) if claim == "exp" => "the token has no valid expiry",
        ErrorKind::MissingRequiredClaim(claim) if claim == "aud" => "the token has no audience",
        ErrorKind::MissingRequiredClaim(claim) if claim == "iss" => "the token has no issuer",
        _ => "the token is malformed",
    }
}
