//! Load from wrk and h2load, and the figures that they print.

use std::time::Duration;

use super::tool::output;

/// The results of a run.
#[derive(Debug, Clone, Copy)]
pub struct Run {
    pub requests: f64,
    /// The rate that was reached; `None` if the rate is fixed.
    pub per_second: Option<f64>,
    /// In ms; some versions of h2load do not report it.
    pub p99: Option<f64>,
    /// Responses other than 2xx and 3xx, and requests without a response.
    pub bad: f64,
}

/// HTTP/1.1 over this many connections. `fields` are added to each request as headers.
pub fn wrk(core: Option<&str>, url: &str, connections: u32, time: Duration, fields: &[&str]) -> Run {
    let arguments: Vec<&str> = fields.iter().flat_map(|field| ["-H", field]).collect();
    wrk_with(core, url, connections, time, &arguments)
}

/// The same with arguments for wrk.
pub fn wrk_with(core: Option<&str>, url: &str, connections: u32, time: Duration, arguments: &[&str]) -> Run {
    let (connections, time) = (format!("-c{connections}"), format!("-d{}s", time.as_secs()));
    let command = [&["wrk", "-t1", &connections, &time, "--latency"], arguments, &[url]].concat();
    let text = output(core, &command);
    let line = |start: &str| text.lines().map(str::trim).find_map(|line| line.strip_prefix(start));
    let requests = text.lines().find_map(|line| line.trim().split_once(" requests in ")).unwrap().0;
    // "connect 0, read 0, write 0, timeout 0"
    let socket =
        line("Socket errors: ").unwrap_or_default().split([' ', ',']).filter_map(|word| word.parse::<f64>().ok());
    let status = line("Non-2xx or 3xx responses: ").map_or(0.0, number);
    Run {
        requests: number(requests),
        per_second: Some(number(line("Requests/sec:").unwrap())),
        p99: line("99%").map(milliseconds),
        bad: status + socket.sum::<f64>(),
    }
}

/// HTTP/2 over this many connections, with this many concurrent requests on each.
pub fn h2load(core: Option<&str>, url: &str, connections: u32, streams: u32, time: Duration) -> Run {
    let (connections, streams) = (format!("-c{connections}"), format!("-m{streams}"));
    let time = format!("-D{}", time.as_secs());
    let text = output(core, &["h2load", "-t1", &connections, &streams, &time, url]);
    let finished = text.lines().find_map(|line| line.strip_prefix("finished in ")).unwrap();
    let per_second = finished.split(", ").find_map(|part| part.strip_suffix(" req/s")).unwrap();
    Run { per_second: Some(number(per_second)), ..parse_h2load(&text) }
}

/// HTTP/1.1 over this many new connections per second, with one request each; TLS without resumption.
pub fn new_connections(core: Option<&str>, url: &str, rate: u32, time: Duration) -> Run {
    let count = u64::from(rate) * time.as_secs();
    let (clients, requests, rate) = (format!("-c{count}"), format!("-n{count}"), format!("-r{rate}"));
    parse_h2load(&output(core, &["h2load", "--h1", "-t1", &clients, &requests, &rate, url]))
}

fn parse_h2load(text: &str) -> Run {
    let count = |outcome: &str| {
        let line = text.lines().find(|line| line.starts_with("requests: ")).unwrap();
        let words = line.trim_start_matches("requests: ").split(", ").map(|part| part.split_once(' ').unwrap());
        words.filter(|(_, word)| *word == outcome).map(|(count, _)| number(count)).sum::<f64>()
    };
    // Requests that are cut off at the end of the run count neither as done nor as failed.
    Run {
        requests: count("done"),
        per_second: None,
        p99: None,
        bad: count("failed") + count("errored") + count("timeout"),
    }
}

fn number(text: &str) -> f64 {
    text.trim().parse().unwrap_or_else(|_| panic!("{text:?} is not a number"))
}

fn milliseconds(text: &str) -> f64 {
    let text = text.trim();
    let unit = text.find(|c: char| c.is_ascii_alphabetic()).unwrap();
    number(&text[..unit])
        * match &text[unit..] {
            "us" => 0.001,
            "ms" => 1.0,
            "s" => 1000.0,
            "m" => 60_000.0,
            other => panic!("{other:?} is not a unit of time"),
        }
}
