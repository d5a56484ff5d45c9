//! `pmesh services logs`: prints what services write.

use std::{
    io::{self, Write},
    ops::ControlFlow,
};

use tower::BoxError;

use crate::{
    admin::{ClientError, OutputItem, OutputQuery},
    cli::LogsQuery,
    commands::ask::{Unreachable, block_on, stream},
    services::{
        printable::{Colours, printable},
        report::OutputLine,
    },
    settings::Settings,
};

/// The colours of services on a terminal, in the order in which the services appear.
const COLOURS: [u8; 6] = [36, 33, 32, 35, 34, 31];
/// How many lines `pmesh services NAME` shows.
const LAST_LINES: usize = 10;

/// Writes the output of services of the node in this home to `out`, with the name and number of the instance in front of
/// each line, in colour if `is_colored`. Returns once there are no more lines; with `follow`, once the node has stopped or
/// `out` is closed.
///
/// # Errors
///
/// [`Unreachable`], or that `out` fails.
pub fn service_logs(
    settings: &Settings,
    query: &LogsQuery,
    out: &mut dyn Write,
    is_colored: bool,
) -> Result<(), BoxError> {
    let (service, instance) = match query.name.as_deref().map(|name| (name, name.split_once('/'))) {
        Some((_, Some((service, number)))) => {
            let number = number.parse().map_err(|_| {
                Unreachable::Failed(format!("{number} is not the number of an instance: write {service}/1"))
            })?;
            (Some(service.to_owned()), Some(number))
        }
        Some((name, None)) => (Some(name.to_owned()), None),
        None => (None, None),
    };
    let LogsQuery { lines, follow, json, .. } = *query;
    let query = OutputQuery { service, instance, lines, follow };
    let mut printer = Printer { out, is_json: json, is_colored, services: Vec::new(), width: 0, failure: None };
    let ended = block_on(async { Ok(stream(settings, &query.path(), |item| printer.print(&item)).await) })?;
    if let Some(error) = printer.failure.filter(|error| error.kind() != io::ErrorKind::BrokenPipe) {
        return Err(error.into());
    }
    match ended {
        // This is how a node that stops looks from here.
        Err(Unreachable::Broken { source: ClientError::Incomplete(_), .. }) if follow => Ok(()),
        ended => Ok(ended?),
    }
}

/// The last few lines of a service, as text.
pub(super) async fn last_lines(settings: &Settings, service: &str) -> Result<String, Unreachable> {
    let query = OutputQuery { service: Some(service.to_owned()), instance: None, lines: LAST_LINES, follow: false };
    let mut text = Vec::new();
    let mut printer = Printer::plain(&mut text);
    stream(settings, &query.path(), |item| printer.print(&item)).await?;
    Ok(String::from_utf8_lossy(&text).into_owned())
}

struct Printer<'a> {
    out: &'a mut dyn Write,
    is_json: bool,
    is_colored: bool,
    /// The services seen so far, for their colours.
    services: Vec<String>,
    /// The width of the longest name so far.
    width: usize,
    failure: Option<io::Error>,
}

impl<'a> Printer<'a> {
    fn plain(out: &'a mut dyn Write) -> Self {
        Self { out, is_json: false, is_colored: false, services: Vec::new(), width: 0, failure: None }
    }

    fn print(&mut self, item: &OutputItem) -> ControlFlow<()> {
        let text = match item {
            _ if self.is_json => serde_json::to_string(item).unwrap_or_default(),
            OutputItem::Line(line) => self.prefix(line) + &printable(&line.text, Colours::Keep),
            OutputItem::Skipped { skipped_lines } => {
                format!("({skipped_lines} lines skipped: too many to keep up with)")
            }
        };
        match writeln!(self.out, "{text}").and_then(|()| self.out.flush()) {
            Ok(()) => ControlFlow::Continue(()),
            Err(error) => {
                self.failure = Some(error);
                ControlFlow::Break(())
            }
        }
    }

    /// `web/1  | `
    fn prefix(&mut self, OutputLine { service, instance, .. }: &OutputLine) -> String {
        let name = format!("{service}/{instance}");
        self.width = self.width.max(name.len());
        let width = self.width;
        if !self.is_colored {
            return format!("{name:width$} | ");
        }
        let place = self.services.iter().position(|other| other == service).unwrap_or_else(|| {
            self.services.push(service.clone());
            self.services.len() - 1
        });
        format!("\x1b[{}m{name:width$} |\x1b[0m ", COLOURS[place % COLOURS.len()])
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line(service: &str, instance: u16, text: &str) -> OutputItem {
        OutputItem::Line(OutputLine {
            time_ms: 1,
            service: service.to_owned(),
            instance,
            is_stderr: false,
            text: text.to_owned(),
        })
    }

    fn printed(items: &[OutputItem], set_up: impl Fn(&mut Printer<'_>)) -> String {
        let mut text = Vec::new();
        let mut printer = Printer::plain(&mut text);
        set_up(&mut printer);
        for item in items {
            assert!(printer.print(item).is_continue());
        }
        String::from_utf8(text).unwrap()
    }

    #[test]
    fn the_instance_is_in_front_of_each_line() {
        let items = [line("web", 10, "one"), line("web", 1, ""), OutputItem::Skipped { skipped_lines: 3 }];
        let expected = "web/10 | one\nweb/1  | \n(3 lines skipped: too many to keep up with)\n";
        assert_eq!(printed(&items, |_| ()), expected);
    }

    #[test]
    fn a_program_cannot_control_the_terminal() {
        assert_eq!(printed(&[line("a", 1, "\x1b[2J\x1b[1mx")], |_| ()), "a/1 | \\x1b[2J\x1b[1mx\n");
    }

    #[test]
    fn each_service_has_its_colour_on_a_terminal() {
        let items = [line("a", 1, "x"), line("b", 1, "x"), line("a", 2, "x")];
        let expected = "\x1b[36ma/1 |\x1b[0m x\n\x1b[33mb/1 |\x1b[0m x\n\x1b[36ma/2 |\x1b[0m x\n";
        assert_eq!(printed(&items, |printer| printer.is_colored = true), expected);
    }

    #[test]
    fn json_is_one_object_per_line() {
        let items = [line("a", 1, "x"), OutputItem::Skipped { skipped_lines: 3 }];
        let text = printed(&items, |printer| printer.is_json = true);
        let parsed: Vec<OutputItem> = text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
        assert_eq!(parsed, items);
    }

    #[test]
    fn printing_stops_when_nobody_reads() {
        let mut full: &mut [u8] = &mut [0; 4];
        let mut printer = Printer::plain(&mut full);
        assert!(printer.print(&line("a", 1, "x")).is_break() && printer.failure.is_some());
    }
}
