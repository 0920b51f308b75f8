//! The table, and how sure its numbers are.

use skyreels_eval::{Error, METRICS, bootstrap_mean, csv};

use crate::support::stage::{Stage, TIMES};

#[test]
fn the_table_has_a_line_for_each_pair_and_a_column_for_each_number() {
    let stage = Stage::new();
    stage.result("anna__talk.mp4", 1, &TIMES);
    let pairs = stage.directories.pairs_by_name().unwrap();
    let evaluation = stage.evaluate_motion(&pairs, &stage.options()).unwrap();
    let table = csv(&evaluation);
    let lines: Vec<Vec<&str>> = table.lines().map(|line| line.split(',').collect()).collect();
    assert_eq!(lines.len(), 2);
    assert_eq!(lines[0].len(), 4 + evaluation.summary.len() + 1, "name, truth, frames, numbers and the failure");
    assert_eq!((lines[1].len(), lines[1][0]), (lines[0].len(), "\"anna__talk\""));
    let column = lines[0].iter().position(|name| *name == "blendshape_l1").unwrap();
    assert_eq!(lines[1][column].parse::<f64>().unwrap(), evaluation.pairs[0].values["blendshape_l1"]);
    let known: Vec<&str> = METRICS.iter().map(|metric| metric.key).collect();
    assert!(evaluation.pairs[0].values.keys().all(|key| known.contains(&key.as_str())), "no number without a name");
}

#[test]
fn an_interval_holds_the_mean_and_shrinks_with_more_clips() {
    let values = |count: usize| (0..count).map(|i| (i % 7) as f64).collect::<Vec<_>>();
    let few = bootstrap_mean(&values(14), 500, 3).unwrap();
    let many = bootstrap_mean(&values(700), 500, 3).unwrap();
    assert!(few.low < 3.0 && 3.0 < few.high && many.low < 3.0 && 3.0 < many.high);
    assert!(many.high - many.low < (few.high - few.low) / 3.0);
    // For two values the means are 0, 1/2 and 1 with chances 1/4, 1/2, 1/4.
    let two = bootstrap_mean(&[0.0, 1.0], 2000, 1).unwrap();
    assert_eq!((two.low, two.high), (0.0, 1.0));
    assert_eq!(bootstrap_mean(&[2.0], 10, 0).unwrap().low, 2.0);
    assert!(matches!(bootstrap_mean(&[], 10, 0), Err(Error::Empty { .. })));
    assert!(matches!(bootstrap_mean(&[1.0, f64::NAN], 10, 0), Err(Error::NotFinite { .. })));
}
