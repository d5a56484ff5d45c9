//! All routes with their services. Unchanged routes are kept across reloads.

use std::{collections::HashMap, sync::Arc, time::Duration};

use pmesh_layers::{
    jwt::{Keys, SharedKeys},
    mirror::{MirrorLayer, MirrorStats},
    upgrade::{TunnelCloser, TunnelLayer},
};
use tower::{BoxError, Layer};

use super::{
    Connections, Endpoints, RouteService, Tables,
    auth::auth_server,
    by_place::{ByPlace, name},
    connect_timeouts::ConnectTimeouts,
    jwt_keys::{FetchedKeys, JwtKeySources},
    local_services::{LocalServices, Wait},
    maintenance::{MaintenanceFiles, Switch},
    mirror::mirrors,
    proxy::{Proxy, Untunneled, proxy},
    route_settings::RouteSettings,
    trust::Trust,
};
use crate::{
    middleware::{self, Layered, Limits, Shared},
    settings::{Answer, ForwardAuth, Place, Route, Settings},
};

/// All routes of a configuration, with the services of each worker. Routes that have not changed keep the services and
/// connections that they had in the previous configuration.
#[derive(Debug)]
pub struct Routes {
    tables: Tables,
    /// By worker, then by index in the tables: one for each place.
    services: Box<[Arc<[RouteService<Proxy>]>]>,
    built: Vec<Arc<Built>>,
    maintenance: MaintenanceFiles,
    mirrored: Arc<MirrorStats>,
    jwt_keys: JwtKeySources,
}

/// A route, and the services built for it.
#[derive(Debug)]
struct Built {
    route: Route,
    settings: RouteSettings,
    endpoints: Vec<Arc<Connections>>,
    /// How requests and their copies wait, if services are among the endpoints.
    waits: [Option<Wait>; 2],
    /// To its authentication server, if it has one.
    auth: Option<Arc<Connections>>,
    shared: Shared,
    services: Services,
    /// Copy requests to the mirror. One per worker, if there is a mirror.
    mirrors: Vec<MirrorLayer<Layered>>,
    /// One for each place.
    closers: Vec<Arc<TunnelCloser>>,
}

/// The services that answer the requests of a route, one per worker.
#[derive(Debug)]
enum Services {
    /// Without their tunnel layer and their middleware.
    Proxies(Vec<Untunneled>),
    /// The same for all places.
    Answers(Vec<RouteService<Proxy>>),
}

/// How the routes of two configurations differ. Routes are named by host and path.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct RouteChanges {
    /// Only in the new one.
    pub added: Vec<String>,
    /// In both, but not the same.
    pub changed: Vec<String>,
    /// Only in the previous one.
    pub removed: Vec<String>,
}

impl Routes {
    /// Builds the routes of the settings in `services`, for all workers.
    ///
    /// # Errors
    ///
    /// Never for validated settings, if `trust` was loaded and the addresses were assigned for them. After an error, call
    /// [`keep_only`](Self::keep_only) on the previous routes, to drop endpoints that were created for the new ones.
    pub fn build(
        services: LocalServices<'_>,
        trust: &Trust,
        previous: Option<&Self>,
        endpoints: &mut Endpoints,
    ) -> Result<Self, BoxError> {
        let settings = services.settings;
        let timeouts = ConnectTimeouts::from_settings(settings, trust);
        let common = RouteSettings::from_settings(settings);
        let before = previous.map(Self::by_place).unwrap_or_default();
        let maintenance = MaintenanceFiles::of(&settings.routes, previous.map(|previous| &previous.maintenance));
        let before_jwt = previous.map(|previous| &previous.jwt_keys);
        let jwt_keys = JwtKeySources::of(settings, trust, endpoints.resolver(), before_jwt)?;
        let before_by_name = LimitsByName::new(previous, settings);
        let limited = Arc::clone(endpoints.limited());
        let built = settings.routes.iter().map(|route| {
            let limits = Limits::of(&route.middleware, before_by_name.get(route), &limited);
            let buffer = middleware::buffer_layer(route, common.body_min_rate, endpoints.buffer_memory());
            let (maintenance, jwt_keys) = (maintenance.switch(route), jwt_keys.keys(route));
            let shared = Shared { maintenance, limits, buffer, jwt_keys };
            let around = Around { settings: &common, timeouts: &timeouts, trust, services, before: &before };
            Built::new(route, around, shared, endpoints)
        });
        let built = built.collect::<Result<Vec<_>, _>>()?;
        let of_worker = |worker: usize| built.iter().flat_map(|built| built.services(worker)).collect();
        let services = (0..endpoints.workers()).map(of_worker).collect();
        Ok(Self {
            tables: Tables::build(settings)?,
            services,
            built,
            maintenance,
            jwt_keys,
            mirrored: Arc::clone(endpoints.mirrored()),
        })
    }

