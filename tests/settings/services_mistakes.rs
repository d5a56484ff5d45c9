//! Mistakes in `[services.NAME]` and in routes to services.

use nix::unistd::Uid;

use crate::Start;

/// Asserts the error message for a file. `expected` begins with the line number.
#[track_caller]
fn assert_error(file: &str, expected: &str) {
    assert_eq!(Start::new().file(file).error(), format!("[DIR]/config.toml:{expected}"), "{file}");
}

/// Asserts the error message for one more key of a service. `expected` begins with the key.
#[track_caller]
fn assert_key(key: &str, expected: &str) {
    assert_error(&format!("[services.web]\ncommand = \"x\"\n{key}"), &format!("3: services.web.{expected}"));
}

#[track_caller]
fn assert_command(command: &str, expected: &str) {
    assert_error(&format!("[services.web]\ncommand = {command}"), &format!("2: services.web.command{expected}"));
}

#[test]
fn a_service_is_a_table_with_a_name_and_a_command() {
    const NAME: &str =
        "the name of a service has at most 63 lower-case letters, digits and hyphens, and begins with a letter";
    for (file, expected) in [
        ("[services.web]", "1: services.web: no command: write the program, as in command = [\"node\", \"server.js\"]"),
        (
            "[services]\nweb = \"node server.js\"",
            "2: services.web: expected a table, found \"node server.js\": write [services.web], and command = \"node \
             server.js\" below",
        ),
        (
            "[services]\ncommand = \"node server.js\"\nport = 1",
            "2: services.command: `command` is a key of a service, but the service has no name: write [services.NAME] \
             instead of [services]",
        ),
        ("services = [\"web\"]", "1: services: expected a table for each service, as in [services.NAME], found a list"),
        ("[service.web]\ncommand = \"x\"", "1: service: unknown key; did you mean [services.NAME]?"),
        ("[programs.web]\ncommand = \"x\"", "1: programs: unknown key; did you mean [services.NAME]?"),
        ("[services.My_App]\ncommand = \"x\"", &format!("1: services.My_App: {NAME}: write [services.my-app]")),
        ("[services.1]\ncommand = \"x\"", &format!("1: services.1: {NAME}")),
        // A misspelled key is reported, not the missing one.
        ("[services.web]\ncomand = \"x\"", "2: services.web.comand: unknown key; did you mean `command`?"),
    ] {
        assert_error(file, expected);
    }
}

#[test]
fn invalid_commands_are_errors() {
    const AS_LINE: &str = "the command as one string, which a shell runs";
    for (command, expected) in [
        ("[]", ": the command is empty: name the program, as in [\"node\", \"server.js\"]"),
        ("\" \"", ": the command is empty: write the program, as in \"node server.js\""),
        ("[\"\", \"x\"]", "[0]: the program is empty: name it, as in [\"node\", \"server.js\"]"),
        ("5", ": expected a list such as [\"node\", \"server.js\"], or a line for /bin/sh, found 5"),
        ("[\"x\", 8080]", "[1]: expected text, found 8080: write \"8080\", in quotes"),
        ("[\"x\", [\"y\"]]", "[1]: expected text, found a list"),
        (
            "[\"node server.js\"]",
            ": the name of the program has spaces in it: write [\"node\", \"server.js\"], or \"node server.js\"",
        ),
        ("[\"~/app\"]", &format!("[0]: no shell expands ~ in a list: write the whole path, or {AS_LINE}")),
        ("[\"A=1\", \"x\"]", "[0]: this is a variable, not a program: write env = { A = … }"),
        (
            "[\"x\", \"&&\", \"y\"]",
            &format!("[1]: no shell runs a list, so \"&&\" would be an argument: write {AS_LINE}"),
        ),
        ("[\"x\", \"--port=$PORT\"]", "[1]: no shell replaces $PORT in a list: write {PORT}"),
        ("[\"x\", \"{port}\"]", "[1]: write {PORT}, in capital letters"),
        ("\"x --port {PORT}\"", ": a shell runs this line, and {PORT} is only replaced in a list: write $PORT"),
        (
            "\"x --port ${PORT:-3000}\"",
            ": each instance has its own PORT, which is not in pmesh's environment: write $PORT, or $${PORT}",
        ),
        (
            "[\"x\", \"${HOST}:80\"]",
            "[1]: each instance has its own HOST, which is not in pmesh's environment: write {HOST}",
        ),
        ("[\"x\", \"\\u0000\"]", "[1]: a command cannot contain NUL"),
    ] {
        assert_command(command, expected);
    }
    // These look similar, but are valid.
    for command in
        ["[\"x\", \"$PORTAL\", \"{a}\", \"~/x\", \"A=1\"]", "\"~/x ${HOME}\"", "[\"./a=b/x\"]", "[\"./my app\"]"]
    {
        let file = format!("[services.web]\ncommand = {command}");
        assert!(Start::new().file(&file).load().is_ok(), "{command}");
    }
}

