//! A fact about the host.

use serde_json::{Value, json};

/// How a fact is to be taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Grade {
    /// As it should be.
    Fine,
    /// To be looked at; it may be as it should.
    Look,
    /// Something does not work for want of it.
    Missing,
}

/// One line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Fact {
    about: &'static str,
    grade: Grade,
    says: String,
}

impl Fact {
    /// All is well with this.
    pub(super) fn fine(about: &'static str, says: impl Into<String>) -> Fact {
        Fact { about, grade: Grade::Fine, says: says.into() }
    }

    /// Somebody should look at this.
    pub(super) fn look(about: &'static str, says: impl Into<String>) -> Fact {
        Fact { about, grade: Grade::Look, says: says.into() }
    }

    /// Something does not work, and what to do.
    pub(super) fn missing(about: &'static str, says: impl Into<String>) -> Fact {
        Fact { about, grade: Grade::Missing, says: says.into() }
    }

    fn grade(&self) -> &'static str {
        match self.grade {
            Grade::Fine => "ok",
            Grade::Look => "look",
            Grade::Missing => "missing",
        }
    }
}

/// Whether all works that could.
pub(crate) fn nothing_is_missing(facts: &[Fact]) -> bool {
    facts.iter().all(|fact| fact.grade != Grade::Missing)
}

/// A line for each.
pub(crate) fn as_text(facts: &[Fact]) -> String {
    let wide = facts.iter().map(|fact| fact.about.len()).max().unwrap_or_default();
    let line = |fact: &Fact| format!("{:7}  {:wide$}  {}\n", fact.grade(), fact.about, fact.says);
    facts.iter().map(line).collect()
}

/// An object for each, in the same order.
pub(crate) fn as_json(facts: &[Fact]) -> Value {
    let one = |f: &Fact| json!({ "about": f.about, "grade": f.grade(), "says": f.says });
    facts.iter().map(one).collect()
}
