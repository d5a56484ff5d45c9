//! Where the secret comes from, and how it is replaced.
//!
//! The secret is in a file in the home folder, which the first start creates, in a file that the user names, or in the
//! environment. To replace it, [`rotate`] keeps the old secret next to the new one, and nodes accept both until
//! [`finish`] removes the old one. A running server notices changes through a [`SecretWatch`].

mod context;
mod error;
mod file;
mod home;
mod rotation;
mod secrets;
mod watch;

use pmesh_layers::identity::Secret;

pub use self::{
    context::CONTEXT,
    error::SecretError,
    file::read_secret_file,
    home::{home_secret, prepare_home},
    rotation::{finish, rotate, set},
    secrets::{Secrets, old_file},
    watch::SecretWatch,
};

/// Parses a secret that is given as text. `origin` says where the text is from, such as `the variable PMESH_SECRET`.
///
/// # Errors
///
/// [`SecretError::Invalid`], which names the origin and never shows the text.
pub fn secret_from_text(text: &str, origin: &str) -> Result<Secret, SecretError> {
    text.parse().map_err(|source| SecretError::Invalid { origin: origin.to_owned(), source })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_error_names_the_origin_and_not_the_text() {
        let error = secret_from_text("hunter2", "the variable PMESH_SECRET").unwrap_err();
        let shown = format!("{error} {error:?}");
        assert!(shown.contains("PMESH_SECRET") && !shown.contains("hunter2"), "{shown}");
        assert!(secret_from_text(&"a1".repeat(32), "here").is_ok());
    }
}
