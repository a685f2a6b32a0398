//! The music list: what is configured made into tunes, encoded once in every codec.

use std::path::{Path, PathBuf};
use std::thread;

use rtp_flow::{Clip, Codec, Encoded, NoMusic, TUNE_RATE, Tune, Tunes, melody};

use crate::config::{MediaSettings, Music, SOUND_FILES};
use crate::media::decode::{LONGEST, Unreadable, decode};

/// Why there is no music from somewhere.
#[derive(Debug, thiserror::Error)]
pub(crate) enum MusicProblem {
    /// A folder cannot be listed.
    #[error("music folder {}: {error}", path.display())]
    Folder {
        /// The folder.
        path: PathBuf,
        /// What the system says.
        error: std::io::Error,
    },
    /// A folder has no music in it.
    #[error(
        "music folder {}: there is no music in it; put files there that end in .wav, .flac, .mp3 or .ogg",
        path.display()
    )]
    EmptyFolder {
        /// The folder.
        path: PathBuf,
    },
    /// The files of a folder are too long together.
    #[error(
        "music folder {}: its files are longer than an hour together, which is the most that is kept in memory; take some out",
        path.display()
    )]
    TooLong {
        /// The folder.
        path: PathBuf,
    },
    /// A file gives no music.
    #[error("sound file {}: {why}", path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// Why not.
        why: String,
    },
}

/// A prompt is no longer than this, in seconds: somebody waits for it.
const LONGEST_PROMPT: usize = 3;

/// Loads the music list and the clips, each in each codec. Takes a while: a second or so for each ten
/// minutes.
///
/// # Errors
/// What was read, what is wrong with it, and what to do.
pub(crate) fn load(media: &MediaSettings, codecs: &[Codec]) -> Result<Tunes, MusicProblem> {
    let tunes = media.music.iter().map(|music| {
        let pcm = match music {
            Music::BuiltIn => melody(),
            Music::Path(path) if path.is_dir() => folder(path)?,
            Music::Path(path) => file(path)?,
        };
        let named = match music {
            Music::BuiltIn => Path::new("built in"),
            Music::Path(path) => path,
        };
        encode(&pcm, codecs, Encoded::encode)
            .map_err(|why| MusicProblem::File { path: named.to_owned(), why: why.to_string() })
    });
    let mut tunes = Tunes::new(tunes.collect::<Result<_, _>>()?);
    let mut sounds = Vec::from(Clip::tones());
    for (sign, path) in &media.prompts {
        sounds.extend(Clip::of_sign(*sign).zip(Some(prompt(path)?)));
    }
    for (clip, pcm) in sounds {
        // A clip of which nothing can be made is left out when it should be played.
        tunes.put_clip(clip, encode(&pcm, codecs, Encoded::once).unwrap_or_default());
    }
    Ok(tunes)
}

/// What is wrong with the files of prompts, each of which is read.
pub(crate) fn bad_prompts(media: &MediaSettings) -> Vec<MusicProblem> {
    media.prompts.iter().filter_map(|(_, path)| prompt(path).err()).collect()
}

fn prompt(path: &Path) -> Result<Vec<i16>, MusicProblem> {
    let pcm = file(path)?;
    if pcm.len() > LONGEST_PROMPT * TUNE_RATE as usize {
        let why =
            format!("it is longer than {LONGEST_PROMPT} s, which is too long to say one sign");
        return Err(MusicProblem::File { path: path.to_owned(), why });
    }
    Ok(pcm)
}

/// Whether it is to be played in a loop or once.
type How = fn(Codec, &[i16]) -> Result<Encoded, NoMusic>;

/// Encodes in all codecs, each on a thread of its own: the slow ones take longest together.
fn encode(pcm: &[i16], codecs: &[Codec], how: How) -> Result<Tune, NoMusic> {
    let mut tune = Tune::default();
    let encoded: Vec<_> = thread::scope(|scope| {
        let started: Vec<_> =
            codecs.iter().map(|codec| (*codec, scope.spawn(move || how(*codec, pcm)))).collect();
        started.into_iter().map(|(codec, thread)| (codec, thread.join())).collect()
    });
    for (codec, result) in encoded {
        match result {
            Ok(encoded) => tune.put(codec, encoded?),
            // What one codec cannot bear must not take the music of the others.
            Err(_) => tracing::error!("there is no music in {}", codec.encoding_name()),
        }
    }
    Ok(tune)
}

fn file(path: &Path) -> Result<Vec<i16>, MusicProblem> {
    decode(path).map_err(|why: Unreadable| MusicProblem::File {
        path: path.to_owned(),
        why: why.to_string(),
    })
}

/// All music files of a folder, one after another in the order of their names.
fn folder(path: &Path) -> Result<Vec<i16>, MusicProblem> {
    let unlisted = |error| MusicProblem::Folder { path: path.to_owned(), error };
    let mut files = Vec::new();
    for entry in path.read_dir().map_err(unlisted)? {
        let path = entry.map_err(unlisted)?.path();
        if path.is_file() && is_music(&path) {
            files.push(path);
        }
    }
    files.sort();
    let mut whole = Vec::new();
    for path_of_file in &files {
        whole.extend(file(path_of_file)?);
        if whole.len() > LONGEST * TUNE_RATE as usize {
            return Err(MusicProblem::TooLong { path: path.to_owned() });
        }
    }
    if whole.is_empty() {
        return Err(MusicProblem::EmptyFolder { path: path.to_owned() });
    }
    Ok(whole)
}

fn is_music(path: &Path) -> bool {
    let kind = path.extension().and_then(|e| e.to_str()).unwrap_or_default();
    SOUND_FILES.iter().any(|k| k.eq_ignore_ascii_case(kind))
}
