//! What is wrong with a configuration: all of it in one go, each with its line.

use std::fmt;

/// One thing that is wrong.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    /// The line, from 1; none if the problem has no place in the text.
    pub line: Option<usize>,
    /// The key, with the tables that it is in: `lot.recall.after`.
    pub key: String,
    /// What was read, what is allowed, and what may have been meant.
    pub what: String,
}

/// All that is wrong with one file, in the order of its lines.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub struct Problems {
    /// The name of the file.
    pub file: String,
    /// What is wrong with it; never empty.
    pub list: Vec<Problem>,
}

/// The widest key that still has its own column.
const KEY_COLUMN: usize = 28;

impl fmt::Display for Problems {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let noun = if self.list.len() == 1 { "problem" } else { "problems" };
        write!(f, "{}: {} {noun}", self.file, self.list.len())?;
        let places: Vec<String> = self.list.iter().map(place).collect();
        let wide = places.iter().map(String::len).max().unwrap_or(0);
        let key = self.list.iter().map(|p| p.key.len()).max().unwrap_or(0).min(KEY_COLUMN);
        for (problem, place) in self.list.iter().zip(&places) {
            f.write_str("\n")?;
            for (cell, width) in [(place, wide), (&problem.key, key)] {
                if width > 0 {
                    write!(f, "  {cell:width$}")?;
                }
            }
            write!(f, "  {}", problem.what)?;
        }
        Ok(())
    }
}

fn place(problem: &Problem) -> String {
    problem.line.map(|line| format!("line {line}")).unwrap_or_default()
}
