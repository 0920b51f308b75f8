//! Rotary tables, sine-cosine positions and timestep codes.
//!
//! Names say sizes: `rope_{height}x{width}_{axis}_{function}` in pixels (with `x{frames}` behind
//! them, the pixel frames too), `sincos3d_d{width}_w{columns}_h{rows}_t{frames}`,
//! `time_embed_d{width}`. Tables without a size are those of the grid that a field called like
//! `rope_480x720x49` describes. A table that cannot be made is a failed row.

use burn::tensor::{Device, Tensor};
use serde_json::Value;
use skyreels_core::golden::{Golden, Report, Row, Tolerance};

use super::dit::timesteps;
use super::whole::{Whole, sizes};
use crate::Result;
use crate::transformer::{LATENT_PIXELS, Rotary, TransformerConfig, crop_region, sincos_positions, timestep_code};

/// Numbers of the largest table that is made for a name: five times a published one of full width.
const MAX_NUMBERS: usize = 1 << 28;

/// A table, or why there is none.
type Table = std::result::Result<Vec<f64>, String>;

pub(super) fn run(file: &Golden, device: &Device) -> Result<Report> {
    let mut report = Report::new(file);
    let tables = Tables { file, device, model: TransformerConfig::a1_5b(), whole: Whole::of(file) };
    for name in file.outputs() {
        let Some(expected) = file.expected(&name)? else { continue };
        let shape = &expected.values.shape;
        let table = if let Some(rest) = name.strip_prefix("rope_") {
            tables.rotary(rest, shape)
        } else if let Some(rest) = name.strip_prefix("sincos3d_d") {
            tables.sincos(rest)
        } else if let Some(rest) = name.strip_prefix("time_embed_d") {
            tables.times(rest)
        } else {
            // What is not recognised stays uncompared, and `finish` says so.
            continue;
        };
        match table {
            Ok(values) => {
                let fits = values.len() == shape.iter().product::<usize>();
                let ours = if fits { shape.clone() } else { vec![values.len()] };
                report.compare_values(file, &name, &ours, &values, Tolerance::Reference)?;
            }
            Err(reason) => report.rows.push(row(name, shape.clone(), Some(reason))),
        }
    }
    tables.compare_crops(&mut report);
    Ok(report.finish(file))
}

struct Tables<'a> {
    file: &'a Golden,
    device: &'a Device,
    /// The published configuration, for what the file leaves out.
    model: TransformerConfig,
    whole: Vec<Whole>,
}

