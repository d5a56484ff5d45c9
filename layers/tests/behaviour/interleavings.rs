//! Arbitrary sequences of requests on one HTTP/1.1 connection, answered early or late. Their bodies are read by the service,
//! by a task, as the response body, or not at all. Exactly the requests that were sent are served.

use std::{
    convert::Infallible,
    net::SocketAddr,
    pin::pin,
    sync::{Arc, Mutex},
    time::Duration,
};

use bytes::Bytes;
use http::{Request, Response};
use http_body_util::{BodyExt, Full, combinators::BoxBody};
use pmesh_layers::{
    body::RequestBody,
    conn::ConnInfo,
    serve::{HttpServer, Protocol},
    silence::OpenGateLayer,
};
use proptest::{collection::vec, prelude::*};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt, DuplexStream},
    time::sleep,
};
use tower::{BoxError, ServiceBuilder, service_fn};

/// The content of bodies, which is a valid request: if it were read as one, it would be served.
const SMUGGLED: &[u8] = b"GET /smuggled HTTP/1.1\r\nHost: a\r\n\r\n";

/// A request, and how it is handled.
#[derive(Debug, Clone)]
struct Exchange {
    chunked: bool,
    expects_continue: bool,
    /// The pieces of the body: the client's pause before each, and its length.
    pieces: Vec<(Duration, usize)>,
    /// The client's pause before the next request, which may be sent before this one is answered.
    pause: Duration,
    reader: Reader,
    /// The minimum delay of the response.
    answers_after: Duration,
    answer: &'static str,
}

#[derive(Debug, Clone)]
enum Reader {
    /// The service, before it responds.
    Service(Reads),
    /// A task that continues after the service has responded.
    Task(Reads),
    /// The response, which has the request body as its body.
    Response,
}

#[derive(Debug, Clone)]
struct Reads {
    /// The pause before each read, and before the body is dropped.
    pause: Duration,
    /// The number of frames to read before the body is dropped; `None` to read all.
    limit: Option<usize>,
}

fn pause() -> impl Strategy<Value = Duration> {
    // Some are longer than a connection stays awake, or than the head timeout.
    prop::sample::select(vec![0, 0, 0, 1, 15, 19, 20, 21, 50, 15_000]).prop_map(Duration::from_millis)
}

fn exchange() -> impl Strategy<Value = Exchange> {
    let reads =
        || (pause(), prop::option::weighted(0.15, 0..3_usize)).prop_map(|(pause, limit)| Reads { pause, limit });
    let reader = prop_oneof![
        1 => reads().prop_map(Reader::Service),
        3 => reads().prop_map(Reader::Task),
        1 => Just(Reader::Response),
    ];
    let framing = (any::<bool>(), prop::bool::weighted(0.2), vec((pause(), 1..80_usize), 0..4));
    let answer = prop::sample::select(vec!["", "answer"]);
    (framing, pause(), reader, pause(), answer).prop_map(
        |((chunked, expects_continue, pieces), pause, reader, answers_after, answer)| Exchange {
            chunked,
            expects_continue,
            pieces,
            pause,
            reader,
            answers_after,
            answer,
        },
    )
}

impl Exchange {
    fn body(&self) -> Vec<u8> {
        let length = self.pieces.iter().map(|(_, length)| length).sum();
        SMUGGLED.iter().copied().cycle().take(length).collect()
    }

    fn is_read_whole(&self) -> bool {
        match &self.reader {
            Reader::Service(reads) | Reader::Task(reads) => reads.limit.is_none(),
            Reader::Response => true,
        }
    }

    /// The parts that the client sends, each with the pause before it.
    fn sent(&self, number: usize) -> Vec<(Duration, Vec<u8>)> {
        let body = self.body();
        let framing = if self.chunked {
            "Transfer-Encoding: chunked".to_owned()
        } else {
            format!("Content-Length: {}", body.len())
        };
        let expect = if self.expects_continue { "Expect: 100-continue\r\n" } else { "" };
        let head = format!("POST /{number} HTTP/1.1\r\nHost: a\r\n{expect}{framing}\r\n\r\n");
        let mut sent = vec![(Duration::ZERO, head.into_bytes())];
        let mut rest = &body[..];
        for (pause, length) in &self.pieces {
            let (piece, after) = rest.split_at(*length);
            rest = after;
            sent.push((
                *pause,
                match self.chunked {
                    true => [format!("{length:x}\r\n").as_bytes(), piece, b"\r\n"].concat(),
                    false => piece.to_vec(),
                },
            ));
        }
        if self.chunked {
            sent.push((self.pause, b"0\r\n\r\n".to_vec()));
        }
        sent.push((self.pause, Vec::new()));
        sent
    }
}

/// The part of a request that the service saw.
#[derive(Debug, Default)]
struct Seen {
    path: String,
    body: Vec<u8>,
    whole: bool,
}

