//! `pmesh hash-password`: hashes a password for `basic_auth`.

use std::io::{self, IsTerminal, Read};

use tower::BoxError;
use zeroize::Zeroizing;

use crate::password::PasswordHash;

/// Maximum number of bytes to read.
const READ_LIMIT: u64 = 4096;

/// Returns the hash of a password. On a terminal, asks for it twice, without showing it. Otherwise reads it from standard
/// input.
///
/// # Errors
///
/// If there is no password, or the two differ.
pub fn hash_password() -> Result<String, BoxError> {
    let password = if io::stdin().is_terminal() { ask()? } else { read()? };
    if password.is_empty() {
        return Err("no password: type one, or write it to standard input".into());
    }
    let hash = PasswordHash::new(password.as_bytes()).map_err(|error| format!("cannot hash the password: {error}"))?;
    Ok(format!("{}\n", hash.as_str()))
}

fn ask() -> Result<Zeroizing<String>, BoxError> {
    let ask = |prompt: &str| rpassword::prompt_password(prompt).map(Zeroizing::new);
    let password = ask("Password: ")?;
    if !password.is_empty() && ask("Again: ")? != password {
        return Err("the two passwords differ".into());
    }
    Ok(password)
}

/// Reads one line.
fn read() -> Result<Zeroizing<String>, BoxError> {
    // Reserved in full, because a string that grows leaves copies of the password in memory.
    let mut text = Zeroizing::new(String::with_capacity(usize::try_from(READ_LIMIT)?));
    let read = io::stdin().lock().take(READ_LIMIT).read_to_string(&mut text);
    read.map_err(|error| format!("cannot read the password from standard input: {error}"))?;
    if text.len() as u64 == READ_LIMIT {
        return Err("the password is too long: at most 4 KiB".into());
    }
    let line = text.strip_suffix('\n').unwrap_or(&text);
    let line = line.strip_suffix('\r').unwrap_or(line);
    if line.contains('\n') {
        return Err("standard input has more than one line: write the password only".into());
    }
    Ok(Zeroizing::new(line.to_owned()))
}
