use http::StatusCode;

use super::placeholder::{KNOWN, Placeholder};
use crate::host::InvalidHost;

/// Text that is not a [`RedirectTarget`](super::RedirectTarget).
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum InvalidTarget {
    /// It is neither a URL nor a path.
    #[error("a target begins with https://, http:// or /{}", hint.as_ref().map(|hint| format!(": write {hint:?}")).unwrap_or_default())]
    NoScheme {
        /// What was probably meant.
        hint: Option<Box<str>>,
    },
    /// It begins with two slashes, which browsers read as the beginning of a host.
    #[error(
        "a target that begins with // leads to another host: write https:// or {{scheme}}:// for that, otherwise a single slash"
    )]
    NoSchemeButHost,
    /// Its host is not valid.
    #[error("the host of the target is not valid: {0}")]
    Host(#[from] InvalidHost),
    /// A placeholder in the host, with which clients could choose where the redirect leads.
    #[error("{0} cannot be part of the host, or clients could choose where the redirect leads{hint}", hint = after_host(*.0))]
    NotInHost(Placeholder),
    /// There is no such placeholder.
    #[error("there is no placeholder {{{name}}}{}; the placeholders are {KNOWN}", hint.as_ref().map(|hint| format!(": write {hint}")).unwrap_or_default())]
    Unknown {
        /// As written, without braces.
        name: Box<str>,
        /// What was probably meant.
        hint: Option<Placeholder>,
    },
    /// A variable in the style of nginx or Traefik.
    #[error("${name} is not a placeholder here{}; the placeholders are {KNOWN}", hint.as_ref().map(|hint| format!(": write {hint}")).unwrap_or_default())]
    Variable {
        /// As written, without the `$`.
        name: Box<str>,
        /// What was probably meant.
        hint: Option<Placeholder>,
    },
    /// A brace is missing.
    #[error("unbalanced brace: write a placeholder as {{path}}, and a literal brace as %7B or %7D")]
    Brace,
    /// A character that a URL cannot contain.
    #[error("{0:?} is not allowed in a URL: write it percent-encoded")]
    NotInUrl(char),
    /// `{*}` does not follow a slash.
    #[error("{{*}} does not include the leading slash: write /{{*}}")]
    RestWithoutSlash,
    /// `{query}` stands in the path.
    #[error("{{query}} does not include the question mark: write ?{{query}}")]
    QueryInPath,
    /// Something follows `{path_and_query}`, which ends with a query.
    #[error(
        "nothing can follow {{path_and_query}}, which ends with a query: write {{path}} instead, and the query after it"
    )]
    AfterQuery,
}

fn after_host(placeholder: Placeholder) -> &'static str {
    match placeholder {
        Placeholder::Rest => ": write /{*}",
        Placeholder::Query => ": write /?{query}",
        _ => "",
    }
}

/// A status that does not redirect.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("{0} is not a redirect status: use 301, 302, 303, 307 or 308")]
pub struct NotARedirect(pub(super) StatusCode);