type Log = Arc<Mutex<Vec<Seen>>>;

async fn read(mut body: RequestBody, reads: Reads, log: Log, index: usize) {
    for _ in 0..reads.limit.unwrap_or(usize::MAX) {
        sleep(reads.pause).await;
        let frame = body.frame().await;
        let seen = &mut log.lock().unwrap()[index];
        match frame {
            Some(Ok(frame)) => seen.body.extend_from_slice(&frame.into_data().unwrap_or_default()),
            Some(Err(_)) => return,
            None => {
                seen.whole = true;
                return;
            }
        }
    }
    sleep(reads.pause).await;
}

async fn respond(
    exchanges: Arc<Vec<Exchange>>,
    log: Log,
    request: Request<RequestBody>,
) -> Result<Response<BoxBody<Bytes, BoxError>>, BoxError> {
    let index = {
        let mut log = log.lock().unwrap();
        log.push(Seen { path: request.uri().path().to_owned(), ..Seen::default() });
        log.len() - 1
    };
    // A request that was never sent shows up in the log.
    let Some(exchange) = exchanges.get(index).cloned() else { return Ok(Response::default()) };
    let body = request.into_body();
    let answer = Full::from(exchange.answer).map_err(|never: Infallible| match never {}).boxed();
    match exchange.reader {
        Reader::Service(reads) => read(body, reads, log, index).await,
        Reader::Task(reads) => drop(tokio::spawn(read(body, reads, log, index))),
        Reader::Response => {
            sleep(exchange.answers_after).await;
            let noted = body.map_frame(move |frame| {
                let seen = &mut log.lock().unwrap()[index];
                seen.body.extend_from_slice(frame.data_ref().unwrap_or(&Bytes::new()));
                frame
            });
            return Ok(Response::new(noted.map_err(BoxError::from).boxed()));
        }
    }
    sleep(exchange.answers_after).await;
    Ok(Response::new(answer))
}

/// Sends all requests and reads until the server ends the connection.
async fn exchange_all(exchanges: &[Exchange], client: DuplexStream) -> String {
    let (mut receiver, mut sender) = tokio::io::split(client);
    let send = async {
        let mut together = Vec::new();
        for (pause, bytes) in exchanges.iter().enumerate().flat_map(|(number, exchange)| exchange.sent(number)) {
            if !pause.is_zero() {
                // Fails if the server has ended the connection after a dropped body.
                let _ = sender.write_all(&std::mem::take(&mut together)).await;
                sleep(pause).await;
            }
            together.extend(bytes);
        }
        let _ = sender.write_all(&together).await;
    };
    let mut received = Vec::new();
    let receive = receiver.read_to_end(&mut received);
    let (_, read) = tokio::join!(send, receive);
    read.unwrap();
    String::from_utf8(received).unwrap()
}

fn check(exchanges: Vec<Exchange>) -> Result<(), TestCaseError> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build().unwrap();
    let exchanges = Arc::new(exchanges);
    let log = Log::default();
    let received = runtime.block_on(async {
        let service = {
            let (exchanges, log) = (Arc::clone(&exchanges), Arc::clone(&log));
            service_fn(move |request| respond(Arc::clone(&exchanges), Arc::clone(&log), request))
        };
        let stack = ServiceBuilder::new().layer(OpenGateLayer::new()).service(service);
        let (client, server) = tokio::io::duplex(64 * 1024);
        let info = ConnInfo::plain(SocketAddr::from(([192, 0, 2, 1], 40000)));
        let served = pin!(HttpServer::new().serve(server, info, Protocol::Http1, stack));
        let received = tokio::join!(served, exchange_all(&exchanges, client)).1;
        // For tasks that are still reading.
        sleep(Duration::from_secs(600)).await;
        received
    });

    let served = log.lock().unwrap();
    // The connection may end after the first request whose body is dropped, but not before.
    let least = exchanges.iter().position(|exchange| !exchange.is_read_whole()).map_or(exchanges.len(), |at| at + 1);
    prop_assert!((least..=exchanges.len()).contains(&served.len()), "{served:?}");
    prop_assert_eq!(received.matches("HTTP/1.1 200 ").count(), served.len(), "{}", received);
    for (number, (seen, exchange)) in served.iter().zip(&*exchanges).enumerate() {
        prop_assert_eq!(&seen.path, &format!("/{number}"));
        let body = exchange.body();
        prop_assert!(body.starts_with(&seen.body), "{seen:?}");
        let has_end = seen.whole || matches!(exchange.reader, Reader::Response);
        prop_assert!(has_end || !exchange.is_read_whole(), "{seen:?}");
        if has_end {
            prop_assert_eq!(&seen.body, &body, "{:?}", seen);
        }
    }
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 2000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn exactly_the_sent_requests_are_served(exchanges in vec(exchange(), 1..5)) {
        check(exchanges)?;
    }
}
