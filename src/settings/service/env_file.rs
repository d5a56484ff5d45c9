//! Files with environment variables.

use std::{collections::BTreeMap, fs, io, path::PathBuf};

use super::variable::is_name;
use crate::config::{Merged, Node, Problem, Problems};

/// The largest file that is read.
const MAX_SIZE: u64 = 1 << 20;

/// The files that the settings name, whether they exist or not.
pub(in crate::settings) fn files(merged: &Merged) -> Vec<PathBuf> {
    let Some(services) = merged.node("services") else { return Vec::new() };
    let names = services.value.as_dict().into_iter().flat_map(|table| table.keys());
    let files = names.filter_map(|name| services.field(name)?.field("env_file")).flat_map(|files| files.one_or_more());
    let mut files: Vec<_> = files.filter_map(|file| file.parse::<PathBuf>().ok()).collect();
    files.sort_unstable();
    files.dedup();
    files
}

/// Reads the variables in a file. Returns `None` if it is invalid, and reports that.
pub(super) fn read(node: &Node<'_>, problems: &mut Problems) -> Option<BTreeMap<String, String>> {
    let path: PathBuf = node.read(problems)?;
    let shown = path.display();
    let text = match fs::metadata(&path) {
        Ok(metadata) if metadata.is_dir() => Err(format!("{shown} is a folder: name a file")),
        // Reading a pipe or a device might never end.
        Ok(metadata) if !metadata.is_file() => Err(format!("{shown} is not a regular file")),
        Ok(metadata) if metadata.len() > MAX_SIZE => Err(format!("{shown} is larger than 1MiB")),
        Ok(_) => fs::read_to_string(&path).map_err(|error| match error.kind() {
            io::ErrorKind::InvalidData => format!("{shown} is not UTF-8"),
            _ => format!("cannot read {shown}: {error}"),
        }),
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            Err(format!("the file {shown} does not exist: create it, or write another one"))
        }
        Err(error) => Err(format!("cannot read {shown}: {error}")),
    };
    let text = problems.note(text.map_err(|message| node.problem(message)))?;
    let parsed = parse(&text).map_err(|(line, message)| Problem::new(format!("{shown}:{line}"), message));
    problems.note(parsed)
}

/// Parses the lines. Values are not expanded, and messages do not repeat them.
fn parse(text: &str) -> Result<BTreeMap<String, String>, (usize, String)> {
    let (mut variables, mut line) = (BTreeMap::new(), 0);
    let mut rest = text.strip_prefix('\u{feff}').unwrap_or(text);
    while !rest.is_empty() {
        line += 1;
        let (first, after) = rest.split_once('\n').unwrap_or((rest, ""));
        let trimmed = first.trim();
        if trimmed.is_empty() || trimmed.starts_with(['#', ';']) {
            rest = after;
            continue;
        }
        let wrong = |message: &str| (line, message.to_owned());
        let (name, _) = trimmed.split_once('=').ok_or_else(|| wrong("expected NAME=value, without spaces"))?;
        let name = name.trim_end();
        let name = name.strip_prefix("export ").map_or(name, str::trim_start);
        if !is_name(name) {
            return Err(wrong("expected NAME=value, where the name has no spaces"));
        }
        // In the rest and not in the line, because a value in quotes can have several lines.
        let start = rest.find('=').map_or(rest.len(), |at| at + 1);
        let value = rest[start..].trim_start_matches([' ', '\t']);
        let (value, after) = match value.chars().next() {
            Some(quote @ ('"' | '\'')) => {
                let (value, after) = quoted(&value[1..], quote).ok_or_else(|| wrong("the quote is not closed"))?;
                let (tail, next) = after.split_once('\n').unwrap_or((after, ""));
                let tail = tail.trim();
                if !tail.is_empty() && !tail.starts_with('#') {
                    return Err(wrong("there is more after the closing quote: put the whole value in quotes"));
                }
                (value, next)
            }
            _ => {
                // Untrimmed, because a # is a comment only after a space.
                let value = rest[start..].split('\n').next().unwrap_or_default();
                (without_comment(value).trim().to_owned(), after)
            }
        };
        if value.contains('\0') {
            return Err(wrong("a variable cannot contain NUL"));
        }
        line += rest[..rest.len() - after.len()].matches('\n').count().saturating_sub(1);
        variables.insert(name.to_owned(), value);
        rest = after;
    }
    Ok(variables)
}

/// The value up to the closing quote, and what follows it.
fn quoted(text: &str, quote: char) -> Option<(String, &str)> {
    let mut value = String::new();
    let mut chars = text.char_indices();
    while let Some((at, char)) = chars.next() {
        if char == quote {
            return Some((value, &text[at + 1..]));
        }
        if char != '\\' || quote == '\'' {
            value.push(char);
            continue;
        }
        match chars.next()?.1 {
            'n' => value.push('\n'),
            'r' => value.push('\r'),
            't' => value.push('\t'),
            escaped @ ('"' | '\\' | '$' | '`') => value.push(escaped),
            // A line that is continued.
            '\n' => {}
            other => value.extend(['\\', other]),
        }
    }
    None
}

/// A comment begins with a `#` after a space.
fn without_comment(value: &str) -> &str {
    let comment = value.match_indices('#').map(|(at, _)| at);
    let end = comment.filter(|at| value[..*at].ends_with([' ', '\t'])).min();
    &value[..end.unwrap_or(value.len())]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_read_as_docker_and_systemd_do() {
        let text = "\u{feff}# comment\n; comment\n\nA=1\nexport B = two words # comment\r\nC=\nD='$A # \\n'\n\
                    E=\"a\\n\\\"b\\\" $A\" # c\nF=a#b\nG=x=y\nH=\"first\nsecond\"\nI=#fff\nJ= # none\nK=last";
        let expected = [
            ("A", "1"),
            ("B", "two words"),
            ("C", ""),
            ("D", "$A # \\n"),
            ("E", "a\n\"b\" $A"),
            ("F", "a#b"),
            ("G", "x=y"),
            ("H", "first\nsecond"),
            ("I", "#fff"),
            ("J", ""),
            ("K", "last"),
        ];
        let expected = expected.map(|(name, value)| (name.to_owned(), value.to_owned()));
        assert_eq!(parse(text), Ok(expected.into()));
    }

    #[test]
    fn mistakes_have_a_line_and_never_show_the_value() {
        for (text, line, message) in [
            ("A=1\nhunter2", 2, "expected NAME=value, without spaces"),
            ("A B=1", 1, "expected NAME=value, where the name has no spaces"),
            ("=1", 1, "expected NAME=value, where the name has no spaces"),
            ("A=\"1\n2\"\nB=\"3", 3, "the quote is not closed"),
            ("A='1' 2", 1, "there is more after the closing quote: put the whole value in quotes"),
        ] {
            assert_eq!(parse(text), Err((line, message.to_owned())), "{text}");
        }
    }
}
