//! Services as tables.

use crate::{
    columns::columns,
    commands::span::{since, span},
    services::report::{EventReport, InstanceReport, InstanceState, ServiceReport, ServiceState, ServicesReport},
};

/// Up to this many instances, which fit on a screen, each has a line of its own. With more, each service has one.
const FEW: usize = 30;
/// How many notes on instances are printed for a service that has only one line.
const NOTES: usize = 3;
/// How many names are printed.
const NAMES: usize = 10;

/// The services: one line per instance, or one line per service if there are many instances.
pub(super) fn all(report: &ServicesReport) -> String {
    let instances: usize = report.services.iter().map(|service| service.instances.len()).sum();
    if instances <= FEW { by_instance(&report.services) } else { by_service(&report.services) }
}

/// One service, with one line per instance.
pub(super) fn one(service: &ServiceReport) -> String {
    by_instance(std::slice::from_ref(service))
}

/// Everything about a service.
pub(super) fn details(service: &ServiceReport) -> String {
    let ready = ready(service);
    let mut rows = vec![
        ["service".to_owned(), service.name.clone()],
        ["command".to_owned(), service.command.clone()],
        ["state".to_owned(), format!("{}, {ready} instances ready", service.state)],
    ];
    if service.waiting_requests > 0 {
        rows.push(["waiting".to_owned(), format!("{} requests", service.waiting_requests)]);
    }
    if let Some(failure) = &service.failed_rollout {
        rows.push(["rolled back".to_owned(), event(failure)]);
    }
    format!("{}\n{}", columns(&rows), one(service))
}

/// The first names, and how many more there are.
pub(super) fn shortened(names: &[&str]) -> String {
    let more = names.len().saturating_sub(NAMES);
    let text = names[..names.len() - more].join(", ");
    if more == 0 { text } else { format!("{text} and {more} more") }
}

fn by_instance(services: &[ServiceReport]) -> String {
    let heading = ["SERVICE", "STATE", "ADDRESS", "PID", "UPTIME", "RESTARTS", "MEMORY", "CPU"];
    let mut rows = vec![(heading.map(str::to_owned), Vec::new())];
    for service in services {
        rows.extend(service.instances.iter().map(|instance| {
            let notes = exit_that_matters(service, instance).map(event).into_iter().collect();
            (instance_row(service, instance), notes)
        }));
        if service.instances.is_empty() {
            let [state, dash] = [service.state.to_string(), "-".to_owned()];
            let row = [0; 5].map(|_| dash.clone());
            let [address, pid, uptime, memory, cpu] = row;
            rows.push(([service.name.clone(), state, address, pid, uptime, dash, memory, cpu], Vec::new()));
        }
        if let Some((_, notes)) = rows.last_mut() {
            notes.extend(notes_on(service));
        }
    }
    with_notes(&rows)
}

fn by_service(services: &[ServiceReport]) -> String {
    let heading = ["SERVICE", "STATE", "READY", "RESTARTS", "MEMORY", "CPU"];
    let mut rows = vec![(heading.map(str::to_owned), Vec::new())];
    for service in services {
        let all = || service.instances.iter();
        let sum = |number: fn(&InstanceReport) -> Option<u64>| all().filter_map(number).reduce(u64::saturating_add);
        let row = [
            service.name.clone(),
            service.state.to_string(),
            ready(service),
            all().map(|instance| instance.restarts).sum::<u64>().to_string(),
            or_dash(sum(|instance| instance.memory_bytes).map(bytes)),
            or_dash(sum(|instance| instance.cpu_ms).map(millis)),
        ];
        let bad: Vec<_> = all().filter(|instance| is_bad(service, instance)).collect();
        let mut notes: Vec<_> = bad.iter().take(NOTES).map(|instance| note_on(service, instance)).collect();
        if bad.len() > NOTES {
            notes.push(format!("and {} more: pmesh services {}", bad.len() - NOTES, service.name));
        }
        notes.extend(notes_on(service));
        rows.push((row, notes));
    }
    with_notes(&rows)
}

fn instance_row(service: &ServiceReport, instance: &InstanceReport) -> [String; 8] {
    [
        label(service, instance),
        state(service, instance),
        or_dash(Some(instance.address.clone()).filter(|address| !address.is_empty())),
        or_dash(instance.pid.map(|pid| pid.to_string())),
        or_dash(instance.started.filter(|_| instance.pid.is_some()).map(since)),
        instance.restarts.to_string(),
        or_dash(instance.memory_bytes.map(bytes)),
        or_dash(instance.cpu_ms.map(millis)),
    ]
}

