//! Golden files that are not as usual: the runner serves them, or says what is wrong.

use serde_json::{Value, json};
use skyreels_core::Device;
use skyreels_core::golden::Report;
use skyreels_dit::golden;

use crate::common::{edited, made};

const TABLES: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../tests/golden/tables.json");
const VARIANTS: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/golden/dit_variants.json");

fn failures(report: &Report) -> Vec<(&str, &str)> {
    report.rows.iter().filter_map(|row| Some((row.tensor.as_str(), row.failure.as_deref()?))).collect()
}

fn tables(fields: Value, tensors: &[(&str, Vec<usize>, Vec<f32>)]) -> Report {
    let mut json = json!({ "kind": "tables", "name": "made", "config": {} });
    json.as_object_mut().unwrap().extend(fields.as_object().unwrap().clone());
    let folder = tempfile::tempdir().unwrap();
    golden::run(&made(folder.path(), &json, tensors), &Device::flex()).unwrap()
}

/// `cos` of `positions` times the frequencies of `width` numbers, each twice.
fn codes(positions: &[f64], width: usize) -> Vec<f32> {
    let angle = |at: f64, i: usize| at * 10_000_f64.powf(-2.0 * (i / 2) as f64 / width as f64);
    positions.iter().flat_map(|at| (0..width).map(move |i| angle(*at, i).cos() as f32)).collect()
}

#[test]
fn a_differing_rotary_table_is_a_failed_row_and_the_rest_is_compared() {
    let folder = tempfile::tempdir().unwrap();
    let file = edited(VARIANTS, folder.path(), |_, header, data| {
        let from = header["in.rope_sin"]["data_offsets"][0].as_u64().unwrap() as usize;
        // The second row: the first has angles of zero.
        data[from + 64..from + 128].fill(0);
    });
    let report = golden::run(&file, &Device::flex()).unwrap();
    assert_eq!(failures(&report), [("in.rope_sin", "not the table of these sizes")], "{report}");
    assert!(report.rows.iter().any(|row| row.tensor == "sample"));
}

#[test]
fn a_rotary_table_of_another_shape_is_a_failed_row_too() {
    let folder = tempfile::tempdir().unwrap();
    let file = edited(VARIANTS, folder.path(), |_, header, _| {
        let shape = header["in.rope_cos"]["shape"].as_array().unwrap().clone();
        header["in.rope_cos"]["shape"] = json!([shape[1], shape[0]]);
    });
    let report = golden::run(&file, &Device::flex()).unwrap();
    assert_eq!(failures(&report), [("in.rope_cos", "shape [40, 16]")], "{report}");
}

#[test]
fn a_timestep_that_is_none_is_an_error() {
    let folder = tempfile::tempdir().unwrap();
    let file = edited(VARIANTS, folder.path(), |_, header, data| {
        let from = header["in.timestep"]["data_offsets"][0].as_u64().unwrap() as usize;
        data[from..from + 8].copy_from_slice(&(-1_i64).to_le_bytes());
    });
    let error = golden::run(&file, &Device::flex()).unwrap_err().to_string();
    assert!(error.contains("timestep"), "{error}");
}

#[test]
fn the_whole_table_may_be_called_by_any_size() {
    let folder = tempfile::tempdir().unwrap();
    let file = edited(TABLES, folder.path(), |json, _, _| {
        let whole = json.as_object_mut().unwrap().remove("rope_480x720x49").unwrap();
        json["rope_16x16x5"] = json!({ "grid": [2, 4, 4] });
        json["rope_487x727x52"] = whole;
    });
    let report = golden::run(&file, &Device::flex()).unwrap();
    // Rows and sums do not say which table they are of; the lengths of axes do.
    let failed: Vec<&str> = failures(&report).into_iter().map(|(name, _)| name).collect();
    assert!(failed.iter().all(|name| name.contains("rows") || name.contains("colsum")), "{failed:?}");

    let folder = tempfile::tempdir().unwrap();
    let file = edited(TABLES, folder.path(), |json, _, _| {
        let whole = json.as_object_mut().unwrap().remove("rope_480x720x49").unwrap();
        json["rope_487x727x52"] = whole;
    });
    let report = golden::run(&file, &Device::flex()).unwrap();
    assert!(report.passed(), "{report}");
}

