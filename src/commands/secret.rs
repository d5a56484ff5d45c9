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

/// More than this is no secret.
const READ_LIMIT: u64 = 1024;

/// Does what is asked of the secret, and gives what to print.
///
/// # Errors
///
/// The secret cannot be read or written; or it is given from outside, where only who gives it can change it. They say
/// what to do.
pub fn secret(settings: &Settings, command: &SecretCommand) -> Result<String, BoxError> {
    match command {
        SecretCommand::Show => Ok(format!("{}\n", *Secrets::load(&settings.secret)?.new_one().expose_hex())),
        SecretCommand::Fingerprint => Ok(fingerprints(&Secrets::load(&settings.secret)?)?),
        SecretCommand::Set { file, force } => {
            own(settings)?;
            set(&settings.home, &read(file.as_deref())?, *force)?;
            Ok(format!("the secret of {} is set\n{}", settings.home.display(), taken(settings)?))
        }
        SecretCommand::Rotate { given } => {
            own(settings)?;
            let new = match given {
                None => Secret::generate()?,
                Some(file) => read(Some(file))?,
            };
            rotate(&settings.home, &new)?;
            Ok(format!(
                "there is a new secret; until the rotation is finished, the old one is accepted as well\n{}\
                 give it to each other node: pmesh secret show | ssh NODE pmesh secret rotate --set -\n\
                 give clients the new authority: pmesh ca --next\n\
                 when all have it, on each node: pmesh secret rotate --finish\n",
                taken(settings)?
            ))
        }
        SecretCommand::Finish => {
            own(settings)?;
            finish(&settings.home)?;
            Ok(format!("the old secret is gone\n{}", taken(settings)?))
        }
    }
}

/// Tells the node that runs in this home to use what is there now, and gives a line about it.
fn taken(settings: &Settings) -> Result<String, BoxError> {
    let expected = SecretReport::of(&Secrets::load(&settings.secret)?)?;
    let answer = block_on(async { Ok(post::<SecretReport>(settings, "/v1/secret/reload").await) })?;
    Ok(match answer {
        Ok(report) if report == expected => "the node that runs in this home uses it from now on\n".to_owned(),
        Ok(_) => "the node that runs in this home uses another secret, which is not in this home\n".to_owned(),
        Err(Unreachable::NoNode { .. }) => String::new(),
        Err(Unreachable::Failed(error)) => format!("the node that runs in this home does not use it: {error}\n"),
        Err(_) => "a node that runs in this home uses it within a second\n".to_owned(),
    })
}

/// Refuses where the secret is not the home's own.
fn own(settings: &Settings) -> Result<(), GivenElsewhere> {
    match &settings.secret {
        SecretSource::Home(_) => Ok(()),
        SecretSource::File { path, origin } => Err(GivenElsewhere::File { origin: origin.clone(), path: path.clone() }),
        SecretSource::Given { origin, .. } => Err(GivenElsewhere::Text { origin: origin.clone() }),
    }
}

/// The secret is not in the home, so that it is not for these commands to change.
#[derive(Debug, thiserror::Error)]
enum GivenElsewhere {
    #[error(
        "the secret is in {path}, which {origin} names, so it is changed there: to rotate it, copy that file to \
         {path}.old, then move a new one into its place, and remove {path}.old when all nodes have the new one; a node \
         that runs takes each step by itself"
    )]
    File { origin: String, path: PathBuf },
    #[error(
        "the secret is given by {origin}, so it is changed there, and counts from the next start; to rotate it without \
         a gap, give it by secret_file instead, with the old one in a file of that name and .old"
    )]
    Text { origin: String },
}

/// A secret from a file, or from standard input where none is named, or `-` is.
fn read(file: Option<&Path>) -> Result<Secret, BoxError> {
    // Reserved in full, since growing would leave a copy behind.
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
