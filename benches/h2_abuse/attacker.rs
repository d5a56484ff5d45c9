//! Runs an attack over several connections for some time.

use std::{
    fmt,
    net::{Ipv4Addr, SocketAddr},
    sync::atomic::{AtomicU64, Ordering},
    time::Duration,
};

use tokio::{
    io::AsyncWriteExt,
    net::tcp::OwnedWriteHalf,
    task::JoinSet,
    time::{Instant, timeout_at},
};

use super::{
    attacks::{Attack, KEPT, Pace, fields},
    frames::{Received, stamp},
    support::{harness::h2, wire::connect},
};

/// Rounds that are sent in one write.
const ROUNDS: u32 = 100;

#[derive(Default)]
pub struct Damage {
    pub ends: Vec<End>,
    pub bytes: u64,
    pub requests: u64,
}

pub struct End {
    /// The age of the connection.
    pub at: Duration,
    pub how: String,
}

impl End {
    pub fn is_open(&self) -> bool {
        self.how == "open"
    }
}

#[derive(Default)]
struct Sent {
    bytes: AtomicU64,
    requests: AtomicU64,
}

pub fn attack(attack: &Attack, address: SocketAddr, connections: u32, time: Duration) -> Damage {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let sent: &Sent = Box::leak(Box::default());
    let attack: &Attack = Box::leak(Box::new(attack.clone()));
    let ends = runtime.block_on(async {
        let deadline = Instant::now() + time;
        let mut slots = JoinSet::new();
        for _ in 0..connections {
            slots.spawn(async move {
                let mut ends = Vec::new();
                while Instant::now() < deadline {
                    ends.push(one(attack, address, deadline, sent).await);
                }
                ends
            });
        }
        slots.join_all().await.into_iter().flatten().collect()
    });
    Damage { ends, bytes: sent.bytes.load(Ordering::Relaxed), requests: sent.requests.load(Ordering::Relaxed) }
}

/// One connection, from start to end.
async fn one(attack: &Attack, address: SocketAddr, deadline: Instant, sent: &Sent) -> End {
    let start = Instant::now();
    let how = timeout_at(deadline, async {
        let Ok(stream) = connect(Ipv4Addr::new(127, 6, 0, 1), address).await else { return "no connection".to_owned() };
        let (reading, writing) = stream.into_split();
        let received = Received::default();
        tokio::select! {
            how = received.read(reading, !attack.reads) => how,
            () = write(attack, writing, &received, sent) => "cannot write".to_owned(),
        }
    });
    let how = how.await.unwrap_or_else(|_| "open".to_owned());
    End { at: start.elapsed(), how }
}

/// Returns only if writing fails and nothing is reading, so that nothing else notices how the connection ends.
async fn write(attack: &Attack, mut stream: OwnedWriteHalf, received: &Received, sent: &Sent) {
    let written = flood(attack, &mut stream, received, sent).await;
    if written.is_ok() || attack.reads {
        std::future::pending::<()>().await;
    }
}

async fn flood(attack: &Attack, stream: &mut OwnedWriteHalf, received: &Received, sent: &Sent) -> std::io::Result<()> {
    stream.write_all(&[h2::opening(), h2::headers(1, &fields("GET", "/attack", &[]), true)].concat()).await?;
    received.wait_for_ended(1).await;
    stream.write_all(&attack.first).await?;
    let begins = u64::from(begins_streams(&attack.round));
    let mut batch = Vec::new();
    for turn in 0.. {
        if attack.round.is_empty() {
            return Ok(());
        }
        batch.clear();
        for round in 0..ROUNDS {
            let start = batch.len();
            batch.extend_from_slice(&attack.round);
            stamp(&mut batch[start..], KEPT + 2 * (1 + turn * ROUNDS + round));
        }
        if attack.pace == Pace::Ping {
            batch.extend(h2::ping(0));
        }
        stream.write_all(&batch).await?;
        sent.bytes.fetch_add(u64::try_from(batch.len()).unwrap(), Ordering::Relaxed);
        sent.requests.fetch_add(begins * u64::from(ROUNDS), Ordering::Relaxed);
        match attack.pace {
            Pace::Flat => {}
            Pace::Ping => received.wait_for_pings(turn + 1).await,
            // Including the first request of the connection.
            Pace::Answers => received.wait_for_ended(1 + (turn + 1) * ROUNDS).await,
        }
    }
    Ok(())
}

fn begins_streams(round: &[u8]) -> bool {
    round.get(3) == Some(&h2::HEADERS)
}
