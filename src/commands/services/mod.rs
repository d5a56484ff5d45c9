//! `pmesh services`: shows the services of a node and their output, and starts, stops and restarts them.

mod logs;
mod table;

use std::io::{self, IsTerminal, Write};

use tower::BoxError;

pub use self::logs::service_logs;
use super::ask::{Unreachable, block_on, get, post_patiently};
use crate::{
    admin::ServiceAction,
    services::report::{ServiceReport, ServicesReport},
    settings::Settings,
};

/// What to print if there are no services.
const NONE: &str = "\
no services: add one to the configuration file

  [services.web]
  command = \"node server.js\"       # it listens on the address in HOST and the port in PORT

  [[routes]]
  host = \"web.localhost\"
  upstream = \"service://web\"
";

/// Returns the services of the node in this home, as a table or JSON; or one of them in detail.
///
/// # Errors
///
/// [`Unreachable`](super::Unreachable), or that there is no such service.
pub fn services(settings: &Settings, name: Option<&str>, json: bool) -> Result<String, BoxError> {
    block_on(async {
        let report: ServicesReport = get(settings, "/v1/services").await?;
        let Some(name) = name else {
            return Ok(match report.services.is_empty() {
                _ if json => serde_json::to_string_pretty(&report)? + "\n",
                true => NONE.to_owned(),
                false => table::all(&report),
            });
        };
        let service = find(&report, name).map_err(Unreachable::Failed)?;
        if json {
            return Ok(serde_json::to_string_pretty(service)? + "\n");
        }
        let output = logs::last_lines(settings, name).await?;
        Ok(table::details(service) + &if output.is_empty() { output } else { format!("\n{output}") })
    })
}

/// Starts, stops or restarts a service of the node in this home, waits until this is done, and returns the state of the
/// service as text or JSON.
///
/// # Errors
///
/// [`Unreachable`](super::Unreachable). If the service does not exist or does not become ready, it has the node's own
/// message.
pub fn act_on_service(settings: &Settings, action: ServiceAction, name: &str, json: bool) -> Result<String, BoxError> {
    let stderr = io::stderr();
    if action == ServiceAction::Restart && stderr.is_terminal() {
        let _ = writeln!(&stderr, "restarting {name}, one instance after the other; Ctrl-C does not stop this");
    }
    block_on(async {
        let path = format!("/v1/services/{}/{}", path_segment(name), action.name());
        let service: ServiceReport = post_patiently(settings, &path).await?;
        if json {
            return Ok(serde_json::to_string_pretty(&service)? + "\n");
        }
        Ok(match action {
            ServiceAction::Start => format!("started {name}\n{}", table::one(&service)),
            ServiceAction::Stop => format!("stopped {name}\n"),
            ServiceAction::Restart => format!("restarted {name}\n{}", table::one(&service)),
        })
    })
}

/// Other characters than those of a name could change the path or make it invalid. No service has such a name, but that is
/// for the node to say.
fn path_segment(name: &str) -> String {
    percent_encoding::utf8_percent_encode(name, percent_encoding::NON_ALPHANUMERIC).to_string()
}

fn find<'a>(report: &'a ServicesReport, name: &str) -> Result<&'a ServiceReport, String> {
    report.services.iter().find(|service| service.name == name).ok_or_else(|| {
        let names: Vec<_> = report.services.iter().map(|service| service.name.as_str()).collect();
        match &names[..] {
            [] => format!("there is no service {name}: the configuration has none"),
            _ => format!("there is no service {name}; there are: {}", table::shortened(&names)),
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::services::report::ServiceState;

    #[test]
    fn an_unknown_name_is_an_error_that_names_the_others() {
        let service = |name: &str| ServiceReport {
            name: name.to_owned(),
            command: "true".to_owned(),
            state: ServiceState::Ready,
            waiting_requests: 0,
            failed_rollout: None,
            instances: Vec::new(),
        };
        let some = ServicesReport { services: vec![service("api"), service("web")] };
        assert_eq!(find(&some, "web").unwrap().name, "web");
        assert_eq!(find(&some, "wbe").unwrap_err(), "there is no service wbe; there are: api, web");
        let error = find(&ServicesReport::default(), "a").unwrap_err();
        assert_eq!(error, "there is no service a: the configuration has none");
    }

    #[test]
    fn a_name_stays_one_segment_of_the_path() {
        assert_eq!(path_segment("a/../b c?"), "a%2F%2E%2E%2Fb%20c%3F");
    }
}