#[test]
fn invalid_variables_are_errors() {
    let set = |name: &str| format!("env.{name}: pmesh sets {name} for each instance: remove this");
    for (key, expected) in [
        ("env = [\"A=1\"]", "env: expected a table such as { NODE_ENV = \"production\" }, found a list".to_owned()),
        (
            "env.PORT = \"1\"",
            "env.PORT: pmesh sets PORT for each instance: write port = … in the table of the service".to_owned(),
        ),
        ("env.HOST = \"1\"", set("HOST")),
        ("env.LISTEN = \"1\"", set("LISTEN")),
        ("env.PMESH_INSTANCE = \"1\"", set("PMESH_INSTANCE")),
        (
            "env.PMESH_HOME = \"1\"",
            "env.PMESH_HOME: names that begin with PMESH_ are pmesh's own: choose another name".to_owned(),
        ),
        (
            "env.NOTIFY_SOCKET = \"1\"",
            "env.NOTIFY_SOCKET: pmesh sets NOTIFY_SOCKET: write ready = \"notify\" in the table of the service"
                .to_owned(),
        ),
        // A value may be a secret.
        ("env.A = 12345", "env.A: expected text, found a value that is not shown: write it in quotes".to_owned()),
        ("env.A = true", "env.A: expected text, found a value that is not shown".to_owned()),
        ("env.\"A=x\" = \"1\"", "env.\"A=x\": the name of a variable cannot contain =: write A = \"…\"".to_owned()),
        ("env.\"A B\" = \"1\"", "env.\"A B\": \"A B\" is not the name of a variable".to_owned()),
        ("env.\"\" = \"1\"", "env.: \"\" is not the name of a variable".to_owned()),
        ("env.A = \"\\u0000\"", "env.A: a variable cannot contain NUL".to_owned()),
        (
            "env_file = \"x.env\"",
            "env_file: the file [DIR]/x.env does not exist: create it, or write another one".to_owned(),
        ),
        ("env_file = \".\"", "env_file: [DIR]/. is a folder: name a file".to_owned()),
        ("env_file = \"/dev/null\"", "env_file: /dev/null is not a regular file".to_owned()),
    ] {
        assert_key(key, &expected);
    }
    let file = "[services.web]\ncommand = \"x\"\n[services.web.env]\nTOKEN = hunter2\n";
    let error = Start::new().file(file).error();
    assert!(error.contains(":4: this is not valid TOML") && !error.contains("hunter2"), "{error}");
}

#[test]
fn an_error_in_an_env_file_names_the_line() {
    for (text, expected) in
        [("A=1\n\nhunter2\n", "3: expected NAME=value, without spaces"), ("A=\"hunter2", "1: the quote is not closed")]
    {
        let start = Start::new()
            .file("[services.web]\ncommand = \"x\"\nenv_file = \"web.env\"\ninstances = 0")
            .write("web.env", text);
        let error = start.error();
        assert!(error.contains(&format!("\n  [DIR]/web.env:{expected}")), "{error}");
        assert!(error.contains("config.toml:4: services.web.instances") && !error.contains("hunter2"), "{error}");
    }
}

