//! What is done to one packet with the session keys (RFC 3711 §4, RFC 7714 §8 and §9).

use aes::cipher::{
    BlockCipherEncrypt, BlockSizeUser, InnerIvInit, KeyInit, StreamCipher, consts::U16,
};
use aes::{Aes128Enc, Aes256Enc};
use aes_gcm::aead::AeadInOut;
use aes_gcm::{AesGcm, aead::consts::U12};
use ctr::CtrCore;
use ctr::cipher::StreamCipherCoreWrapper;
use hmac::{Hmac, Mac};
use sha1::Sha1;

use crate::srtp::master::Master;
use crate::srtp::suite::Suite;

type Counter<C> = StreamCipherCoreWrapper<CtrCore<C, ctr::flavors::Ctr128BE>>;

/// The fixed part of an RTCP packet, which stays readable.
const RTCP_HEAD: usize = 8;
/// In the word of the SRTCP index: the packet is encrypted.
const ENCRYPTED: u32 = 1 << 31;
/// What is added to an RTCP packet beside tag and key identifier.
const RTCP_WORD: usize = 4;
/// The labels of key derivation (RFC 3711 §4.3.1, §4.3.2): key, authentication key, salt.
const RTP_LABELS: [u8; 3] = [0, 1, 2];
const RTCP_LABELS: [u8; 3] = [3, 4, 5];

/// The packet is too short for what it should hold, or there is no room for what it needs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Misfit;

/// The session keys of one direction.
pub(super) struct Transform {
    suite: Suite,
    mki: Box<[u8]>,
    rtp: Keyed,
    rtcp: Keyed,
}

/// The keys for RTP, or those for RTCP.
enum Keyed {
    Counter { cipher: Box<Aes128Enc>, salt: [u8; 14], mac: Box<Hmac<Sha1>> },
    Gcm128 { cipher: Box<AesGcm<Aes128Enc, U12>>, salt: [u8; 12] },
    Gcm256 { cipher: Box<AesGcm<Aes256Enc, U12>>, salt: [u8; 12] },
}

impl std::fmt::Debug for Transform {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Transform").field("suite", &self.suite).finish_non_exhaustive()
    }
}

/// Where the payload of an RTP packet begins: behind contributors and extension (RFC 3550 §5.1).
fn payload_at(packet: &[u8]) -> Option<usize> {
    let first = *packet.first()?;
    let mut at = 12 + 4 * usize::from(first & 0x0f);
    if first & 0x10 != 0 {
        let words = packet.get(at + 2..at + 4)?;
        at += 4 + 4 * usize::from(u16::from_be_bytes([words[0], words[1]]));
    }
    (at <= packet.len()).then_some(at)
}

/// The SSRC of an RTP packet.
fn ssrc_of(packet: &[u8], at: usize) -> [u8; 4] {
    let mut ssrc = [0; 4];
    ssrc.copy_from_slice(&packet[at..at + 4]);
    ssrc
}

impl Transform {
    pub(super) fn new(master: &Master) -> Transform {
        Transform {
            suite: master.suite(),
            mki: master.mki().into(),
            rtp: Keyed::derive(master, RTP_LABELS),
            rtcp: Keyed::derive(master, RTCP_LABELS),
        }
    }

    /// How much longer an RTP packet becomes.
    pub(super) fn growth(&self) -> usize {
        self.suite.tag_len() + self.mki.len()
    }

    /// Encrypts the RTP packet that has the first `len` bytes of `room`; gives its new length.
    pub(super) fn seal(&self, room: &mut [u8], len: usize, index: u64) -> Result<usize, Misfit> {
        let at = payload_at(room.get(..len).ok_or(Misfit)?).ok_or(Misfit)?;
        let whole = len + self.growth();
        let packet = room.get_mut(..whole).ok_or(Misfit)?;
        let ssrc = ssrc_of(packet, 8);
        let (body, tail) = packet.split_at_mut(len);
        let tag_len = self.suite.tag_len();
        match &self.rtp {
            Keyed::Counter { cipher, salt, mac } => {
                apply(cipher, salt, ssrc, index, &mut body[at..]);
                let (mki, tag) = tail.split_at_mut(self.mki.len());
                mki.copy_from_slice(&self.mki);
                tag.copy_from_slice(&tag_of(mac, body, (index >> 16) as u32)[..tag_len]);
            }
            gcm => {
                let (header, payload) = body.split_at_mut(at);
                let tag = gcm.encrypt(nonce(ssrc, index), header, payload).ok_or(Misfit)?;
                tail[..tag_len].copy_from_slice(&tag);
                tail[tag_len..].copy_from_slice(&self.mki);
            }
        }
        Ok(whole)
    }