    /// The route table of each listener. Its targets are indices into [`services`](Self::services).
    pub fn tables(&self) -> &Tables {
        &self.tables
    }

    /// The services of a worker, by index.
    pub fn services(&self, worker: usize) -> &Arc<[RouteService<Proxy>]> {
        &self.services[worker]
    }

    /// All endpoints, each with the routes that lead to it.
    pub fn endpoints(&self) -> Vec<(&Arc<Connections>, Vec<&Route>)> {
        let mut indices = HashMap::new();
        let mut all: Vec<(&Arc<Connections>, Vec<&Route>)> = Vec::new();
        for built in &self.built {
            for connections in built.connections() {
                let index = *indices.entry(Arc::as_ptr(connections)).or_insert(all.len());
                if index == all.len() {
                    all.push((connections, Vec::new()));
                }
                all[index].1.push(&built.route);
            }
        }
        all
    }

    /// The counts of copies of requests since startup.
    pub fn mirrored(&self) -> &MirrorStats {
        &self.mirrored
    }

    /// Checks which files of `maintenance` exist, and reads the ones that have changed, or all.
    pub fn refresh_maintenance(&self, all: bool) {
        self.maintenance.refresh(all);
    }

    /// The settings that apply to all routes, as they were when these were built.
    pub(super) fn common_settings(&self) -> Option<&RouteSettings> {
        self.built.first().map(|built| &built.settings)
    }

    /// The switch of a route that is under maintenance while a file exists.
    pub(super) fn maintenance_of(&self, route: &Route) -> Option<Switch> {
        self.maintenance.switch(route)
    }

    /// The keys that verify the tokens of a route, as they are now.
    pub(super) fn jwt_keys_of(&self, route: &Route) -> Option<SharedKeys> {
        let keys = self.jwt_keys.keys(route)?.load()?;
        Some(SharedKeys::new(Keys::clone(&keys)))
    }

    /// The keys for tokens that are fetched from URLs.
    pub fn fetched_jwt_keys(&self) -> Vec<FetchedKeys> {
        self.jwt_keys.fetched()
    }

    /// Rereads the changed files with keys for tokens, or all files, and starts fetching keys from new URLs. Must be called
    /// in the runtime of the control thread.
    pub fn refresh_jwt_keys(&self, all: bool) {
        self.jwt_keys.refresh(all);
    }

    /// Drops all endpoints that these routes do not lead to.
    pub fn keep_only(&self, endpoints: &mut Endpoints) {
        endpoints.retain(self.built.iter().flat_map(|built| built.connections()));
    }

    /// Closes the tunnels of each place after `grace`, unless a route of `next` has that place on one of the same
    /// listeners.
    pub fn close_removed(&self, next: &Self, grace: Duration) {
        let after = next.by_place();
        for (place, route, (_, closer)) in self.by_place().iter() {
            // Several routes may have taken over the same closer.
            let mut taken_over = after.at(place).filter(|(_, (_, other))| Arc::ptr_eq(closer, other));
            if after.get(place, route).is_none() && taken_over.next().is_none() {
                closer.close_after(grace);
            }
        }
    }

