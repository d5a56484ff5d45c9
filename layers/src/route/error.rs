use super::Methods;

/// The error of a request that has no route.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum NoRoute {
    /// The host has no route for the path, or the conditions of all routes for the path fail.
    #[error("no route for the path")]
    NotFound,
    /// Some backends would read the path as that of another route, or of none.
    ///
    /// Backends may decode percent-encoding (`%2F`, `%5C` and `%u0061` included, and twice), read `\` as `/`, merge
    /// slashes, take what follows two or more leading slashes for a host, remove dot segments, or cut off what follows a
    /// `;` in a segment or a decoded `?`, `#` or NUL in the path, in any order. So `//admin`, `/x/..;/admin` and
    /// `/admin%2f..` may mean `/admin` or not, and could bypass the protection of that route. Case is significant
    /// (RFC 3986, 6.2.2.1), and so are differences between names that a file system treats as equal.
    ///
    /// The rest of the path after the route's prefix is read in these ways too, because a backend behind a
    /// [`StripPrefix`](super::StripPrefix) sees only that, and others may look at it separately. In `/api//x/admin`,
    /// some take `x` for a host once `/api` is gone, and serve `/admin`. Each such reading must match the same route
    /// when it follows the prefix, here as `/api/admin`.
    ///
    /// Paths whose readings all match the same route pass unchanged. A path with more than 64 readings, or with more
    /// than 32 KiB of them, counts as ambiguous.
    #[error("some backends would read the path as that of another route")]
    Ambiguous,
    /// The routes for the path are for these methods only, not counting routes whose other conditions fail.
    #[error("the path has routes for {0} only")]
    MethodNotAllowed(Box<Methods>),
}
