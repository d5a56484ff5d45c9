//! `pmesh secret`: shows, sets and replaces the secret.

use std::{
    io::{self, Read},
    path::{Path, PathBuf},
};

use pmesh_layers::identity::{Authority, IdentityError, NodeAuthority, Secret};
use tower::BoxError;
use zeroize::Zeroizing;

use super::ask::{Unreachable, block_on, post};
use crate::{
    admin::SecretReport,
    cli::SecretCommand,
    columns::columns,
    secret::{CONTEXT, Secrets, finish, rotate, secret_from_text, set},
    settings::{SecretSource, Settings},
};

/// Anything longer is not a secret.
const READ_LIMIT: u64 = 1024;

/// Runs the command, and returns what to print.
///
/// # Errors
///
/// If the secret cannot be read or written, or if it is set outside the home and has to be changed there. The messages
/// say what to do.
pub fn secret(settings: &Settings, command: &SecretCommand) -> Result<String, BoxError> {
    match command {
        SecretCommand::Show => Ok(format!("{}\n", *Secrets::load(&settings.secret)?.new_one().expose_hex())),
        SecretCommand::Fingerprint => Ok(fingerprints(&Secrets::load(&settings.secret)?)?),
        SecretCommand::Set { file, force } => {
            require_in_home(settings)?;
            set(&settings.home, &read(file.as_deref())?, *force)?;
            Ok(format!("secret set in {}\n{}", settings.home.display(), apply(settings)?))
        }
        SecretCommand::Rotate { given } => {
            require_in_home(settings)?;
            let new = match given {
                None => Secret::generate()?,
                Some(file) => read(Some(file))?,
            };
            rotate(&settings.home, &new)?;
            Ok(format!(
                "rotation started: the old secret is still accepted until you finish the rotation\n{}\
                 send the new secret to every other node: pmesh secret show | ssh NODE pmesh secret rotate --set -\n\
                 give clients the new authority: pmesh ca --next\n\
                 once all of them have it, run on each node: pmesh secret rotate --finish\n",
                apply(settings)?
            ))
        }
        SecretCommand::Finish => {
            require_in_home(settings)?;
            finish(&settings.home)?;
            Ok(format!("rotation finished: the old secret has been removed\n{}", apply(settings)?))
        }
    }
}

/// Makes the node running in this home reread the secret, and returns a line about the outcome.
fn apply(settings: &Settings) -> Result<String, BoxError> {
    let expected = SecretReport::from_secrets(&Secrets::load(&settings.secret)?)?;
    let answer = block_on(async { Ok(post::<SecretReport>(settings, "/v1/secret/reload").await) })?;
    Ok(match answer {
        Ok(report) if report == expected => "the node running in this home has applied the change\n".to_owned(),
        Ok(_) => "the node running in this home reads its secret from elsewhere, so the change does not affect it\n"
            .to_owned(),
        Err(Unreachable::NoNode { .. }) => String::new(),
        Err(Unreachable::Failed(error)) => format!("the node running in this home cannot apply the change: {error}\n"),
        Err(_) => "if a node is running in this home, it applies the change within a second\n".to_owned(),
    })
}

/// Fails if the secret is not in the home.
fn require_in_home(settings: &Settings) -> Result<(), GivenElsewhere> {
    match &settings.secret {
        SecretSource::Home(_) => Ok(()),
        SecretSource::File { path, origin } => Err(GivenElsewhere::File { origin: origin.clone(), path: path.clone() }),
        SecretSource::Given { origin, .. } => Err(GivenElsewhere::Text { origin: origin.clone() }),
    }
}

/// The secret is not in the home, so these commands cannot change it.
#[derive(Debug, thiserror::Error)]
enum GivenElsewhere {
    #[error(
        "the secret is in {path}, as set by {origin}; change it there\n  to rotate it, copy that file to {path}.old, move \
         a new one into its place, and remove {path}.old once all nodes have the new secret; a running node follows \
         each step by itself"
    )]
    File { origin: String, path: PathBuf },
    #[error(
        "the secret is set by {origin}; change it there and restart the node\n  to rotate it without a gap, use \
         secret_file instead, with the old secret in a second file of the same name plus .old"
    )]
    Text { origin: String },
}

/// Reads a secret from a file, or from standard input if no file is named or it is `-`.
fn read(file: Option<&Path>) -> Result<Secret, BoxError> {
    // Reserved in full: a string that grows leaves copies behind.
    let mut text = Zeroizing::new(String::with_capacity(usize::try_from(READ_LIMIT)?));
    let origin = match file.filter(|file| *file != Path::new("-")) {
        Some(file) => {
            let origin = file.display().to_string();
            let read = std::fs::File::open(file).and_then(|file| file.take(READ_LIMIT).read_to_string(&mut text));
            read.map_err(|error| format!("cannot read {origin}: {error}"))?;
            origin
        }
        None => {
            let read = io::stdin().lock().take(READ_LIMIT).read_to_string(&mut text);
            read.map_err(|error| format!("cannot read the secret from standard input: {error}"))?;
            "standard input".to_owned()
        }
    };
    Ok(secret_from_text(&text, &origin)?)
}

fn fingerprints(secrets: &Secrets) -> Result<String, IdentityError> {
    let mut rows = Vec::new();
    for (secret, which) in secrets.iter().zip(["", ", old"]) {
        rows.push([format!("public authority{which}"), Authority::derive(secret, CONTEXT)?.fingerprint().to_string()]);
        rows.push([
            format!("node authority{which}"),
            NodeAuthority::derive(secret, CONTEXT)?.fingerprint().to_string(),
        ]);
    }
    Ok(columns(&rows))
}
