//! The stacks of a worker, one per listener.

use std::{
    collections::BTreeMap,
    mem,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use pmesh_layers::route::RouteTable;
use tower::BoxError;

use crate::{http::stack::SharedStack, server::generation::Generation};

/// The stacks of a worker. A connection holds the shared stack of its listener; a reload replaces its content.
#[derive(Debug)]
pub(super) struct Stacks<S>(Mutex<State<S>>);

#[derive(Debug)]
struct State<S> {
    /// By the name of the listener, because a reload can turn TLS on or off while connections are open.
    by_listener: BTreeMap<String, SharedStack<S>>,
    /// Serves nothing: the stack for connections whose listener is gone.
    without_routes: S,
}

/// The new contents of a worker's stacks.
#[derive(Debug)]
pub(super) struct NewStacks<S> {
    /// By the name of the listener.
    pub(super) by_listener: BTreeMap<String, S>,
    /// Serves nothing.
    pub(super) without_routes: S,
}

impl<S: Clone> NewStacks<S> {
    /// Builds the stacks for a generation. Listeners with the same table share one.
    ///
    /// # Errors
    ///
    /// The errors of `build`.
    pub(super) fn build(
        generation: &Generation,
        build: impl Fn(&Arc<RouteTable<usize>>) -> Result<S, BoxError>,
    ) -> Result<Self, BoxError> {
        let mut built: Vec<(&Arc<RouteTable<usize>>, S)> = Vec::new();
        let mut by_listener = BTreeMap::new();
        for listener in generation.settings.all_listeners() {
            let Some(table) = generation.routes.tables().for_listener(&listener) else { continue };
            let stack = match built.iter().find(|(other, _)| Arc::ptr_eq(table, other)) {
                Some((_, stack)) => stack.clone(),
                None => {
                    let stack = build(table)?;
                    built.push((table, stack.clone()));
                    stack
                }
            };
            by_listener.insert(listener.name().to_owned(), stack);
        }
        Ok(Self { by_listener, without_routes: build(&Arc::default())? })
    }
}

impl<S: Clone> Stacks<S> {
    pub(super) fn new(new: NewStacks<S>) -> Self {
        let NewStacks { by_listener, without_routes } = new;
        let by_listener = by_listener.into_iter().map(|(name, stack)| (name, SharedStack::new(stack))).collect();
        Self(Mutex::new(State { by_listener, without_routes }))
    }

    /// Returns the stack of a listener.
    pub(super) fn for_listener(&self, name: &str) -> SharedStack<S> {
        let State { by_listener, without_routes } = &mut *self.lock();
        let missing = || SharedStack::new(without_routes.clone());
        by_listener.entry(name.to_owned()).or_insert_with(missing).clone()
    }

    /// Replaces all stacks, for later requests. Returns the old contents, so that the caller can drop them outside the
    /// lock.
    pub(super) fn replace(&self, new: NewStacks<S>) -> Vec<S> {
        let NewStacks { by_listener: mut new, without_routes } = new;
        let state = &mut *self.lock();
        let mut old = vec![mem::replace(&mut state.without_routes, without_routes)];
        state.by_listener.retain(|name, stack| new.contains_key(name) || stack.is_shared());
        for (name, stack) in &state.by_listener {
            old.push(stack.replace(new.remove(name).unwrap_or_else(|| state.without_routes.clone())));
        }
        state.by_listener.extend(new.into_iter().map(|(name, stack)| (name, SharedStack::new(stack))));
        old
    }

    fn lock(&self) -> MutexGuard<'_, State<S>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use std::convert::Infallible;

    use tower::{Service, ServiceExt, service_fn, util::BoxCloneService};

    use super::*;

    type Named = BoxCloneService<(), &'static str, Infallible>;

    fn named(name: &'static str) -> Named {
        BoxCloneService::new(service_fn(move |()| std::future::ready(Ok(name))))
    }

    fn new<const N: usize>(listeners: [(&str, &'static str); N]) -> NewStacks<Named> {
        let by_listener = listeners.into_iter().map(|(name, stack)| (name.to_owned(), named(stack))).collect();
        NewStacks { by_listener, without_routes: named("nothing") }
    }

    async fn response_of(stack: &SharedStack<Named>) -> &'static str {
        stack.clone().ready().await.unwrap().call(()).await.unwrap()
    }

    #[tokio::test]
    async fn open_connections_keep_the_stack_of_their_listener() {
        let stacks = Stacks::new(new([("http", "one"), ("a", "one")]));
        let (http, gone) = (stacks.for_listener("http"), stacks.for_listener("a"));
        assert_eq!((response_of(&http).await, response_of(&gone).await), ("one", "one"));
        assert_eq!(stacks.replace(new([("http", "two"), ("b", "two")])).len(), 3);
        assert_eq!((response_of(&http).await, response_of(&gone).await), ("two", "nothing"));
        assert_eq!(
            (response_of(&stacks.for_listener("b")).await, response_of(&stacks.for_listener("c")).await),
            ("two", "nothing")
        );
        stacks.replace(new([("a", "three")]));
        assert_eq!((response_of(&http).await, response_of(&gone).await), ("nothing", "three"));
        drop((http, gone));
        stacks.replace(new([("a", "four")]));
        assert_eq!(stacks.lock().by_listener.keys().collect::<Vec<_>>(), ["a"]);
    }
}