#[test]
fn invalid_users_are_errors() {
    assert_key("user = \"no-such-user\"", "user: there is no user \"no-such-user\" on this machine");
    assert_key("user = 0", "user: write the name of the user, \"root\"");
    assert_key("user = \"root:root\"", "user: a service runs with the primary group of its user: write \"root\"");
    assert_key("user = true", "user: expected the name of a user, such as \"www-data\", found true");
    if Uid::effective().is_root() {
        assert_key(
            "user = \"nobody\"\nlisten = \"unix\"",
            "user: another user cannot open the folder of the sockets, which is in the home of pmesh: remove listen = \
             \"unix\"",
        );
    } else {
        let error = Start::new().file("[services.web]\ncommand = \"x\"\nuser = \"root\"").error();
        assert!(
            error.contains("services.web.user: only root can run a service as root, and pmesh runs as "),
            "{error}"
        );
    }
}

#[test]
fn invalid_values_are_errors() {
    const DURATION: &str = "expected a duration over 0 and up to a year, such as 10s or 1m 30s";
    const READY: &str = "ready: expected \"port\", \"started\", \"notify\", or a path such as \"/healthz\"";
    const RESTART: &str = "restart: expected always, on-failure or never";
    for (key, expected) in [
        (
            "instances = 0",
            "instances: expected a number from 1 to 1000, found 0: to stop a service, run `pmesh services stop NAME`, or \
             remove its table",
        ),
        ("instances = 1001", "instances: expected a number from 1 to 1000, found 1001"),
        ("instances = \"2\"", "instances: expected a number from 1 to 1000, found \"2\": write 2, without quotes"),
        (
            "port = 0",
            "port: expected a port from 1 to 65535, found 0: for a port that pmesh chooses for each instance, write listen \
             = \"port\"",
        ),
        (
            "listen = \"port\"\nport = 3000",
            "port: with listen = \"port\", each instance has a port of its own: remove this",
        ),
        (
            "listen = \"unix\"\nport = 3000",
            "port: with listen = \"unix\", instances have sockets and no ports: remove this",
        ),
        ("port = 65536", "port: expected a port from 1 to 65535, found 65536"),
        (
            "listen = \"0.0.0.0:80\"",
            "listen: expected address, port or unix, found \"0.0.0.0:80\": pmesh chooses an address for each instance, and \
             `port` sets the port",
        ),
        (
            "listen = \"unix:/run/a.sock\"",
            "listen: expected address, port or unix, found \"unix:/run/a.sock\": pmesh chooses a socket for each instance: \
             write unix",
        ),
        (
            "protocol = \"https\"",
            "protocol: expected http or h2c, found \"https\": services speak HTTP without TLS to pmesh",
        ),
        ("protocol = \"grpc\"", "protocol: expected http or h2c, found \"grpc\": for gRPC, write h2c"),
        (
            "ready = \"http://localhost:80/up\"",
            &format!(
                "{READY}, found \"http://localhost:80/up\": pmesh knows the address of each instance: write \"/up\""
            ),
        ),
        ("ready = \"healthz\"", &format!("{READY}, found \"healthz\": a path begins with a slash: write \"/healthz\"")),
        ("ready = \"/a b\"", &format!("{READY}, found \"/a b\"")),
        ("start_timeout = 60", &format!("start_timeout: {DURATION}, found 60: add a unit, as in 60s or 60ms")),
        (
            "stop_timeout = \"0s\"",
            &format!(
                "stop_timeout: {DURATION}, found \"0s\": it cannot be switched off; write a long duration, such as 365d"
            ),
        ),
        (
            "wait_timeout = \"off\"",
            "wait_timeout: expected a duration up to a year, such as 10s, or 0s to answer at once, found \"off\": requests \
             cannot wait forever; to answer them at once, write 0s",
        ),
        (
            "idle_stop = \"15\"",
            "idle_stop: expected a duration up to a year, such as 5m or 1h, or off, found \"15\": add a unit, as in 15s or \
             15ms",
        ),
        (
            "stop_signal = \"SIGTREM\"",
            "stop_signal: expected a signal such as SIGTERM or SIGINT, found \"SIGTREM\": did you mean `SIGTERM`?",
        ),
        (
            "stop_signal = \"stop\"",
            "stop_signal: expected a signal such as SIGTERM or SIGINT, found \"stop\": this signal pauses or resumes a \
             program, but does not end it",
        ),
        ("restart = false", &format!("{RESTART}, found false: write \"never\"")),
        (
            "restart = \"unless-stopped\"",
            &format!(
                "{RESTART}, found \"unless-stopped\": write always; a service that a command has stopped stays stopped"
            ),
        ),
        ("restart = \"often\"", &format!("{RESTART}, found \"often\"")),
        ("limits = \"1GiB\"", "limits: expected a table such as { memory = \"512MiB\", cpu = 1.5 }, found \"1GiB\""),
        ("limits.memory = 512", "limits.memory: expected a size of at least 1MiB, such as 512MiB, found 512"),
        (
            "limits.memory = \"512M\"",
            "limits.memory: expected a size of at least 1MiB, such as 512MiB, found \"512M\": write 512MiB",
        ),
        ("limits.open_files = 1", "limits.open_files: expected a number from 16 to 1048576, found 1"),
        (
            "limits.cpu = \"150%\"",
            "limits.cpu: expected a number of processors from 0.001 to 1024, such as 0.5 or 2, found \"150%\": write 1.5",
        ),
    ] {
        // The mistake is in the last key.
        let line = 2 + key.lines().count();
        assert_error(&format!("[services.web]\ncommand = \"x\"\n{key}"), &format!("{line}: services.web.{expected}"));
    }
}

