//! The level of a line.

use tracing::Level;

/// Number of words at the beginning of a line that can be its level, which can follow a date, a time and a name.
const WORDS: usize = 5;

/// The level that a line names, if any: in JSON as `"level"` or `"severity"`, as `level=warn`, or as one of its
/// first words: `WARN`, `[warn]`, `warn:`.
pub(super) fn level(line: &str) -> Option<Level> {
    let line = line.trim_start();
    if line.starts_with('{') {
        return ["\"level\"", "\"severity\"", "\"lvl\""].iter().find_map(|key| {
            let value = line.split_once(key)?.1.trim_start().strip_prefix(':')?.trim_start();
            of_json(value)
        });
    }
    line.split_whitespace().take(WORDS).find_map(of_word)
}

fn of_json(value: &str) -> Option<Level> {
    match value.strip_prefix('"') {
        Some(text) => of_name(text.split('"').next()?),
        // The numbers of pino and bunyan.
        None => match value.split(|letter: char| !letter.is_ascii_digit()).next()?.parse::<u32>().ok()? {
            ..20 => Some(Level::TRACE),
            20..30 => Some(Level::DEBUG),
            30..40 => Some(Level::INFO),
            40..50 => Some(Level::WARN),
            _ => Some(Level::ERROR),
        },
    }
}

/// In lower case, a level must be marked as one, because `error` is also an ordinary word.
fn of_word(word: &str) -> Option<Level> {
    if let Some(value) = word.strip_prefix("level=") {
        return of_name(value.trim_matches('"'));
    }
    let is_marked = word.starts_with(['[', '(', '<']) || word.ends_with(':');
    let name = word.trim_matches(|letter: char| !letter.is_ascii_alphabetic());
    let is_capital = !name.is_empty() && name.bytes().all(|letter| letter.is_ascii_uppercase());
    if is_marked || is_capital { of_name(name) } else { None }
}

fn of_name(name: &str) -> Option<Level> {
    match &*name.to_ascii_lowercase() {
        "trace" => Some(Level::TRACE),
        "debug" => Some(Level::DEBUG),
        "info" | "notice" => Some(Level::INFO),
        "warn" | "warning" => Some(Level::WARN),
        "error" | "fatal" | "critical" | "panic" | "alert" | "emergency" => Some(Level::ERROR),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_can_name_its_level() {
        for (line, expected) in [
            ("listening on 8080", None),
            ("an error occurred", None),
            ("error: no such file", Some(Level::ERROR)),
            ("INFO:     Started server process [7]", Some(Level::INFO)),
            ("2026-11-28 20:00:00,123 WARNING app slow", Some(Level::WARN)),
            ("2026-11-28T20:00:00Z DEBUG app: x", Some(Level::DEBUG)),
            ("[2026-11-28 20:00:00 +0000] [7] [INFO] Booting worker", Some(Level::INFO)),
            ("time=2026 level=warn msg=\"x\"", Some(Level::WARN)),
            (r#"{"level":30,"time":1,"msg":"x"}"#, Some(Level::INFO)),
            (r#"{"time":1,"level":60}"#, Some(Level::ERROR)),
            (r#"{"severity": "WARNING"}"#, Some(Level::WARN)),
            (r#"{"msg":"level"}"#, None),
            ("", None),
            ("[]", None),
        ] {
            assert_eq!(level(line), expected, "{line}");
        }
    }
}
