//! What can be asked of the HTTP door, by resource.

mod bans;
mod board;
mod body;
mod calls;
mod deeds;
mod events;
mod health;
mod house;
mod metrics;
mod openapi;
mod parked;
mod places;
mod steer;
mod table;
mod trace;

pub(crate) use steer::LoggedIn;
pub(super) use table::all;
