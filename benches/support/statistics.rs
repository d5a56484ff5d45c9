//! Quantiles, slopes, and how numbers are shown.

use std::{collections::BTreeMap, fmt::Display, time::Duration};

/// Sorted durations.
pub struct Sorted(Vec<Duration>);

impl Sorted {
    pub fn new(durations: impl IntoIterator<Item = Duration>) -> Self {
        let mut all: Vec<Duration> = durations.into_iter().collect();
        all.sort_unstable();
        Self(all)
    }

    /// The given per-mille quantile; 0 if there are none.
    pub fn per_mille(&self, rank: usize) -> Duration {
        let index = (self.0.len() * rank / 1000).min(self.0.len().saturating_sub(1));
        self.0.get(index).copied().unwrap_or_default()
    }

    pub fn p50(&self) -> Duration {
        self.per_mille(500)
    }

    pub fn p99(&self) -> Duration {
        self.per_mille(990)
    }

    pub fn max(&self) -> Duration {
        self.per_mille(1000)
    }
}

/// The median; 0 if there are none.
pub fn median(numbers: &[f64]) -> f64 {
    let mut all = numbers.to_vec();
    all.sort_unstable_by(f64::total_cmp);
    match all.len() {
        0 => 0.0,
        count => (all[count / 2] + all[(count - 1) / 2]) / 2.0,
    }
}

/// The slope of a least-squares line through the points.
pub fn slope(points: &[(f64, f64)]) -> f64 {
    let count = points.iter().fold(0.0, |count, _| count + 1.0);
    let mean = |of: fn(&(f64, f64)) -> f64| points.iter().map(of).sum::<f64>() / count;
    let (x, y) = (mean(|point| point.0), mean(|point| point.1));
    let over = points.iter().map(|point| (point.0 - x) * (point.1 - y)).sum::<f64>();
    over / points.iter().map(|point| (point.0 - x).powi(2)).sum::<f64>()
}

pub fn milliseconds(duration: Duration) -> String {
    format!("{:.1}", duration.as_secs_f64() * 1000.0)
}

/// How often each value occurs: `502 ×3, reset ×1`; a dash for none.
pub fn counted<T: Display>(all: impl IntoIterator<Item = T>) -> String {
    let mut counts = BTreeMap::<String, usize>::new();
    for one in all {
        *counts.entry(one.to_string()).or_default() += 1;
    }
    let shown: Vec<String> = counts.iter().map(|(one, count)| format!("{one} ×{count}")).collect();
    if shown.is_empty() { "–".to_owned() } else { shown.join(", ") }
}
