//! What can be made of a sample: bytes changed, put in, taken out, doubled, and cut.

use base::Chance;

/// What syntax hangs on.
const TELLING: &[u8] = b"\r\n\t \",;<>:@%=[]()\\\0/&'!-{}\xff";

/// Spoils a sample in one to eight places.
pub fn spoilt(sample: &[u8], chance: &mut Chance) -> Vec<u8> {
    let mut bytes = sample.to_vec();
    for _ in 0..=chance.below(8) {
        let at = chance.below(bytes.len() as u64 + 1) as usize;
        let byte = match chance.below(2) {
            0 => TELLING[chance.below(TELLING.len() as u64) as usize],
            _ => chance.u32().to_be_bytes()[0],
        };
        let until = (at + 1 + chance.below(40) as usize).min(bytes.len());
        match chance.below(6) {
            0 | 1 if at < bytes.len() => bytes[at] = byte,
            2 => bytes.insert(at, byte),
            3 if at < until => drop(bytes.drain(at..until)),
            4 if at < until => {
                let again = bytes[at..until].to_vec();
                bytes.splice(at..at, again);
            }
            5 if chance.below(8) == 0 => bytes.truncate(at),
            _ => {}
        }
    }
    bytes
}
