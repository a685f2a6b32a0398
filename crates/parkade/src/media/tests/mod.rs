//! The workers over real sockets on loopback, and music from real files.

mod carrying;
mod files;
mod rough;
mod turns;
mod world;
