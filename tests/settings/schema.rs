//! `pmesh schema`: the schema accepts what the program accepts, and rejects mistakes.

use std::{fs, path::Path};

use boon::{Compiler, SchemaIndex, Schemas};
use pmesh::config::{SETTINGS, schema};
use serde_json::{Map, Value};
use toml_edit::{DocumentMut, Item};

use crate::{Start, example_file};

struct Schema {
    schemas: Schemas,
    index: SchemaIndex,
}

impl Schema {
    fn new() -> Self {
        let (mut schemas, mut compiler) = (Schemas::new(), Compiler::new());
        compiler.add_resource("pmesh.schema.json", parsed()).expect("a schema");
        let index = compiler.compile("pmesh.schema.json", &mut schemas).expect("a schema");
        Self { schemas, index }
    }

    /// The validation error for a file, if there is one.
    fn error(&self, file: &str) -> Option<String> {
        let file: DocumentMut = file.parse().expect("TOML");
        self.schemas.validate(&json(file.as_item()), self.index).err().map(|error| format!("{error:#}"))
    }

    #[track_caller]
    fn assert_valid(&self, name: &str, file: &str) {
        assert_eq!(self.error(file), None, "{name}");
    }
}

fn parsed() -> Value {
    serde_json::from_str(&schema()).expect("JSON")
}

fn json(item: &Item) -> Value {
    if let Some(table) = item.as_table_like() {
        return table.iter().map(|(key, item)| (key.to_owned(), json(item))).collect::<Map<_, _>>().into();
    }
    if let Some(tables) = item.as_array_of_tables() {
        return tables.iter().map(|table| json(&Item::Table(table.clone()))).collect();
    }
    match item.as_value().expect("a value") {
        toml_edit::Value::String(text) => text.value().as_str().into(),
        toml_edit::Value::Integer(number) => (*number.value()).into(),
        toml_edit::Value::Float(number) => (*number.value()).into(),
        toml_edit::Value::Boolean(is_so) => (*is_so.value()).into(),
        toml_edit::Value::Array(values) => values.iter().map(|value| json(&Item::Value(value.clone()))).collect(),
        other => panic!("not in a configuration: {other:?}"),
    }
}

fn service(keys: &str) -> String {
    format!("[services.web]\ncommand = \"true\"\n{keys}")
}

#[test]
fn config_toml_is_valid_as_it_is_and_uncommented() {
    let schema = Schema::new();
    schema.assert_valid("config.toml", example_file::EXAMPLE);
    schema.assert_valid("all of config.toml", &example_file::with_every_setting());
}

#[test]
fn all_example_files_are_valid() {
    fn walk(folder: &Path, schema: &Schema) -> usize {
        let entries = fs::read_dir(folder).expect("a folder").map(|entry| entry.expect("an entry").path());
        let valid = entries.map(|path| match path.extension() {
            _ if path.is_dir() => walk(&path, schema),
            Some(extension) if extension == "toml" => {
                schema.assert_valid(&path.display().to_string(), &fs::read_to_string(&path).expect("a file"));
                1
            }
            _ => 0,
        });
        valid.sum()
    }

    let examples = Path::new(env!("CARGO_MANIFEST_DIR")).join("examples/config");
    assert!(walk(&examples, &Schema::new()) > 0);
}

#[test]
fn every_setting_has_a_description() {
    let schema = parsed();
    let properties = schema["properties"].as_object().expect("keys");
    assert_eq!(properties.len(), SETTINGS.iter().filter(|setting| setting.in_file).count());
    for setting in SETTINGS.iter().filter(|setting| setting.in_file) {
        let description = properties[setting.key]["description"].as_str().expect("a description");
        assert!(description.starts_with(setting.help), "{}: {description}", setting.key);
    }
}

const ROUTE: &str = "[[routes]]\nhost = \"a.test\"\nupstream = \"b:1\"\n";