#[test]
fn invalid_paths_are_errors() {
    let missing = "the folder [DIR]/gone does not exist: create it, or write another one";
    assert_key("cwd = \"gone\"", &format!("cwd: {missing}"));
    assert_key("cwd = \"config.toml\"", "cwd: [DIR]/config.toml is not a folder");
    assert_key("output = \"gone/web.log\"", &format!("output: {missing}"));
    assert_key("output = \"/\"", "output: / is a folder: name a file in it");
    assert_key("output = true", "output: expected \"log\", \"off\", or a file such as \"web.log\", found true");
    assert_key(
        "watch = [\"a\", \"*.js\"]",
        "watch[1]: patterns are not supported here: name the folder, to watch all files in it",
    );
    assert_key("watch = 1", "watch: expected a file or a folder, a list of them, or true for `cwd`, found 1");
}

#[test]
fn keys_of_other_programs_get_advice() {
    for (key, expected) in [
        ("ExecStart", "write command = [\"node\", \"server.js\"]"),
        ("exec", "write command = [\"node\", \"server.js\"]"),
        ("args", "write all of it in command, as in [\"node\", \"server.js\"]"),
        ("working_dir", "write cwd"),
        ("directory", "write cwd"),
        ("WorkingDirectory", "write cwd"),
        ("environment", "write env = { NODE_ENV = \"production\" }"),
        ("EnvironmentFile", "write env_file"),
        ("replicas", "write instances"),
        ("numprocs", "write instances"),
        ("autorestart", "write restart = \"always\""),
        ("healthcheck", "write ready = \"/healthz\", a path that answers once an instance is ready"),
        ("stopwaitsecs", "write stop_timeout"),
        ("kill_timeout", "write stop_timeout"),
        ("max_memory_restart", "write limits = { memory = \"512MiB\" }"),
        ("image", "services are programs on this machine, not containers"),
        ("depends_on", "all services start at once, and requests wait until an instance is ready"),
        ("host", "requests come from a route: write [[routes]], and upstream = \"service://NAME\""),
    ] {
        assert_key(&format!("{key} = \"x\""), &format!("{key}: unknown key: {expected}"));
    }
    assert_key("memory = \"1GiB\"", "memory: unknown key; did you mean limits = { memory = … }?");
    assert_key("limits.mem = \"1GiB\"", "limits.mem: unknown key; did you mean `memory`?");
    assert_key(
        "http = 80",
        "http: unknown key: `http` is a top-level setting: move it above the first [table] of the file",
    );
}

