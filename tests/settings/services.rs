//! `[services.NAME]`: values and defaults.

use std::{collections::BTreeMap, fs, path::PathBuf, time::Duration};

use nix::unistd::{Uid, User};
use pmesh::settings::{
    Ready, Restart, Service, ServiceCommand, ServiceLimits, ServiceListen, ServiceOutput, ServiceProtocol, explain,
    summary,
};

use crate::Start;

/// A file with one service and these keys.
fn web(keys: &str) -> Start {
    Start::new().file(&format!("[services.web]\ncommand = [\"node\", \"server.js\"]\n{keys}\n"))
}

fn only(start: &Start) -> Service {
    start.loaded().settings.services.remove(0)
}

fn variables(all: &[(&str, &str)]) -> BTreeMap<String, String> {
    all.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
}

#[test]
fn a_service_only_needs_a_command() {
    let start = web("");
    let service = only(&start);
    let seconds = Duration::from_secs;
    assert_eq!(service.name.as_str(), "web");
    assert_eq!(service.command, ServiceCommand::Program(vec!["node".into(), "server.js".into()]));
    assert_eq!(service.to_string(), "web: 1 × node server.js");
    assert_eq!(service.cwd.as_deref(), Some(&*start.folder));
    assert_eq!((service.env.len(), service.user, service.instances), (0, None, 1));
    assert_eq!((service.listen, service.port, service.protocol), (ServiceListen::Address, 8080, ServiceProtocol::Http));
    assert_eq!((service.ready, service.start_timeout, service.wait_timeout), (Ready::Port, seconds(60), seconds(10)));
    assert_eq!(
        (service.stop_signal.number, service.stop_signal.name, service.stop_timeout),
        (15, "SIGTERM", seconds(10))
    );
    assert_eq!((service.restart, service.max_backoff), (Restart::Always, seconds(30)));
    assert_eq!((service.limits, service.output), (ServiceLimits::default(), ServiceOutput::Log));
    assert_eq!((service.watch, service.idle_stop), (Vec::new(), None));
    assert_eq!(start.without_folder(&service.origin.to_string()), "[DIR]/config.toml:1: services.web");
}

#[test]
fn every_key_has_an_effect() {
    let start = web(
        "cwd = \"app\"\nenv = { A = \"1\", B = \"2\" }\nenv_file = [\"a.env\", \"b.env\"]\ninstances = 3\nport = \
         3000\nprotocol = \"h2c\"\nready = \"/healthz?full=1\"\nstart_timeout = \"5m\"\nwait_timeout = \"0s\"\nstop_signal = \
         \"int\"\nstop_timeout = \"1s\"\nrestart = \"on-failure\"\nmax_backoff = \"1m\"\nlimits = { memory = \"512MiB\", \
         open_files = 4096, cpu = 1.5 }\noutput = \"web.log\"\nwatch = [\"app/lib\", \"/etc/hosts\"]\nidle_stop = \"15m\"",
    )
    .write("app/server.js", "")
    .write("a.env", "B=a\nC=a\nD=a\nPORT=9\nHOST=9\n")
    .write("b.env", "D=\"b # $A\"\n");
    let service = only(&start);
    let seconds = Duration::from_secs;
    assert_eq!(service.cwd, Some(start.folder.join("app")));
    // `env` wins over the files, and a later file over an earlier one. What pmesh sets is left out.
    assert_eq!(service.env, variables(&[("A", "1"), ("B", "2"), ("C", "a"), ("D", "b # $A")]));
    assert_eq!((service.instances, service.listen, service.port), (3, ServiceListen::Address, 3000));
    assert_eq!(service.protocol, ServiceProtocol::H2c);
    assert_eq!(service.ready, Ready::Path("/healthz?full=1".parse().expect("a path")));
    assert_eq!((service.start_timeout, service.wait_timeout), (seconds(300), Duration::ZERO));
    assert_eq!((service.stop_signal.name, service.stop_timeout), ("SIGINT", seconds(1)));
    assert_eq!((service.restart, service.max_backoff), (Restart::OnFailure, seconds(60)));
    let limits = ServiceLimits { memory: Some(512 << 20), open_files: Some(4096), millicpus: Some(1500) };
    assert_eq!(service.limits, limits);
    assert_eq!(service.output, ServiceOutput::File(start.folder.join("web.log")));
    assert_eq!(service.watch, [start.folder.join("app/lib"), PathBuf::from("/etc/hosts")]);
    assert_eq!(service.idle_stop, Some(seconds(900)));
}

#[test]
fn keys_accept_all_their_words() {
    let start = web(
        "ready = \"notify\"\nlisten = \"port\"\nrestart = \"never\"\noutput = \"off\"\nwatch = true\nstop_signal = 3\nlimits.cpu = 2",
    );
    let service = only(&start);
    assert_eq!((service.ready, service.listen, service.restart), (Ready::Notify, ServiceListen::Port, Restart::Never));
    assert_eq!((service.output, service.watch), (ServiceOutput::Off, vec![start.folder.clone()]));
    assert_eq!((service.stop_signal.name, service.limits.millicpus), ("SIGQUIT", Some(2000)));
    assert_eq!(only(&web("listen = \"unix\"")).listen, ServiceListen::Unix);
    assert_eq!(only(&web("ready = \"started\"")).ready, Ready::Started);
    assert_eq!(only(&web("watch = false")).watch, [] as [PathBuf; 0]);
    assert_eq!(only(&web("watch = \"lib\"")).watch.len(), 1);
}

