use std::{
    net::{Ipv4Addr, SocketAddr, TcpListener},
    sync::atomic::Ordering,
};

use super::*;
use crate::{
    cli::Arguments,
    config::{Defaults, Source},
    settings::endpoint::{InstanceAddress, Protocol},
};

/// The settings of this file, with a home of its own.
fn settings(home: &str, file: &str) -> Settings {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("config.toml");
    std::fs::write(&path, file).unwrap();
    let arguments = Arguments::parse(["pmesh", "--config", path.to_str().unwrap(), "--home", home]).unwrap();
    Source::new(arguments.flags, [], Defaults::none()).load().unwrap().settings
}

fn service(name: &str, more: &str) -> String {
    format!("[services.{name}]\ncommand = \"true\"\n{more}\n")
}

fn assigned(settings: &Settings) -> ServiceTable {
    let mut table = ServiceTable::new();
    table.assign(settings).unwrap();
    table
}

fn slots(table: &ServiceTable, name: &str) -> Vec<Slot> {
    table.get(&name.parse().unwrap()).unwrap().slots.clone()
}

fn addresses(table: &ServiceTable, name: &str) -> Vec<InstanceAddress> {
    slots(table, name).into_iter().map(|slot| slot.instance.address).collect()
}

fn socket(address: &InstanceAddress) -> SocketAddr {
    match address {
        InstanceAddress::Socket(address) => *address,
        InstanceAddress::Unix(path) => panic!("{}", path.display()),
    }
}

#[test]
fn each_instance_has_two_addresses_which_stay_the_same() {
    let file = service("web", "instances = 3") + &service("api", "instances = 2");
    let table = assigned(&settings("/nonexistent/a", &file));
    let all = [addresses(&table, "web"), addresses(&table, "api")].concat();
    let mut distinct = all.clone();
    distinct.sort();
    distinct.dedup();
    assert_eq!((all.len(), distinct.len()), (10, 10));
    assert!(all.iter().map(socket).all(|address| address.port() == 8080 && address.to_string().starts_with("127.1.")));
    let halves: Vec<_> = slots(&table, "web").iter().map(|slot| (slot.instance.number, slot.half())).collect();
    assert_eq!(halves[..3], [(1, Half::A), (1, Half::B), (2, Half::A)]);
    assert!(slots(&table, "web").iter().all(|slot| slot.health.is_drained() && !slot.is_occupied()));

    // Also if there are other services. Only another home has other addresses.
    let other = service("first", "instances = 9") + &file;
    assert_eq!(addresses(&assigned(&settings("/nonexistent/a", &other)), "web"), addresses(&table, "web"));
    assert_ne!(addresses(&assigned(&settings("/nonexistent/b", &file)), "web"), addresses(&table, "web"));
}

#[test]
fn a_reload_keeps_the_slots_that_stay() {
    let of = |more: &str| settings("/nonexistent/reload", &service("web", more));
    let mut table = assigned(&of("instances = 2"));
    let (before, first) = (table.snapshot(), slots(&table, "web"));
    let instances = |table: &ServiceTable| Arc::clone(table.get(&"web".parse().unwrap()).unwrap());

    table.assign(&of("instances = 2\nwait_timeout = \"1s\"")).unwrap();
    assert!(Arc::ptr_eq(&instances(&table), &before[&"web".parse().unwrap()]));

    first[0].is_occupied.store(true, Ordering::Relaxed);
    first[2].is_occupied.store(true, Ordering::Relaxed);
    table.assign(&of("instances = 1\nport = 8081")).unwrap();
    let changed = instances(&table);
    let ports: Vec<_> = changed.slots.iter().map(|slot| socket(&slot.instance.address).port()).collect();
    assert_eq!(ports, [8081, 8081, 8080, 8080]);
    assert!(changed.slots[2].health.is_same(&first[0].health) && changed.slots[3].health.is_same(&first[2].health));
    assert!(changed.readiness.is_same(&before[&"web".parse().unwrap()].readiness));
    assert_eq!((changed.current().len(), changed.pair(1).is_some(), changed.pair(2).is_some()), (2, true, false));

    // The reload failed.
    table.keep_only(&before);
    assert_eq!(addresses(&table, "web"), first.iter().map(|slot| slot.instance.address.clone()).collect::<Vec<_>>());

    // A removed service stays until its processes have ended.
    table.assign(&settings("/nonexistent/reload", "")).unwrap();
    let removed = instances(&table);
    assert_eq!((removed.current().len(), removed.slots.len()), (0, 2));
    first.iter().for_each(|slot| slot.is_occupied.store(false, Ordering::Relaxed));
    table.assign(&settings("/nonexistent/reload", "")).unwrap();
    assert!(table.snapshot().is_empty());
}