impl Tables<'_> {
    fn rotary(&self, name: &str, shape: &[usize]) -> Table {
        let parts: Vec<&str> = name.split('_').collect();
        let (size, axis, function) = match parts.as_slice() {
            [axis, function] => (None, *axis, *function),
            [size, axis, function] => (Some(*size), *axis, *function),
            _ => return Err("the name is not `rope_{size}_{axis}_{function}`".into()),
        };
        let [length, width] = shape.last_chunk::<2>().copied().unwrap_or([1, shape.last().copied().unwrap_or(0)]);
        let head_dim = match axis {
            "t" => width.checked_mul(4),
            "h" | "w" => width.is_multiple_of(3).then_some(width / 3).and_then(|eighth| eighth.checked_mul(8)),
            "rows" | "colsum" => Some(width),
            _ => return Err(format!("`{axis}` is not an axis")),
        };
        let head_dim = head_dim.ok_or_else(|| format!("no head has {width} numbers for this axis"))?;
        // The codes of one axis are the same whatever there is along the others, but that rows and
        // columns are fitted into the base grid together.
        let grid = match (axis, size) {
            ("t", _) => [length, 1, 1],
            (_, Some(size)) => self.grid_of(size).ok_or_else(|| format!("`{size}` is not a size"))?,
            (_, None) => self.whole_grid(axis, length)?,
        };
        let grid = if matches!(axis, "h" | "w") { [1, grid[1], grid[2]] } else { grid };
        let numbers = grid.iter().try_fold(head_dim, |product, side| product.checked_mul(*side));
        if numbers.is_none_or(|numbers| numbers > MAX_NUMBERS) {
            return Err(format!("a grid of {grid:?} is too large"));
        }
        let tables = Rotary::new(head_dim, grid, self.model.base_grid(), self.device).map_err(|e| e.to_string())?;
        let values = match function {
            "cos" => host(tables.cos()),
            "sin" => host(tables.sin()),
            _ => return Err(format!("`{function}` is not a function")),
        };
        let [frames, rows, columns] = grid;
        let part = |count: usize, stride: usize, from: usize| -> Vec<f64> {
            let starts = (0..count).map(|i| i * stride * head_dim + from);
            starts.flat_map(|start| &values[start..][..width]).copied().collect()
        };
        match axis {
            "t" => Ok(part(frames, 1, 0)),
            "h" => Ok(part(rows, columns, head_dim / 4)),
            "w" => Ok(part(columns, 1, head_dim / 4 + width)),
            "rows" => self.select("rope_rows", &values, head_dim),
            _ => Ok(sum_columns(&values, head_dim)),
        }
    }

    fn sincos(&self, name: &str) -> Table {
        let mut parts = name.split('_');
        let width = parts.next().and_then(|digits| digits.parse().ok()).ok_or("the width is not a number")?;
        let rest: Vec<&str> = parts.collect();
        let side = |letter: &str| -> Option<usize> {
            rest.iter().find_map(|part| part.strip_prefix(letter).and_then(|digits| digits.parse().ok()))
        };
        match rest.as_slice() {
            ["rows"] => {
                let table = self.positions(width, self.whole_grid("rows", 0)?)?;
                self.select("sincos_rows", &table, width)
            }
            ["colsum"] => Ok(sum_columns(&self.positions(width, self.whole_grid("colsum", 0)?)?, width)),
            _ => match (side("t"), side("h"), side("w")) {
                (Some(frames), Some(rows), Some(columns)) => self.positions(width, [frames, rows, columns]),
                _ => Err("the name says neither rows, colsum nor w, h and t".into()),
            },
        }
    }

    fn positions(&self, width: usize, grid: [usize; 3]) -> Table {
        let numbers = grid.iter().try_fold(width, |product, side| product.checked_mul(*side));
        if numbers.is_none_or(|numbers| numbers > MAX_NUMBERS) {
            return Err(format!("a grid of {grid:?} is too large"));
        }
        let scales = [
            self.number("spatial_interpolation_scale", self.model.spatial_interpolation_scale),
            self.number("temporal_interpolation_scale", self.model.temporal_interpolation_scale),
        ];
        sincos_positions(width, grid, scales, self.device).map(host).map_err(|error| error.to_string())
    }

    fn times(&self, width: &str) -> Table {
        let width: usize = width.parse().map_err(|_| "the width is not a number")?;
        let times = timesteps(self.file, "time_t").map_err(|error| error.to_string())?;
        if width.checked_mul(times.len().max(1)).is_none_or(|numbers| numbers > MAX_NUMBERS) {
            return Err(format!("a width of {width} is too large"));
        }
        let TransformerConfig { flip_sin_to_cos, freq_shift, .. } = self.model;
        Ok(host(timestep_code(&times, width, flip_sin_to_cos, freq_shift, self.device)))
    }

    /// A positive number of the file's configuration or of the file itself, else that of the
    /// published model.
    fn number(&self, field: &str, published: f64) -> f64 {
        let told = self.file.config(&format!("/{field}")).ok().or_else(|| self.file.field(field)?.as_f64());
        told.filter(|number: &f64| number.is_finite() && *number > 0.0).unwrap_or(published)
    }

    /// The grid of `{height}x{width}` or `{height}x{width}x{frames}` pixels.
    fn grid_of(&self, size: &str) -> Option<[usize; 3]> {
        let numbers: Option<Vec<usize>> = size.split('x').map(|digits| digits.parse().ok()).collect();
        let patch = LATENT_PIXELS * self.model.patch_size;
        match numbers?.as_slice() {
            [height, width] => Some([1, height / patch, width / patch]),
            [height, width, frames] => {
                let frames = frames.checked_sub(1)? / self.model.temporal_compression_ratio + 1;
                Some([frames, height / patch, width / patch])
            }
            _ => None,
        }
    }

    /// The grid of tables without a size: of several, the first whose `axis` is `length` long.
    fn whole_grid(&self, axis: &str, length: usize) -> std::result::Result<[usize; 3], String> {
        let fits = |grid: &[usize; 3]| match axis {
            "h" => grid[1] == length,
            "w" => grid[2] == length,
            _ => true,
        };
        let grids = || self.whole.iter().map(|whole| whole.grid);
        let grid = grids().find(fits).or_else(|| grids().next());
        grid.ok_or_else(|| "no field like `rope_480x720x49` with a `grid` says the size".into())
    }

    /// Rows of `table` that the input `name` numbers.
    fn select(&self, name: &str, table: &[f64], width: usize) -> Table {
        let mut values = Vec::new();
        for row in self.file.input(name).map_err(|error| error.to_string())?.data {
            let at = (row >= 0.0 && row.fract() == 0.0).then_some(row as usize);
            let from = at.and_then(|row| row.checked_mul(width));
            let row = from.and_then(|from| table.get(from..from.checked_add(width)?));
            values.extend_from_slice(row.ok_or_else(|| format!("input `{name}` numbers a row that is not there"))?);
        }
        Ok(values)
    }

    /// The crop regions are not tensors: each wrong one is a failed row.
    fn compare_crops(&self, report: &mut Report) {
        let listed = self.file.field("rope_sizes").and_then(Value::as_array).into_iter().flatten();
        let listed = listed.filter_map(|entry| {
            let grid = entry.get("grid")?;
            let grid = sizes::<2>(grid).or_else(|| sizes::<3>(grid).map(|[_, rows, columns]| [rows, columns]))?;
            Some((grid, entry.get("crop")?))
        });
        let whole = self.whole.iter().filter_map(|whole| Some(([whole.grid[1], whole.grid[2]], whole.crop.as_ref()?)));
        for (grid, crop) in listed.chain(whole) {
            let theirs: Vec<_> = crop.as_array().into_iter().flatten().filter_map(sizes::<2>).collect();
            let ours = crop_region(grid, self.model.base_grid());
            let failure = (theirs != ours).then(|| format!("crop is {ours:?}, expected {theirs:?}"));
            let row =
                Row { max_abs: 0.0, rel_l2: 0.0, ..row(format!("crop {}x{}", grid[0], grid[1]), vec![2, 2], failure) };
            report.rows.push(row);
        }
    }
}

fn row(tensor: String, shape: Vec<usize>, failure: Option<String>) -> Row {
    Row { tensor, shape, max_abs: f64::NAN, rel_l2: f64::NAN, reference: None, tolerance: 0.0, failure }
}

fn sum_columns(table: &[f64], width: usize) -> Vec<f64> {
    table.chunks_exact(width).fold(vec![0.0; width], |mut sums, row| {
        sums.iter_mut().zip(row).for_each(|(sum, value)| *sum += value);
        sums
    })
}

fn host(table: Tensor<2>) -> Vec<f64> {
    table.into_data().iter::<f64>().collect()
}
