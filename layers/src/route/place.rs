use std::mem;

use super::{Conditions, Methods, NoRoute, Unmet, parts::Parts};

/// All rules (at least one) for the same host pattern and path.
#[derive(Debug, Clone)]
pub(super) struct Place<T> {
    /// Length of the prefix, which may be removed for the backend; 0 for `/` and for an exact path.
    pub(super) prefix: usize,
    rules: Rules<T>,
}

/// Most places have a single rule without conditions.
#[derive(Debug, Clone)]
enum Rules<T> {
    One(Route<T>),
    /// In the order in which they are tried.
    #[expect(clippy::box_collection, reason = "keeps the common variant small; there may be thousands")]
    Several(Box<Vec<Conditional<T>>>),
}

#[derive(Debug, Clone)]
pub(super) struct Route<T> {
    pub(super) target: T,
    pub(super) literal: bool,
    pub(super) exact_case: bool,
}

#[derive(Debug, Clone)]
struct Conditional<T> {
    conditions: Conditions,
    route: Route<T>,
}

impl<T> Place<T> {
    pub(super) fn new(prefix: usize, conditions: Conditions, route: Route<T>) -> Self {
        let rules = match conditions.is_empty() {
            true => Rules::One(route),
            false => Rules::Several(Box::new(vec![Conditional { conditions, route }])),
        };
        Self { prefix, rules }
    }

    /// Adds a rule. Returns `None` if there is one with the same conditions.
    pub(super) fn insert(&mut self, conditions: Conditions, route: Route<T>) -> Option<()> {
        let exists = match &self.rules {
            Rules::One(_) => conditions.is_empty(),
            Rules::Several(rules) => rules.iter().any(|rule| rule.conditions == conditions),
        };
        if exists {
            return None;
        }
        let mut rules = match mem::replace(&mut self.rules, Rules::Several(Box::default())) {
            Rules::One(route) => Box::new(vec![Conditional { conditions: Conditions::new(), route }]),
            Rules::Several(rules) => rules,
        };
        let index = rules.partition_point(|rule| rank(&rule.conditions) <= rank(&conditions));
        rules.insert(index, Conditional { conditions, route });
        self.rules = Rules::Several(rules);
        Some(())
    }

    /// Whether all rules here distinguish upper and lower case.
    pub(super) fn has_exact_case(&self) -> bool {
        match &self.rules {
            Rules::One(route) => route.exact_case,
            Rules::Several(rules) => rules.iter().all(|rule| rule.route.exact_case),
        }
    }

    /// Returns the first route whose conditions hold.
    pub(super) fn choose<'r>(&self, parts: impl FnOnce() -> Parts<'r>) -> Result<&Route<T>, NoRoute> {
        match &self.rules {
            Rules::One(route) => Ok(route),
            Rules::Several(rules) => first(rules, &parts()),
        }
    }

    /// Returns all routes in the order in which they are tried, each with the first of its conditions that does not hold.
    pub(super) fn try_all<'r>(&self, parts: impl FnOnce() -> Parts<'r>) -> Vec<(&T, Option<Unmet<'_>>)> {
        match &self.rules {
            Rules::One(route) => vec![(&route.target, None)],
            Rules::Several(rules) => {
                let parts = parts();
                rules.iter().map(|rule| (&rule.route.target, rule.conditions.first_unmet(&parts))).collect()
            }
        }
    }

    /// Returns all routes in the order in which they are tried. The second element is an earlier route that hides this one
    /// by getting all of its requests.
    pub(super) fn in_order(&self) -> Vec<(&T, Option<&T>)> {
        let rules = match &self.rules {
            Rules::One(route) => return vec![(&route.target, None)],
            Rules::Several(rules) => rules,
        };
        let hides = |rule: &Conditional<T>, index: usize| {
            let before = &rules[..index];
            before.iter().find(|before| before.conditions.covers(&rule.conditions)).map(|before| &before.route.target)
        };
        rules.iter().enumerate().map(|(index, rule)| (&rule.route.target, hides(rule, index))).collect()
    }
}

/// Rules with conditions other than methods come first, then rules with only methods, then the one without conditions.
fn rank(conditions: &Conditions) -> (bool, bool) {
    (!conditions.has_others(), conditions.is_empty())
}

#[inline(never)]
fn first<'a, T>(rules: &'a [Conditional<T>], parts: &Parts<'_>) -> Result<&'a Route<T>, NoRoute> {
    match rules.iter().find(|rule| rule.conditions.hold(parts)) {
        Some(rule) => Ok(&rule.route),
        None => Err(no_match(rules, parts)),
    }
}

/// Returns the error for a request that no rule matches. If all other conditions of a rule hold, only the method is wrong.
fn no_match<T>(rules: &[Conditional<T>], parts: &Parts<'_>) -> NoRoute {
    let mut allowed = Methods::default();
    for rule in rules.iter().filter(|rule| rule.conditions.others_hold(parts)) {
        allowed.add(rule.conditions.required_methods());
    }
    if allowed.is_empty() { NoRoute::NotFound } else { NoRoute::MethodNotAllowed(Box::new(allowed)) }
}
