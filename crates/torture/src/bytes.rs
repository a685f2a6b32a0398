//! Choices out of bytes: as long as there are some.

/// What is left of an input.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Choices<'b> {
    left: &'b [u8],
}

impl<'b> Choices<'b> {
    pub(crate) fn of(bytes: &'b [u8]) -> Choices<'b> {
        Choices { left: bytes }
    }

    /// The next byte; none at the end.
    pub(crate) fn byte(&mut self) -> Option<u8> {
        let (first, rest) = self.left.split_first()?;
        self.left = rest;
        Some(*first)
    }

    /// The next two bytes as a number.
    pub(crate) fn word(&mut self) -> Option<u16> {
        Some(u16::from_be_bytes([self.byte()?, self.byte()?]))
    }

    /// One of several.
    pub(crate) fn one<T: Copy>(&mut self, of: &[T]) -> Option<T> {
        let at = usize::from(self.byte()?) % of.len().max(1);
        of.get(at).copied()
    }

    /// A piece with its length before it, as far as there is so much.
    pub(crate) fn piece(&mut self) -> Option<&'b [u8]> {
        let length = usize::from(self.word()?).min(self.left.len());
        let (piece, rest) = self.left.split_at(length);
        self.left = rest;
        Some(piece)
    }
}
