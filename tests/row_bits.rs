//! The rows of one forward and forwards of one row, bit for bit.

use wedlm_bench::model::burn_lm::BurnLm;
use wedlm_bench::model::device::{DeviceSpec, Dtype};
use wedlm_bench::model::lm::LanguageModel;
use wedlm_bench::model::loaded::{LoadedModel, Placement};
use wedlm_bench::model::panels::has_vectors;

const CACHED: usize = 100;

fn bits(row: &[f32]) -> Vec<u32> {
    row.iter().map(|logit| logit.to_bits()).collect()
}

fn verifier(dtype: Dtype) -> BurnLm {
    let placement = Placement {
        device: DeviceSpec::Cpu,
        dtype,
        context_len: 512,
    };
    let model = LoadedModel::open("embedded:verifier", placement);
    model.unwrap().lm
}

fn tokens() -> Vec<u32> {
    (0..200).map(|index| 5 + (index * 37) % 300).collect()
}

#[test]
fn a_forward_of_2_to_16_rows_gives_the_bits_of_forwards_of_1() {
    if has_vectors() {
        for dtype in [Dtype::F32, Dtype::F16, Dtype::Bf16] {
            gives_the_bits_of_forwards_of_1(verifier(dtype));
        }
    }
}

/// The embedded weights are numbers of half precision.
#[test]
fn half_precision_gives_the_bits_of_f32_where_it_holds_the_weights_exactly() {
    if !has_vectors() {
        return;
    }
    let tokens = tokens();
    let positions: Vec<u32> = (0..200).collect();
    let run = |dtype| {
        let logits = verifier(dtype).forward(&tokens, &positions, 200).unwrap();
        logits.rows().map(bits).collect::<Vec<_>>()
    };
    let whole = run(Dtype::F32);
    assert!(run(Dtype::F16) == whole);
    assert!(run(Dtype::Bf16) != whole);
}

fn gives_the_bits_of_forwards_of_1(mut model: BurnLm) {
    let tokens = tokens();
    let positions: Vec<u32> = (0..200).collect();
    model
        .forward(&tokens[..CACHED], &positions[..CACHED], 1)
        .unwrap();
    for n_rows in [2, 5, 9, 16] {
        let rows = CACHED..CACHED + n_rows;
        let mut alone = Vec::new();
        for row in rows.clone() {
            let logits = model.forward(&tokens[row..=row], &positions[row..=row], 1);
            alone.push(bits(logits.unwrap().row(0)));
        }
        model.truncate(CACHED);
        let together = model
            .forward(&tokens[rows.clone()], &positions[rows], n_rows)
            .unwrap();
        let together: Vec<_> = together.rows().map(bits).collect();
        assert!(together == alone, "{n_rows} rows");
        model.truncate(CACHED);
    }
}

/// A drafter that keeps the format that it is stored in drafts the very same tokens.
#[test]
fn a_sweep_whose_drafter_has_half_the_bits_writes_the_same_texts_and_says_so() {
    let sweep = |arguments: &[&str]| {
        let folder = tempfile::tempdir().unwrap();
        let output = std::process::Command::new(env!("CARGO_BIN_EXE_wedlm-bench"))
            .args(["sweep", "configs/smoke.yaml", "--limit", "2", "--out"])
            .arg(folder.path())
            .args(arguments)
            .output()
            .unwrap();
        assert!(output.status.success(), "{output:?}");
        let text = String::from_utf8(output.stdout).unwrap();
        let run = std::path::Path::new(text.lines().last().unwrap());
        let read = |file: &str| std::fs::read_to_string(run.join(file)).unwrap();
        let manifest: serde_json::Value = serde_json::from_str(&read("manifest.json")).unwrap();
        let mut rows: Vec<String> = read("journal.jsonl")
            .lines()
            .map(|line| {
                let entry: serde_json::Value = serde_json::from_str(line).unwrap();
                let row = &entry["generation"];
                let facts = ["trial_id", "prompt", "text_hash", "drafted", "accepted"];
                facts.map(|fact| row[fact].to_string()).join(" ")
            })
            .collect();
        rows.sort();
        (manifest["dtype"].as_str().unwrap().to_owned(), rows)
    };
    let (dtype, rows) = sweep(&[]);
    assert_eq!(dtype, "f32");
    let (mixed, same) = sweep(&["--set", "drafter_dtype=f16"]);
    assert_eq!(mixed, "f32 (drafter f16)");
    assert!(rows.len() >= 8 && rows == same);
}
