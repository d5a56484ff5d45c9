//! Counts the requests that were lost, and those processed twice.

use std::collections::HashMap;

use super::support::{
    load::{Outcome, Sample},
    statistics::Sorted,
};

pub struct Tally {
    pub gets: usize,
    pub posts: usize,
    pub served: usize,
    pub lost_gets: usize,
    pub lost_posts: usize,
    pub lost_but_done: usize,
    pub duplicated_gets: usize,
    pub duplicated_posts: usize,
    /// Responses with 200 although no backend recorded the request, which means that the records are wrong.
    pub unrecorded: usize,
    pub failures: Vec<Outcome>,
    pub latencies: Sorted,
}

impl Tally {
    pub fn new(samples: &[Sample], recorded: &[String]) -> Self {
        let mut times = HashMap::<&str, usize>::new();
        for request in recorded {
            *times.entry(request).or_default() += 1;
        }
        let count = |method: &str, condition: &dyn Fn(&Sample) -> bool| {
            samples.iter().filter(|sample| sample.request.starts_with(method) && condition(sample)).count()
        };
        let times = |sample: &Sample| times.get(&*sample.request).copied().unwrap_or_default();
        let (any, lost) = (|_: &Sample| true, |sample: &Sample| is_lost(sample.outcome));
        let duplicated = |sample: &Sample| times(sample) > 1;
        let failures = samples.iter().map(|sample| sample.outcome).filter(|outcome| !outcome.is_success());
        Self {
            gets: count("GET", &any),
            posts: count("POST", &any),
            served: count("", &|sample| sample.outcome.is_success()),
            lost_gets: count("GET", &lost),
            lost_posts: count("POST", &lost),
            lost_but_done: count("", &|sample| lost(sample) && times(sample) > 0),
            duplicated_gets: count("GET", &duplicated),
            duplicated_posts: count("POST", &duplicated),
            unrecorded: count("", &|sample| sample.outcome.is_success() && times(sample) == 0),
            failures: failures.collect(),
            latencies: Sorted::new(samples.iter().map(|sample| sample.latency)),
        }
    }
}

fn is_lost(outcome: Outcome) -> bool {
    match outcome {
        Outcome::Status(status) => status >= 500,
        Outcome::Refused => false,
        Outcome::Ended | Outcome::KeptEnded | Outcome::Reset | Outcome::NoAnswer | Outcome::Garbage => true,
    }
}
