//! Which streams are polled in the current turn, and which wait for the next one.

use std::task::{Wake, Waker};

use super::*;

const ALL: usize = STREAMS_PER_TURN;
const NOW: Poll<bool> = Poll::Ready(true);
const CLOSED: Poll<bool> = Poll::Ready(false);

type Places<W> = [Pin<Box<Place<W>>>];

fn places(turns: &StreamTurns, count: usize) -> Box<Places<impl Future<Output = bool> + use<>>> {
    (0..count).map(|_| Box::pin(turns.clone().place())).collect()
}

fn admitted(places: &mut Places<impl Future<Output = bool>>) -> Vec<Poll<bool>> {
    let mut cx = Context::from_waker(Waker::noop());
    places.iter_mut().map(|place| place.as_mut().poll_admission(&mut cx)).collect()
}

fn next(turns: &StreamTurns) {
    turns.begin();
    turns.end(&mut Context::from_waker(Waker::noop()));
}

#[test]
fn each_turn_admits_the_next_few_streams_in_order() {
    let turns = StreamTurns::new(Control::open());
    let mut places = places(&turns, 2 * ALL + 3);
    for first in [0, ALL, 2 * ALL] {
        let end = places.len().min(first + ALL);
        let now = admitted(&mut places[first..]);
        assert_eq!(now.iter().filter(|admission| **admission == NOW).count(), end - first, "{now:?}");
        assert!(now[..end - first].iter().all(|admission| *admission == NOW), "{now:?}");
        next(&turns);
        assert_eq!(turns.is_soon(), end - first == ALL);
    }
    next(&turns);
    assert!(!turns.is_soon(), "no stream waits");
}

#[test]
fn a_stream_that_comes_later_waits_behind_the_others() {
    let turns = StreamTurns::new(Control::open());
    let mut early = places(&turns, 2 * ALL);
    admitted(&mut early);
    next(&turns);
    assert_eq!(admitted(&mut places(&turns, 1)), [Poll::Pending]);
    assert_eq!(admitted(&mut early[ALL..]), [NOW; ALL]);
}

#[test]
fn postponed_streams_wait_for_one_more_turn() {
    let turns = StreamTurns::new(Control::open());
    let mut places = places(&turns, 1);
    turns.postpone();
    assert_eq!(admitted(&mut places), [Poll::Pending]);
    turns.begin();
    turns.postpone();
    turns.end(&mut Context::from_waker(Waker::noop()));
    assert_eq!(admitted(&mut places), [Poll::Pending]);
    next(&turns);
    assert_eq!(admitted(&mut places), [NOW]);
}

#[test]
fn streams_stop_waiting_when_their_connection_ends() {
    let turns = StreamTurns::new(Control::open());
    let mut places = places(&turns, 2 * ALL);
    admitted(&mut places);
    drop(ClosesTurns(turns));
    assert_eq!(admitted(&mut places[ALL..]), [CLOSED; ALL]);
}

#[derive(Default)]
struct Wakes(AtomicU32);

impl Wake for Wakes {
    fn wake(self: Arc<Self>) {
        self.0.fetch_add(1, Ordering::Relaxed);
    }
}

#[test]
fn a_waiting_stream_brings_the_next_turn_forward_unless_it_comes_soon_anyway() {
    let (control, wakes) = (Control::open(), Arc::new(Wakes::default()));
    let turns = StreamTurns::new(control.clone());
    let waker = Waker::from(Arc::clone(&wakes));
    let mut early = places(&turns, ALL + 2);
    for place in [&mut early[..], &mut places(&turns, ALL)] {
        control.register_driver(&waker);
        next(&turns);
        admitted(place);
        assert_eq!(wakes.0.load(Ordering::Relaxed), 1);
    }
}
