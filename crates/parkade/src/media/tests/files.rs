//! Music from files: what is in the file is what is heard. The samples are sines of the frequency
//! that they are named after, of different rates and channels.

use std::fs;
use std::path::Path;

use rtp_flow::{Clip, Codec, Ear, Tunes};

use crate::config::{MediaSettings, Music};
use crate::media::{bad_prompts, load};

const FLAC: &[u8] = include_bytes!("samples/600.flac");
const OGG: &[u8] = include_bytes!("samples/700.ogg");
const MP3: &[u8] = include_bytes!("samples/800.mp3");

/// A WAV file of one tone on two channels.
fn wav(hertz: f64, seconds: f64, rate: u32) -> Vec<u8> {
    let frames = (seconds * f64::from(rate)) as u32;
    let mut bytes = b"RIFF".to_vec();
    bytes.extend((36 + frames * 4).to_le_bytes());
    bytes.extend(b"WAVEfmt \x10\0\0\0\x01\0\x02\0");
    bytes.extend(rate.to_le_bytes());
    bytes.extend((rate * 4).to_le_bytes());
    bytes.extend(b"\x04\0\x10\0data");
    bytes.extend((frames * 4).to_le_bytes());
    for n in 0..frames {
        let turn = std::f64::consts::TAU * hertz / f64::from(rate);
        let sample = ((f64::from(n) * turn).sin() * 8_000.0) as i16;
        bytes.extend(sample.to_le_bytes());
        bytes.extend(sample.to_le_bytes());
    }
    bytes
}

fn media(path: &Path) -> MediaSettings {
    MediaSettings { music: vec![Music::Path(path.to_owned())], ..MediaSettings::default() }
}

fn loaded(path: &Path) -> Result<Tunes, String> {
    load(&media(path), &[Codec::Pcma]).map_err(|problem| problem.to_string())
}

/// The tone that is heard between two moments of a tune, given in units of 10 ms.
fn tone(tunes: &Tunes, from: u64, to: u64) -> f64 {
    let encoded = tunes.encoded(0, Codec::Pcma).unwrap();
    let mut ear = Ear::default();
    for position in (from..to).step_by(2) {
        ear.hear(Codec::Pcma, &encoded.packet(position, 20));
    }
    ear.tone().expect("a tone")
}

fn near(heard: f64, hertz: f64) -> bool {
    (heard - hertz).abs() < 3.0
}

#[test]
fn every_kind_of_file_is_heard_at_its_pitch_and_length() {
    let folder = tempfile::tempdir().unwrap();
    let wav = wav(500.0, 0.6, 44_100);
    for (name, bytes, hertz) in [
        ("a.wav", &wav[..], 500.0),
        ("b.flac", FLAC, 600.0),
        ("c.ogg", OGG, 700.0),
        ("d.MP3", MP3, 800.0),
        ("no_kind_in_its_name", FLAC, 600.0),
    ] {
        let path = folder.path().join(name);
        fs::write(&path, bytes).unwrap();
        let tunes = loaded(&path).unwrap();
        let heard = tone(&tunes, 10, 50);
        assert!(near(heard, hertz), "{name}: {heard}");
        let units = tunes.encoded(0, Codec::Pcma).unwrap().len();
        assert!((60..=72).contains(&units), "{name} is {units}0 ms long");
    }
}

#[test]
fn the_files_of_a_folder_are_heard_one_after_another_by_name() {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("2.flac"), FLAC).unwrap();
    fs::write(folder.path().join("1.wav"), wav(500.0, 0.6, 8_000)).unwrap();
    fs::write(folder.path().join("cover.txt"), "no music").unwrap();
    let tunes = loaded(folder.path()).unwrap();
    assert!(near(tone(&tunes, 20, 50), 500.0));
    assert!(near(tone(&tunes, 80, 110), 600.0));
}

