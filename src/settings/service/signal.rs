//! The signal that asks an instance to stop.

use figment::value::Value;
use nix::sys::signal::Signal;

use super::StopSignal;
use crate::config::{Parse, Reason, did_you_mean, text};

impl Default for StopSignal {
    fn default() -> Self {
        Signal::SIGTERM.into()
    }
}

impl From<Signal> for StopSignal {
    fn from(signal: Signal) -> Self {
        Self { number: signal as i32, name: signal.as_str() }
    }
}

impl Parse for StopSignal {
    const EXPECTED: &'static str = "a signal such as SIGTERM or SIGINT";

    fn parse(value: &Value) -> Result<Self, Reason> {
        let signal = match value.to_u128() {
            Some(number) => i32::try_from(number).ok().and_then(|number| Signal::try_from(number).ok()),
            None => {
                let name = text(value)?.trim().to_ascii_uppercase();
                let name = if name.starts_with("SIG") { name } else { format!("SIG{name}") };
                name.parse().ok()
            }
        };
        match signal.ok_or_else(|| similar(value))? {
            Signal::SIGSTOP | Signal::SIGTSTP | Signal::SIGTTIN | Signal::SIGTTOU | Signal::SIGCONT => {
                Err(Some("this signal pauses or resumes a program, but does not end it".into()))
            }
            signal => Ok(signal.into()),
        }
    }
}

/// Advice on a misspelled name.
fn similar(value: &Value) -> Reason {
    let advice = did_you_mean(value.as_str()?, Signal::iterator().map(Signal::as_str));
    advice.strip_prefix("; ").map(str::to_owned)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn signals_have_names_and_numbers() {
        for text in ["SIGINT", "INT", "sigint", "int", " SigInt "] {
            assert_eq!(StopSignal::parse(&text.into()), Ok(StopSignal { number: 2, name: "SIGINT" }), "{text}");
        }
        assert_eq!(StopSignal::parse(&Value::from(15_u64)), Ok(StopSignal::default()));
        for value in [Value::from(0_u64), Value::from(99_u64), "STOPPED".into(), "".into(), true.into()] {
            assert_eq!(StopSignal::parse(&value), Err(None), "{value:?}");
        }
        assert!(StopSignal::parse(&"STOP".into()).is_err());
        assert_eq!(StopSignal::parse(&"SIGTREM".into()), Err(Some("did you mean `SIGTERM`?".into())));
    }
}
