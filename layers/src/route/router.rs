use std::{
    sync::Arc,
    task::{Context, Poll},
};

use http::Request;
use tower::{BoxError, Service};

use super::{NoRoute, RouteTable};
use crate::{MissingExtension, call::Call, future::ResponseFuture, host::HostName};

/// A service that sends each request to the service of its most specific route.
///
/// The host is the [`HostName`] that [`HostLayer`](crate::host::HostLayer) adds to the extensions. A request without a
/// matching route fails with [`NoRoute`], and one without a [`HostName`] with [`MissingExtension`]. Clones are cheap.
#[derive(Debug)]
pub struct Router<S>(Kind<S>);

#[derive(Debug)]
enum Kind<S> {
    Own(Arc<RouteTable<S>>),
    Indexed(Arc<RouteTable<usize>>, Arc<[S]>),
}

impl<S> Router<S> {
    /// Creates a router for `table`.
    pub fn new(table: impl Into<Arc<RouteTable<S>>>) -> Self {
        Self(Kind::Own(table.into()))
    }

    /// Creates a router for a `table` of indexes into `services`. Several threads can then share one table, each with its
    /// own services and connections. An index out of range is treated as no route.
    ///
    /// ```
    /// use std::sync::Arc;
    /// use http::Request;
    /// use pmesh_layers::{host::HostName, route::{PathPrefix, RouteTable, Router}};
    /// use tower::{BoxError, ServiceExt, service_fn};
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), BoxError> {
    /// let mut table = RouteTable::new();
    /// table.insert("a.example".parse()?, PathPrefix::root(), 0)?;
    /// let table = Arc::new(table);
    /// let service = |thread: &'static str| service_fn(move |_: Request<()>| async move { Ok::<_, BoxError>(thread) });
    /// for thread in ["one", "two"] {
    ///     let router = Router::indexed(Arc::clone(&table), vec![service(thread)]);
    ///     let request = Request::builder().extension("a.example".parse::<HostName>()?).body(())?;
    ///     assert_eq!(router.oneshot(request).await?, thread);
    /// }
    /// # Ok(())
    /// # }
    /// ```
    pub fn indexed(table: Arc<RouteTable<usize>>, services: impl Into<Arc<[S]>>) -> Self {
        Self(Kind::Indexed(table, services.into()))
    }

    fn find<B>(&self, host: &HostName, request: &Request<B>) -> Result<&S, NoRoute> {
        match &self.0 {
            Kind::Own(table) => table.find_for(host.as_str(), request),
            Kind::Indexed(table, services) => {
                let index = *table.find_for(host.as_str(), request)?;
                services.get(index).ok_or(NoRoute::NotFound)
            }
        }
    }
}

impl<S> Clone for Router<S> {
    fn clone(&self) -> Self {
        Self(match &self.0 {
            Kind::Own(table) => Kind::Own(Arc::clone(table)),
            Kind::Indexed(table, services) => Kind::Indexed(Arc::clone(table), Arc::clone(services)),
        })
    }
}

impl<S, B> Service<Request<B>> for Router<S>
where
    S: Service<Request<B>> + Clone,
    S::Error: Into<BoxError>,
{
    type Response = S::Response;
    type Error = BoxError;
    type Future = ResponseFuture<Call<S, Request<B>>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), BoxError>> {
        // The service is not known before the request. `Call` waits until it is ready.
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<B>) -> Self::Future {
        let Some(host) = request.extensions().get::<HostName>() else {
            return ResponseFuture::error(MissingExtension::host_name("Router"));
        };
        match self.find(host, &request) {
            Ok(service) => ResponseFuture::inner(Call::new(&mut service.clone(), request)),
            Err(error) => ResponseFuture::error(error),
        }
    }
}
