//! SDP (RFC 8866): read what is needed, change single lines, leave every other line as it came.

mod crypto;
mod lines;
mod media;
mod part;
mod read;
mod rewrite;

pub use crypto::{Crypto, CryptoKey, crypto_line};
pub use media::{Direction, Media, Payload};
pub use part::sdp_part;
pub use read::{BadSdp, Description};
pub use rewrite::Rewrite;
