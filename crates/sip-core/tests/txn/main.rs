//! The transaction layer through its door, on a virtual clock.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod cancel;
mod interleavings;
mod invite_client;
mod invite_server;
mod matching;
mod noninvite;
mod room;
mod routes;
