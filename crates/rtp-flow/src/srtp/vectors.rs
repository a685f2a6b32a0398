//! The vectors of RFC 3711 (B.2, B.3) and RFC 7714 (§16, §17), and packets as libsrtp makes them.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use crate::srtp::master::Master;
use crate::srtp::suite::Suite;
use crate::srtp::transform::Transform;

fn bytes(hex: &str) -> Vec<u8> {
    let digits: Vec<u8> =
        hex.chars().filter_map(|c| c.to_digit(16)).map(|digit| digit as u8).collect();
    digits.chunks_exact(2).map(|pair| pair[0] << 4 | pair[1]).collect()
}

/// The master key of RFC 3711 B.3, which libsrtp's own tests use too.
fn libsrtp(suite: Suite) -> Transform {
    let key = bytes("E1F97A0D3E018BE0D64FA32C06DE4139 0EC675AD498AFEEBB6960B3AABE6");
    Transform::new(&Master::new(suite, &key, &[]).unwrap())
}

fn of_session(suite: Suite, key: &str, salt: &str) -> Transform {
    let (mut whole_key, mut whole_salt) = ([0; 32], [0; 14]);
    let (key, salt) = (bytes(key), bytes(salt));
    whole_key[..key.len()].copy_from_slice(&key);
    whole_salt[..salt.len()].copy_from_slice(&salt);
    Transform::of_session_keys(suite, &whole_key, whole_salt)
}

/// Seals a packet, and opens what it has become.
fn both_ways(transform: &Transform, plain: &str, index: u64, sealed: &str) {
    let (plain, sealed) = (bytes(plain), bytes(sealed));
    let mut room = plain.clone();
    room.resize(sealed.len(), 0);
    assert_eq!(transform.seal(&mut room, plain.len(), index), Ok(sealed.len()));
    assert_eq!(room, sealed);
    let opened = transform.open(&mut room, std::iter::once(index)).unwrap();
    assert_eq!(opened, Some((index, plain.len())));
    assert_eq!(room[..plain.len()], plain);
}

fn both_ways_rtcp(transform: &Transform, plain: &str, index: u32, sealed: &str) {
    let (plain, sealed) = (bytes(plain), bytes(sealed));
    let mut room = plain.clone();
    room.resize(sealed.len(), 0);
    assert_eq!(transform.seal_rtcp(&mut room, plain.len(), index), Ok(sealed.len()));
    assert_eq!(room, sealed);
    assert_eq!(transform.rtcp_index(&room), Some(index));
    assert_eq!(transform.open_rtcp(&mut room), Ok(Some(plain.len())));
    assert_eq!(room[..plain.len()], plain);
}

#[test]
fn the_key_stream_of_rfc_3711_b_2() {
    let transform = of_session(
        Suite::AesCm128HmacSha1_80,
        "2B7E151628AED2A6ABF7158809CF4F3C",
        "F0F1F2F3F4F5F6F7F8F9FAFBFCFD",
    );
    let mut packet = bytes("80000000 00000000 00000000");
    packet.resize(12 + 48 + 10, 0);
    transform.seal(&mut packet, 12 + 48, 0).unwrap();
    let stream = "E03EAD0935C95E80E166B16DD92B4EB4 D23513162B02D0F72A43A2FE4A5F97AB
        41E95B3BB0A2E8DD477901E4FCA894C0";
    assert_eq!(packet[12..60], bytes(stream));
}

#[test]
fn a_packet_by_the_master_key_of_rfc_3711_b_3() {
    both_ways(
        &libsrtp(Suite::AesCm128HmacSha1_80),
        "800f1234 decafbad cafebabe abababababababababababababababab",
        0x1234,
        "800f1234 decafbad cafebabe 4e55dc4ce79978d88ca4d215949d2402 b78d6acc99ea179b8dbb",
    );
    both_ways_rtcp(
        &libsrtp(Suite::AesCm128HmacSha1_80),
        "81c8000b cafebabe abababababababababababababababab",
        1,
        "81c8000b cafebabe 7128035be487b9bdbef89041f977a5a8 80000001 993e08cd54d6c1230798",
    );
}