#[test]
fn the_default_port_is_one_that_no_listener_has_on_all_addresses() {
    let port = |top: &str| {
        let file = format!("{top}\n[services.web]\ncommand = \"x\"");
        only(&Start::new().flags(&["--https", "off", "--internal", "off"]).file(&file)).port
    };
    assert_eq!(port("http = 80"), 8080);
    assert_eq!(port("http = 8080\nbind = \"127.0.0.1\""), 8080);
    assert_eq!(port("http = 8080"), 8081);
    assert_eq!(port("http = 8080\nbind = \"::\"\n[listeners.more]\nport = 8081"), 8082);
}

#[test]
fn a_string_is_a_line_for_the_shell() {
    let line = "FOO=1 exec serve \\\n  --port $PORT | tee log";
    let start = Start::new().file(&format!("[services.web]\ncommand = '''{line}'''"));
    let service = only(&start);
    assert_eq!(service.command, ServiceCommand::Shell(line.into()));
    assert_eq!(service.shown, "FOO=1 exec serve \\ --port $PORT | tee log");
    // An escaped reference is for the shell.
    let escaped = Start::new().file("[services.web]\ncommand = \"serve $${PORT}0\"");
    assert_eq!(only(&escaped).command, ServiceCommand::Shell("serve ${PORT}0".into()));
}

#[test]
fn a_service_can_run_as_the_user_of_pmesh() {
    let own = User::from_uid(Uid::effective()).expect("the user database").expect("a user");
    let user = only(&web(&format!("user = {:?}", own.name))).user;
    // Only root changes the user.
    assert_eq!(user.map(|user| user.name), own.uid.is_root().then_some(own.name));
}

#[test]
fn values_from_the_environment_are_used_but_not_shown() {
    let start = Start::new().variable("TOKEN", "hunter2").variable("CPUS", "0.5").variable("COUNT", "2").file(
        "[services.web]\ncommand = [\"serve\", \"--token=${TOKEN}\", \"a b\", \"\"]\nenv = { TOKEN = \"${TOKEN}\" }\n\
             instances = \"${COUNT}\"\nlimits.cpu = \"${CPUS}\"\n[services.line]\ncommand = \"serve --token=${TOKEN}\"",
    );
    let loaded = start.loaded();
    let [line, web] = &loaded.settings.services[..] else { panic!("two services") };
    let ServiceCommand::Program(words) = &web.command else { panic!("a program") };
    assert_eq!(words[1], "--token=hunter2");
    assert_eq!(web.env, variables(&[("TOKEN", "hunter2")]));
    assert_eq!((web.instances, web.limits.millicpus), (2, Some(500)));
    assert_eq!(line.command, ServiceCommand::Shell("serve --token=hunter2".into()));
    let shown = explain(&loaded, None).expect("all") + &summary(&loaded.settings);
    assert!(!shown.contains("hunter2"), "{shown}");
    assert_eq!(web.to_string(), "web: 2 × serve --token=${TOKEN} \"a b\" \"\"");
    assert_eq!(line.to_string(), "line: 1 × serve --token=${TOKEN}");
}

#[test]
fn paths_in_an_included_file_are_relative_to_its_folder() {
    let start = Start::new()
        .write("services/lib/x", "")
        .write("services/web.env", "A=1")
        .write(
            "services/web.toml",
            "[services.web]\ncommand = \"${COMMAND:-x}\"\ncwd = \"lib\"\nenv_file = \"web.env\"\noutput = \"web.log\"\nwatch = \
             [\"lib\"]\n[services.plain]\ncommand = \"x\"\nwatch = true\n",
        )
        .file("include = [\"services/*.toml\"]\n[services.main]\ncommand = \"x\"\n[[routes]]\nhost = \"a\"\nupstream = \"service://web\"");
    let loaded = start.loaded();
    assert_eq!(loaded.files(), loaded.watched.find());
    let [main, plain, web] = &loaded.settings.services[..] else { panic!("three services") };
    let folder = start.folder.join("services");
    assert_eq!((main.cwd.as_ref(), plain.cwd.as_ref()), (Some(&start.folder), Some(&folder)));
    assert_eq!((&plain.watch[..], &web.watch[..]), (&[folder.clone()][..], &[folder.join("lib")][..]));
    assert_eq!((&web.cwd, &web.env), (&Some(folder.join("lib")), &variables(&[("A", "1")])));
    assert_eq!(web.output, ServiceOutput::File(folder.join("web.log")));
    assert_eq!(web.shown, "${COMMAND:-x}");
    assert_eq!(start.without_folder(web.origin.at()), "[DIR]/services/web.toml:1, from the default of ${COMMAND}");

    let twice = start.write("services/more.toml", "[services.web]\ncommand = \"y\"");
    assert_eq!(
        twice.error(),
        "[DIR]/services/web.toml:1: services.web: defined twice: here and in [DIR]/services/more.toml:1; keep one of them"
    );
}

