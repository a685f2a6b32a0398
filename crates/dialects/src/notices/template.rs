//! A notice template as an operator writes it, and what can be wrong with it.

use regex::Regex;
use thiserror::Error;

/// A body for phones of one kind.
#[derive(Debug, Clone)]
pub struct Template {
    /// Which phones, by their `User-Agent`.
    pub user_agent: Regex,
    /// The body's type; empty: the built-in template's own, else `text/plain`.
    pub content_type: String,
    /// Minijinja text over the fields of [`ParkNotice`](crate::ParkNotice), or the name of a built-in
    /// template: `broadworks`, `text`.
    pub template: String,
}

/// What is wrong with a template.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("{why}")]
pub struct BadTemplate {
    /// Which template, counted from 0.
    pub index: usize,
    /// The line in it, if known.
    pub line: Option<usize>,
    /// What is wrong.
    pub why: String,
}