#[test]
fn without_a_description_tables_of_known_sizes_are_still_compared() {
    let folder = tempfile::tempdir().unwrap();
    let file = edited(TABLES, folder.path(), |json, _, _| {
        json.as_object_mut().unwrap().remove("rope_480x720x49").unwrap();
    });
    let report = golden::run(&file, &Device::flex()).unwrap();
    assert!(failures(&report).iter().all(|(_, reason)| reason.contains("rope_480x720x49")), "{report}");
    let row = |name: &str| report.rows.iter().find(|row| row.tensor == name).unwrap();
    assert!(row("rope_320x512_w_cos").failure.is_none() && row("sincos3d_d32_w6_h4_t3").failure.is_none());
    assert!(row("rope_h_cos").failure.is_some());
}

#[test]
fn tables_of_time_have_as_many_frames_as_the_answer() {
    let times = codes(&[0.0, 1.0, 2.0, 3.0, 4.0, 5.0, 6.0], 16);
    let rows = codes(&(0..30).map(f64::from).collect::<Vec<_>>(), 24);
    let tensors = [
        ("out.rope_320x512_t_cos", vec![7, 16], times.clone()),
        ("out.rope_320x512x25_t_cos", vec![7, 16], times),
        ("out.rope_480x720x9_h_cos", vec![30, 24], rows),
    ];
    let report = tables(json!({}), &tensors);
    assert!(report.passed(), "{report}");
}

#[test]
fn scales_of_the_file_come_before_those_of_the_published_model() {
    // One frame of 1 x 2 patches, 16 wide: 4 numbers for the frame, 6 for column and row each.
    let values = |scale: f64| -> Vec<f32> {
        let code = |at: f64, width: usize| {
            let angle = move |k: usize| at * 10_000_f64.powf(-(k as f64) / (width / 2) as f64);
            let half = move || 0..width / 2;
            half().map(move |k| angle(k).sin() as f32).chain(half().map(move |k| angle(k).cos() as f32)).collect()
        };
        let of = |column: f64| -> Vec<f32> {
            let parts: [Vec<f32>; 3] = [code(0.0, 4), code(column / scale, 6), code(0.0, 6)];
            parts.concat()
        };
        [of(0.0), of(1.0)].concat()
    };
    let tensor = |scale| [("out.sincos3d_d16_w2_h1_t1", vec![1, 2, 16], values(scale))];
    assert!(tables(json!({}), &tensor(1.875)).passed());
    assert!(!tables(json!({}), &tensor(1.25)).passed());
    assert!(tables(json!({ "config": { "spatial_interpolation_scale": 1.25 } }), &tensor(1.25)).passed());
    assert!(tables(json!({ "spatial_interpolation_scale": 1.25 }), &tensor(1.25)).passed());
}

#[test]
fn names_and_numbers_that_mean_nothing_are_failed_rows() {
    let tensors: Vec<_> = [
        "out.rope_480x720_h_cos",
        "out.rope_480x720_x_cos",
        "out.rope_480x720_h_tan",
        "out.rope_480_h_cos",
        "out.rope_99999999999x99999999999_h_cos",
        "out.rope_18446744073709551615x16_w_cos",
        "out.rope_480x720x0_rows_cos",
        "out.rope_rows_cos",
        "out.rope_a_b_c_d",
        "out.sincos3d_d33_w2_h1_t1",
        "out.sincos3d_d16_w18446744073709551615_h16_t16",
        "out.sincos3d_d18446744073709551615_rows",
        "out.sincos3d_d16",
        "out.sincos3d_d16_rows",
        "out.sincos3d_dx_rows",
        "out.time_embed_d18446744073709551615",
        "out.time_embed_dx",
        "out.something",
    ]
    .map(|name| (name, vec![1, 24], vec![0.5; 24]))
    .into_iter()
    .chain([
        ("out.rope_rows_sin", vec![2, 16], vec![0.5; 32]),
        ("in.rope_rows", vec![2], vec![-1.0, 1e19]),
        ("in.sincos_rows", vec![1], vec![0.5]),
        ("in.time_t", vec![1], vec![3.0]),
    ])
    .collect();
    let report = tables(json!({ "rope_1x1x1": { "grid": [1, 1, 1], "crop": [[0, 0], [30, 30]] } }), &tensors);
    let failed = failures(&report).len();
    assert_eq!((report.rows.len(), failed), (20, 20), "{report}");
}

#[test]
fn an_odd_timestep_code_ends_in_zero() {
    let code = |t: f64| [t.cos() as f32, t.sin() as f32, 0.0];
    let tensors = [
        ("in.time_t", vec![2], vec![3.0, 999.0]),
        ("out.time_embed_d3", vec![2, 3], [code(3.0), code(999.0)].concat()),
    ];
    let report = tables(json!({}), &tensors);
    assert!(report.passed(), "{report}");
}