    /// The first of `indices` of which an RTP packet's tag is right: then it is decrypted, and its new
    /// length is given with the index.
    pub(super) fn open(
        &self,
        packet: &mut [u8],
        indices: impl Iterator<Item = u64>,
    ) -> Result<Option<(u64, usize)>, Misfit> {
        let at = payload_at(packet).ok_or(Misfit)?;
        let len = packet.len().checked_sub(self.growth()).filter(|len| *len >= at).ok_or(Misfit)?;
        let ssrc = ssrc_of(packet, 8);
        let tag_len = self.suite.tag_len();
        let (body, tail) = packet.split_at_mut(len);
        match &self.rtp {
            Keyed::Counter { cipher, salt, mac } => {
                let tag = &tail[self.mki.len()..];
                let begun = {
                    let mut mac = mac.clone();
                    mac.update(body);
                    mac
                };
                for index in indices {
                    let mut mac = begun.clone();
                    mac.update(&((index >> 16) as u32).to_be_bytes());
                    if mac.verify_truncated_left(tag).is_ok() {
                        apply(cipher, salt, ssrc, index, &mut body[at..]);
                        return Ok(Some((index, len)));
                    }
                }
            }
            gcm => {
                let (header, payload) = body.split_at_mut(at);
                for index in indices {
                    if gcm.decrypt(nonce(ssrc, index), header, payload, &tail[..tag_len]) {
                        return Ok(Some((index, len)));
                    }
                }
            }
        }
        Ok(None)
    }

    /// Encrypts the RTCP packet that has the first `len` bytes of `room`; gives its new length.
    pub(super) fn seal_rtcp(
        &self,
        room: &mut [u8],
        len: usize,
        index: u32,
    ) -> Result<usize, Misfit> {
        let tag_len = self.suite.rtcp_tag_len();
        let whole = len + RTCP_WORD + self.mki.len() + tag_len;
        let packet = room.get_mut(..whole).filter(|_| len >= RTCP_HEAD).ok_or(Misfit)?;
        let ssrc = ssrc_of(packet, 4);
        let word = (index | ENCRYPTED).to_be_bytes();
        match &self.rtcp {
            Keyed::Counter { cipher, salt, mac } => {
                apply(cipher, salt, ssrc, u64::from(index), &mut packet[RTCP_HEAD..len]);
                packet[len..len + RTCP_WORD].copy_from_slice(&word);
                let (body, tail) = packet.split_at_mut(len + RTCP_WORD);
                let (mki, tag) = tail.split_at_mut(self.mki.len());
                mki.copy_from_slice(&self.mki);
                let mut mac = mac.clone();
                mac.update(body);
                tag.copy_from_slice(&mac.finalize().into_bytes()[..tag_len]);
            }
            gcm => {
                let (head, rest) = packet.split_at_mut(RTCP_HEAD);
                let (payload, tail) = rest.split_at_mut(len - RTCP_HEAD);
                let mut known = [0; RTCP_HEAD + RTCP_WORD];
                known[..RTCP_HEAD].copy_from_slice(head);
                known[RTCP_HEAD..].copy_from_slice(&word);
                let nonce = rtcp_nonce(ssrc, index);
                let tag = gcm.encrypt(nonce, &known, payload).ok_or(Misfit)?;
                tail[..tag_len].copy_from_slice(&tag);
                tail[tag_len..tag_len + RTCP_WORD].copy_from_slice(&word);
                tail[tag_len + RTCP_WORD..].copy_from_slice(&self.mki);
            }
        }
        Ok(whole)
    }

    /// The index that an RTCP packet says, and where its tag and its own bytes end; nothing is proven yet.
    pub(super) fn rtcp_index(&self, packet: &[u8]) -> Option<u32> {
        Some(self.rtcp_word(packet)? & !ENCRYPTED)
    }

    fn rtcp_word(&self, packet: &[u8]) -> Option<u32> {
        let behind = if self.suite.is_aead() { 0 } else { self.suite.rtcp_tag_len() };
        let end = packet.len().checked_sub(behind + self.mki.len())?;
        let word = packet.get(end.checked_sub(RTCP_WORD)?..end)?;
        Some(u32::from_be_bytes([word[0], word[1], word[2], word[3]]))
    }