#[test]
fn invalid_upstreams_with_services_are_errors() {
    const WEB: &str = "[services.web]\ncommand = \"x\"\n[[routes]]\nhost = \"a\"\n";
    const UPSTREAM: &str =
        "routes[0].upstream: expected an upstream such as 127.0.0.1:9001, https://name or unix:/run/app.sock, found";
    for (keys, expected) in [
        ("upstream = \"service://wbe\"", "routes[0].upstream: there is no [services.wbe]; did you mean `web`?"),
        (
            "upstream = \"service://unlike\"",
            "routes[0].upstream: there is no [services.unlike]; there is only [services.web]",
        ),
        (
            "upstream = [\"service://web\", \"b:1\"]",
            "routes[0].upstream[0]: a service cannot be one of several upstreams, because it has instances of its own: write \
             upstream = \"service://web\", and `instances` in [services.web]",
        ),
        (
            "upstream = \"web\"",
            &format!(
                "{UPSTREAM} \"web\": the port is missing: write web:8080 for port 8080, or http://web for port 80; for \
                 [services.web], write service://web"
            ),
        ),
        (
            "upstream = \"service://web:80\"",
            &format!("{UPSTREAM} \"service://web:80\": pmesh knows the addresses of its services: write service://web"),
        ),
        (
            "upstream = \"service://web/\"",
            &format!("{UPSTREAM} \"service://web/\": a service has no path: write service://web"),
        ),
        (
            "upstream = \"service://WEB\"",
            &format!("{UPSTREAM} \"service://WEB\": the names of services are in lower case: write service://web"),
        ),
    ] {
        assert_error(&format!("{WEB}{keys}"), &format!("5: {expected}"));
    }
    for (keys, expected) in [
        (
            "mirror = \"service://web\"",
            "mirror: a mirror cannot be a service in this version: write the address of a program that pmesh does not run",
        ),
        (
            "forward_auth.url = \"service://web/verify\"",
            "forward_auth.url: expected a URL such as http://127.0.0.1:9091/verify, found \"service://web/verify\": the \
             authentication server cannot be a service in this version: write the URL of a program that pmesh does not run",
        ),
        ("tls.ca = \"ca.pem\"", "tls: services speak HTTP without TLS to pmesh: remove `tls`"),
    ] {
        assert_error(&format!("{WEB}upstream = \"service://web\"\n{keys}"), &format!("6: routes[0].{expected}"));
    }
    assert_error(
        "[[routes]]\nhost = \"a\"\nupstream = \"service://web\"",
        "3: routes[0].upstream: there is no [services.web]: add it, with the command to run",
    );
    // A service counts as existing even if it has a mistake itself.
    assert_error(
        "[services.web]\ncommand = []\n[[routes]]\nhost = \"a\"\nupstream = \"service://web\"",
        "2: services.web.command: the command is empty: name the program, as in [\"node\", \"server.js\"]",
    );
    let start = Start::new().flags(&["--route", "example.com=service://web"]);
    assert_eq!(start.error(), "--route: there is no [services.web]: add it, with the command to run");
}

#[test]
fn each_instance_needs_two_addresses() {
    let file = |instances, more: &str| {
        format!("[services.a]\ncommand = \"x\"\ninstances = {instances}\n[services.b]\ncommand = \"x\"\n{more}")
    };
    // A /28 has 14 usable addresses, and the demo has the first one.
    let start = |file: &str| Start::new().flags(&["--subnet-service", "127.1.0.0/28"]).file(file);
    assert!(start(&file(5, "")).load().is_ok());
    assert_eq!(
        start(&file(6, "")).error(),
        "[DIR]/config.toml:1: services: 7 instances need 14 addresses, two each, because a new one starts before the old \
         one stops, but `subnet_service` (127.1.0.0/28, --subnet-service) has 13: choose a larger network or fewer \
         instances"
    );
    assert!(start(&file(6, "listen = \"unix\"")).load().is_ok());
    assert!(Start::new().file(&file(1000, "instances = 1000")).load().is_ok());
}

#[test]
fn instances_cannot_have_the_port_of_a_listener_on_all_addresses() {
    let start = |top: &str, more: &str| {
        Start::new().file(&format!("{top}\n[services.web]\ncommand = \"x\"\n{more}")).flags(&["--https", "off"])
    };
    for (top, address) in [("http = 3000", "0.0.0.0"), ("http = 3000\nbind = \"::\"", "::")] {
        assert_eq!(
            start(top, "port = 3000").error(),
            format!(
                "[DIR]/config.toml:{}: services.web: the instances of `web` cannot use port 3000, because `http` has it on \
                 all addresses ({address}): remove `port` or write another one, or bind `http` to an address",
                top.lines().count() + 1
            )
        );
    }
    assert!(start("http = 20000", "listen = \"port\"").load().is_ok());
    assert!(start("http = 8080", "listen = \"unix\"").load().is_ok());
}