    /// How these routes differ from `next`.
    pub fn changes(&self, next: &Self) -> RouteChanges {
        let (before, after) = (self.by_place(), next.by_place());
        let mut changes = RouteChanges::default();
        for (place, route, (built, _)) in after.iter() {
            match before.get(place, route) {
                None => changes.added.push(name(place, route)),
                Some((old, _)) if !old.is_like(built) => changes.changed.push(name(place, route)),
                Some(_) => {}
            }
        }
        let removed = before.iter().filter(|(place, route, _)| after.get(*place, route).is_none());
        changes.removed.extend(removed.map(|(place, route, _)| name(place, route)));
        for names in [&mut changes.added, &mut changes.changed, &mut changes.removed] {
            names.sort_unstable();
        }
        changes
    }

    fn by_place(&self) -> BuiltByPlace<'_> {
        self.built.iter().flat_map(Built::by_place).collect()
    }
}

/// The built route of each place, and the closer of its tunnels.
type BuiltByPlace<'a> = ByPlace<'a, (&'a Arc<Built>, &'a Arc<TunnelCloser>)>;

/// What a route is built from, besides its own settings.
#[derive(Clone, Copy)]
struct Around<'a> {
    settings: &'a RouteSettings,
    timeouts: &'a ConnectTimeouts,
    trust: &'a Trust,
    services: LocalServices<'a>,
    before: &'a BuiltByPlace<'a>,
}

impl Built {
    /// Builds a route, or reuses the previous one if nothing has changed that affects it.
    fn new(
        route: &Route,
        around: Around<'_>,
        shared: Shared,
        endpoints: &mut Endpoints,
    ) -> Result<Arc<Self>, BoxError> {
        let Around { settings, timeouts, trust, services, before } = around;
        let connections =
            route.connects_to().map(|to| endpoints.connections(to, &settings.connections, timeouts, trust, services));
        let mut own: Vec<_> = connections.collect::<Result<_, _>>()?;
        // The last ones.
        let auth = route.middleware.forward_auth.as_ref().and_then(|_| own.pop()?.pop());
        let mirror = route.mirror().and_then(|_| own.pop());
        let own = own.concat();
        let copied_to = route.mirror().map(|mirror| std::slice::from_ref(&mirror.upstream));
        let waits = [services.wait(route.endpoints())?, services.wait(copied_to.unwrap_or_default())?];
        let only_mirrored = mirror.iter().flatten().filter(|mirror| !own.iter().any(|own| Arc::ptr_eq(own, mirror)));
        let all: Vec<_> = own.iter().chain(only_mirrored).cloned().collect();
        if let Some((before, _)) = route.places().find_map(|place| before.get(place, route))
            && before.route == *route
            && before.settings == *settings
            && before.waits == waits
            && before.connections().map(Arc::as_ptr).eq(all.iter().chain(&auth).map(Arc::as_ptr))
        {
            return Ok(Arc::clone(before));
        }
        // A host that moves from one route to another keeps its tunnels.
        let closer = |place| before.get(place, route).map(|(_, closer)| Arc::clone(closer)).unwrap_or_default();
        let closers = route.places().map(closer).collect();
        let [wait, wait_of_copies] = &waits;
        let proxy = |worker| proxy(route, settings, &own, wait.as_ref(), worker, endpoints);
        let server = |worker| {
            let auth = auth.as_ref();
            move |settings: &ForwardAuth| auth_server(settings, route, auth, worker)
        };
        let workers = 0..endpoints.workers();
        let services = match &route.answer {
            Answer::Files(files, endpoints) if endpoints.is_empty() => {
                let answer = |worker| RouteService::files(files, route, settings.https_port, &shared, server(worker));
                Services::Answers(workers.map(answer).collect())
            }
            Answer::Upstream(_) | Answer::Files(..) => Services::Proxies(workers.map(proxy).collect::<Result<_, _>>()?),
            Answer::Redirect(redirection) => {
                let redirect = |worker| RouteService::redirect(redirection, route, &shared, server(worker));
                Services::Answers(workers.map(redirect).collect::<Result<_, _>>()?)
            }
            Answer::Respond(respond) => {
                let respond =
                    |worker| RouteService::respond(respond, route, settings.https_port, &shared, server(worker));
                Services::Answers(workers.map(respond).collect::<Result<_, _>>()?)
            }
        };
        let mirrors = mirror.map(|mirror| mirrors(route, settings, &mirror, wait_of_copies.as_ref(), endpoints));
        let mirrors = mirrors.transpose()?.unwrap_or_default();
        Ok(Arc::new(Self {
            route: route.clone(),
            settings: settings.clone(),
            endpoints: all,
            waits,
            auth,
            shared,
            services,
            mirrors,
            closers,
        }))
    }