#[test]
fn the_short_tag_is_the_begin_of_the_long_one_and_only_for_rtp() {
    both_ways(
        &libsrtp(Suite::AesCm128HmacSha1_32),
        "800f1234 decafbad cafebabe abababababababababababababababab",
        0x1234,
        "800f1234 decafbad cafebabe 4e55dc4ce79978d88ca4d215949d2402 b78d6acc",
    );
    both_ways_rtcp(
        &libsrtp(Suite::AesCm128HmacSha1_32),
        "81c8000b cafebabe abababababababababababababababab",
        1,
        "81c8000b cafebabe 7128035be487b9bdbef89041f977a5a8 80000001 993e08cd54d6c1230798",
    );
}

const RTP: &str = "8040f17b 8041f8d3 5501a0b2 47616c6c 69612065 7374206f 6d6e6973 20646976
    69736120 696e2070 61727465 73207472 6573";
const RTCP: &str = "81c8000d 4d617273 4e545031 4e545032 52545020 0000042a 0000e930 4c756e61
    deadbeef deadbeef deadbeef deadbeef deadbeef";
const SALT: &str = "517569642070726f2071756f";
const KEY: &str = "000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f";

#[test]
fn the_packets_of_rfc_7714_with_a_key_of_128_bits() {
    let transform = of_session(Suite::AeadAes128Gcm, &KEY[..32], SALT);
    let sealed = "8040f17b 8041f8d3 5501a0b2 f24de3a3 fb34de6c acba861c 9d7e4bca be633bd5
        0d294e6f 42a5f47a 51c7d19b 36de3adf 8833 899d7f27 beb16a91 52cf765e e4390cce";
    both_ways(&transform, RTP, 0xf17b, sealed);
    let sealed = "81c8000d 4d617273 63e94885 dcdab67c a727d766 2f6b7e99 7ff5c0f7 6c06f32d
        c676a5f1 730d6fda 4ce09b46 86303ded 0bb9275b c84aa458 96cf4d2f c5abf872 45d9eade
        800005d4";
    both_ways_rtcp(&transform, RTCP, 0x5d4, sealed);
}

#[test]
fn the_packets_of_rfc_7714_with_a_key_of_256_bits() {
    let transform = of_session(Suite::AeadAes256Gcm, KEY, SALT);
    let sealed = "8040f17b 8041f8d3 5501a0b2 32b1de78 a822fe12 ef9f78fa 332e33aa b1801238
        9a58e2f3 b50b2a02 76ffae0f 1ba63799 b87b7aa3 db36dfff d6b0f9bb 7878d7a7 6c13";
    both_ways(&transform, RTP, 0xf17b, sealed);
    let sealed = "81c8000d 4d617273 d50ae4d1 f5ce5d30 4ba297e4 7d470c28 2c3ece5d bffe0a50
        a2eaa5c1 110555be 8415f658 c61de047 6f1b6fad 1d1eb30c 4446839f 57ff6f6c b26ac3be
        800005d4";
    both_ways_rtcp(&transform, RTCP, 0x5d4, sealed);
}

#[test]
fn a_key_identifier_goes_with_each_packet() {
    let rtp = bytes(RTP);
    for suite in Suite::ALL {
        let key = vec![7; suite.key_len() + suite.salt_len()];
        let transform = Transform::new(&Master::new(suite, &key, b"\x01\x02").unwrap());
        let mut room = rtp.clone();
        room.resize(rtp.len() + transform.growth(), 0);
        let len = transform.seal(&mut room, rtp.len(), 9).unwrap();
        let at = if suite.is_aead() { len - 2 } else { rtp.len() };
        assert_eq!(room[at..at + 2], [1, 2]);
        let opened = transform.open(&mut room, std::iter::once(9)).unwrap();
        assert_eq!((opened, &room[..rtp.len()]), (Some((9, rtp.len())), &rtp[..]));
        let mut rtcp = bytes(RTCP);
        let plain = rtcp.len();
        rtcp.resize(plain + 4 + 2 + suite.rtcp_tag_len(), 0);
        transform.seal_rtcp(&mut rtcp, plain, 3).unwrap();
        assert_eq!(transform.open_rtcp(&mut rtcp), Ok(Some(plain)));
        assert_eq!(rtcp[..plain], bytes(RTCP));
    }
}
