//! Finished requests and errors, by kind of client.

use std::{
    collections::BTreeMap,
    fmt,
    sync::{Arc, Mutex},
};

use super::support::{load::Sample, statistics::counted};

#[derive(Clone, Default)]
pub struct Record(Arc<Mutex<BTreeMap<&'static str, Tally>>>);

#[derive(Default)]
struct Tally {
    done: usize,
    errors: BTreeMap<String, usize>,
}

impl Record {
    /// Adds the result of a client that makes `requests` requests.
    pub fn add(&self, kind: &'static str, requests: usize, result: Result<(), String>) {
        let mut all = self.0.lock().unwrap();
        let tally = all.entry(kind).or_default();
        match result {
            Ok(()) => tally.done += requests,
            Err(error) => *tally.errors.entry(error).or_default() += 1,
        }
    }

    pub fn add_samples(&self, kind: &'static str, samples: &[Sample]) {
        for sample in samples {
            let success = sample.outcome.is_success();
            self.add(kind, 1, if success { Ok(()) } else { Err(sample.outcome.to_string()) });
        }
    }

    pub fn done(&self) -> usize {
        self.0.lock().unwrap().values().map(|tally| tally.done).sum()
    }

    pub fn errors(&self) -> usize {
        self.0.lock().unwrap().values().flat_map(|tally| tally.errors.values()).sum()
    }

    pub fn all_have_done(&self) -> bool {
        self.0.lock().unwrap().values().all(|tally| tally.done > 0)
    }
}

impl fmt::Display for Record {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, (kind, tally)) in self.0.lock().unwrap().iter().enumerate() {
            let comma = if index == 0 { "" } else { ", " };
            write!(f, "{comma}{kind}: {}", tally.done)?;
            for (error, count) in &tally.errors {
                write!(f, " and {count} × {error}")?;
            }
        }
        Ok(())
    }
}
