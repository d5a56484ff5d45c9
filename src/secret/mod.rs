//! Where the secret comes from: a file of the home folder, which the first start makes, a file that the user names, or
//! text from the environment.

mod error;
mod file;
mod home;

pub use error::SecretError;
pub use file::read_secret_file;
pub use home::{SECRET_FILE, home_secret};
use pmesh_layers::identity::Secret;

/// Reads a secret that is given as text; `origin` says by what (`the variable PMESH_SECRET`).
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
