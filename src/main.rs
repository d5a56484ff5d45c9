//! Arguments to settings to service.
fn main() {}
