//! Music, encoded once per codec into bytes that all streams share. A tune is a loop of whole 120 ms,
//! so that packets of every packet time fit into it without a seam.

use audio_codec::opus::{OpusApplication, OpusEncoder};
use audio_codec::{CodecType, Encoder, create_encoder, resample};
use bytes::Bytes;

use crate::clip::{Clip, Clips};
use crate::plan::Codec;

/// The sample rate of what a tune is made from, in hertz.
pub const TUNE_RATE: u32 = 48_000;
/// Samples in the shortest loop: 120 ms.
const LOOP_UNIT: usize = TUNE_RATE as usize * 120 / 1_000;
/// Milliseconds in an Opus packet; what a phone asks for by `ptime` is a wish (RFC 7587 §7).
const OPUS_TIME: u8 = 20;
/// An encoder hears the end of the loop before its beginning, so that the seam is not heard: this
/// long, in milliseconds.
const RUN_UP: usize = 240;
/// Bits per second of music in Opus: transparent for a telephone's loudspeaker.
const OPUS_BITRATE: i32 = 40_000;

/// There is nothing in it to be played.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct NoMusic;

impl std::fmt::Display for NoMusic {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("there are no samples in it")
    }
}

impl std::error::Error for NoMusic {}

/// A loop of music in one codec.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Encoded {
    bytes: Bytes,
    /// Where each frame ends; empty if all are of one size.
    ends: Vec<u32>,
    /// Bytes in 10 ms, where all frames are of one size.
    unit: usize,
}

impl Encoded {
    /// Encodes a loop; `pcm` is mono at [`TUNE_RATE`]. It is filled up with silence to whole 120 ms.
    ///
    /// # Errors
    /// [`NoMusic`] if `pcm` is empty.
    pub fn encode(codec: Codec, pcm: &[i16]) -> Result<Encoded, NoMusic> {
        if pcm.is_empty() {
            return Err(NoMusic);
        }
        let mut looped = pcm.to_vec();
        looped.resize(pcm.len().next_multiple_of(LOOP_UNIT), 0);
        let run_up = (RUN_UP * TUNE_RATE as usize / 1_000).min(looped.len());
        let before = looped[looped.len() - run_up..].to_vec();
        Ok(Encoded::after(codec, before, &looped))
    }

    /// Encodes what is played once: before it there is silence. Else as [`Encoded::encode`].
    ///
    /// # Errors
    /// [`NoMusic`] if `pcm` is empty.
    pub fn once(codec: Codec, pcm: &[i16]) -> Result<Encoded, NoMusic> {
        if pcm.is_empty() {
            return Err(NoMusic);
        }
        let mut whole = pcm.to_vec();
        whole.resize(pcm.len().next_multiple_of(LOOP_UNIT), 0);
        Ok(Encoded::after(codec, vec![0; RUN_UP * TUNE_RATE as usize / 1_000], &whole))
    }

    /// Encodes whole loop units of sound as it is after what came before.
    fn after(codec: Codec, before: Vec<i16>, sound: &[i16]) -> Encoded {
        let run_up = before.len();
        let mut whole = before;
        whole.extend_from_slice(sound);
        match codec {
            Codec::Opus => opus(&whole, run_up),
            Codec::Pcmu => fixed(CodecType::PCMU, 80, &whole, run_up),
            Codec::Pcma => fixed(CodecType::PCMA, 80, &whole, run_up),
            Codec::G722 => fixed(CodecType::G722, 80, &whole, run_up),
            Codec::G729 => fixed(CodecType::G729, 10, &whole, run_up),
        }
    }

    /// How long the loop is, in units of 10 ms.
    pub fn len(&self) -> u64 {
        let units = match self.ends.len() {
            0 => self.bytes.len() / self.unit,
            frames => frames * usize::from(OPUS_TIME) / 10,
        };
        units as u64
    }

    /// Never: a loop has at least 120 ms.
    pub fn is_empty(&self) -> bool {
        self.bytes.is_empty()
    }

    /// The payload of the packet of `length` milliseconds that begins at `position` (in units of
    /// 10 ms, counted on over the end of the loop), shared, not copied.
    pub fn packet(&self, position: u64, length: u8) -> Bytes {
        let wide = units(length);
        let at = (position / wide * wide % self.len()) as usize;
        if self.ends.is_empty() {
            let start = at * self.unit;
            return self.bytes.slice(start..start + wide as usize * self.unit);
        }
        let frame = at * 10 / usize::from(OPUS_TIME);
        let start = if frame == 0 { 0 } else { self.ends[frame - 1] };
        self.bytes.slice(start as usize..self.ends[frame] as usize)
    }

