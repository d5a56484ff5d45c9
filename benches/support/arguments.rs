//! `--name value` on the command line.

use std::{process::exit, time::Duration};

pub struct Arguments(Vec<(String, String)>);

impl Arguments {
    /// Exits with 2 on an argument that is not `known`.
    pub fn read(known: &[&str]) -> Self {
        // cargo passes this.
        let mut rest = std::env::args().skip(1).filter(|argument| argument != "--bench");
        let mut all = Vec::new();
        while let Some(argument) = rest.next() {
            let name = argument.strip_prefix("--").filter(|name| known.contains(name));
            match (name, rest.next()) {
                (Some(name), Some(value)) => all.push((name.to_owned(), value)),
                _ => refuse(&format!("{argument}: expected {} with a value", known.join(", "))),
            }
        }
        Self(all)
    }

    pub fn text(&self, name: &str) -> Option<&str> {
        self.0.iter().rev().find(|(key, _)| key == name).map(|(_, value)| &**value)
    }

    pub fn number(&self, name: &str, default: u32) -> u32 {
        let Some(text) = self.text(name) else { return default };
        text.parse().unwrap_or_else(|_| refuse(&format!("--{name} {text}: not a number")))
    }

    pub fn seconds(&self, name: &str, default: u32) -> Duration {
        Duration::from_secs(self.number(name, default).into())
    }

    /// Whether a row is selected: `--only TEXT` skips rows whose names do not contain the text.
    pub fn selects(&self, row: &str) -> bool {
        self.text("only").is_none_or(|part| row.contains(part))
    }
}

fn refuse(message: &str) -> ! {
    eprintln!("{message}");
    exit(2)
}