/// `web/1`, as in front of its output.
fn label(service: &ServiceReport, instance: &InstanceReport) -> String {
    format!("{}/{}", service.name, instance.number)
}

/// The state to print. Only the service knows why an instance is stopped.
fn state(service: &ServiceReport, instance: &InstanceReport) -> String {
    match (instance.state, service.state) {
        (InstanceState::Stopped, ServiceState::Idle | ServiceState::Failed) => service.state.to_string(),
        (state, _) => state.to_string(),
    }
}

/// How many of its instances are ready. While one replaces another, they count once.
fn ready(service: &ServiceReport) -> String {
    let count = |is_counted: fn(&InstanceReport) -> bool| {
        let numbers = service.instances.iter().filter(|instance| is_counted(instance)).map(|instance| instance.number);
        numbers.collect::<std::collections::BTreeSet<_>>().len()
    };
    format!("{}/{}", count(|instance| instance.state == InstanceState::Ready), count(|_| true))
}

fn is_bad(service: &ServiceReport, instance: &InstanceReport) -> bool {
    match instance.state {
        InstanceState::BackingOff => true,
        InstanceState::Starting => instance.last_exit.is_some(),
        InstanceState::Stopped => !matches!(service.state, ServiceState::Idle | ServiceState::Stopped),
        InstanceState::Ready | InstanceState::Draining | InstanceState::Stopping => false,
    }
}

/// How the instance last ended, unless that was intended.
fn exit_that_matters<'a>(service: &ServiceReport, instance: &'a InstanceReport) -> Option<&'a EventReport> {
    instance.last_exit.as_ref().filter(|_| is_bad(service, instance) || instance.restarts > 0)
}

fn note_on(service: &ServiceReport, instance: &InstanceReport) -> String {
    let exit = instance.last_exit.as_ref().map(|exit| format!(": {}", event(exit))).unwrap_or_default();
    format!("{} {}{exit}", label(service, instance), state(service, instance))
}

/// Notes on what the lines of its instances do not show.
fn notes_on(service: &ServiceReport) -> impl Iterator<Item = String> {
    let rolling_out = (service.state == ServiceState::RollingOut).then(|| "rolling out".to_owned());
    let rolled_back = service.failed_rollout.as_ref().map(|failure| format!("rolled back {}", event(failure)));
    let waiting = (service.waiting_requests > 0).then(|| format!("{} requests waiting", service.waiting_requests));
    [rolling_out, rolled_back, waiting].into_iter().flatten()
}

fn event(EventReport { message, time }: &EventReport) -> String {
    format!("{} ago: {}", since(*time), message.lines().next().unwrap_or_default())
}

/// The rows in columns, each with its notes below.
fn with_notes<const N: usize>(rows: &[([String; N], Vec<String>)]) -> String {
    let table = columns(&rows.iter().map(|(row, _)| row.clone()).collect::<Vec<_>>());
    let mut text = String::new();
    for (line, (_, notes)) in table.lines().zip(rows) {
        text = text + line + "\n";
        for note in notes {
            text = text + "  " + note + "\n";
        }
    }
    text
}

fn or_dash(text: Option<String>) -> String {
    text.unwrap_or_else(|| "-".to_owned())
}

fn bytes(bytes: u64) -> String {
    let (unit, name) =
        [(30, "GiB"), (20, "MiB")].into_iter().find(|(bits, _)| bytes >> bits > 0).unwrap_or((10, "KiB"));
    let tenths = (u128::from(bytes) * 10) >> unit;
    format!("{}.{} {name}", tenths / 10, tenths % 10)
}

