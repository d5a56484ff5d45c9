//! Route conditions, and the responses to requests that meet none of them.

use http::{Method, Request, Response, header::ALLOW};
use pmesh_layers::{
    host::HostName,
    respond::RespondLayer,
    route::{Conditions, ExactPath, NoRoute, PathPrefix, RouteTable, Router, Rule},
};
use tower::{BoxError, ServiceBuilder, ServiceExt, util::BoxCloneSyncService};

type Service = BoxCloneSyncService<Request<()>, Response<String>, BoxError>;

fn router() -> Router<Service> {
    let target = |text: &'static str| -> Service {
        BoxCloneSyncService::new(tower::service_fn(async move |_: Request<()>| Ok(Response::new(text.to_owned()))))
    };
    let methods = |methods: &[Method]| Conditions::new().methods(methods.iter().cloned());
    let host = || "a.example".parse().unwrap();
    let admin: PathPrefix = "/admin".parse().unwrap();
    let mut table = RouteTable::new();
    table.insert(host(), PathPrefix::root(), target("root")).unwrap();
    table.insert(host(), Rule::new(admin.clone()).when(methods(&[Method::GET])), target("read")).unwrap();
    let beta = methods(&[Method::PUT, "PURGE".parse().unwrap()]).header("x-beta".parse().unwrap(), "1");
    table.insert(host(), Rule::new(admin).when(beta), target("beta")).unwrap();
    let socket: ExactPath = "/socket".parse().unwrap();
    table.insert(host(), Rule::new(socket).when(Conditions::new().upgrade("websocket")), target("socket")).unwrap();
    Router::new(table)
}

async fn answered(request: http::request::Builder) -> Response<String> {
    let service = ServiceBuilder::new().layer(RespondLayer::new()).service(router());
    let request = request.extension("a.example".parse::<HostName>().unwrap()).body(()).unwrap();
    let Ok(response) = service.oneshot(request).await;
    response
}

#[tokio::test]
async fn a_method_without_a_route_gets_405_with_the_allowed_methods() {
    let request = |method: &str, path: &str| Request::builder().method(method).uri(path);
    for (request, status, allow, body) in [
        (request("GET", "/admin"), 200, None, "read"),
        (request("HEAD", "/admin"), 200, None, "read"),
        (request("PUT", "/admin").header("x-beta", "1"), 200, None, "beta"),
        (request("PURGE", "/admin/x").header("x-beta", "0, 1"), 200, None, "beta"),
        (request("PUT", "/admin"), 405, Some("GET, HEAD"), "405 Method Not Allowed\n"),
        (request("OPTIONS", "/admin"), 405, Some("GET, HEAD"), "405 Method Not Allowed\n"),
        (
            request("POST", "/admin").header("x-beta", "1"),
            405,
            Some("GET, HEAD, PUT, PURGE"),
            "405 Method Not Allowed\n",
        ),
        (request("POST", "/other"), 200, None, "root"),
        (request("GET", "/socket"), 404, None, "404 Not Found\n"),
        (request("GET", "/socket").header("connection", "upgrade").header("upgrade", "websocket"), 200, None, "socket"),
    ] {
        let shown = format!("{request:?}");
        let response = answered(request).await;
        let allowed = response.headers().get(ALLOW).map(|methods| methods.to_str().unwrap());
        assert_eq!((response.status().as_u16(), allowed, response.body().as_str()), (status, allow, body), "{shown}");
    }
}

#[tokio::test]
async fn a_custom_row_still_gets_an_allow_header() {
    let layer = RespondLayer::new().on(|error: &NoRoute| pmesh_layers::respond::status(error));
    let service = ServiceBuilder::new().layer(layer).service(router());
    let request = Request::post("/admin").extension("a.example".parse::<HostName>().unwrap()).body(()).unwrap();
    let Ok(response) = service.oneshot(request).await;
    assert_eq!((response.status().as_u16(), &response.headers()[ALLOW]), (405, &"GET, HEAD".parse().unwrap()));
}
