//! What a packet costs.
fn main() {}
