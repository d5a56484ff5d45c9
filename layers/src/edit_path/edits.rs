use std::borrow::Cow;

use http::{HeaderValue, Request, Uri, uri::PathAndQuery};

use super::{PathRejected, Rewrite};
use crate::route::{PathPrefix, Removed, StripPrefixLayer, readings};

/// Changes to a path, made in this order: rewrite it, remove a prefix, add a prefix.
///
/// The path is not decoded or encoded: each part stays as the client sent it. The query stays, unless a rewrite has its own.
/// The target `*` of an OPTIONS request is never changed.
///
/// # Ambiguous paths
///
/// Some backends read `/v1/../admin` as `/admin`. So the changes are also made to each
/// [reading](crate::route::NoRoute::Ambiguous) of the client's path. A request is rejected if a backend could read its new
/// path in a way that is not among the results, or if the regex of a rewrite matches only some of the readings. So no
/// spelling can escape an added prefix with dot segments, add a host, or avoid a rewrite. A path such as `/a%2Fb` or `/a//b`
/// can be changed if `/a/b` is changed in the same way.
///
/// A [`RouteTable`](crate::route::RouteTable) already checks the client's path, with and without the prefix. So if removing
/// a prefix is the only change, it is not checked again here.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct PathEdits {
    rewrite: Option<Rewrite>,
    strip: Option<StripPrefixLayer>,
    add: Option<PathPrefix>,
    literal: bool,
}

impl PathEdits {
    /// Changes nothing yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// Rewrites the path.
    #[must_use]
    pub fn rewrite(self, rewrite: Rewrite) -> Self {
        Self { rewrite: Some(rewrite), ..self }
    }

    /// Removes the longest matching prefix, as [`StripPrefixLayer`] does.
    #[must_use]
    pub fn strip_prefix(self, prefixes: impl IntoIterator<Item = PathPrefix>) -> Self {
        Self { strip: Some(StripPrefixLayer::any(prefixes)), ..self }
    }

    /// Puts a prefix before the path.
    #[must_use]
    pub fn add_prefix(self, prefix: PathPrefix) -> Self {
        Self { add: Some(prefix).filter(|prefix| *prefix != PathPrefix::root()), ..self }
    }

    /// Accepts ambiguous paths. Use it for a backend that reads paths exactly as written, or that protects itself.
    #[must_use]
    pub fn literal(self) -> Self {
        Self { literal: true, ..self }
    }

    /// Whether nothing is changed.
    pub fn is_empty(&self) -> bool {
        self.rewrite.is_none() && self.strip.is_none() && self.add.is_none()
    }

    /// Returns the new URI of a request for `uri`. If a rewrite needs the host, it is that of `uri`.
    ///
    /// ```
    /// use pmesh_layers::edit_path::PathEdits;
    ///
    /// let edits = PathEdits::new().strip_prefix(["/api".parse()?]).add_prefix("/v1".parse()?);
    /// assert_eq!(edits.apply(&"/api/users?all".parse()?)?, "/v1/users?all");
    /// assert!(edits.apply(&"/api/../../admin".parse()?).is_err());
    /// # Ok::<_, Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    ///
    /// [`PathRejected`] if the request would be rejected.
    pub fn apply(&self, uri: &Uri) -> Result<Uri, PathRejected> {
        let mut request = Request::new(());
        *request.uri_mut() = uri.clone();
        self.edited(&request).map(|(uri, _)| uri)
    }

    /// Returns the new URI of a request, and the new value of `X-Forwarded-Prefix` if a prefix is removed.
    ///
    /// # Errors
    ///
    /// [`PathRejected`] if the request is rejected.
    pub fn edited<B>(&self, request: &Request<B>) -> Result<(Uri, Option<HeaderValue>), PathRejected> {
        let path = request.uri().path();
        if !path.starts_with('/') {
            return Ok((request.uri().clone(), None));
        }
        let edited = self.edit(path, request)?;
        self.check(path, &edited, request)?;
        let Edited { path: new, removed, .. } = edited;
        let prefix = removed.and_then(|prefix| prefix.header(request.headers()));
        let own_query = match &self.rewrite {
            Some(rewrite) => rewrite.query(path, request)?,
            None => None,
        };
        let query = own_query.as_deref().filter(|query| !query.is_empty());
        let query = if own_query.is_some() { query } else { request.uri().query() };
        let uri = match (&new, query) {
            (Cow::Borrowed(same), query) if *same == path && query == request.uri().query() => request.uri().clone(),
            _ => with_path(request.uri(), &new, query).ok_or(PathRejected::Invalid)?,
        };
        Ok((uri, prefix))
    }

    fn edit<'a, B>(&'a self, path: &'a str, request: &Request<B>) -> Result<Edited<'a>, PathRejected> {
        let mut edited = Edited { path: Cow::Borrowed(path), is_rewritten: false, removed: None };
        if let Some(rewrite) = &self.rewrite
            && let Some(new) = rewrite.path(path, request)?
        {
            (edited.path, edited.is_rewritten) = (Cow::Owned(new), true);
        }
        if let Some((prefix, rest)) = self.strip.as_ref().and_then(|strip| strip.split(&edited.path)) {
            edited = Edited { path: Cow::Owned(rest.to_owned()), removed: Some(prefix), ..edited };
        }
        if let Some(prefix) = &self.add {
            edited.path = Cow::Owned([prefix.as_str(), &edited.path].concat());
        }
        Ok(edited)
    }

    /// Checks that each reading of the new path is the changed form of a reading of the client's path, and that all of the
    /// latter match the regex of a rewrite, or none does.
    fn check<B>(&self, path: &str, edited: &Edited<'_>, request: &Request<B>) -> Result<(), PathRejected> {
        let new = &*edited.path;
        let is_checked = self.rewrite.is_some() || self.add.is_some();
        if self.literal || !is_checked || (has_one_reading(new) && has_one_reading(path)) {
            return Ok(());
        }
        let mut expected = vec![new.to_owned()];
        let all_change = readings::all(path, |reading| {
            let like = self.edit(reading, request).ok().filter(|other| other.is_rewritten == edited.is_rewritten);
            like.map(|other| expected.push(other.path.into_owned())).is_some()
        });
        if all_change && readings::all(new, |reading| expected.iter().any(|path| path == reading)) {
            Ok(())
        } else {
            Err(PathRejected::Ambiguous)
        }
    }
}

/// A changed path.
#[derive(Debug)]
struct Edited<'a> {
    path: Cow<'a, str>,
    is_rewritten: bool,
    removed: Option<Removed<'a>>,
}

/// A quick check that `path` has no other reading. Can return `false` even if there is none.
fn has_one_reading(path: &str) -> bool {
    readings::is_plain(path) && readings::is_allowed(path)
}

fn with_path(uri: &Uri, path: &str, query: Option<&str>) -> Option<Uri> {
    let path_and_query: PathAndQuery = match query {
        Some(query) => format!("{path}?{query}").parse().ok()?,
        None => path.parse().ok()?,
    };
    let mut parts = uri.clone().into_parts();
    parts.path_and_query = Some(path_and_query);
    Uri::from_parts(parts).ok()
}
