//! The text that the demo prints at startup: what runs where, and commands to paste.

use std::{
    env,
    fmt::{self, Write},
    net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr},
};

use super::shell::{path_word, program, word};
use crate::settings::{Port, SecretSource, Settings, summary};

/// The host that the demo serves. curl and browsers resolve names below `localhost` without a lookup.
pub(super) const HOST: &str = "demo.localhost";

/// The text, with the addresses and paths of this run.
#[derive(Debug)]
pub(super) struct Guide<'a> {
    settings: &'a Settings,
    backend: SocketAddr,
    /// The command that starts this program.
    program: String,
}

/// A command to paste.
#[derive(Debug)]
struct Step {
    what: &'static str,
    command: String,
    seen: &'static str,
}

impl<'a> Guide<'a> {
    /// Creates the text. `settings` has the ports that were bound.
    pub(super) fn new(settings: &'a Settings, backend: SocketAddr) -> Self {
        Self { settings, backend, program: program() }
    }

    fn steps(&self) -> Vec<Step> {
        let mut steps = Vec::new();
        if let Some(port) = number(self.settings.http) {
            steps.extend(self.http_steps(port));
        }
        if let Some(port) = number(self.settings.https) {
            steps.extend(self.https_steps(port));
        }
        steps
    }

    fn http_steps(&self, port: u16) -> [Step; 3] {
        let (curl, url, ip) = (self.curl(), format!("http://{HOST}:{port}"), self.reached_at());
        [
            Step {
                what: "The backend shows the request as it arrived:",
                command: format!("{curl} {url}"),
                seen: "X-Forwarded-For and other headers, and the address 127.x.y.z that pmesh connected from",
            },
            Step {
                what: "A WebSocket, held open for a second. Each WebSocket has its own connection to the backend:",
                command: format!(
                    "{curl} -siN --max-time 1 -H 'Connection: Upgrade' -H 'Upgrade: websocket' \
                     -H 'Sec-WebSocket-Version: 13' -H 'Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==' {url}/ws"
                ),
                seen: "101 Switching Protocols, then the backend's \"hello\"",
            },
            Step {
                what: "A request that does not name a served host gets silence:",
                command: format!("curl {}", word(&format!("http://{}", SocketAddr::new(ip, port)))),
                seen: "curl: (52) Empty reply from server",
            },
        ]
    }

    fn https_steps(&self, port: u16) -> [Step; 3] {
        let (curl, url, ip) = (self.curl(), format!("https://{HOST}:{port}"), self.reached_at());
        let trusting = format!("--cacert <({})", self.authority());
        [
            Step {
                what: "The same over TLS, with a certificate issued for this name:",
                command: format!("{curl} {trusting} {url}"),
                seen: "the same text, with X-Forwarded-Proto: https",
            },
            Step {
                what: "The HTTP version in use:",
                command: format!("{curl} --http2 -so /dev/null -w '%{{http_version}}\\n' {trusting} {url}"),
                seen: "2",
            },
            Step {
                what: "Silence again, this time during the TLS handshake:",
                command: format!("curl -k {}", word(&format!("https://{}", SocketAddr::new(ip, port)))),
                seen: "curl: (35) ..., because nothing comes back, not even a TLS alert",
            },
        ]
    }

    /// `curl`, with an option to connect to the listeners if the demo's host does not resolve to them.
    fn curl(&self) -> String {
        match self.reached_at() {
            _ if self.is_found_by_name() => "curl".to_owned(),
            IpAddr::V4(ip) => format!("curl --connect-to ::{ip}:"),
            IpAddr::V6(ip) => format!("curl --connect-to '::[{ip}]:'"),
        }
    }

    /// Whether `demo.localhost` resolves to the listeners.
    fn is_found_by_name(&self) -> bool {
        let is_found = |ip: &IpAddr| ip.is_unspecified() || *ip == Ipv4Addr::LOCALHOST || *ip == Ipv6Addr::LOCALHOST;
        self.settings.bind.iter().any(is_found)
    }

    /// The address of the listeners, for requests without the name.
    fn reached_at(&self) -> IpAddr {
        let named = self.settings.bind.iter().find(|ip| !ip.is_unspecified());
        named.copied().unwrap_or(Ipv4Addr::LOCALHOST.into())
    }

    /// The command that prints the authority for these settings.
    fn authority(&self) -> String {
        let program = &self.program;
        match &self.settings.secret {
            SecretSource::File { path, .. } => format!("{program} ca --secret-file {}", path_word(path)),
            SecretSource::Home(_) if env::home_dir().is_none_or(|home| home.join(".pmesh") != self.settings.home) => {
                format!("{program} ca --home {}", path_word(&self.settings.home))
            }
            SecretSource::Home(_) | SecretSource::Given { .. } => format!("{program} ca"),
        }
    }
}

