//! Metrics for Prometheus: counted where things happen, put together when they are read.

mod cluster;
mod figures;
mod histogram;
mod outcomes;
mod process;
mod scrape;
mod tally;
mod text;

pub(crate) use figures::{Counted, Figures, TlsFigures};
pub(super) use outcomes::Outcomes;
pub(super) use scrape::scrape;
pub(super) use text::CONTENT_TYPE;
