//! Rotary tables, sine-cosine positions and timestep codes.
//!
//! Names say sizes: `rope_{height}x{width}_{axis}_{function}` in pixels, `sincos3d_d{width}_..`,
//! `time_embed_d{width}`. Tables without a size are those of the grid under `rope_480x720x49`.

use burn::tensor::{Device, Tensor};
use serde_json::Value;
use skyreels_core::Error as CoreError;
use skyreels_core::golden::{Golden, Report, Row, Tolerance};

use crate::Result;
use crate::transformer::{Rotary, crop_region, sincos_positions, timestep_code};

/// Pixels along the side of a patch: 8 of the autoencoder times 2 of the transformer.
const PATCH_PIXELS: usize = 16;
/// Scales of the published configuration: spatial, temporal.
const SCALES: [f64; 2] = [1.875, 1.0];
/// Field that describes the whole rotary table.
const WHOLE: &str = "rope_480x720x49";

pub(super) fn run(file: &Golden, device: &Device) -> Result<Report> {
    let mut report = Report::new(file);
    for name in file.outputs() {
        let Some(expected) = file.expected(&name)? else { continue };
        let shape = &expected.values.shape;
        let table = if let Some(rest) = name.strip_prefix("rope_") {
            rotary(file, rest, shape, device)?
        } else if let Some(rest) = name.strip_prefix("sincos3d_d") {
            sincos(file, rest, device)?
        } else if let Some(width) = name.strip_prefix("time_embed_d") {
            let timesteps: Vec<usize> = file.input("time_t")?.data.iter().map(|t| *t as usize).collect();
            width.parse().ok().map(|width| host(timestep_code(&timesteps, width, device)))
        } else {
            None
        };
        // What is not recognised stays uncompared, and `finish` says so.
        if let Some(values) = table {
            let fits = values.len() == shape.iter().product::<usize>();
            let ours = if fits { shape.clone() } else { vec![values.len()] };
            report.compare_values(file, &name, &ours, &values, Tolerance::Reference)?;
        }
    }
    compare_crops(file, &mut report);
    Ok(report.finish(file))
}

fn rotary(file: &Golden, name: &str, shape: &[usize], device: &Device) -> Result<Option<Vec<f64>>> {
    let parts: Vec<&str> = name.split('_').collect();
    let (grid, axis, function) = match parts.as_slice() {
        [axis, function] => (whole_grid(file)?, *axis, *function),
        [size, axis, function] => {
            let Some((height, width)) = size.split_once('x') else { return Ok(None) };
            let (Ok(height), Ok(width)) = (height.parse::<usize>(), width.parse::<usize>()) else { return Ok(None) };
            ([1, height / PATCH_PIXELS, width / PATCH_PIXELS], *axis, *function)
        }
        _ => return Ok(None),
    };
    let Some(width) = shape.last().copied() else { return Ok(None) };
    let head_dim = match axis {
        "t" => width * 4,
        "h" | "w" => width * 8 / 3,
        _ => width,
    };
    let tables = Rotary::new(head_dim, grid, device)?;
    let table = match function {
        "cos" => tables.cos(),
        "sin" => tables.sin(),
        _ => return Ok(None),
    };
    let [frames, rows, columns] = grid;
    let values = host(table);
    let part = |tokens: &[usize], from: usize, width: usize| -> Vec<f64> {
        tokens.iter().flat_map(|token| &values[token * head_dim + from..][..width]).copied().collect()
    };
    let every = |count: usize, stride: usize| (0..count).map(|i| i * stride).collect::<Vec<_>>();
    Ok(Some(match axis {
        "t" => part(&every(frames, rows * columns), 0, width),
        "h" => part(&every(rows, columns), head_dim / 4, width),
        "w" => part(&every(columns, 1), head_dim / 4 + width, width),
        "rows" => select(file, "rope_rows", &values, head_dim)?,
        "colsum" => sum_columns(&values, head_dim),
        _ => return Ok(None),
    }))
}

fn sincos(file: &Golden, name: &str, device: &Device) -> Result<Option<Vec<f64>>> {
    let parts: Vec<&str> = name.split('_').collect();
    let number = |part: &str, letter: &str| part.strip_prefix(letter).and_then(|digits| digits.parse::<usize>().ok());
    let Some(width) = number(parts[0], "") else { return Ok(None) };
    let positions = |grid| host(sincos_positions(width, grid, SCALES, device));
    Ok(match parts[1..] {
        ["rows"] => Some(select(file, "sincos_rows", &positions(whole_grid(file)?), width)?),
        ["colsum"] => Some(sum_columns(&positions(whole_grid(file)?), width)),
        [columns, rows, frames] => match (number(columns, "w"), number(rows, "h"), number(frames, "t")) {
            (Some(columns), Some(rows), Some(frames)) => Some(positions([frames, rows, columns])),
            _ => None,
        },
        _ => None,
    })
}

/// Rows of `table` that the input `name` numbers.
fn select(file: &Golden, name: &str, table: &[f64], width: usize) -> Result<Vec<f64>> {
    let mut values = Vec::new();
    for row in file.input(name)?.data {
        let from = row as usize * width;
        let row = table.get(from..from + width).ok_or_else(|| {
            CoreError::malformed(file.path(), "golden file", format!("input `{name}`: there is no row {row}"))
        })?;
        values.extend_from_slice(row);
    }
    Ok(values)
}

fn sum_columns(table: &[f64], width: usize) -> Vec<f64> {
    table.chunks_exact(width).fold(vec![0.0; width], |mut sums, row| {
        sums.iter_mut().zip(row).for_each(|(sum, value)| *sum += value);
        sums
    })
}

fn whole_grid(file: &Golden) -> Result<[usize; 3]> {
    let grid = file.field(WHOLE).and_then(|field| sizes::<3>(field.get("grid")?));
    Ok(grid
        .ok_or_else(|| CoreError::malformed(file.path(), "golden file", format!("field `{WHOLE}.grid` is absent")))?)
}

/// The crop regions are not tensors: each wrong one is a failed row.
fn compare_crops(file: &Golden, report: &mut Report) {
    let described = file.field("rope_sizes").and_then(Value::as_array).into_iter().flatten().chain(file.field(WHOLE));
    for entry in described {
        let (Some(grid), Some(crop)) = (entry.get("grid"), entry.get("crop").and_then(Value::as_array)) else {
            continue;
        };
        let Some(grid) = sizes::<2>(grid).or_else(|| sizes::<3>(grid).map(|[_, rows, columns]| [rows, columns])) else {
            continue;
        };
        let theirs: Vec<_> = crop.iter().filter_map(sizes::<2>).collect();
        let ours = crop_region(grid);
        let failure = (theirs != ours).then(|| format!("crop is {ours:?}, expected {theirs:?}"));
        report.rows.push(Row {
            tensor: format!("crop {}x{}", grid[0], grid[1]),
            shape: vec![2, 2],
            max_abs: 0.0,
            rel_l2: 0.0,
            reference: None,
            tolerance: 0.0,
            failure,
        });
    }
}

fn sizes<const N: usize>(value: &Value) -> Option<[usize; N]> {
    let numbers: Option<Vec<usize>> = value.as_array()?.iter().map(|n| n.as_u64().map(|n| n as usize)).collect();
    numbers?.try_into().ok()
}

fn host(table: Tensor<2>) -> Vec<f64> {
    table.into_data().iter::<f64>().collect()
}
