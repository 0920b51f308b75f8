//! The controls over a motion as flags, the same for every command that moves something.

use std::path::{Path, PathBuf};

use clap::{Args, ValueEnum};
use skyreels::core::Error as CoreError;
use skyreels::landmarks::{Aperture, ExpressionMode, MotionEdit, Neutral, Region, Repeat, Trim};

use super::Result;
use super::source::request;

/// No edit written by a person comes near this.
const MAX_EDIT_BYTES: u64 = 1 << 20;

/// What to change about the motion; all off by default. They act in one order, whatever the order of the flags: trim,
/// smoothing, neutral, region, multiplier, sliders, pose, eyes and lips, speed and rate, repeat.
#[derive(Debug, Default, Args)]
#[command(next_help_heading = "Motion controls")]
pub struct Controls {
    /// Controls from a JSON file; flags beside it win.
    #[arg(long, value_name = "FILE")]
    pub edit: Option<PathBuf>,
    /// Only this part of the motion, in seconds: START:END, either may be left out.
    #[arg(long, value_name = "START:END")]
    pub trim: Option<Trim>,
    /// Weight of the newest expression in a running mean, above 0 and up to 1, which is off.
    #[arg(long, value_name = "WEIGHT")]
    pub smooth: Option<f64>,
    /// The same for the pose.
    #[arg(long, value_name = "WEIGHT")]
    pub smooth_pose: Option<f64>,
    /// The frame whose expression the portrait is taken to show: keep, most-neutral, or its number.
    #[arg(long, value_name = "FRAME")]
    pub neutral: Option<Neutral>,
    /// Whether expressions are added to the portrait's own or replace it.
    #[arg(long, value_enum)]
    pub expression: Option<Expression>,
    /// What moves: all, expression, pose, lips, eyes; several with commas.
    #[arg(long, value_delimiter = ',')]
    pub region: Vec<Region>,
    /// How far everything goes from the rest: 1 as the driver, 0 not at all.
    #[arg(long, value_name = "FACTOR")]
    pub multiplier: Option<f64>,
    /// An expression added to every frame, NAME=VALUE with -1 to 1, for example mouthSmileLeft=0.5; any number of times.
    #[arg(long, value_name = "NAME=VALUE", value_parser = parse_slider)]
    pub slider: Vec<(String, f64)>,
    /// Turn of the head to the person's left, in degrees.
    #[arg(long, value_name = "DEGREES", allow_negative_numbers = true)]
    pub yaw: Option<f64>,
    /// Turn of the head upwards, in degrees.
    #[arg(long, value_name = "DEGREES", allow_negative_numbers = true)]
    pub pitch: Option<f64>,
    /// Tilt of the head towards the person's left shoulder, in degrees.
    #[arg(long, value_name = "DEGREES", allow_negative_numbers = true)]
    pub roll: Option<f64>,
    /// How far the eyes are open: driver, or a ratio of lid gap to eye width.
    #[arg(long, value_name = "RATIO")]
    pub eyes: Option<Aperture>,
    /// How far the lips are open: driver, or a ratio of their gap to the mouth's width.
    #[arg(long, value_name = "RATIO")]
    pub lips: Option<Aperture>,
    /// Times as fast.
    #[arg(long, value_name = "FACTOR")]
    pub speed: Option<f64>,
    /// Frames per second of the edited motion.
    #[arg(long, value_name = "RATE")]
    pub to_rate: Option<f64>,
    /// Number of frames of the edited motion, before it is repeated.
    #[arg(long, value_name = "COUNT")]
    pub to_frames: Option<usize>,
    /// loop:TIMES or ping-pong:TIMES.
    #[arg(long, value_name = "MODE")]
    pub repeat: Option<Repeat>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Expression {
    /// Added to the portrait's own.
    Relative,
    /// In place of the portrait's own.
    Absolute,
}

impl Controls {
    /// The edit that file and flags ask for.
    pub fn to_edit(&self) -> Result<MotionEdit> {
        let mut edit = match &self.edit {
            Some(path) => read_edit(path)?,
            None => MotionEdit::default(),
        };
        edit.trim = self.trim.or(edit.trim);
        set(&mut edit.smoothing.expression, self.smooth);
        set(&mut edit.smoothing.pose, self.smooth_pose);
        set(&mut edit.neutral, self.neutral);
        edit.expression = match self.expression {
            Some(Expression::Relative) => Some(ExpressionMode::Relative),
            Some(Expression::Absolute) => Some(ExpressionMode::Absolute),
            None => edit.expression,
        };
        if !self.region.is_empty() {
            edit.regions.clone_from(&self.region);
        }
        set(&mut edit.multiplier, self.multiplier);
        edit.sliders.extend(self.slider.iter().cloned());
        set(&mut edit.pose.yaw, self.yaw);
        set(&mut edit.pose.pitch, self.pitch);
        set(&mut edit.pose.roll, self.roll);
        edit.eyes = self.eyes.or(edit.eyes);
        edit.lips = self.lips.or(edit.lips);
        set(&mut edit.retime.speed, self.speed);
        edit.retime.rate = self.to_rate.or(edit.retime.rate);
        edit.retime.frames = self.to_frames.or(edit.retime.frames);
        edit.repeat = self.repeat.or(edit.repeat);
        edit.check()?;
        Ok(edit)
    }
}

fn set<T>(value: &mut T, asked: Option<T>) {
    if let Some(asked) = asked {
        *value = asked;
    }
}

fn read_edit(path: &Path) -> Result<MotionEdit> {
    use std::io::Read;
    let mut text = String::new();
    let file = std::fs::File::open(path).map_err(CoreError::io("read", path))?;
    file.take(MAX_EDIT_BYTES).read_to_string(&mut text).map_err(CoreError::io("read", path))?;
    MotionEdit::from_json(&text).map_err(|error| request("edit", format!("{}: {error}", path.display())))
}

fn parse_slider(text: &str) -> Result<(String, f64), String> {
    let (name, value) = text.split_once('=').ok_or("write it as NAME=VALUE, for example jawOpen=0.5")?;
    let value = value.parse().map_err(|_| format!("`{value}` is not a number"))?;
    Ok((name.to_owned(), value))
}
