use super::Methods;

/// The error of a request that has no route.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum NoRoute {
    /// The host has no routes for the path, or the request does not meet the conditions of any of them.
    #[error("no route for the path")]
    NotFound,
    /// Some backends would read the path as that of another route, or of no route.
    ///
    /// Backends can change a path in the following ways, in any order. Each result is a reading of the path. They can
    /// - decode percent-encoding, even twice, including `%2F`, `%5C` and `%u0061`,
    /// - read `\` as `/`, or merge slashes,
    /// - treat the segment after two or more leading slashes as a host,
    /// - remove dot segments,
    /// - cut off a segment at a `;`, or the path at a decoded `?`, `#` or NUL,
    /// - ignore case, including that of encoded characters.
    ///
    /// So some backends read `//admin`, `/ADMIN`, `/x/..;/admin` and `/admin%2f..` as `/admin`, which could bypass the
    /// protection of that route. Names that a file system treats as equal for other reasons are not readings of each other.
    ///
    /// If there are routes for both `/api` and `/Api`, each of these spellings leads to its own route, and `/API` is
    /// ambiguous. Of several regular expressions at the same prefix, the first one that matches when case is ignored must
    /// also be the first one that matches as written. A redirect that only changes the case is not another route; see
    /// [`Rule::exact_case`](super::Rule::exact_case).
    ///
    /// The rest of the path after the route's prefix is read in these ways too. Behind a
    /// [`StripPrefix`](super::StripPrefix), a backend sees only the rest, and other backends may process it separately.
    /// For example, the rest of `/api//x/admin` is `//x/admin`, and some backends treat `x` as a host and serve `/admin`.
    /// So each reading of the rest must match the same route when it is put after the prefix, here as `/api/admin`.
    ///
    /// A path whose readings all match the same route is passed on unchanged. A path with more than 64 readings, or with
    /// readings of more than 32 KiB in total, counts as ambiguous.
    #[error("the path is ambiguous: some backends would read it as the path of another route")]
    Ambiguous,
    /// The routes for the path allow only these methods. Routes whose other conditions fail do not count.
    #[error("the path allows only {0}")]
    MethodNotAllowed(Box<Methods>),
}
