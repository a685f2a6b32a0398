//! The example file against the defaults.
