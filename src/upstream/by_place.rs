//! Values that belong to routes, by the host, path and listeners of the route.

use std::collections::HashMap;

use crate::settings::{Listener, Place, Route};

/// A value for each place of each route. No two routes have the same place on the same listener.
#[derive(Debug)]
pub(super) struct ByPlace<'a, T>(HashMap<Place<'a>, Vec<(&'a Route, T)>>);

impl<T> Default for ByPlace<'_, T> {
    fn default() -> Self {
        Self(HashMap::new())
    }
}

impl<'a, T> ByPlace<'a, T> {
    /// The value for `place` on a listener of `route`.
    pub(super) fn get<'b>(&'b self, place: Place<'b>, route: &Route) -> Option<&'b T> {
        let meets = |other: &Route| other.listeners.iter().any(|one| is_named(&route.listeners, one.name()));
        self.at(place).find(|(other, _)| meets(other)).map(|(_, found)| found)
    }

    /// The values for `place`, each with its route.
    pub(super) fn at<'b>(&'b self, place: Place<'b>) -> impl Iterator<Item = &'b (&'b Route, T)> {
        self.0.get(&place).into_iter().flatten()
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = (Place<'a>, &'a Route, &T)> {
        self.0.iter().flat_map(|(place, all)| all.iter().map(move |(route, found)| (*place, *route, found)))
    }
}

impl<'a, T> FromIterator<(Place<'a>, &'a Route, T)> for ByPlace<'a, T> {
    fn from_iter<I: IntoIterator<Item = (Place<'a>, &'a Route, T)>>(all: I) -> Self {
        let mut by_place: HashMap<_, Vec<_>> = HashMap::new();
        for (place, route, found) in all {
            by_place.entry(place).or_default().push((route, found));
        }
        Self(by_place)
    }
}

/// The name of a place in reports: `example.com/api`, or `example.com/api on federation`.
pub(super) fn name(place: Place<'_>, route: &Route) -> String {
    if route.has_default_listeners() {
        return place.to_string();
    }
    let names: Vec<_> = route.listeners.iter().map(Listener::name).collect();
    format!("{place} on {}", names.join(" and "))
}

fn is_named(listeners: &[Listener], name: &str) -> bool {
    listeners.iter().any(|listener| listener.name() == name)
}