    fn by_place(self: &Arc<Self>) -> impl Iterator<Item = (Place<'_>, &Route, (&Arc<Self>, &Arc<TunnelCloser>))> {
        self.route.places().zip(&self.closers).map(move |(place, closer)| (place, &self.route, (self, closer)))
    }

    /// The services of a worker, one for each place.
    fn services(&self, worker: usize) -> impl Iterator<Item = RouteService<Proxy>> {
        let tunnels = TunnelLayer::new().timeout(self.route.stream_timeout);
        self.closers.iter().map(move |closer| match &self.services {
            // After a backend's 101, bytes bypass the stack.
            Services::Proxies(proxies) => {
                let proxy = tunnels.clone().closed_by(closer).layer(proxies[worker].clone());
                let server = |auth: &ForwardAuth| auth_server(auth, &self.route, self.auth.as_ref(), worker);
                let mirror = self.mirrors.get(worker);
                RouteService::proxy(proxy, &self.route, self.settings.https_port, &self.shared, server, mirror)
            }
            Services::Answers(answers) => answers[worker].clone(),
        })
    }

    fn connections(&self) -> impl Iterator<Item = &Arc<Connections>> {
        self.endpoints.iter().chain(&self.auth)
    }

    /// Whether both handle requests in the same way.
    fn is_like(self: &Arc<Self>, other: &Arc<Self>) -> bool {
        let is_same = || {
            let Route { name, patterns, .. } = other.route.clone();
            let as_other = Route { name, patterns, ..self.route.clone() };
            as_other == other.route && self.settings == other.settings
        };
        Arc::ptr_eq(self, other) || is_same()
    }
}

/// The limits of the routes of the previous configuration, by name.
#[derive(Debug)]
struct LimitsByName<'a> {
    /// The routes with this name: in the previous configuration, and in the new one.
    routes: HashMap<&'a str, (Vec<&'a Built>, usize)>,
}

impl<'a> LimitsByName<'a> {
    fn new(previous: Option<&'a Routes>, settings: &'a Settings) -> Self {
        let mut routes: HashMap<_, (Vec<_>, usize)> = HashMap::new();
        for built in previous.into_iter().flat_map(|previous| &previous.built) {
            if Limits::are_set(&built.route.middleware) {
                routes.entry(&*built.route.name).or_default().0.push(&**built);
            }
        }
        for route in settings.routes.iter().filter(|route| Limits::are_set(&route.middleware)) {
            routes.entry(&*route.name).or_default().1 += 1;
        }
        Self { routes }
    }

    /// The limits that `route` takes over. Routes can share a name, such as routes for one path on different listeners. Then
    /// hosts, paths and listeners must be the same, too.
    fn get(&self, route: &Route) -> Option<&'a Limits> {
        let (before, after) = self.routes.get(&*route.name)?;
        let found = match &before[..] {
            [one] if *after == 1 => Some(one),
            several => several.iter().find(|one| is_same_place(&one.route, route)),
        };
        found.map(|found| &found.shared.limits)
    }
}

/// Whether both are for the same hosts and paths on the same listeners. No two routes of a configuration are.
fn is_same_place(one: &Route, other: &Route) -> bool {
    one.listeners == other.listeners && one.places().eq(other.places())
}
