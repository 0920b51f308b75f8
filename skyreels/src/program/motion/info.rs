//! `skyreels motion info`.

use std::fmt::Write;

use serde_json::json;
use skyreels::core::{Error as CoreError, Limits};
use skyreels::landmarks::{BLENDSHAPE_NAMES, ExpressionMode, Motion, MotionFrame};

use super::{Info, Outcome, Reporter, Result};

/// How many of the strongest expressions are listed.
const STRONGEST: usize = 8;

/// Smallest and largest of a quantity over the motion.
fn range(motion: &Motion, value: impl Fn(&MotionFrame) -> f64) -> [f64; 2] {
    let values = motion.frames().iter().map(value);
    values.fold([f64::INFINITY, f64::NEG_INFINITY], |[low, high], v| [low.min(v), high.max(v)])
}

pub fn run(args: &Info, reporter: &Reporter) -> Result {
    let motion = Motion::open(&args.motion, &Limits::default())?;
    let bytes = std::fs::metadata(&args.motion).map_err(CoreError::io("read", &args.motion))?.len();
    let (frames, counts) = (motion.frames().len(), motion.counts());
    let degrees = [
        ("yaw", range(&motion, |frame| frame.turns().yaw)),
        ("pitch", range(&motion, |frame| frame.turns().pitch)),
        ("roll", range(&motion, |frame| frame.turns().roll)),
    ];
    let sizes = *motion.proportions();
    let ratio = |gap: f32, width: f32| if width > 0.0 { f64::from(gap / width) } else { 0.0 };
    let open = [
        ("right eye", range(&motion, |frame| ratio(frame.openness.eyes[0], sizes.eye_width[0]))),
        ("left eye", range(&motion, |frame| ratio(frame.openness.eyes[1], sizes.eye_width[1]))),
        ("mouth", range(&motion, |frame| ratio(frame.openness.mouth, sizes.mouth_width))),
    ];
    let mut strongest: Vec<(&str, f64)> = (0..BLENDSHAPE_NAMES.len())
        .map(|k| (BLENDSHAPE_NAMES[k], range(&motion, |f| f.blendshapes[k].into())[1]))
        .collect();
    strongest.sort_by(|a, b| b.1.total_cmp(&a.1));
    strongest.truncate(STRONGEST);
    let absolute = motion.expression_mode() == ExpressionMode::Absolute;
    let flame = motion.frames()[0].flame.is_some();
    let apertures = motion.frames().iter().any(|frame| frame.apertures != Default::default());

    let mut text = String::new();
    let mut row = |name: &str, value: String| writeln!(text, "{name:<12} {value}").expect("a string takes any text");
    row("file", format!("{} ({bytes} bytes, {:.0} a frame)", args.motion.display(), bytes as f64 / frames as f64));
    row("length", format!("{frames} frames at {} per second, {:.3} s", motion.rate(), motion.seconds()));
    row("face", format!("{} seen, {} held, {} interpolated", counts.seen, counts.held, counts.interpolated));
    row("rest", if motion.has_own_rest() { "its own".into() } else { "the first frame".into() });
    row("neutral", format!("most in frame {}", motion.most_neutral()));
    row("expression", if absolute { "absolute".into() } else { "relative".into() });
    row("apertures", if apertures { "by ratio".into() } else { "as driven".into() });
    row(
        "FLAME",
        match (flame, motion.flame_shape().is_some()) {
            (false, false) => "no".into(),
            (true, false) => "yes, without shape".into(),
            (_, true) => "yes, with the driver's shape".into(),
        },
    );
    for (name, [low, high]) in degrees {
        row(name, format!("{low:+.1} to {high:+.1} degrees"));
    }
    for (name, [low, high]) in open {
        row(name, format!("{low:.2} to {high:.2} of its width open"));
    }
    row("strongest", strongest.iter().map(|(name, most)| format!("{name} {most:.2}")).collect::<Vec<_>>().join(", "));

    let ranges = |rows: &[(&str, [f64; 2])]| -> serde_json::Map<String, serde_json::Value> {
        rows.iter().map(|(name, range)| (name.replace(' ', "_"), json!(range))).collect()
    };
    let object = json!({
        "event": "motion", "file": args.motion, "bytes": bytes, "frames": frames, "rate": motion.rate(),
        "seconds": motion.seconds(), "seen": counts.seen, "held": counts.held, "interpolated": counts.interpolated,
        "own_rest": motion.has_own_rest(), "most_neutral": motion.most_neutral(),
        "expression": motion.expression_mode(), "apertures": apertures, "flame": flame,
        "flame_shape": motion.flame_shape().is_some(), "degrees": ranges(&degrees), "open": ranges(&open),
        "strongest": strongest.iter().map(|(name, most)| ((*name).to_owned(), json!(most))).collect::<serde_json::Map<_, _>>(),
    });
    reporter.result(text.trim_end(), object);
    Ok(Outcome::Done)
}
