//! Tests of the state of services, in a world where nothing happens but what they say.

mod bench;
mod random;
mod rollouts;
mod starts;
mod stops;