impl fmt::Display for Guide<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Settings { http, https, secret, subnet_dialer, .. } = self.settings;
        writeln!(f, "pmesh demo: the proxy, and a backend behind it\n")?;
        for line in summary(self.settings).lines() {
            writeln!(f, "  {line}")?;
        }
        writeln!(f, "  backend   {}; pmesh connects to it from {subnet_dialer}", self.backend)?;
        match secret {
            SecretSource::Given { origin, .. } => writeln!(f, "  secret    in {origin}")?,
            SecretSource::File { path, .. } | SecretSource::Home(path) => {
                writeln!(f, "  secret    {}", path.display())?;
            }
        }
        if self.is_found_by_name() {
            f.write_char('\n')?;
            if let Some(port) = number(*http) {
                writeln!(f, "Open in a browser on this machine: http://{HOST}:{port}")?;
            }
            if let Some(port) = number(*https) {
                writeln!(
                    f,
                    "With TLS, in a browser that trusts the authority printed by `{}`: https://{HOST}:{port}",
                    self.authority()
                )?;
            }
        }
        writeln!(f, "\nPaste these into bash or zsh, in another terminal in this folder:")?;
        for Step { what, command, seen } in self.steps() {
            writeln!(f, "\n# {what}\n{command}\n#   -> {seen}")?;
        }
        for (port, flag, what) in [(http, "--http 8080", "without TLS"), (https, "--https 8443", "with TLS")] {
            if *port == Port::Off {
                writeln!(f, "\n# Add {flag} for more examples, {what}.")?;
            }
        }
        writeln!(f, "\nCtrl-C stops the proxy and the backend.")
    }
}

fn number(port: Port) -> Option<u16> {
    match port {
        Port::Off => None,
        Port::Number(port) => Some(port),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{cli::Arguments, config};

    fn text(flags: &[&str], secret: Option<&str>) -> String {
        let arguments = Arguments::parse([&["pmesh", "demo"], flags].concat()).unwrap();
        let home = env::home_dir().unwrap_or_default().into_os_string();
        let variables =
            [("HOME".into(), home)].into_iter().chain(secret.map(|text| ("PMESH_SECRET".into(), text.into())));
        let defaults = config::Defaults::demo();
        let settings = config::Source::new(arguments.flags, variables, defaults).load().unwrap().settings;
        let backend = ([127, 1, 0, 1], 9000).into();
        Guide { settings: &settings, backend, program: "./pmesh".into() }.to_string()
    }

    fn commands(text: &str) -> Vec<&str> {
        text.lines().filter(|line| line.starts_with("curl ")).collect()
    }

    #[test]
    fn commands_have_the_ports_that_were_bound() {
        let text = text(&["--http", "1234", "--https", "4321", "--home", "/x y"], None);
        assert_eq!(
            commands(&text),
            [
                "curl http://demo.localhost:1234",
                "curl -siN --max-time 1 -H 'Connection: Upgrade' -H 'Upgrade: websocket' -H 'Sec-WebSocket-Version: 13' \
                 -H 'Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==' http://demo.localhost:1234/ws",
                "curl http://127.0.0.1:1234",
                "curl --cacert <(./pmesh ca --home '/x y') https://demo.localhost:4321",
                "curl --http2 -so /dev/null -w '%{http_version}\\n' --cacert <(./pmesh ca --home '/x y') \
                 https://demo.localhost:4321",
                "curl -k https://127.0.0.1:4321",
            ]
        );
        for line in ["127.1.0.1:9000", "/x y/secret", "http://demo.localhost:1234", "127.2.0.0/16", "Ctrl-C"] {
            assert!(text.contains(line), "{line} in {text}");
        }
    }

    #[test]
    fn a_port_that_is_off_is_not_mentioned() {
        assert_eq!(commands(&text(&["--http", "off"], None)).len(), 3);
        let text = text(&["--https", "off"], None);
        assert_eq!(commands(&text).len(), 3);
        assert!(!text.contains("https://"), "{text}");
    }

    #[test]
    fn curl_connects_to_the_address_of_the_listeners() {
        let shown = text(&["--bind", "192.0.2.1"], None);
        assert!(!shown.contains("browser"), "{shown}");
        let commands = commands(&shown);
        assert_eq!(commands[0], "curl --connect-to ::192.0.2.1: http://demo.localhost:8080");
        assert_eq!(commands[2], "curl http://192.0.2.1:8080");
        assert!(text(&["--bind", "::1"], None).contains("\ncurl 'http://[::1]:8080'\n"));
        assert!(text(&["--bind", "0.0.0.0"], None).contains("\ncurl http://127.0.0.1:8080\n"));
    }

    #[test]
    fn the_ca_command_uses_the_secret_of_the_demo() {
        assert!(text(&[], None).contains("<(./pmesh ca)"));
        assert!(text(&["--secret-file", "/x/y"], None).contains("<(./pmesh ca --secret-file /x/y)"));
        let given = text(&["--home", "/x"], Some(&"1".repeat(64)));
        assert!(given.contains("<(./pmesh ca)") && given.contains("in PMESH_SECRET"), "{given}");
        assert!(!given.contains("1111"), "{given}");
    }
}
