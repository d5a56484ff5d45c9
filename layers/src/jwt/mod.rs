//! Lets in requests with a valid JSON Web Token (RFC 7519), such as the bearer tokens of OAuth and OpenID Connect (RFC
//! 6750).
//!
//! ```
//! use bytes::Bytes;
//! use http::{HeaderName, Request, Response};
//! use http_body_util::Empty;
//! use pmesh_layers::{body::RequestBody, jwt::{JwtLayer, JwtRejected, Keys, SharedKeys}};
//! use tower::{BoxError, ServiceBuilder, ServiceExt};
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), BoxError> {
//! let keys = SharedKeys::new(Keys::from_secret(b"a secret of at least 32 bytes, shared with the issuer")?);
//! let service = ServiceBuilder::new()
//!     .layer(JwtLayer::new(keys.clone()).audience(["api"]).header(HeaderName::from_static("x-user"), "sub"))
//!     .service_fn(async |request: Request<RequestBody>| {
//!         assert_eq!(request.headers()["x-user"], "alice");
//!         Ok::<_, BoxError>(Response::new(()))
//!     });
//! // { "alg": "HS256" } and { "aud": "api", "sub": "alice", "exp": 4102444800 }
//! let token = concat!(
//!     "eyJhbGciOiJIUzI1NiJ9.eyJhdWQiOiJhcGkiLCJzdWIiOiJhbGljZSIsImV4cCI6NDEwMjQ0NDgwMH0",
//!     ".VEbW6Dkx7i2ITLsRbpt2If6--ZR1Zz2PwZnoVSD8GOE",
//! );
//! let request = Request::get("/").header("authorization", format!("Bearer {token}")).header("x-user", "root");
//! assert!(service.clone().oneshot(request.body(Empty::<Bytes>::new())?).await.is_ok());
//!
//! // Keys can be replaced at any time.
//! keys.replace(Keys::from_secret(b"another secret of at least 32 bytes")?);
//! let request = Request::get("/").header("authorization", format!("Bearer {token}"));
//! let error = service.oneshot(request.body(Empty::<Bytes>::new())?).await.unwrap_err();
//! assert_eq!(error.downcast_ref(), Some(&JwtRejected::Invalid("the signature is invalid")));
//! # Ok(())
//! # }
//! ```
//!
//! # Keys
//!
//! [`Keys`] come from a JSON Web Key Set, from public keys in PEM, or from a shared secret. [`SharedKeys`] replaces them while
//! requests are verified, and says when new ones are needed. Your program fetches them.
//!
//! The key decides which algorithms it can be used with, not the token. So tokens with the algorithm `none` are rejected,
//! and also tokens signed by HMAC with a public key as the secret. Keys in the header of a token (`jwk`, `x5c`) and links to
//! keys (`jku`, `x5u`) are ignored. A token with `crit` is rejected.
//!
//! # Cost
//!
//! Each request costs a verification of a signature, on the thread that polls it.

mod algorithm;
mod claim;
mod error;
mod invalid_keys;
mod jwk;
mod key;
mod keys;
mod layer;
mod rules;
mod shared_keys;
mod source;
mod spki;

pub use algorithm::{Algorithm, UnknownAlgorithm};
pub use error::JwtRejected;
pub use invalid_keys::InvalidKeys;
pub use keys::Keys;
pub use layer::{Jwt, JwtLayer};
pub use shared_keys::SharedKeys;
pub use source::TokenSource;
