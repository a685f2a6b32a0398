//! The workers over real sockets on loopback, and music from real files.