fn millis(millis: u64) -> String {
    match millis / 1000 {
        seconds @ 60.. => span(seconds),
        seconds => format!("{seconds}.{}s", millis / 100 % 10),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn instance(number: u16) -> InstanceReport {
        InstanceReport {
            number,
            address: format!("127.1.0.{number}:8080"),
            state: InstanceState::Ready,
            pid: Some(100),
            started: Some(u64::MAX),
            restarts: 0,
            memory_bytes: Some(50 << 20),
            cpu_ms: Some(1_250),
            last_exit: None,
        }
    }

    fn service(name: &str, instances: Vec<InstanceReport>) -> ServiceReport {
        ServiceReport {
            name: name.to_owned(),
            command: "node server.js".to_owned(),
            state: ServiceState::Ready,
            waiting_requests: 0,
            failed_rollout: None,
            instances,
        }
    }

    fn happened(message: &str) -> Option<EventReport> {
        Some(EventReport { message: message.to_owned(), time: u64::MAX })
    }

    fn failing(number: u16) -> InstanceReport {
        InstanceReport {
            state: InstanceState::BackingOff,
            pid: None,
            memory_bytes: None,
            cpu_ms: None,
            restarts: 7,
            last_exit: happened("exited with status 1"),
            ..instance(number)
        }
    }

    #[test]
    fn few_instances_have_a_line_each() {
        let web = ServiceReport {
            state: ServiceState::Degraded,
            failed_rollout: happened("web/1 is not ready after 60s"),
            ..service("web", vec![instance(1), failing(2)])
        };
        let idle = InstanceReport { state: InstanceState::Stopped, last_exit: happened("exited"), ..failing(1) };
        let idle = InstanceReport { restarts: 0, ..idle };
        let api = ServiceReport { state: ServiceState::Idle, waiting_requests: 3, ..service("api", vec![idle]) };
        let none = ServiceReport { state: ServiceState::Stopped, ..service("jobs", Vec::new()) };
        assert_eq!(
            all(&ServicesReport { services: vec![web, api, none] }),
            "SERVICE  STATE        ADDRESS         PID  UPTIME  RESTARTS  MEMORY    CPU\n\
             web/1    ready        127.1.0.1:8080  100  0s      0         50.0 MiB  1.2s\n\
             web/2    backing off  127.1.0.2:8080  -    -       7         -         -\n\
             \x20 0s ago: exited with status 1\n\
             \x20 rolled back 0s ago: web/1 is not ready after 60s\n\
             api/1    idle         127.1.0.1:8080  -    -       0         -         -\n\
             \x20 3 requests waiting\n\
             jobs     stopped      -               -    -       -         -         -\n"
        );
    }

    #[test]
    fn many_instances_are_summed_up_by_service() {
        let web = service("web", (1..=28).map(instance).collect());
        let api = (1..=5).map(failing).chain([instance(6)]).collect();
        let api = ServiceReport { state: ServiceState::Degraded, ..service("api", api) };
        assert_eq!(
            all(&ServicesReport { services: vec![web, api] }),
            "SERVICE  STATE     READY  RESTARTS  MEMORY    CPU\n\
             web      ready     28/28  0         1.3 GiB   35.0s\n\
             api      degraded  1/6    35        50.0 MiB  1.2s\n\
             \x20 api/1 backing off: 0s ago: exited with status 1\n\
             \x20 api/2 backing off: 0s ago: exited with status 1\n\
             \x20 api/3 backing off: 0s ago: exited with status 1\n\
             \x20 and 2 more: pmesh services api\n"
        );
    }

    #[test]
    fn details_begin_with_the_service() {
        let new = InstanceReport { state: InstanceState::Starting, ..instance(1) };
        let web = ServiceReport {
            state: ServiceState::RollingOut,
            waiting_requests: 2,
            ..service("web", vec![instance(1), new])
        };
        let text = details(&web);
        let expected = "service  web\ncommand  node server.js\nstate    rolling out, 1/1 instances ready\n\
                        waiting  2 requests\n\nSERVICE  STATE ";
        assert!(text.starts_with(expected) && text.contains("\n  rolling out\n"), "{text}");
    }

    #[test]
    fn an_exit_stays_visible_after_a_restart_but_not_after_a_stop() {
        let web = service("web", Vec::new());
        let restarted = InstanceReport { restarts: 1, last_exit: happened("killed"), ..instance(1) };
        assert!(exit_that_matters(&web, &restarted).is_some());
        assert_eq!(exit_that_matters(&web, &InstanceReport { restarts: 0, ..restarted.clone() }), None);
        let stopped = InstanceReport { state: InstanceState::Stopped, restarts: 0, ..restarted };
        assert!(exit_that_matters(&web, &stopped).is_some());
        let web = ServiceReport { state: ServiceState::Stopped, ..web };
        assert_eq!(exit_that_matters(&web, &stopped), None);
    }

    #[test]
    fn sizes_and_times_are_short() {
        assert_eq!([0, 1536, 5 << 20, u64::MAX].map(bytes), ["0.0 KiB", "1.5 KiB", "5.0 MiB", "17179869183.9 GiB"]);
        assert_eq!([0, 999, 59_999, 60_000, 3_600_000].map(millis), ["0.0s", "0.9s", "59.9s", "1m", "1h"]);
        assert_eq!(shortened(&["a"; 12]), "a, a, a, a, a, a, a, a, a, a and 2 more");
    }
}
