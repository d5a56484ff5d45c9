use super::{Conditions, ExactPath, PathPrefix, PathRegex, RoutePath};

/// The paths and conditions of a route.
///
/// ```
/// use http::{Method, Request};
/// use pmesh_layers::route::{Conditions, NoRoute, PathPrefix, RouteTable, Rule};
///
/// let api: PathPrefix = "/api".parse()?;
/// let get = Conditions::new().methods([Method::GET]);
/// let mut table = RouteTable::new();
/// table.insert("a.example".parse()?, Rule::from(api).when(get), "read")?;
/// table.insert("a.example".parse()?, PathPrefix::root(), "other")?;
///
/// assert_eq!(table.find_for("a.example", &Request::get("/api/users").body(())?), Ok(&"read"));
/// let answer = table.find_for("a.example", &Request::post("/api/users").body(())?);
/// assert!(matches!(answer, Err(NoRoute::MethodNotAllowed(methods)) if methods.to_string() == "GET, HEAD"));
/// # Ok::<_, Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Rule {
    pub(super) path: RoutePath,
    pub(super) conditions: Conditions,
    pub(super) literal: bool,
    pub(super) exact_case: bool,
}

impl Rule {
    /// Creates a rule for all requests to these paths.
    pub fn new(path: impl Into<RoutePath>) -> Self {
        Self { path: path.into(), conditions: Conditions::new(), literal: false, exact_case: false }
    }

    /// Sets the conditions, replacing any set before.
    #[must_use]
    pub fn when(self, conditions: Conditions) -> Self {
        Self { conditions, ..self }
    }

    /// Accepts [ambiguous](super::NoRoute::Ambiguous) paths. Use it for a backend that reads paths exactly as written, or
    /// that protects itself.
    #[must_use]
    pub fn literal(self) -> Self {
        Self { literal: true, ..self }
    }

    /// Distinguishes upper and lower case: a path in another case is not taken for one of these, nor one of these for the path
    /// of another route in another case. Use it for a redirect that only changes the case of a path, such as from `/Blog` to
    /// `/blog`. Otherwise, both would be [ambiguous](super::NoRoute::Ambiguous).
    #[must_use]
    pub fn exact_case(self) -> Self {
        Self { exact_case: true, ..self }
    }

    /// The paths.
    pub fn path(&self) -> &RoutePath {
        &self.path
    }

    /// The conditions.
    pub fn conditions(&self) -> &Conditions {
        &self.conditions
    }

    /// Whether ambiguous paths are accepted.
    pub fn is_literal(&self) -> bool {
        self.literal
    }

    /// Whether upper and lower case are distinguished.
    pub fn has_exact_case(&self) -> bool {
        self.exact_case
    }
}

impl From<RoutePath> for Rule {
    fn from(path: RoutePath) -> Self {
        Self::new(path)
    }
}

impl From<ExactPath> for Rule {
    fn from(path: ExactPath) -> Self {
        Self::new(path)
    }
}

impl From<PathPrefix> for Rule {
    fn from(prefix: PathPrefix) -> Self {
        Self::new(prefix)
    }
}

impl From<PathRegex> for Rule {
    fn from(regex: PathRegex) -> Self {
        Self::new(regex)
    }
}
