//! The layers in the order of the program, over a service that answers at once: no socket, no pool, no log.

use std::{convert::Infallible, future::ready};

use bytes::Bytes;
use futures_util::FutureExt;
use http::{Request, Response, header::HOST};
use http_body::Body;
use http_body_util::{Empty, Full};
use pmesh_layers::{
    balance::Balance,
    body_limit::BodyLimitLayer,
    cdn_loop::CdnLoopLayer,
    conn::ConnInfo,
    forwarded::{DistrustLayer, ForwardedLayer, TrustedProxies},
    framing::FramingLayer,
    hop_by_hop::HopByHopLayer,
    host::{HostLayer, HostSet},
    pool::PoolError,
    response_timeout::ResponseTimeoutLayer,
    route::{PathPrefix, RouteTable, Router},
    serve::{HttpServer, Protocol},
    silence::OpenGateLayer,
    sni::SniMatchLayer,
    trailers::TrailersLayer,
    upgrade::{ExtendedConnectLayer, TunnelLayer},
};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt, DuplexStream, duplex},
    runtime::Runtime,
};
use tower::{BoxError, Layer, Service, ServiceBuilder, service_fn};

use super::{
    cost::Cost,
    support::{arguments::Arguments, proxy::HOST as NAME, table::Table},
};

const ANSWER: &str = "hello";

pub fn table(arguments: &Arguments) -> Table {
    let mut table = Table::new(&["request through", "ns", "allocations"]);
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let mut add = |name: &str, measure: &dyn Fn(&Runtime) -> Cost| {
        if arguments.selects(name) {
            let [nanoseconds, allocations] = measure(&runtime).cells();
            table.row(vec![name.to_owned(), nanoseconds, allocations]);
        }
    };
    add("none: the request is built and dropped", &|_| Cost::of(request));
    add("the layers", &|runtime| {
        let _context = runtime.enter();
        let mut stack = stack();
        Cost::of(|| stack.call(request()).now_or_never().unwrap().unwrap())
    });
    add("the server alone, over a pipe", &|runtime| {
        through_pipe(runtime, |server, info, pipe| {
            let answer = service_fn(|_| ready(Ok::<_, Infallible>(Response::new(Full::new(Bytes::from(ANSWER))))));
            let layer = OpenGateLayer::new();
            runtime.spawn(async move { server.serve(pipe, info, Protocol::Http1, layer.layer(answer)).await });
        })
    });
    add("server and layers, over a pipe", &|runtime| {
        through_pipe(runtime, |server, info, pipe| {
            runtime.spawn(async move { server.serve(pipe, info, Protocol::Http1, stack()).await });
        })
    });
    table
}

fn stack<B: Body<Data = Bytes, Error: Into<BoxError>> + Send + Sync + 'static>() -> impl Service<
    Request<B>,
    Response = Response<impl Body<Data = Bytes, Error: Into<BoxError>> + Send>,
    Error = BoxError,
    Future: Send,
> + Clone
+ Send
+ 'static {
    let answer = service_fn(|_| ready(Ok::<_, PoolError>(Response::new(Full::new(Bytes::from(ANSWER))))));
    let answer = ResponseTimeoutLayer::new(std::time::Duration::from_secs(60)).layer(answer);
    let route = BodyLimitLayer::new(None).layer(Balance::new([("an endpoint", answer)]));
    let mut routes = RouteTable::new();
    routes.insert(NAME.parse().unwrap(), PathPrefix::root(), route).unwrap();
    ServiceBuilder::new()
        .layer(HostLayer::new(HostSet::new([NAME.parse().unwrap()])))
        .layer(OpenGateLayer::new())
        .layer(DistrustLayer::new(TrustedProxies::none()))
        .layer(SniMatchLayer::new())
        .layer(ExtendedConnectLayer::new())
        .layer(FramingLayer::new())
        .layer(TrailersLayer::new())
        .layer(HopByHopLayer::new())
        .layer(ForwardedLayer::new(TrustedProxies::none()))
        .layer(CdnLoopLayer::new("bench").unwrap())
        .layer(TunnelLayer::new())
        .service(Router::new(routes))
}

fn info() -> ConnInfo {
    ConnInfo::plain(([192, 0, 2, 1], 40000).into())
}

fn request() -> Request<Empty<Bytes>> {
    let request = Request::get("/some/page?and=more").header(HOST, NAME).header("user-agent", "a bench");
    request.header("accept", "*/*").extension(info()).body(Empty::new()).unwrap()
}

/// The cost of a request over a keep-alive HTTP/1.1 connection, the client's part included.
fn through_pipe(runtime: &Runtime, serve: impl FnOnce(HttpServer, ConnInfo, DuplexStream)) -> Cost {
    let (mut client, server) = duplex(64 * 1024);
    serve(HttpServer::new(), info(), server);
    let request =
        format!("GET /some/page?and=more HTTP/1.1\r\nHost: {NAME}\r\nUser-Agent: a bench\r\nAccept: */*\r\n\r\n");
    let mut buffer = [0; 4096];
    Cost::of(|| {
        runtime.block_on(async {
            client.write_all(request.as_bytes()).await.unwrap();
            let mut end = 0;
            while !buffer[..end].ends_with(ANSWER.as_bytes()) {
                let read = client.read(&mut buffer[end..]).await.unwrap();
                assert!(read > 0, "the connection closed");
                end += read;
            }
        });
    })
}