#[test]
fn what_gives_no_music_is_told_with_its_name_and_what_to_do() {
    let folder = tempfile::tempdir().unwrap();
    let told = |name: &str| loaded(&folder.path().join(name)).unwrap_err();
    fs::write(folder.path().join("letter.wav"), "Dear Sir or Madam, ".repeat(100)).unwrap();
    fs::write(folder.path().join("empty.wav"), wav(500.0, 0.0, 8_000)).unwrap();
    fs::create_dir(folder.path().join("nothing")).unwrap();
    let letter = told("letter.wav");
    assert!(letter.contains("letter.wav") && letter.contains("convert it"), "{letter}");
    let empty = told("empty.wav");
    assert!(empty.contains("empty.wav") && empty.contains("no sound"), "{empty}");
    let missing = told("missing.wav");
    assert!(missing.contains("missing.wav") && missing.contains("No such file"), "{missing}");
    let nothing = told("nothing");
    assert!(nothing.contains("nothing") && nothing.contains("put files there"), "{nothing}");
}

#[test]
fn bytes_that_are_no_music_never_panic() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("broken");
    for whole in [FLAC, OGG, MP3, &wav(500.0, 0.1, 8_000)] {
        for cut in [0, 1, 10, 40, 60, 100, whole.len() / 2] {
            fs::write(&path, &whole[..cut]).unwrap();
            let _ = loaded(&path);
            let mut bent = whole.to_vec();
            for at in (cut..whole.len()).step_by(97) {
                bent[at] ^= 0xff;
            }
            fs::write(&path, &bent).unwrap();
            let _ = loaded(&path);
        }
    }
}

#[test]
fn the_built_in_melody_is_there_in_every_codec() {
    let tunes = load(&MediaSettings::default(), &Codec::ALL).unwrap();
    for codec in Codec::ALL {
        assert!(tunes.encoded(0, codec).unwrap().len() > 2_000, "{codec:?}");
    }
}

#[test]
fn prompts_are_heard_as_they_are_in_their_files_and_the_tones_are_always_there() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("7.wav");
    fs::write(&path, wav(600.0, 0.3, 8_000)).unwrap();
    let media = MediaSettings { prompts: vec![('7', path)], ..MediaSettings::default() };
    assert!(bad_prompts(&media).is_empty());
    let tunes = load(&media, &[Codec::Pcma]).unwrap();
    let clip = |clip: Clip| tunes.clip(clip).and_then(|tune| tune.encoded(Codec::Pcma));
    let seven = clip(Clip::of_sign('7').unwrap()).unwrap();
    assert_eq!(seven.len(), 36, "whole 120 ms");
    let mut ear = Ear::default();
    for position in (4..24).step_by(2) {
        ear.hear(Codec::Pcma, &seven.packet(position, 20));
    }
    assert!(near(ear.tone().unwrap(), 600.0));
    assert!(clip(Clip::PARKED).is_some() && clip(Clip::COURTESY).is_some());
    assert!(clip(Clip::of_sign('8').unwrap()).is_none());
}

#[test]
fn prompts_that_cannot_be_said_are_told_with_their_files() {
    let folder = tempfile::tempdir().unwrap();
    let (long, broken) = (folder.path().join("1.wav"), folder.path().join("2.wav"));
    fs::write(&long, wav(600.0, 3.5, 8_000)).unwrap();
    fs::write(&broken, "no sound").unwrap();
    let prompts = vec![('1', long), ('2', broken)];
    let media = MediaSettings { prompts, ..MediaSettings::default() };
    let told: Vec<String> = bad_prompts(&media).iter().map(ToString::to_string).collect();
    assert_eq!(told.len(), 2, "{told:?}");
    assert!(told[0].contains("1.wav: it is longer than 3 s"), "{told:?}");
    assert!(told[1].contains("2.wav"), "{told:?}");
    assert!(load(&media, &[Codec::Pcma]).is_err());
}
