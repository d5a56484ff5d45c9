use http::Uri;

/// An extension of a request: the URI that the client requested. Insert it before a layer changes the path, for example a
/// [`StripPrefixLayer`](crate::route::StripPrefixLayer), so that redirects lead to the right path.
#[derive(Debug, Clone)]
pub struct OriginalUri(pub Uri);
