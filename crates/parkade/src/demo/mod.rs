//! The demo: the program on loopback as it always runs, with a PBX, five phones and a caller around it
//! in the same process. A call is parked, retrieved, parked to a group and recalled; each step is
//! verified by what the phones were told and by the packets that they heard.
//! - `story`: what happens, step by step; `steps`: what each step must have brought about;
//! - `stage`: everybody on sockets of their own, driven by one loop; `seats`: who is there;
//! - `house`: the program, on a thread of its own; `tune_ear`: is what is heard the music?
//! - `ladder`: who says what to whom, as it happens; `gist`: a message in a few words.

mod failed;
mod gist;
mod house;
mod ladder;
mod seats;
mod sockets;
mod stage;
mod steps;
mod story;
#[cfg(test)]
mod tests;
mod tune_ear;

pub(crate) use story::play;
