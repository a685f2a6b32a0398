//! park-core
