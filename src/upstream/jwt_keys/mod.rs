//! The keys that verify tokens (`jwt`). Files are reread after a change, and URLs are fetched regularly. Both kinds are kept
//! across reloads, and requests only read them.

mod error;
mod fetch;
mod file;
mod url;

use std::sync::Arc;

use pmesh_layers::{connect::Resolver, jwt::SharedKeys};
use tower::BoxError;

pub use self::{error::JwtKeysError, url::Failure};
use self::{file::KeyFile, url::KeyUrl};
use super::trust::Trust;
use crate::settings::{JwtKeys, Route, Settings};

/// The sources of the keys for all routes of a configuration.
#[derive(Debug, Default)]
pub(super) struct JwtKeySources(Vec<(JwtKeys, Source)>);

/// The keys at a URL.
#[derive(Debug)]
pub struct FetchedKeys {
    /// The URL.
    pub url: String,
    /// The number of keys.
    pub count: usize,
    /// Why the last fetch failed, if it did.
    pub failure: Option<Failure>,
}

#[derive(Debug, Clone)]
enum Source {
    File(Arc<KeyFile>),
    Url(Arc<KeyUrl>),
}

/// Reads the key files of all routes, to check them.
///
/// # Errors
///
/// Names the file that cannot be used, and where it was configured.
pub fn check(routes: &[Route]) -> Result<(), JwtKeysError> {
    for jwt in routes.iter().filter_map(|route| route.middleware.jwt.as_ref()) {
        file::check(jwt)?;
    }
    Ok(())
}

/// The keys of a route, if they are in a file that can be used.
pub(super) fn in_file(route: &Route) -> Option<SharedKeys> {
    KeyFile::new(route.middleware.jwt.as_ref()?).ok().map(|file| file.keys().clone())
}

impl JwtKeySources {
    /// The sources that the routes name. Those in `previous` are kept, with their keys.
    pub(super) fn of(
        settings: &Settings,
        trust: &Trust,
        resolver: &Resolver,
        previous: Option<&Self>,
    ) -> Result<Self, BoxError> {
        check(&settings.routes)?;
        let mut sources = Self::default();
        for jwt in settings.routes.iter().filter_map(|route| route.middleware.jwt.as_ref()) {
            if sources.find(&jwt.keys).is_some() {
                continue;
            }
            let known = previous.and_then(|previous| previous.find(&jwt.keys));
            let source = match (&jwt.keys, known) {
                (JwtKeys::Url { url, refresh, .. }, known) => {
                    let client = fetch::Client::new(url.clone(), settings, jwt, trust, resolver)?;
                    let known = known.and_then(|source| if let Source::Url(url) = source { Some(url) } else { None });
                    match known {
                        Some(known) => {
                            known.set_client(client);
                            Source::Url(Arc::clone(known))
                        }
                        None => Source::Url(Arc::new(KeyUrl::new(client, *refresh))),
                    }
                }
                (_, Some(known)) => known.clone(),
                (_, None) => Source::File(Arc::new(KeyFile::new(jwt)?)),
            };
            sources.0.push((jwt.keys.clone(), source));
        }
        Ok(sources)
    }

    /// The keys of a route, if it needs some.
    pub(super) fn keys(&self, route: &Route) -> Option<SharedKeys> {
        Some(match self.find(&route.middleware.jwt.as_ref()?.keys)? {
            Source::File(file) => file.keys().clone(),
            Source::Url(url) => url.keys().clone(),
        })
    }

    /// The keys at URLs.
    pub(super) fn fetched(&self) -> Vec<FetchedKeys> {
        let fetched = |(keys, source): &(JwtKeys, Source)| match source {
            Source::File(_) => None,
            Source::Url(url) => Some(FetchedKeys {
                url: keys.to_string(),
                count: url.keys().load().map_or(0, |keys| keys.len()),
                failure: url.failure(),
            }),
        };
        self.0.iter().filter_map(fetched).collect()
    }

    /// Rereads the files that have changed, or all. Also starts the fetching from URLs, so it must be called in the runtime
    /// for that.
    pub(super) fn refresh(&self, all: bool) {
        for (_, source) in &self.0 {
            match source {
                Source::File(file) => file.refresh(all),
                Source::Url(url) => KeyUrl::start(url),
            }
        }
    }

    fn find(&self, keys: &JwtKeys) -> Option<&Source> {
        self.0.iter().find(|(other, _)| other == keys).map(|(_, source)| source)
    }
}