    /// Decrypts an RTCP packet if its tag is right; gives its new length.
    pub(super) fn open_rtcp(&self, packet: &mut [u8]) -> Result<Option<usize>, Misfit> {
        let tag_len = self.suite.rtcp_tag_len();
        let word = self.rtcp_word(packet).ok_or(Misfit)?;
        let added = RTCP_WORD + self.mki.len() + tag_len;
        let len = packet.len().checked_sub(added).filter(|len| *len >= RTCP_HEAD).ok_or(Misfit)?;
        let ssrc = ssrc_of(packet, 4);
        let (index, encrypted) = (word & !ENCRYPTED, word & ENCRYPTED != 0);
        match &self.rtcp {
            Keyed::Counter { cipher, salt, mac } => {
                let (body, tail) = packet.split_at_mut(len + RTCP_WORD);
                let mut mac = mac.clone();
                mac.update(body);
                if mac.verify_truncated_left(&tail[self.mki.len()..]).is_err() {
                    return Ok(None);
                }
                if encrypted {
                    apply(cipher, salt, ssrc, u64::from(index), &mut body[RTCP_HEAD..len]);
                }
                Ok(Some(len))
            }
            gcm => {
                let (body, tail) = packet.split_at_mut(len);
                let (nonce, tag) = (rtcp_nonce(ssrc, index), &tail[..tag_len]);
                let right = if encrypted {
                    let (head, payload) = body.split_at_mut(RTCP_HEAD);
                    let mut known = [0; RTCP_HEAD + RTCP_WORD];
                    known[..RTCP_HEAD].copy_from_slice(head);
                    known[RTCP_HEAD..].copy_from_slice(&word.to_be_bytes());
                    gcm.decrypt(nonce, &known, payload, tag)
                } else {
                    // Only signed (RFC 7714 §9.2): the word belongs to what is signed.
                    let mut known = body.to_vec();
                    known.extend_from_slice(&word.to_be_bytes());
                    gcm.decrypt(nonce, &known, &mut [], tag)
                };
                Ok(right.then_some(len))
            }
        }
    }
}

impl Keyed {
    /// The session keys for these labels (RFC 3711 §4.3.1; key derivation rate 0).
    fn derive(master: &Master, [key_label, mac_label, salt_label]: [u8; 3]) -> Keyed {
        let make = |label: u8, out: &mut [u8]| {
            let mut x = [0; 14];
            x[..master.salt().len()].copy_from_slice(master.salt());
            x[7] ^= label;
            out.fill(0);
            derive(master.key(), &x, out);
        };
        let (mut key, mut mac, mut salt) = ([0; 32], [0; 20], [0; 14]);
        make(key_label, &mut key[..master.suite().key_len()]);
        make(mac_label, &mut mac);
        make(salt_label, &mut salt[..master.suite().salt_len()]);
        Keyed::of(master.suite(), &key, salt, &mac)
    }

    fn of(suite: Suite, key: &[u8; 32], salt: [u8; 14], mac: &[u8; 20]) -> Keyed {
        let (mut short, mut short_salt) = ([0; 16], [0; 12]);
        short.copy_from_slice(&key[..16]);
        short_salt.copy_from_slice(&salt[..12]);
        match suite {
            Suite::AesCm128HmacSha1_80 | Suite::AesCm128HmacSha1_32 => Keyed::Counter {
                cipher: Box::new(Aes128Enc::new(&short.into())),
                salt,
                mac: Box::new(keyed_mac(mac)),
            },
            Suite::AeadAes128Gcm => {
                let cipher = Aes128Enc::new(&short.into());
                Keyed::Gcm128 { cipher: Box::new(cipher.into()), salt: short_salt }
            }
            Suite::AeadAes256Gcm => {
                let cipher = Aes256Enc::new(&(*key).into());
                Keyed::Gcm256 { cipher: Box::new(cipher.into()), salt: short_salt }
            }
        }
    }

    /// The tag, if these keys are for GCM.
    fn encrypt(&self, nonce: [u8; 12], known: &[u8], text: &mut [u8]) -> Option<[u8; 16]> {
        let tag = match self {
            Keyed::Counter { .. } => return None,
            Keyed::Gcm128 { cipher, salt } => {
                cipher.encrypt_inout_detached(&mixed(nonce, salt).into(), known, text.into())
            }
            Keyed::Gcm256 { cipher, salt } => {
                cipher.encrypt_inout_detached(&mixed(nonce, salt).into(), known, text.into())
            }
        };
        Some(tag.ok()?.into())
    }