#[test]
fn a_process_gets_an_address_that_no_process_has() {
    let of = |more: &str| settings("/nonexistent/free", &service("web", more));
    let mut table = assigned(&of(""));
    let free = |table: &ServiceTable| {
        table.get(&"web".parse().unwrap()).unwrap().free_slot(1).map(|slot| (slot.half(), slot.instance.protocol))
    };
    let all = slots(&table, "web");
    assert_eq!(free(&table), Some((Half::A, Protocol::Http)));
    all[0].is_occupied.store(true, Ordering::Relaxed);
    assert_eq!(free(&table), Some((Half::B, Protocol::Http)));
    // The same address with another protocol is taken, too.
    table.assign(&of("protocol = \"h2c\"")).unwrap();
    assert_eq!(free(&table), Some((Half::B, Protocol::H2c)));
    slots(&table, "web")[1].is_occupied.store(true, Ordering::Relaxed);
    table.assign(&of("")).unwrap();
    assert_eq!(free(&table), None);
}

#[test]
fn addresses_in_use_are_skipped() {
    let port = TcpListener::bind("0.0.0.0:0").unwrap().local_addr().unwrap().port();
    let settings = settings("/nonexistent/in-use", &service("web", &format!("port = {port}")));
    let first = socket(&addresses(&assigned(&settings), "web")[0]);
    let taken = TcpListener::bind(first).unwrap();
    let mut table = assigned(&settings);
    let next = socket(&addresses(&table, "web")[0]);
    assert_ne!(next, first);
    // Not looked at again, because the service itself listens there.
    let _own = TcpListener::bind(next).unwrap();
    drop(taken);
    table.assign(&settings).unwrap();
    assert_eq!(socket(&addresses(&table, "web")[0]), next);
    // Nor is an address that is free again taken back while it is assigned.
    table.keep_only(&ServiceSlots::new());
    table.assign(&settings).unwrap();
    assert_eq!(socket(&addresses(&table, "web")[0]), first);
}

#[test]
fn a_program_on_all_addresses_is_an_error() {
    let taken = TcpListener::bind("0.0.0.0:0").unwrap();
    let port = taken.local_addr().unwrap().port();
    let settings = settings("/nonexistent/taken", &service("web", &format!("port = {port}")));
    let error = ServiceTable::new().assign(&settings).unwrap_err().to_string();
    assert!(error.contains("services.web: another program listens on port"), "{error}");
    assert!(error.contains(&format!("port {port} of all addresses")), "{error}");
    drop(taken);
    assigned(&settings);
}

#[test]
fn a_subnet_can_be_full() {
    let port = TcpListener::bind("0.0.0.0:0").unwrap().local_addr().unwrap().port();
    // 127.1.7.1 is reserved, and so five addresses are left.
    let file =
        "subnet_service = \"127.1.7.0/29\"\n".to_owned() + &service("web", &format!("instances = 2\nport = {port}"));
    let settings = settings("/nonexistent/small", &file);
    let others = [3, 4].map(|last| TcpListener::bind((Ipv4Addr::new(127, 1, 7, last), port)).unwrap());
    let mut table = ServiceTable::new();
    let error = table.assign(&settings).unwrap_err().to_string();
    let expected = "services.web: all addresses of subnet_service (127.1.7.0/29) are in use; each instance needs two: set a \
                    larger subnet_service";
    assert!(error.ends_with(expected), "{error}");
    table.keep_only(&ServiceSlots::new());
    drop(others);
    table.assign(&settings).unwrap();
    assert!(addresses(&table, "web").iter().map(socket).all(|address| address.ip() != Ipv4Addr::new(127, 1, 7, 1)));
}

#[test]
fn instances_can_have_ports_or_unix_sockets() {
    let folder = tempfile::tempdir().unwrap();
    let home = folder.path().to_str().unwrap();
    let file = service("port", "listen = \"port\"\ninstances = 2") + &service("unix", "listen = \"unix\"");
    let table = assigned(&settings(home, &file));
    let ports: Vec<_> = addresses(&table, "port").iter().map(socket).collect();
    assert!(
        ports.iter().all(|address| address.ip() == Ipv4Addr::LOCALHOST && (20_000..30_000).contains(&address.port()))
    );
    assert!(ports.iter().enumerate().all(|(index, port)| !ports[..index].contains(port)));
    let _taken = TcpListener::bind(ports[0]).unwrap();
    assert_ne!(socket(&addresses(&assigned(&settings(home, &file)), "port")[0]), ports[0]);

    let paths: Vec<_> = addresses(&table, "unix").iter().map(ToString::to_string).collect();
    let expected = ["a", "b"].map(|half| format!("unix:{home}/services/unix-1-{half}.sock"));
    assert_eq!(paths, expected);
    assert!(folder.path().join("services").is_dir());
    let long = settings(&format!("/{}", "x".repeat(100)), &file);
    let error = ServiceTable::new().assign(&long).unwrap_err().to_string();
    assert!(error.contains("is too long for a Unix socket (107 bytes): use a shorter home folder"), "{error}");
}
