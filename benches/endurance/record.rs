//! What was done and what went wrong, by kind.

use std::{
    collections::BTreeMap,
    fmt,
    sync::{Arc, Mutex},
};

use super::support::{load::Sample, statistics::counted};

#[derive(Clone, Default)]
pub struct Record(Arc<Mutex<BTreeMap<&'static str, OfKind>>>);

#[derive(Default)]
struct OfKind {
    done: usize,
    errors: BTreeMap<String, usize>,
}

impl Record {
    /// Number of requests.
    pub fn add(&self, kind: &'static str, requests: usize, result: Result<(), String>) {
        let mut all = self.0.lock().unwrap();
        let of_kind = all.entry(kind).or_default();
        match result {
            Ok(()) => of_kind.done += requests,
            Err(error) => *of_kind.errors.entry(error).or_default() += 1,
        }
    }

    pub fn add_samples(&self, kind: &'static str, samples: &[Sample]) {
        for sample in samples {
            let success = sample.outcome.is_success();
            self.add(kind, 1, if success { Ok(()) } else { Err(sample.outcome.to_string()) });
        }
    }

    pub fn done(&self) -> usize {
        self.0.lock().unwrap().values().map(|of_kind| of_kind.done).sum()
    }

    pub fn errors(&self) -> usize {
        self.0.lock().unwrap().values().flat_map(|of_kind| of_kind.errors.values()).sum()
    }

    pub fn all_have_done(&self) -> bool {
        self.0.lock().unwrap().values().all(|of_kind| of_kind.done > 0)
    }
}

impl fmt::Display for Record {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, (kind, of_kind)) in self.0.lock().unwrap().iter().enumerate() {
            let comma = if index == 0 { "" } else { ", " };
            write!(f, "{comma}{kind}: {}", of_kind.done)?;
            for (error, count) in &of_kind.errors {
                write!(f, " and {count} × {error}")?;
            }
        }
        Ok(())
    }
}