    /// Whether the tag is right; then the text is readable, else it is as it was.
    fn decrypt(&self, nonce: [u8; 12], known: &[u8], text: &mut [u8], tag: &[u8]) -> bool {
        let Ok(tag) = <[u8; 16]>::try_from(tag) else { return false };
        let (text, tag) = (text.into(), &tag.into());
        let result = match self {
            Keyed::Counter { .. } => return false,
            Keyed::Gcm128 { cipher, salt } => {
                cipher.decrypt_inout_detached(&mixed(nonce, salt).into(), known, text, tag)
            }
            Keyed::Gcm256 { cipher, salt } => {
                cipher.decrypt_inout_detached(&mixed(nonce, salt).into(), known, text, tag)
            }
        };
        result.is_ok()
    }
}

/// Whose length is right by its type.
#[expect(clippy::expect_used, reason = "HMAC takes keys of any length")]
fn keyed_mac(key: &[u8; 20]) -> Hmac<Sha1> {
    <Hmac<Sha1> as KeyInit>::new_from_slice(key).expect("a key")
}

/// The key stream of a master key from the place that `x` names (RFC 3711 §4.3.3).
fn derive(key: &[u8], x: &[u8; 14], out: &mut [u8]) {
    let mut iv = [0; 16];
    iv[..14].copy_from_slice(x);
    if let Ok(key) = <[u8; 32]>::try_from(key) {
        stream(&Aes256Enc::new(&key.into()), iv, out);
    } else if let Ok(key) = <[u8; 16]>::try_from(key) {
        stream(&Aes128Enc::new(&key.into()), iv, out);
    }
}

fn stream<C>(cipher: &C, iv: [u8; 16], data: &mut [u8])
where
    C: BlockCipherEncrypt + BlockSizeUser<BlockSize = U16>,
{
    let core = CtrCore::inner_iv_init(cipher, &iv.into());
    Counter::from_core(core).apply_keystream(data);
}

/// Counter mode over a payload (RFC 3711 §4.1.1): salt, SSRC and index name the place in the key stream.
fn apply(cipher: &Aes128Enc, salt: &[u8; 14], ssrc: [u8; 4], index: u64, payload: &mut [u8]) {
    let mut iv = [0; 16];
    iv[..14].copy_from_slice(salt);
    for (byte, of) in iv[4..8].iter_mut().zip(ssrc) {
        *byte ^= of;
    }
    for (byte, of) in iv[8..14].iter_mut().zip(&index.to_be_bytes()[2..]) {
        *byte ^= of;
    }
    stream(cipher, iv, payload);
}

fn tag_of(mac: &Hmac<Sha1>, body: &[u8], rollovers: u32) -> [u8; 20] {
    let mut mac = mac.clone();
    mac.update(body);
    mac.update(&rollovers.to_be_bytes());
    mac.finalize().into_bytes().into()
}

/// RFC 7714 §8.1, before the salt.
fn nonce(ssrc: [u8; 4], index: u64) -> [u8; 12] {
    let mut nonce = [0; 12];
    nonce[2..6].copy_from_slice(&ssrc);
    nonce[6..].copy_from_slice(&index.to_be_bytes()[2..]);
    nonce
}

/// RFC 7714 §9.1, before the salt.
fn rtcp_nonce(ssrc: [u8; 4], index: u32) -> [u8; 12] {
    let mut nonce = [0; 12];
    nonce[2..6].copy_from_slice(&ssrc);
    nonce[8..].copy_from_slice(&index.to_be_bytes());
    nonce
}

fn mixed(mut nonce: [u8; 12], salt: &[u8; 12]) -> [u8; 12] {
    for (byte, of) in nonce.iter_mut().zip(salt) {
        *byte ^= of;
    }
    nonce
}

#[cfg(test)]
impl Transform {
    /// With session keys as test vectors give them, instead of those derived from a master key.
    pub(super) fn of_session_keys(suite: Suite, key: &[u8; 32], salt: [u8; 14]) -> Transform {
        let mac = [0; 20];
        Transform {
            suite,
            mki: Box::default(),
            rtp: Keyed::of(suite, key, salt, &mac),
            rtcp: Keyed::of(suite, key, salt, &mac),
        }
    }
}
