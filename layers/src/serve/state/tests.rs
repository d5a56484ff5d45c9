//! Checks all transitions against the documented table, and all sequences of events against the rules below.

use std::collections::{BTreeMap, BTreeSet};

use super::{Action, ConnState, Ended, Event};

const STATES: [ConnState; 11] = [
    ConnState::New,
    ConnState::Unheard,
    ConnState::Asleep,
    ConnState::Unnamed,
    ConnState::Serving,
    ConnState::Dozing,
    ConnState::Farewell,
    ConnState::DrainingUnnamed,
    ConnState::Draining,
    ConnState::Refusing,
    ConnState::Ended,
];

/// One of each kind.
fn events() -> Vec<Event> {
    vec![
        Event::ClientFirst,
        Event::ServerFirst,
        Event::Opened,
        Event::Input,
        Event::NoInput,
        Event::Late,
        Event::DrainAsked,
        Event::Refused,
        Event::NothingAnswered,
        Event::Dozed,
        Event::StillIdle,
        Event::Stirred,
        Event::IdleLate,
        Event::HeadLate,
        Event::BodyLate,
        Event::Silenced,
        Event::Finished,
        Event::Failed(failure()),
        Event::Flooded,
    ]
}

/// A hyper error, which cannot be constructed directly.
fn failure() -> hyper::Error {
    let garbage = tokio::io::join(&b"\0\r\n\r\n"[..], tokio::io::sink());
    let service = hyper::service::service_fn(async |_| Ok::<_, hyper::Error>(http::Response::new(String::new())));
    let connection =
        hyper::server::conn::http1::Builder::new().serve_connection(hyper_util::rt::TokioIo::new(garbage), service);
    futures_util::FutureExt::now_or_never(connection).expect("all input is available at once").unwrap_err()
}

/// The first word of the `Debug` output, and the word inside `End`.
fn name(value: &impl std::fmt::Debug) -> String {
    let text = format!("{value:?}");
    let word = |text: &str| text.split(['(', ')', ' ']).next().unwrap_or_default().to_owned();
    match text.strip_prefix("End(") {
        Some(ended) => format!("End({})", word(ended)),
        None => word(&text),
    }
}

/// The rows of the table: next state and action for each state and event.
fn documented() -> BTreeMap<(String, String), (String, String)> {
    let source = include_str!("../state.rs");
    let mut table = BTreeMap::new();
    let rows = source.lines().filter_map(|line| line.strip_prefix("//! | ")).skip(2);
    for row in rows {
        let cells: Vec<_> = row.trim_end_matches(" |").split(" | ").collect();
        let [states, events, next, action] = cells[..] else { panic!("{row}") };
        let states: Vec<_> = match states {
            "any" => STATES.iter().filter(|state| **state != ConnState::Ended).map(name).collect(),
            "any that is awake" => STATES.iter().filter(|state| state.is_awake()).map(name).collect(),
            some => some.split(", ").map(str::to_owned).collect(),
        };
        for state in states {
            for event in events.split(", ") {
                // The first row that matches counts.
                let follows = (next.to_owned(), action.to_owned());
                table.entry((state.clone(), event.to_owned())).or_insert(follows);
            }
        }
    }
    table
}

#[test]
fn transitions_match_the_documented_table() {
    let mut table = documented();
    assert!(table.len() > 60, "{table:?}");
    for state in STATES {
        for event in events() {
            let cell = (name(&state), name(&event));
            let (next, action) = state.on(event);
            let otherwise = (name(&state), "GoOn".to_owned());
            assert_eq!((name(&next), name(&action)), table.remove(&cell).unwrap_or(otherwise), "{cell:?}");
        }
    }
    assert!(table.is_empty(), "no such state or event: {table:?}");
}

/// All steps that are reachable from `from` without the events for which `never` holds.
fn reachable(from: ConnState, never: impl Fn(&Event) -> bool) -> Vec<(ConnState, Event, ConnState, Action)> {
    let (mut steps, mut seen, mut to_do) = (Vec::new(), BTreeSet::new(), vec![from]);
    while let Some(state) = to_do.pop() {
        if !seen.insert(name(&state)) {
            continue;
        }
        for (event, again) in events().into_iter().zip(events()).filter(|(event, _)| !never(event)) {
            let (next, action) = state.on(event);
            steps.push((state, again, next, action));
            to_do.push(next);
        }
    }
    steps
}

#[test]
fn nothing_is_served_before_the_gate_opens() {
    for (state, event, next, action) in reachable(ConnState::New, |event| matches!(event, Event::Opened)) {
        assert!(!next.is_named() || next == ConnState::Ended, "{state:?} {event:?}: {next:?}");
        let tells = matches!(action, Action::End(Ended::Idle | Ended::HeadTimeout | Ended::Stalled));
        assert!(!tells, "{state:?} {event:?}: {action:?}");
    }
}

#[test]
fn the_gate_is_never_closed_again() {
    for state in STATES.into_iter().filter(|state| state.is_named()) {
        for event in events() {
            let (next, _) = state.on(event);
            assert!(next.is_named(), "{state:?}: {next:?}");
        }
    }
}

#[test]
fn silence_and_every_other_end_are_final() {
    for state in STATES {
        let (next, action) = state.on(Event::Silenced);
        assert_eq!(next, ConnState::Ended);
        assert_eq!(matches!(action, Action::End(Ended::Silenced)), state != ConnState::Ended);
    }
    for (state, event, next, action) in reachable(ConnState::New, |_| false) {
        assert_eq!(
            matches!(action, Action::End(_)),
            state != ConnState::Ended && next == ConnState::Ended,
            "{state:?} {event:?}: {action:?}"
        );
    }
    assert!(
        reachable(ConnState::Ended, |_| false)
            .iter()
            .all(|(.., next, action)| { *next == ConnState::Ended && matches!(action, Action::GoOn) })
    );
}

#[test]
fn a_connection_goes_to_sleep_only_after_a_last_look() {
    for (state, event, next, action) in reachable(ConnState::New, |_| false) {
        if state.is_awake() && matches!(action, Action::Sleep) {
            assert!(state == ConnState::Dozing && matches!(event, Event::StillIdle), "{state:?} {event:?}: {next:?}");
        }
    }
}

#[test]
fn a_draining_connection_accepts_no_further_request() {
    for from in STATES.into_iter().filter(|state| state.is_draining()) {
        for (state, event, next, action) in reachable(from, |_| false) {
            assert!(next.is_draining() || next == ConnState::Ended, "{state:?} {event:?}: {next:?}");
            assert!(!matches!(action, Action::Sleep | Action::Wake), "{state:?} {event:?}: {action:?}");
        }
    }
}
