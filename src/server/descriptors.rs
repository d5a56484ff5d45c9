//! The limit of open files, and how many connections it allows.

use nix::sys::resource::{Resource, getrlimit, setrlimit};
use tower::BoxError;

use crate::{
    admission::{Limits, spares::SpareDescriptors},
    services::keeper,
    settings::Settings,
};

/// Advice for when there are too few descriptors.
pub const MORE_FILES: &str =
    "raise the limit of open files with `ulimit -n` in a shell, LimitNOFILE= in systemd or --ulimit nofile= in Docker";

/// Returns the limit of open files, or an error if it is too low for the program itself.
pub(super) fn require_enough(settings: &Settings) -> Result<u64, BoxError> {
    let limit = raise_descriptor_limit();
    // Measured. With fewer descriptors, runtimes fail to start, and some of them panic.
    let own = 17 + settings.workers * (4 + settings.listeners().len()) + SpareDescriptors::count(limit);
    if limit < own as u64 {
        return Err(format!(
            "cannot start with a limit of {limit} open files: pmesh itself needs {own}, each client two more\n  \
             {MORE_FILES}"
        )
        .into());
    }
    Ok(limit)
}

/// Raises the soft limit to the hard one, because many systems start programs with a soft limit of 1024. Returns the
/// limit now in force.
fn raise_descriptor_limit() -> u64 {
    let Ok((soft, hard)) = getrlimit(Resource::RLIMIT_NOFILE) else { return 1024 };
    keeper::remember_open_files(soft);
    if soft == hard {
        return soft;
    }
    match setrlimit(Resource::RLIMIT_NOFILE, hard, hard) {
        Ok(()) => hard,
        Err(error) => {
            tracing::warn!(%error, soft, hard, "cannot raise the limit of open files");
            soft
        }
    }
}

/// The connection limits: each client connection takes one descriptor and one more for its upstream; the program itself
/// needs a few.
pub(super) fn limits(settings: &Settings, descriptors: u64) -> Limits {
    let own = 32 + 8 * settings.workers + SpareDescriptors::count(descriptors);
    let half = || usize::try_from(descriptors).unwrap_or(usize::MAX).saturating_sub(own) / 2;
    Limits {
        max: settings.max_connections.unwrap_or_else(half).max(1),
        per_client: settings.max_connections_per_client,
        exempt: settings.trusted_proxies.clone(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        cli::Arguments,
        config::{Defaults, Source},
    };

    #[test]
    fn each_client_gets_a_second_descriptor_for_its_backend() {
        let settings = |flags: &[&str]| {
            let arguments = Arguments::parse([&["pmesh", "--workers", "2"], flags].concat()).unwrap();
            let environment = [("HOME".into(), "/nonexistent".into())];
            Source::new(arguments.flags, environment, Defaults::none()).load().unwrap().settings
        };
        for (flags, descriptors, expected) in [
            (&[][..], 1024, 472),
            (&[], 1 << 20, (1 << 19) - 40),
            (&[], 16, 1),
            (&["--max-connections", "5000"], 1024, 5000),
        ] {
            assert_eq!(limits(&settings(flags), descriptors).max, expected, "{descriptors}");
        }
        assert!(limits(&settings(&[]), u64::MAX).max > 1 << 40);
    }
}
