use super::{NoRoute, Unmet};

/// Why a request takes its route: see [`RouteTable::consider`](super::RouteTable::consider).
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Considered<'a, T> {
    /// The result of [`find_for`](super::RouteTable::find_for).
    pub result: Result<&'a T, NoRoute>,
    /// All routes whose host and path match the request, the most specific first.
    pub candidates: Vec<Candidate<'a, T>>,
    /// If the path is [ambiguous](NoRoute::Ambiguous), a reading with another route, or without one. `None` also
    /// if the path has too many readings.
    pub other_reading: Option<String>,
}

/// A route whose host and path match a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct Candidate<'a, T> {
    /// The target of the route.
    pub target: &'a T,
    /// Whether it is chosen, or why not.
    pub verdict: Verdict<'a>,
}

/// Why a route is chosen or not.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Verdict<'a> {
    /// The first route whose conditions hold. It gets the request, unless the path is [ambiguous](NoRoute::Ambiguous).
    Chosen,
    /// This condition does not hold.
    Unmet(Unmet<'a>),
    /// An earlier route for the same host and path is chosen.
    Later,
    /// There are routes with a more specific host or path.
    LessSpecific,
}
