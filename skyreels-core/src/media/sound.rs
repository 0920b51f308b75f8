//! The sound that goes along with a video.

use std::path::Path;

use super::audio;
use super::mp4::Movie;
use crate::{Error, Limits, Result};

/// Sound of an MP4, MOV or M4A file, opened and checked: its packets are copied as they are, never decoded.
///
/// The file stays open, so that what was found here is there when the video is written, however long that takes.
#[derive(Debug)]
pub struct Sound {
    pub(super) movie: Movie,
}

impl Sound {
    /// Opens the sound of `path`; `None` when the file has none.
    ///
    /// # Errors
    /// [`Error::Io`] when the file cannot be read, [`Error::Malformed`] when it is damaged or a packet of its sound
    /// lies beyond its end, [`Error::Unsupported`] when it is of another format, [`Error::Limit`] when it is too large.
    pub fn open(path: impl AsRef<Path>, limits: &Limits) -> Result<Option<Self>> {
        let path = path.as_ref();
        // Sound comes from MP4 alone, because only its packets can go into an MP4 file as they are.
        match super::video::check_container(path) {
            Ok(()) => {}
            Err(Error::Io { action, path, source }) => return Err(Error::Io { action, path, source }),
            Err(_) => {
                let help = "convert it with `ffmpeg -i INPUT -vn -c:a aac OUTPUT.m4a`";
                let what = "sound from anything but MP4, MOV or M4A".into();
                return Err(Error::Unsupported { path: path.to_path_buf(), what, help: help.into() });
            }
        }
        let movie = Movie::open(path, limits)?;
        let Some(track) = audio::sound_of(&movie) else { return Ok(None) };
        track.samples.iter().try_for_each(|packet| movie.check(packet))?;
        Ok(Some(Self { movie }))
    }
}
