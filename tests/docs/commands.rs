//! The program accepts the commands on the pages.

use clap::error::ErrorKind;
use pmesh::cli::Arguments;

use crate::pages;

#[test]
fn commands_in_blocks_are_accepted() {
    let mut commands = 0;
    for page in pages() {
        for block in page.code("sh").chain(page.code("console")) {
            for arguments in block.replace("\\\n", " ").lines().flat_map(commands_in) {
                let understood = understand(&arguments);
                assert!(understood.is_ok(), "{}: pmesh {}: {understood:?}", page.name, arguments.join(" "));
                commands += 1;
            }
        }
    }
    assert!(commands > 10, "{commands}");
}

#[test]
fn commands_in_sentences_are_accepted() {
    let mut commands = 0;
    for page in pages() {
        // Code with "…" is not complete.
        let spans = page.spans.iter().map(|span| &span.code).filter(|code| !code.contains('…'));
        for arguments in spans.filter(|code| code.starts_with("pmesh ")).flat_map(|code| commands_in(code)) {
            // `pmesh secret` alone may mean all of its subcommands.
            let understood = understand(&arguments).or_else(|kind| {
                if kind == ErrorKind::DisplayHelpOnMissingArgumentOrSubcommand { Ok(()) } else { Err(kind) }
            });
            assert!(understood.is_ok(), "{}: pmesh {}: {understood:?}", page.name, arguments.join(" "));
            commands += 1;
        }
    }
    assert!(commands > 10, "{commands}");
}

#[test]
fn the_page_on_operations_names_every_command() {
    let page = crate::Page::read("docs/operations.md");
    for command in subcommands() {
        let is_named = |row: &str| row.starts_with(&format!("| `pmesh {command}"));
        assert!(page.text.lines().any(is_named), "docs/operations.md has no row for pmesh {command}");
    }
}

#[test]
fn commands_are_found_in_lines() {
    for (line, expected) in [
        ("pmesh check --config a.toml   # says what would be served", vec!["check --config a.toml"]),
        ("$ pmesh secret show | ssh b pmesh secret set > log", vec!["secret show", "secret set"]),
        ("PMESH_HTTP=1 ./target/debug/pmesh --route 'a=b:1 c=d:1'", vec!["--route a=b:1 c=d:1"]),
        ("sudo -u pmesh env PMESH_HOME=/x pmesh status", vec!["status"]),
        ("cargo run --release -- demo", vec!["demo"]),
        ("useradd --system pmesh && systemctl reload pmesh", vec![]),
        ("sudo install target/release/pmesh /usr/local/bin/", vec![]),
        ("docker build -t pmesh . && docker run --rm pmesh --http 80", vec!["--http 80"]),
        ("curl http://pmesh.example/", vec![]),
    ] {
        let found: Vec<_> = commands_in(line).iter().map(|arguments| arguments.join(" ")).collect();
        assert_eq!(found, expected, "{line}");
    }
}

/// The names of all commands, from `--help`.
pub(crate) fn subcommands() -> Vec<String> {
    let help = Arguments::parse(["pmesh", "--help"]).unwrap_err().to_string();
    let list = help.split("Commands:\n").nth(1).and_then(|rest| rest.split("\n\n").next()).unwrap();
    let names = list.lines().filter(|line| line.starts_with("  ") && !line.starts_with("   "));
    let names: Vec<_> = names.filter_map(|line| line.split_whitespace().next()).map(str::to_owned).collect();
    assert!(names.len() > 8, "{help}");
    names
}

fn understand(arguments: &[String]) -> Result<(), ErrorKind> {
    let arguments = ["pmesh"].into_iter().chain(arguments.iter().map(String::as_str));
    match Arguments::parse(arguments) {
        // The text of --help comes as an error.
        Err(error) if error.exit_code() != 0 => Err(error.kind()),
        _ => Ok(()),
    }
}

/// The arguments of each `pmesh` in a shell command line.
fn commands_in(line: &str) -> Vec<Vec<String>> {
    let words = words(line.trim_start_matches("$ "));
    words.split(|word| ["|", "||", "&&", ";", "&"].contains(&word.as_str())).filter_map(arguments).collect()
}

/// The arguments of `pmesh` in a simple command. The last `pmesh` counts, since `sudo` or `ssh` may run it.
fn arguments(command: &[String]) -> Option<Vec<String>> {
    let is_program = |word: &String| word == "pmesh" || word.ends_with("/pmesh");
    let command = command.strip_prefix(&["sudo".to_owned()][..]).unwrap_or(command);
    let [first, second] = [0, 1].map(|n| command.get(n).map_or("", String::as_str));
    let start = match (first, second) {
        ("cargo", "run") => command.iter().position(|word| word == "--")?,
        // In these, `pmesh` is the name of a file, a user, a unit or an image.
        ("cargo" | "install" | "useradd" | "systemctl", _) | ("docker", "build") => return None,
        _ => command.iter().rposition(is_program)?,
    };
    let arguments = command[start + 1..].iter();
    Some(arguments.take_while(|word| !word.starts_with(['>', '<', '#']) && *word != "2>&1").cloned().collect())
}

/// The words of a line, without quotes.
fn words(line: &str) -> Vec<String> {
    let mut words = Vec::new();
    let (mut word, mut quote, mut has_begun) = (String::new(), None, false);
    for letter in line.chars() {
        match (quote, letter) {
            (Some(open), _) if letter == open => quote = None,
            (None, '\'' | '"') => (quote, has_begun) = (Some(letter), true),
            (None, ' ') => {
                if has_begun {
                    words.push(std::mem::take(&mut word));
                }
                has_begun = false;
            }
            (None, ';') => {
                words.push(std::mem::take(&mut word));
                words.push(";".to_owned());
                has_begun = false;
            }
            _ => {
                word.push(letter);
                has_begun = true;
            }
        }
    }
    if has_begun {
        words.push(word);
    }
    words
}