    /// Where in the loop a payload of `length` milliseconds comes from, in units of 10 ms: proof that
    /// a listener hears this tune.
    pub fn position_of(&self, payload: &[u8], length: u8) -> Option<u64> {
        let wide = units(length);
        (0..self.len()).step_by(wide as usize).find(|at| self.packet(*at, length) == payload)
    }
}

/// A loop of music in the codecs in which it has been encoded.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Tune {
    encoded: [Option<Encoded>; Codec::ALL.len()],
}

impl Tune {
    /// Encodes `pcm`, mono at [`TUNE_RATE`], in these codecs.
    ///
    /// # Errors
    /// [`NoMusic`] if `pcm` is empty.
    pub fn encode(pcm: &[i16], codecs: &[Codec]) -> Result<Tune, NoMusic> {
        let mut tune = Tune::default();
        for codec in codecs {
            tune.put(*codec, Encoded::encode(*codec, pcm)?);
        }
        Ok(tune)
    }

    /// Adds what has been encoded elsewhere (encoding takes long, and may be shared out).
    pub fn put(&mut self, codec: Codec, encoded: Encoded) {
        self.encoded[codec as usize] = Some(encoded);
    }

    /// The tune in this codec.
    pub fn encoded(&self, codec: Codec) -> Option<&Encoded> {
        self.encoded[codec as usize].as_ref()
    }

    /// The codecs in which there is something.
    pub fn codecs(&self) -> impl Iterator<Item = Codec> + '_ {
        Codec::ALL.into_iter().filter(|codec| self.encoded(*codec).is_some())
    }
}

/// The music list, and the clips. Cloning it copies no sound.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Tunes {
    tunes: Vec<Tune>,
    clips: Clips,
}

impl Tunes {
    /// A list without clips; the first tune is the program's default.
    pub fn new(tunes: Vec<Tune>) -> Tunes {
        Tunes { tunes, clips: Clips::default() }
    }

    /// Adds a clip, which has been encoded to be played once.
    pub fn put_clip(&mut self, clip: Clip, sound: Tune) {
        self.clips.put(clip, sound);
    }

    /// A clip, in the codecs in which it is there.
    pub fn clip(&self, clip: Clip) -> Option<&Tune> {
        self.clips.get(clip)
    }

    /// A tune in a codec; the default where the list has no such number.
    pub fn encoded(&self, tune: u16, codec: Codec) -> Option<&Encoded> {
        self.tunes.get(usize::from(tune)).or_else(|| self.tunes.first())?.encoded(codec)
    }

    /// The tunes, in order.
    pub fn iter(&self) -> impl Iterator<Item = &Tune> {
        self.tunes.iter()
    }
}

/// The packet time that is really used: what was asked for if it goes into a loop, else 20 ms.
pub(crate) fn packet_time(codec: Codec, asked: u8) -> u8 {
    match asked {
        10 | 20 | 30 | 40 | 60 if codec != Codec::Opus => asked,
        _ => OPUS_TIME,
    }
}

/// How many units of 10 ms are in a packet of `length` milliseconds.
pub(crate) fn units(length: u8) -> u64 {
    u64::from(length / 10).max(1)
}

fn fixed(kind: CodecType, unit: usize, whole: &[i16], run_up: usize) -> Encoded {
    let mut encoder = create_encoder(kind);
    let rate = encoder.sample_rate();
    let share = (TUNE_RATE / rate) as usize;
    let mut pcm = resample(whole, TUNE_RATE, rate);
    pcm.resize(whole.len() / share, 0);
    let (before, looped) = pcm.split_at(run_up / share);
    encoder.encode(before);
    let mut bytes = encoder.encode(looped);
    let units = looped.len() * 100 / rate as usize;
    bytes.resize(units * unit, 0);
    Encoded { bytes: bytes.into(), ends: Vec::new(), unit }
}

fn opus(whole: &[i16], run_up: usize) -> Encoded {
    let frame = TUNE_RATE as usize * usize::from(OPUS_TIME) / 1_000;
    let mut encoder = OpusEncoder::new_with_application(TUNE_RATE, 1, OpusApplication::Audio);
    encoder.set_bitrate(OPUS_BITRATE);
    let (mut bytes, mut ends) = (Vec::new(), Vec::new());
    for (i, samples) in whole.chunks_exact(frame).enumerate() {
        let packet = encoder.encode(samples);
        if i * frame >= run_up {
            bytes.extend_from_slice(&packet);
            ends.push(bytes.len() as u32);
        }
    }
    Encoded { bytes: bytes.into(), ends, unit: 0 }
}
