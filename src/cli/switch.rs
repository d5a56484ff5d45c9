//! Flags without a value.

use clap::{Arg, ArgAction};

pub(super) const JSON: &str = "json";

pub(super) fn json() -> Arg {
    switch(JSON, "Prints JSON")
}

pub(super) fn switch(id: &'static str, help: &'static str) -> Arg {
    Arg::new(id).long(id).action(ArgAction::SetTrue).help(help)
}
