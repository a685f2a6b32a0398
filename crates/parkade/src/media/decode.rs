//! One music file to samples: WAV, FLAC, MP3 or OGG Vorbis to mono at the rate of tunes.

use std::fs::File;
use std::path::Path;

use rtp_flow::TUNE_RATE;
use rubato::audioadapter_buffers::direct::SequentialSlice;
use rubato::{Fft, FixedSync, Resampler};
use symphonia::core::codecs::audio::AudioDecoderOptions;
use symphonia::core::errors::Error;
use symphonia::core::formats::probe::Hint;
use symphonia::core::formats::{FormatOptions, TrackType};
use symphonia::core::io::MediaSourceStream;
use symphonia::core::meta::MetadataOptions;

/// Music longer than this is not kept in memory, in seconds.
pub(super) const LONGEST: usize = 3_600;

/// Why a file gives no music.
#[derive(Debug, thiserror::Error)]
pub(super) enum Unreadable {
    /// The file cannot be opened or read.
    #[error("{0}")]
    File(#[from] std::io::Error),
    /// It is no music, or of a kind that is not known.
    #[error("it is not music in WAV, FLAC, MP3 or OGG Vorbis ({0}); convert it to one of these")]
    Kind(String),
    /// There is not a sample in it.
    #[error("there is no sound in it")]
    Empty,
    /// It goes on for too long.
    #[error("it is longer than an hour, which is the most that is kept in memory; shorten it")]
    TooLong,
    /// Its sample rate leads nowhere.
    #[error("its sample rate of {0} Hz cannot be converted; convert it to 48000 Hz")]
    Rate(u32),
}

/// Decodes a file to mono samples at [`TUNE_RATE`].
pub(super) fn decode(path: &Path) -> Result<Vec<i16>, Unreadable> {
    let stream = MediaSourceStream::new(Box::new(File::open(path)?), Default::default());
    let mut hint = Hint::new();
    if let Some(kind) = path.extension().and_then(|e| e.to_str()) {
        hint.with_extension(kind);
    }
    let kind = |error: Error| Unreadable::Kind(error.to_string());
    let mut format = symphonia::default::get_probe()
        .probe(&hint, stream, FormatOptions::default(), MetadataOptions::default())
        .map_err(kind)?;
    let track = format.default_track(TrackType::Audio).ok_or(Unreadable::Empty)?;
    let params = track.codec_params.as_ref().and_then(|p| p.audio()).ok_or(Unreadable::Empty)?;
    let track_id = track.id;
    let mut decoder = symphonia::default::get_codecs()
        .make_audio_decoder(params, &AudioDecoderOptions::default())
        .map_err(kind)?;
    let (mut mono, mut rate, mut interleaved) = (Vec::new(), 0, Vec::<f32>::new());
    // A file that ends in the middle, or has a bad packet, gives what can be read of it.
    while let Ok(Some(packet)) = format.next_packet() {
        if packet.track_id != track_id {
            continue;
        }
        let audio = match decoder.decode(&packet) {
            Ok(audio) => audio,
            Err(Error::DecodeError(_)) => continue,
            Err(_) => break,
        };
        rate = audio.spec().rate();
        let channels = audio.spec().channels().count().max(1);
        interleaved.resize(audio.samples_interleaved(), 0.0);
        audio.copy_to_slice_interleaved(&mut interleaved);
        let mixed = interleaved.chunks_exact(channels);
        mono.extend(mixed.map(|frame| frame.iter().sum::<f32>() / channels as f32));
        if mono.len() > LONGEST * rate as usize {
            return Err(Unreadable::TooLong);
        }
    }
    if mono.is_empty() {
        return Err(Unreadable::Empty);
    }
    let mono = if rate == TUNE_RATE { mono } else { resampled(&mono, rate)? };
    Ok(mono.iter().map(|s| (s.clamp(-1.0, 1.0) * 32_767.0) as i16).collect())
}

fn resampled(mono: &[f32], rate: u32) -> Result<Vec<f32>, Unreadable> {
    let refused = || Unreadable::Rate(rate);
    let mut resampler =
        Fft::<f32>::new(rate as usize, TUNE_RATE as usize, 1_024, 1, FixedSync::Both)
            .map_err(|_| refused())?;
    let input = SequentialSlice::new(mono, 1, mono.len()).map_err(|_| refused())?;
    let output = resampler.process_all(&input, mono.len(), None).map_err(|_| refused())?;
    Ok(output.take_data())
}