#[test]
fn schema_and_program_accept_the_same_files() {
    let schema = Schema::new();
    let route = |rest: &str| format!("{ROUTE}{rest}\n");
    let host = |rest: &str| format!("[[routes]]\nhost = \"a.test\"\n{rest}\n");
    let cases = [
        (true, String::new()),
        (false, "htpp = 80".into()),
        (true, "http = 0\nhttps = \"off\"".into()),
        (true, "http = \"${NUMBER}\"".into()),
        (false, "http = \"80\"".into()),
        (false, "http = 65536".into()),
        (false, "http = -1".into()),
        (false, "http = true".into()),
        (true, "bind = [\"10.0.0.1\", \"::1\"]".into()),
        (false, "bind = \"localhost\"".into()),
        (true, "source_addresses = \"10.0.0.1\"".into()),
        (true, "source_addresses = [\"10.0.0.1\", \"fd00::1\"]".into()),
        (true, "trusted_proxies = \"10.0.0.5\"".into()),
        (true, "trusted_proxies = [\"10.0.0.0/8\"]".into()),
        (false, "trusted_proxies = \"10.0.0.0/8, ::1\"".into()),
        (true, "log = \"info,h2=warn\"".into()),
        (false, "log = \"verbose\"".into()),
        (true, "http_h2c = \"${WORD:-open}\"".into()),
        (false, "http_h2c = \"on\"".into()),
        (true, "access_log = \"${SWITCH}\"".into()),
        (false, "access_log = \"yes\"".into()),
        (true, "workers = 4".into()),
        (false, "workers = 0".into()),
        (false, "workers = 2000".into()),
        (true, "connect_timeout = \"1m 30s\"".into()),
        (true, "connect_timeout = \"0.5s\"".into()),
        (true, "connect_timeout = \"2days\"".into()),
        (true, "connect_timeout = \"${NUMBER}s\"".into()),
        (false, "connect_timeout = \"0s\"".into()),
        (false, "connect_timeout = \"10\"".into()),
        (false, "connect_timeout = 10".into()),
        (false, "connect_timeout = \"off\"".into()),
        (false, "connect_timeout = \"5 apples\"".into()),
        (true, "pool_max_age = \"off\"".into()),
        (true, "max_body = 1000".into()),
        (true, "max_body = \"10 mib\"".into()),
        (true, "max_body = \"off\"".into()),
        (false, "max_body = \"10m\"".into()),
        (false, "max_body = \"1.5MiB\"".into()),
        (true, "body_min_rate = \"1kB\"".into()),
        (false, "max_head = \"off\"".into()),
        (true, "subnet_dialer = \"127.3.0.0/16\"".into()),
        (false, "subnet_dialer = \"10.0.0.0/8\"".into()),
        (true, "admin = \"unix:/run/pmesh.sock\"".into()),
        (true, "admin = \"127.0.0.1:9901\"".into()),
        (false, "admin = \"/run/pmesh.sock\"".into()),
        (true, "mesh_peers = { b = \"10.0.0.2:8443\" }".into()),
        (true, "[listeners.extra]\nport = 8448\ntls = true".into()),
        (false, "[listeners.extra]\ntls = true".into()),
        (true, "[[certificates]]\ncert = \"c.pem\"\nkey = \"c.key\"".into()),
        (false, "[[certificates]]\ncert = \"c.pem\"".into()),
        (true, "[services.web]\ncommand = [\"true\"]".into()),
        (true, service("instances = 2\nport = \"${NUMBER}\"\nlisten = \"address\"\nprotocol = \"h2c\"\nenv.A = \"1\"")),
        (true, service("ready = \"/healthz\"\nstop_signal = \"INT\"\nwait_timeout = \"0s\"\nidle_stop = \"off\"")),
        (true, service("stop_signal = 2\nlimits = { memory = \"1GiB\", cpu = 0.5, open_files = 100 }\nwatch = true")),
        (true, service("limits.cpu = 2\nwatch = [\"a\", \"b\"]\nenv_file = [\"a.env\"]\noutput = \"web.log\"")),
        (false, "[services.web]\ninstances = 2".into()),
        (false, "[services]\ncommand = \"true\"".into()),
        (false, service("instances = 0")),
        (false, service("port = \"http\"")),
        (false, service("port = 0")),
        (false, service("listen = \"127.0.0.1\"")),
        (false, service("env = [\"A=1\"]")),
        (false, service("env.A = 1")),
        (false, service("limits.cpu = 0")),
        (false, service("limits.cpu = \"150%\"")),
        (false, service("limits = \"512MiB\"")),
        (false, service("restart = \"unless-stopped\"")),
        (false, service("start_timeout = \"0s\"")),
        (false, service("image = \"nginx\"")),
        (
            true,
            "[redirects]\n\"a.test\" = \"https://b.test\"\n\"b.test\" = { to = \"https://c.test\", status = 302 }"
                .into(),
        ),
        (false, "[redirects]\n\"b.test\" = { status = 302 }".into()),
        (true, "[defaults]\nresponse_timeout = \"5s\"\ntls.ca = \"ca.pem\"\nhsts = false".into()),
        (false, "[defaults]\nhost = \"a.test\"".into()),
        (false, "[defaults]\nupstream = \"a:1\"".into()),
        (false, route("[defaults]\nresponse_timeout = true")),
        (
            true,
            route("name = \"a\"\nprefix = [\"/a\", \"/b\"]\nmethods = [\"GET\", \"PROPFIND\"]\nstrip_prefix = true"),
        ),
        (true, route("match = { headers = { accept = \"text/*\", x-a = true }, clients = \"private\" }")),
        (true, route("hsts = { max_age = \"365d\", preload = \"${SWITCH}\" }\nmax_body = false")),
        (true, route("hsts = \"0s\"")),
        (false, route("hsts = \"off\"")),
        (false, route("buffer = true")),
        (true, route("compress = true")),
        (true, route("cors = { origins = \"*\", methods = [\"*\"], headers = \"x-a\", max_age = \"0s\" }")),
        (false, route("cors = { origin = \"*\" }")),
        (false, route("cors = true")),
        (true, route("maintenance = \"down.html\"\nerror_pages = { 502 = false }")),
        (false, route("maintenance = [\"down.html\"]")),
        (true, route("allow = [\"private\"]\ndeny = \"10.0.0.1\"")),
        (false, route("allow = true")),
        (
            true,
            route("rate_limit = { requests = 1, per = \"1s\", burst = 1, key = \"header:x-a\" }\nmax_in_flight = 1"),
        ),
        (true, route("rate_limit = false\nmax_in_flight = false")),
        (false, route("rate_limit = 1")),
        (false, route("rate_limit = { requests = 0, per = \"1s\" }")),
        (false, route("rate_limit = { requests = 1, per = \"0s\" }")),
        (false, route("rate_limit = { requests = 1, per = \"1s\", rate = 1 }")),
        (false, route("max_in_flight = 0")),
        (true, route("buffer = \"64KiB\"")),
        (true, route("buffer = false")),
        (true, route("mirror = \"b:2\"")),
        (true, route("mirror = { upstream = \"b:2\", percent = 1, max_body = \"1MiB\", max_in_flight = 1 }")),
        (true, route("mirror = false")),
        (false, route("mirror = { upstream = \"b:2\", percent = 0 }")),
        (false, route("mirror = { upstream = \"b:2\", rate = 1 }")),
        (true, route("request_headers = { x-a = \"b\", x-c = false, x-d = { add = \"e\" } }")),
        (false, route("request_headers = { x-a = 1 }")),
        (false, route("response_headers = { x-a = { put = \"b\" } }")),
        (false, route("http = 80")),
        (false, route("methods = \"get\"")),
        (false, route("max_body = true")),
        (false, route("tls = true")),
        (false, route("name = false")),
        (
            true,
            host(
                "upstream = [\"https://b\", \"h2://c\"]\ntls = { ca = \"a\", server_name = false, cert = \"c\", key = \"k\" }",
            ),
        ),
        (false, host("upstream = \"https://b\"\ntls.insecure = true")),
        (false, host("upstream = \"https://b\"\ntls.ca = \"\"")),
        (false, host("")),
        (false, "[[routes]]\nupstream = \"b:1\"".into()),
        (true, host("redirect = \"https://b.test\"")),
        (false, host("redirect = { to = \"https://b.test\", status = 300 }")),
        (false, host("redirect = { status = 301 }")),
        (true, host("respond = 404")),
        (true, host("respond = \"silence\"")),
        (true, host("respond = { body = \"gone\" }")),
        (false, host("respond = 100")),
        (false, host("respond = \"quiet\"")),
        (false, host("respond = { status = 200, text = \"\" }")),
        (true, route("[[routes.routes]]\nprefix = \"/b\"\nhsts = false\ntls = false\nresponse_timeout = false")),
        (true, host("[[routes.routes]]\nprefix = \"/b\"\nupstream = \"c:1\"")),
        (false, route("[[routes.routes]]\nprefix = \"/b\"\n[[routes.routes.routes]]\nprefix = \"/c\"")),
    ];
    for (is_valid, file) in cases {
        let start = Start::new().write("a.env", "").file(&file).variable("NUMBER", "5").variable("SWITCH", "true");
        let of_program = start.load().err().map(|error| error.to_string());
        assert_eq!(of_program.is_none(), is_valid, "{file}\n{of_program:?}");
        let of_schema = schema.error(&file);
        assert_eq!(of_schema.is_none(), is_valid, "{file}\n{of_schema:?}");
    }
}