#[test]
fn explain_and_the_summary_show_each_service() {
    let start = Start::new().file(
        "internal = \"off\"\nbind = \"127.0.0.1\"\n[services.web]\ncommand = [\"node\", \"server.js\"]\ninstances = 2\n\n\
         [services.api]\ncommand = \"exec serve\"\n",
    );
    let loaded = start.loaded();
    let text = explain(&loaded, Some("services")).expect("a setting");
    let rows: Vec<_> = text.lines().take(2).map(|row| start.without_folder(row)).collect();
    assert_eq!(
        rows.iter().map(|row| row.split_whitespace().collect::<Vec<_>>().join(" ")).collect::<Vec<_>>(),
        ["services api: 1 × exec serve [DIR]/config.toml:7", "web: 2 × node server.js [DIR]/config.toml:3"]
    );
    assert!(text.contains("Set by `services` in the file or an included file."), "{text}");
    assert!(
        summary(&loaded.settings)
            .ends_with("internal  off\nservice   api: 1 × exec serve\nservice   web: 2 × node server.js\n"),
        "{}",
        summary(&loaded.settings)
    );
    let many = (0..30).fold(String::new(), |file, name| file + &format!("[services.s{name}]\ncommand = \"x\"\n"));
    let many = summary(&Start::new().file(&many).loaded().settings);
    assert!(many.ends_with("\n30 services with 30 instances\n"), "{many}");
    let long = Start::new().file(&format!("[services.web]\ncommand = \"{}\"", "é".repeat(100)));
    assert!(summary(&long.loaded().settings).ends_with("é…\n"));
}

#[test]
fn a_changed_env_file_makes_the_service_differ() {
    let start = web("env_file = \"web.env\"").write("web.env", "A=1");
    let before = start.loaded();
    let file = start.folder.join("web.env");
    assert!(before.watched.find().contains(&file) && before.files() == before.watched.find());
    fs::write(&file, "A=2").expect("written");
    let after = only(&start);
    let before = &before.settings.services[0];
    assert_ne!(before, &after);
    assert!(!before.runs_like(&after));
}

#[test]
fn only_changes_that_a_process_sees_need_a_new_one() {
    let plain = only(&web(""));
    let with = |keys: &str| {
        let service = only(&web(keys).write("app/server.js", ""));
        // Each file is in a folder of its own.
        let cwd = if keys.starts_with("cwd") { service.cwd.clone() } else { plain.cwd.clone() };
        Service { cwd, ..service }
    };
    assert!(plain.runs_like(&with("")));
    for keys in [
        "instances = 2",
        "ready = \"/\"",
        "start_timeout = \"1s\"",
        "wait_timeout = \"1s\"",
        "stop_signal = \"INT\"",
        "stop_timeout = \"1s\"",
        "restart = \"never\"",
        "max_backoff = \"1s\"",
        "watch = true",
        "idle_stop = \"1m\"",
    ] {
        assert!(plain.runs_like(&with(keys)), "{keys}");
        assert_ne!(plain, with(keys), "{keys}");
    }
    for keys in [
        "cwd = \"app\"",
        "env.A = \"1\"",
        "listen = \"port\"",
        "port = 3000",
        "protocol = \"h2c\"",
        "limits.cpu = 1",
        "output = \"off\"",
    ] {
        assert!(!plain.runs_like(&with(keys)), "{keys}");
    }
}

#[test]
fn a_route_can_come_from_a_flag() {
    let start = web("").flags(&["--route", "example.com=service://web"]);
    assert_eq!(start.loaded().settings.routes[0].to_string(), "example.com/ -> service://web");
    let unused = web("");
    assert!(unused.loaded().settings.routes.is_empty());
}

#[test]
fn commands_ignore_services() {
    let start = Start::new().variable("PMESH_ROUTE", "a=service://web").file("[services.web]\ncommand = []");
    assert!(start.load().is_err() && start.source().load_for_command().is_ok());
}

#[test]
fn changed_services_are_not_listed_among_the_settings() {
    let start = web("");
    let before = start.loaded().values();
    let start = start.file("[services.api]\ncommand = \"x\"");
    assert_eq!(before.changes(&start.loaded().values()), []);
}

#[test]
fn many_services_are_read_in_linear_time() {
    let file = (0..2000).fold(String::new(), |file, number| {
        file + &format!(
            "[services.s{number}]\ncommand = [\"x\", \"{{PORT}}\"]\nenv = {{ A = \"${{HOME}}\" }}\n[[routes]]\nhost = \
             \"s{number}.test\"\nupstream = \"service://s{number}\"\n"
        )
    });
    // With quadratic work, this would take minutes.
    assert_eq!(Start::new().file(&file).loaded().settings.services.len(), 2000);
}
