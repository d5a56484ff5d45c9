/// The error of a request that no route takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum NoRoute {
    /// The host has no route for the path, or the request lacks the [`HostName`](crate::host::HostName) extension that a
    /// [`HostLayer`](crate::host::HostLayer) sets.
    #[error("no route for the path")]
    NotFound,
    /// The path matches a route as written, but another one or none as some backends read it.
    ///
    /// Backends may decode percent-encoding (`%2F`, `%5C` and `%u0061` included, and twice), read `\` as `/`, merge
    /// slashes, take what follows two or more leading slashes for a host, remove dot segments, or cut off what follows a
    /// `;` in a segment or a decoded `?`, `#` or NUL in the path, in any order. So `//admin`, `/x/..;/admin` and
    /// `/admin%2f..` may mean `/admin` or not, and could bypass the protection of that route. Case is significant
    /// (RFC 3986, 6.2.2.1), and so are differences between names that a file system treats as equal.
    ///
    /// What is left of the path without the prefix of its route is read as well, because that is what a backend sees
    /// behind a [`StripPrefix`](super::StripPrefix), or looks at itself: in `/api//x/admin`, some take `x` for a host
    /// once `/api` is gone, and serve `/admin`. A reading of it counts for the route of the prefix and the reading, here
    /// `/api/admin`.
    ///
    /// Paths whose readings all match the same route pass unchanged. A path with more than 64 readings, or with more
    /// than 32 KiB of them, counts as ambiguous.
    #[error("some backends would read the path as that of another route")]
    Ambiguous,
}
