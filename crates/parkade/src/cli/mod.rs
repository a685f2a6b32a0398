//! The command line.
//! - `line`: its words; `verbs`: from words to deeds; `ends`: exit codes, and what is printed;
//! - `run`: the program and the demo; `check`: a configuration, or the host; `listed`: kinds of
//!   phones; `asked`: what the running program is asked for; `manual`: man pages, completions.

mod asked;
mod check;
mod ends;
mod line;
mod listed;
mod manual;
mod run;
mod token;
mod verbs;

pub use verbs::main;
