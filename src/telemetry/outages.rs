//! Log lines on endpoints that fail and come back.

use pmesh_layers::balance::{Health, HealthChange};

/// The health of the endpoint with this address. It is logged once when the endpoint fails, and once when it is back;
/// at debug level, also each failure in between.
pub fn logged(endpoint: String) -> Health {
    Health::observed(move |change| match change {
        HealthChange::Failed { error, pause } => {
            tracing::warn!(endpoint, error = %error, "endpoint failed; left alone for {pause:.1?}");
        }
        HealthChange::FailedAgain { error, pause, failures } => {
            tracing::debug!(endpoint, error = %error, failures, "endpoint failed again; left alone for {pause:.1?}");
        }
        HealthChange::Recovered { down_for, failures } => {
            tracing::info!(endpoint, failures, "endpoint is back after {down_for:.1?}");
        }
        _ => {}
    })
}
