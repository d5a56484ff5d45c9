//! If a request lacks an extension that a layer needs, the error names it and the layer that sets it.

use std::net::SocketAddr;

use http::{Request, Response};
use pmesh_layers::{
    MissingExtension,
    conn::{ConnInfo, ConnInfoLayer},
    forwarded::{DistrustLayer, ForwardedLayer, TrustedProxies},
    respond::RespondLayer,
    route::{PathPrefix, RouteTable, Router},
    sni::SniMatchLayer,
};
use tower::{BoxError, Layer, Service, ServiceExt, service_fn, util::BoxCloneService};

type Inner = BoxCloneService<Request<()>, Response<String>, BoxError>;

fn inner() -> Inner {
    BoxCloneService::new(service_fn(async |_: Request<()>| Ok(Response::new(String::from("hello")))))
}

async fn error(
    service: impl Service<Request<()>, Response = Response<String>, Error = BoxError>,
    info: Option<ConnInfo>,
) -> String {
    let mut request = Request::new(());
    info.map(|info| request.extensions_mut().insert(info));
    let error = service.oneshot(request).await.unwrap_err();
    assert!(error.is::<MissingExtension>(), "{error}");
    error.to_string()
}

#[tokio::test]
async fn a_layer_names_the_missing_extension() {
    let conn_info = "found no ConnInfo in the request's extensions: serve with HttpServer, or put a ConnInfoLayer outside this layer";
    let host_name = "found no HostName in the request's extensions: put a HostLayer outside this layer";
    let none = TrustedProxies::none;
    assert_eq!(error(SniMatchLayer::new().layer(inner()), None).await, format!("SniMatchLayer {conn_info}"));
    assert_eq!(error(DistrustLayer::new(none()).layer(inner()), None).await, format!("DistrustLayer {conn_info}"));
    assert_eq!(error(ForwardedLayer::new(none()).layer(inner()), None).await, format!("ForwardedLayer {conn_info}"));

    let tls = ConnInfo::tls(([192, 0, 2, 1], 1).into(), "a.example".parse().unwrap());
    assert_eq!(error(SniMatchLayer::new().layer(inner()), Some(tls)).await, format!("SniMatchLayer {host_name}"));
    let mut routes = RouteTable::new();
    routes.insert("a.example".parse().unwrap(), PathPrefix::root(), inner()).unwrap();
    assert_eq!(error(Router::new(routes), None).await, format!("Router {host_name}"));

    let empty = ConnInfoLayer::new(|extensions| extensions.get().map(|peer: &SocketAddr| ConnInfo::plain(*peer)));
    assert!(error(empty.layer(inner()), None).await.starts_with("ConnInfoLayer found no ConnInfo"));
}

#[tokio::test]
async fn a_missing_extension_is_500() {
    let service = (RespondLayer::new(), SniMatchLayer::new()).layer(inner());
    let Ok(response) = service.oneshot(Request::new(())).await;
    assert_eq!((response.status().as_u16(), response.body().as_str()), (500, "500 Internal Server Error\n"));
}

#[tokio::test]
async fn the_address_from_another_server_becomes_the_conn_info() {
    let layer = ConnInfoLayer::new(|extensions| extensions.get().map(|peer: &SocketAddr| ConnInfo::plain(*peer)));
    let seen = service_fn(async |request: Request<()>| {
        Ok::<_, BoxError>(request.extensions().get::<ConnInfo>().map(ConnInfo::peer))
    });
    let (foreign, own) = (SocketAddr::from(([192, 0, 2, 1], 1)), SocketAddr::from(([192, 0, 2, 2], 2)));
    let request = || Request::builder().extension(foreign);
    assert_eq!(layer.layer(seen).oneshot(request().body(()).unwrap()).await.unwrap(), Some(foreign));
    // The ConnInfo of an HttpServer is kept.
    let request = request().extension(ConnInfo::plain(own)).body(()).unwrap();
    assert_eq!(layer.layer(seen).oneshot(request).await.unwrap(), Some(own));
}
