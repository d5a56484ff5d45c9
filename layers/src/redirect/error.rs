use http::StatusCode;

use super::placeholder::{KNOWN, Placeholder};
use crate::host::InvalidHost;

/// The error for text that is not a [`RedirectTarget`](super::RedirectTarget).
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum InvalidTarget {
    /// It is neither a URL nor a path.
    #[error("a target begins with https://, http:// or /{}", hint.as_ref().map(|hint| format!(": write {hint:?}")).unwrap_or_default())]
    NoScheme {
        /// The target that was probably meant.
        hint: Option<Box<str>>,
    },
    /// It begins with two slashes, which browsers read as the start of a host.
    #[error(
        "a target that begins with // leads to another host: write https:// or {{scheme}}:// for that, otherwise a single slash"
    )]
    NoSchemeButHost,
    /// Its host is not valid.
    #[error("the host of the target is not valid: {0}")]
    Host(#[from] InvalidHost),
    /// It has a placeholder in the host that would let clients choose where the redirect leads.
    #[error("{0} cannot be part of the host, or clients could choose where the redirect leads{hint}", hint = after_host(*.0))]
    NotInHost(Placeholder),
    /// It has an unknown placeholder.
    #[error("there is no placeholder {{{name}}}{}; the placeholders are {KNOWN}", hint.as_ref().map(|hint| format!(": write {hint}")).unwrap_or_default())]
    Unknown {
        /// The name as written, without braces.
        name: Box<str>,
        /// The placeholder that was probably meant.
        hint: Option<Placeholder>,
    },
    /// It has a variable in the style of nginx or Traefik.
    #[error("${name} is not a placeholder here{}; the placeholders are {KNOWN}", hint.as_ref().map(|hint| format!(": write {hint}")).unwrap_or_default())]
    Variable {
        /// The name as written, without the `$`.
        name: Box<str>,
        /// The placeholder that was probably meant.
        hint: Option<Placeholder>,
    },
    /// It has an unbalanced brace.
    #[error("unbalanced brace: write a placeholder as {{path}}, and a literal brace as %7B or %7D")]
    Brace,
    /// It has a character that is not allowed in a URL.
    #[error("{0:?} is not allowed in a URL: write it percent-encoded")]
    NotInUrl(char),
    /// `{*}` does not follow a slash.
    #[error("{{*}} does not include the leading slash: write /{{*}}")]
    RestWithoutSlash,
    /// `{query}` is in the path.
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

/// The error for a status that does not redirect.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("{0} is not a redirect status: use 301, 302, 303, 307 or 308")]
pub struct NotARedirect(pub(super) StatusCode);
