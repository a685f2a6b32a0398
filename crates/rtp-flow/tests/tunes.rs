//! Music in each codec: what was put in is what comes out.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use audio_codec::{CodecType, create_decoder, create_opus_decoder};
use rtp_flow::{Codec, Encoded, NoMusic, TUNE_RATE, Tune, Tunes, level, melody};

/// 600 ms of a sine of a whole number of turns: a loop of it has no seam.
fn sine(hertz: f64) -> Vec<i16> {
    let turn = std::f64::consts::TAU * hertz / f64::from(TUNE_RATE);
    (0..28_800).map(|n| ((f64::from(n) * turn).sin() * 8_000.0) as i16).collect()
}

/// What a phone hears of the loop, played `times` over, and at which rate.
fn heard(codec: Codec, encoded: &Encoded, times: u64) -> (Vec<i16>, f64) {
    let mut decoder = match codec {
        Codec::Pcmu => create_decoder(CodecType::PCMU),
        Codec::Pcma => create_decoder(CodecType::PCMA),
        Codec::G722 => create_decoder(CodecType::G722),
        Codec::G729 => create_decoder(CodecType::G729),
        Codec::Opus => create_opus_decoder(48_000, 1),
    };
    let rate = f64::from(decoder.sample_rate());
    let positions = (0..encoded.len() * times).step_by(2);
    (positions.flat_map(|at| decoder.decode(&encoded.packet(at, 20))).collect(), rate)
}

/// The share of the power that is at a frequency.
fn share(samples: &[i16], rate: f64, hertz: f64) -> f64 {
    let (mut re, mut im, mut power) = (0.0, 0.0, 0.0);
    for (n, sample) in samples.iter().enumerate() {
        let (sin, cos) = (std::f64::consts::TAU * hertz / rate * n as f64).sin_cos();
        let sample = f64::from(*sample);
        (re, im, power) = (re + sample * cos, im + sample * sin, power + sample * sample);
    }
    2.0 * (re * re + im * im) / (samples.len() as f64 * power)
}

#[test]
fn a_tone_comes_out_of_each_codec_as_it_went_in() {
    for codec in Codec::ALL {
        let encoded = Encoded::encode(codec, &sine(500.0)).unwrap();
        assert_eq!(encoded.len(), 60);
        let (samples, rate) = heard(codec, &encoded, 3);
        let settled = &samples[samples.len() / 3..];
        let at_500 = share(settled, rate, 500.0);
        // G.729 models a voice, and a sine is none.
        let least = if codec == Codec::G729 { 0.8 } else { 0.97 };
        assert!(at_500 > least, "{codec:?}: {at_500}");
        let loud = level(settled);
        assert!((loud - level(&sine(500.0))).abs() < 2.0, "{codec:?}: {loud} dBFS");
    }
}

#[test]
fn the_melody_is_calm_and_has_no_click_not_even_where_it_begins_again() {
    let sound = melody();
    assert_eq!(sound.len() % 5_760, 0, "whole 120 ms: no silence is put at its end");
    let seconds = sound.len() / TUNE_RATE as usize;
    assert!((20..=40).contains(&seconds), "{seconds} s");
    assert!((level(&sound) - -20.0).abs() < 1.0, "{} dBFS", level(&sound));
    // What bends four times in four samples is no note but a click.
    let around: Vec<i32> = sound.iter().chain(&sound[..4]).map(|s| i32::from(*s)).collect();
    let bends = around.windows(5).map(|w| (w[0] - 4 * w[1] + 6 * w[2] - 4 * w[3] + w[4]).abs());
    let sharpest = bends.max().unwrap();
    assert!(sharpest < 120, "a bend of {sharpest}");
    let peak = sound.iter().map(|s| s.unsigned_abs()).max().unwrap();
    assert!(peak < 26_000, "{peak}");
    // Never silent for long: a caller who hears nothing hangs up.
    for (n, half) in sound.chunks(TUNE_RATE as usize / 2).enumerate() {
        assert!(level(half) > -45.0, "half second {n}: {} dBFS", level(half));
    }
}

#[test]
fn the_seam_of_a_loop_is_not_heard_in_codecs_that_remember() {
    for codec in [Codec::G722, Codec::Opus] {
        let encoded = Encoded::encode(codec, &sine(500.0)).unwrap();
        let (samples, rate) = heard(codec, &encoded, 3);
        let seam = samples.len() / 3 * 2;
        let around = (rate / 20.0) as usize;
        let at_500 = share(&samples[seam - around..seam + around], rate, 500.0);
        assert!(at_500 > 0.95, "{codec:?}: {at_500}");
    }
}

#[test]
fn a_loop_is_filled_up_to_whole_packets_of_every_length() {
    let encoded = Encoded::encode(Codec::Pcmu, &[1_000; 48_001]).unwrap();
    assert_eq!(encoded.len(), 108);
    for length in [10u8, 20, 30, 40, 60] {
        let whole = usize::from(length) * 8;
        for position in 0..300 {
            assert_eq!(encoded.packet(position, length).len(), whole);
        }
    }
}

#[test]
fn nothing_gives_no_tune() {
    assert_eq!(Tune::encode(&[], &Codec::ALL), Err(NoMusic));
}

#[test]
fn a_tune_that_is_not_in_the_list_is_the_default_one() {
    let tune = |hertz| Tune::encode(&sine(hertz), &[Codec::Pcma]).unwrap();
    let tunes = Tunes::new(vec![tune(400.0), tune(500.0)]);
    assert_ne!(tunes.encoded(0, Codec::Pcma), tunes.encoded(1, Codec::Pcma));
    assert_eq!(tunes.encoded(0, Codec::Pcma), tunes.encoded(7, Codec::Pcma));
    assert_eq!(tunes.encoded(0, Codec::Opus), None);
    assert_eq!(Tunes::default().encoded(0, Codec::Pcma), None);
}
