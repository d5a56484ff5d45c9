//! The routes that each listener serves.

use std::collections::HashSet;

use super::{Listener, Place, Route, Settings};

/// A host and a path that a listener serves, with their route.
#[derive(Debug, Clone, Copy)]
pub struct ServedPlace<'a> {
    /// Its index among the places of all routes.
    pub index: usize,
    /// The place.
    pub place: Place<'a>,
    /// Its route.
    pub route: &'a Route,
}

impl Route {
    /// Whether it is served on `http` and `https`, which is the default.
    pub fn has_default_listeners(&self) -> bool {
        self.listeners.len() == Listener::DEFAULT.len()
            && Listener::DEFAULT.iter().all(|one| self.listeners.contains(one))
    }
}

impl Settings {
    /// Returns the places that a listener serves, in the order of the routes.
    ///
    /// The internal listener serves everything: if several listeners have routes for the same host and path, `https`
    /// wins over `http`, and `http` over the named listeners.
    pub fn served(&self, listener: &Listener) -> Vec<ServedPlace<'_>> {
        match listener {
            Listener::Internal => self.served_to_nodes(),
            listener => self.places().filter(|served| served.route.listeners.contains(listener)).collect(),
        }
    }

    /// All places of all routes.
    fn places(&self) -> impl Iterator<Item = ServedPlace<'_>> {
        let places = self.routes.iter().flat_map(|route| route.places().map(move |place| (route, place)));
        places.enumerate().map(|(index, (route, place))| ServedPlace { index, place, route })
    }

    fn served_to_nodes<'a>(&'a self) -> Vec<ServedPlace<'a>> {
        let is_on = |listener: &Listener, served: &ServedPlace<'a>| served.route.listeners.contains(listener);
        let (mut all, mut rest): (Vec<_>, Vec<_>) = self.places().partition(|served| is_on(&Listener::Https, served));
        if rest.is_empty() {
            return all;
        }
        // Compare only host and path: a request with a method that https rejects must not reach a route of http.
        let path_of = |served: &ServedPlace<'a>| (served.place.host, served.place.path);
        let mut taken: HashSet<_> = all.iter().map(path_of).collect();
        for listener in self.all_listeners() {
            let (here, others): (Vec<_>, _) = rest.into_iter().partition(|served| is_on(&listener, served));
            let free: Vec<_> = here.into_iter().filter(|served| !taken.contains(&path_of(served))).collect();
            taken.extend(free.iter().map(path_of));
            all.extend(free);
            rest = others;
        }
        all.sort_unstable_by_key(|served| served.index);
        all
    }
}
