//! Where a piece of a head is: two 16-bit offsets, as no head is longer than 64 KiB.

use std::ops::Range;

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Span {
    start: u16,
    end: u16,
}

impl Span {
    /// Offsets beyond a head cannot be said; they are cut to its end.
    pub(crate) fn new(start: usize, end: usize) -> Span {
        let cut = |n: usize| u16::try_from(n).unwrap_or(u16::MAX);
        Span { start: cut(start), end: cut(end) }
    }

    /// Where `part`, a slice of `whole`, lies in it.
    pub(crate) fn of(whole: &str, part: &str) -> Span {
        let start = (part.as_ptr() as usize).saturating_sub(whole.as_ptr() as usize);
        Span::new(start, start + part.len())
    }

    pub(crate) fn range(self) -> Range<usize> {
        self.start as usize..self.end as usize
    }

    pub(crate) fn start(self) -> usize {
        self.start as usize
    }

    pub(crate) fn end(self) -> usize {
        self.end as usize
    }

    pub(crate) fn of_text(self, text: &str) -> &str {
        text.get(self.range()).unwrap_or("")
    }
}
