//! Tests of the state of services, in a world where only the tests make things happen.

mod bench;
mod random;
mod rollouts;
mod starts;
mod stops;
