//! What is straightened before a head is read: folded lines and stray carriage returns.

use crate::text::is_blank;

/// Where a line ends.
#[derive(Debug, Clone, Copy)]
pub(crate) struct LineEnd {
    /// Behind the last byte of the line itself.
    pub(crate) end: usize,
    /// Where the next line begins.
    pub(crate) next: usize,
}

/// What stands at the end of a line.
pub(crate) enum Ending {
    /// CRLF, or LF alone.
    Line(LineEnd),
    /// A carriage return without line feed, here.
    Stray(usize),
    /// Nothing more.
    Nothing,
}

/// Looks for the end of the line that begins at `at`.
pub(crate) fn ending(bytes: &[u8], at: usize) -> Ending {
    match memchr::memchr2(b'\r', b'\n', bytes.get(at..).unwrap_or(&[])) {
        None => Ending::Nothing,
        Some(n) if bytes[at + n] == b'\n' => {
            Ending::Line(LineEnd { end: at + n, next: at + n + 1 })
        }
        Some(n) if bytes.get(at + n + 1) == Some(&b'\n') => {
            Ending::Line(LineEnd { end: at + n, next: at + n + 2 })
        }
        Some(n) => Ending::Stray(at + n),
    }
}

/// A copy whose head has blanks instead of folds (RFC 3261 §7.3.1) and of stray carriage returns, so
/// that all offsets stand and no two readers can differ about where a line ends.
pub(crate) fn tidy(bytes: &[u8]) -> Vec<u8> {
    let mut tidied = bytes.to_vec();
    let mut at = 0;
    loop {
        match ending(&tidied, at) {
            Ending::Nothing => return tidied,
            Ending::Stray(cr) => tidied[cr] = b' ',
            Ending::Line(LineEnd { end, .. }) if end == at => return tidied,
            Ending::Line(LineEnd { end, next }) => {
                let stray =
                    tidied.get(next) == Some(&b'\r') && tidied.get(next + 1) != Some(&b'\n');
                if stray {
                    tidied[next] = b' ';
                }
                if tidied.get(next).copied().is_some_and(is_blank) {
                    tidied[end..next].fill(b' ');
                }
                at = next;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn folds_and_stray_returns_become_blanks_of_the_same_length() {
        let text = b"S\r\nA: b\r\n c\r\n\t\r\nD: e\rf\r\n\r\n body\r\n x\r";
        assert_eq!(tidy(text), b"S\r\nA: b   c  \t\r\nD: e f\r\n\r\n body\r\n x\r");
    }
}
