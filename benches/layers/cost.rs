//! The cost of a piece of work: time and allocations.

use std::{
    hint::black_box,
    time::{Duration, Instant},
};

/// Minimum duration of a sample, and number of samples. The shortest is reported, because other load can only add time.
const SAMPLE: Duration = Duration::from_millis(5);
const SAMPLES: u32 = 40;

pub struct Cost {
    pub nanoseconds: f64,
    pub allocations: f64,
}

impl Cost {
    /// The cost of one run of `work`.
    pub fn of<T>(mut work: impl FnMut() -> T) -> Self {
        let mut count = 1;
        while time(count, &mut work) < SAMPLE {
            count *= 2;
        }
        let shortest = (0..SAMPLES).map(|_| time(count, &mut work)).min().unwrap();
        let nanoseconds = shortest.as_secs_f64() * 1e9 / f64::from(count);
        // Many runs, so that a vector that grows now and then shows up as a fraction.
        let counted = allocation_counter::measure(|| {
            for _ in 0..1000 {
                black_box(work());
            }
        });
        Self { nanoseconds, allocations: f64::from(u32::try_from(counted.count_total).unwrap()) / 1000.0 }
    }

    /// Nanoseconds and allocations, as cells of a table.
    pub fn cells(&self) -> [String; 2] {
        [format!("{:.0}", self.nanoseconds), format!("{:.1}", self.allocations)]
    }
}

fn time<T>(count: u32, work: &mut impl FnMut() -> T) -> Duration {
    let start = Instant::now();
    for _ in 0..count {
        black_box(work());
    }
    start.elapsed()
}

/// The result of `make`, how long it took, and how many bytes of heap it holds.
pub fn made<T>(make: impl FnOnce() -> T) -> (T, Duration, f64) {
    let mut made = None;
    let start = Instant::now();
    let counted = allocation_counter::measure(|| made = Some(make()));
    let bytes = u32::try_from(counted.bytes_current).unwrap();
    (made.unwrap(), start.elapsed(), bytes.into())
}
