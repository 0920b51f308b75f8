//! Samples of fragmented files: their tables are spread over `moof` boxes (ISO/IEC 14496-12, 8.8).

use shiguredo_mp4::Decode;
use shiguredo_mp4::boxes::{MoofBox, MvexBox, TrafBox, TrexBox};

use super::mp4::{Sample, Track};

/// Appends the samples of all fragments, each given with its place in the file.
pub(super) fn append(
    tracks: &mut [Track],
    mvex: &Option<MvexBox>,
    fragments: &[(u64, Vec<u8>)],
    max_samples: u64,
) -> Result<(), String> {
    for (start, bytes) in fragments {
        let (moof, _) = MoofBox::decode(bytes).map_err(|e| format!("the fragment at byte {start}: {e}"))?;
        // Without any base flag, a track's data follow those of the track before it in the fragment.
        let mut next = *start;
        for (index, traf) in moof.traf_boxes.iter().enumerate() {
            let base = match traf.tfhd_box.base_data_offset {
                Some(offset) => offset,
                None if traf.tfhd_box.default_base_is_moof || index == 0 => *start,
                None => next,
            };
            let id = traf.tfhd_box.track_id;
            let defaults = mvex.as_ref().and_then(|mvex| mvex.trex_boxes.iter().find(|trex| trex.track_id == id));
            match tracks.iter_mut().find(|track| track.id == id) {
                Some(track) => {
                    next = append_track(track, traf, defaults, base)
                        .ok_or_else(|| format!("the fragment at byte {start} has impossible times or offsets"))?;
                    if track.samples.len() as u64 > max_samples {
                        return Err(format!("track {id} lists more than {max_samples} samples, the limit"));
                    }
                }
                None => next = base,
            }
        }
    }
    Ok(())
}

/// Returns where the track's data end; `None` when a number overflows.
fn append_track(track: &mut Track, traf: &TrafBox, defaults: Option<&TrexBox>, base: u64) -> Option<u64> {
    let header = &traf.tfhd_box;
    let mut time = match &traf.tfdt_box {
        Some(tfdt) => i64::try_from(tfdt.base_media_decode_time).ok()?,
        None => track.samples.last().map_or(0, |last| last.decode_time + i64::from(last.duration)),
    };
    let default_flags = header.default_sample_flags.or(defaults.map(|trex| trex.default_sample_flags));
    let mut offset = base;
    for run in &traf.trun_boxes {
        if let Some(relative) = run.data_offset {
            offset = base.checked_add_signed(relative.into())?;
        }
        for (index, sample) in run.samples.iter().enumerate() {
            let duration =
                sample.duration.or(header.default_sample_duration).or(defaults.map(|d| d.default_sample_duration));
            let size = sample.size.or(header.default_sample_size).or(defaults.map(|d| d.default_sample_size));
            let (duration, size) = (duration.unwrap_or(0), size.unwrap_or(0));
            let first = run.first_sample_flags.filter(|_| index == 0);
            let flags = first.or(sample.flags).or(default_flags);
            track.samples.push(Sample {
                offset,
                size,
                decode_time: time,
                composition_offset: sample.composition_time_offset.unwrap_or(0),
                duration,
                key_frame: flags.is_none_or(|flags| !flags.sample_is_non_sync_sample()),
            });
            time = time.checked_add(duration.into())?;
            offset = offset.checked_add(size.into())?;
        }
    }
    Some(offset)
}
