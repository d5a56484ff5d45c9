//! Which routes each listener serves.

use std::collections::HashSet;

use super::{Listener, Place, Route, Settings};

/// A host and a path that a listener serves, with the route that is for them.
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
    /// Whether it is for `http` and `https`, as without `listeners`.
    pub fn has_default_listeners(&self) -> bool {
        self.listeners.len() == Listener::USUAL.len() && Listener::USUAL.iter().all(|one| self.listeners.contains(one))
    }
}

impl Settings {
    /// What a listener serves, in the order of the routes.
    ///
    /// Other nodes may ask for everything: what `https` serves, then `http`, then the listeners that have a name. If
    /// several have routes for the same host and path, the first one counts.
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
        // Compared by host and path only: a request whose method https refuses must not reach a route of http instead.
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
