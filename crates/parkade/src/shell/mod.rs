//! The shell around the engine: everything that comes in goes to it one by one, and what it wants
//! done is done here.

mod arrivals;
mod certificates;
mod ending;
mod failure;
mod inbox;
mod media;
mod nodes;
mod obey;
mod order;
mod program;
mod reload;
mod system;
mod task;

pub use failure::CannotStart;
pub use order::Order;
pub use program::{Program, run};
