//! A wrong sweep file gets one sentence: file, key, what is wrong, what is allowed.

use wedlm_bench::config::load::{load_sweep, parse_sweep};
use wedlm_bench::config::train::TrainSpec;

const MODELS: &str =
    "models: {verifier: 'embedded:v', drafter: 'embedded:d', window: 'embedded:w'}";
const WORKLOAD: &str = "workload: {source: 'synthetic:gsm8k', limit: 4}";
const DECODERS: &str = "decoders: [{name: w, kind: window}]";

/// What is said about a sweep of these parts and nothing else.
fn complaint(parts: &[&str]) -> String {
    let text = format!("name: test\n{}\n", parts.join("\n"));
    match parse_sweep("test.yaml", &text, &[], &|_| None) {
        Err(error) => error.to_string(),
        Ok(_) => panic!("this was accepted:\n{text}"),
    }
}

/// Something wrong with a decoder, and the sentence behind the name of the file.
const BROKEN_DECODERS: &[(&str, &str)] = &[
    // Unknown, missing and misspelt keys.
    (
        "[{name: w, kind: window}, {name: a, kind: window}, {name: x, kind: speculative, stop: {kind: absolute, thetta_abs: 1}}]",
        "decoders[2].stop: unknown field 'thetta_abs', expected 'theta_abs'",
    ),
    (
        "[{name: x, kind: speculative, stop: {kind: fixed}, max_draft: 4}]",
        "decoders[0]: unknown field 'max_draft', expected one of 'stop', 'order', 'min_draft_len', 'max_draft_len', 'entropy', 'accept', 'batch_size'; did you mean 'max_draft_len'?",
    ),
    (
        "[{name: x, kind: window, gird: {window_size: [4]}}]",
        "decoders[0]: unknown field 'gird', expected one of 'variant', 'window_size', 'ending', 'select', 'entropy'; did you mean 'grid'?",
    ),
    (
        "[{name: x, kind: speculative}]",
        "decoders[0]: missing field 'stop'",
    ),
    ("[{kind: window}]", "decoders[0]: missing field 'name'"),
    (
        "[{name: x}]",
        "decoders[0]: missing field 'kind', expected one of 'autoregressive', 'speculative', 'window', 'window_draft'",
    ),
    (
        "[{name: x, kind: speculative, stop: {kind: fixed, k: 4}}]",
        "decoders[0].stop: unknown field 'k', there are no fields",
    ),
    // Unknown names.
    (
        "[{name: x, kind: speculativ}]",
        "decoders[0].kind: unknown value 'speculativ', expected one of 'autoregressive', 'speculative', 'window', 'window_draft'; did you mean 'speculative'?",
    ),
    (
        "[{name: x, kind: speculative, stop: {kind: fixed}, order: behind}]",
        "decoders[0].order: unknown value 'behind', expected one of 'before', 'after', 'after_drop'",
    ),
    (
        "[{name: x, kind: window, entropy: {kind: reyni}}]",
        "decoders[0].entropy.kind: unknown value 'reyni', expected one of 'shannon', 'renyi', 'tsallis', 'topk', 'min', 'varentropy'; did you mean 'renyi'?",
    ),
    (
        "[{name: x, kind: speculative, stop: {kind: combined, any: [{kind: fixed}, {kind: absolute, theta: 2}]}}]",
        "decoders[0].stop.any[1]: unknown field 'theta', expected 'theta_abs'",
    ),
    // Wrong types.
    (
        "[{name: x, kind: speculative, stop: {kind: absolute, theta_abs: high}}]",
        "decoders[0].stop.theta_abs: invalid type: string \"high\", expected a number",
    ),
    (
        "[{name: x, kind: window, window_size: 4.5}]",
        "decoders[0].window_size: invalid type: floating point '4.5', expected a whole number, zero or more",
    ),
    (
        "[{name: x, kind: window, window_size: -4}]",
        "decoders[0].window_size: invalid value: integer '-4', expected a whole number, zero or more",
    ),
    (
        "[{name: x, kind: speculative, stop: absolute}]",
        "decoders[0].stop: invalid type: string \"absolute\", expected a mapping with a 'kind'",
    ),
    (
        "[window]",
        "decoders[0]: invalid type: string \"window\", expected a mapping",
    ),
    (
        "{name: x, kind: window}",
        "decoders: invalid type: mapping, expected a list",
    ),
    // Values out of range.
    (
        "[{name: x, kind: window_draft, accept: {kind: typical}}]",
        "decoders[0].accept.kind: 'typical' is lossy here, expected 'greedy', 'rejection', 'block' or 'gumbel'",
    ),
    (
        "[{name: x, kind: window, window_size: 0}]",
        "decoders[0].window_size: 0 is out of range, expected 1 or more",
    ),
    (
        "[{name: x, kind: speculative, stop: {kind: combined, all: [{kind: fixed}, {kind: window, window_size: 0}]}}]",
        "decoders[0].stop.all[1].window_size: 0 is out of range, expected at least 1",
    ),
    (
        "[{name: x, kind: window, entropy: {kind: renyi, alpha: 0}}]",
        "decoders[0].entropy.alpha: 0 is out of range, expected positive and finite",
    ),
    // Axes.
    (
        "[{name: x, kind: speculative, stop: {kind: absolute}, grid: {stop.thetta_abs: [1, 2]}}]",
        "decoders[0].grid.stop.thetta_abs: unknown field 'thetta_abs', expected 'theta_abs'",
    ),
    (
        "[{name: x, kind: speculative, stop: {kind: absolute}, grid: {stop.theta_abs: [1, two]}}]",
        "decoders[0].grid.stop.theta_abs[1]: invalid type: string \"two\", expected a number",
    ),
    (
        "[{name: x, kind: speculative, stop: {kind: absolute}, grid: {entropy.kind: [shannon, tpok]}}]",
        "decoders[0].grid.entropy.kind[1]: unknown value 'tpok', expected one of 'shannon', 'renyi', 'tsallis', 'topk', 'min', 'varentropy'; did you mean 'topk'?",
    ),
    (
        "[{name: x, kind: speculative, stop: {kind: absolute}, grid: {max_draft_len: [0, 4]}}]",
        "decoders[0].grid.max_draft_len[0]: 0 is out of range, expected 1 or more",
    ),
    (
        "[{name: x, kind: speculative, grid: {stop.kind: [absolute, relative], stop.theta: [1]}}]",
        "decoders[0].grid.stop.theta: unknown field 'theta', expected 'theta_abs'",
    ),
    (
        "[{name: x, kind: speculative, stop: {kind: combined, any: [{kind: svip}]}, grid: {stop.any.0.h: [0.3, low]}}]",
        "decoders[0].grid.stop.any.0.h[1]: invalid type: string \"low\", expected a number",
    ),
    (
        "[{name: x, kind: speculative, list: [{stop: {kind: combined, any: [{kind: svip, hh: 1}]}}]}]",
        "decoders[0].list[0].stop.any.0: unknown field 'hh', expected 'h'",
    ),
    (
        "[{name: x, kind: window, grid: {window_size: []}}]",
        "decoders[0].grid.window_size: the axis 'window_size' has no values, expected at least one",
    ),
    (
        "[{name: x, kind: window, grid: {window_size: 4}}]",
        "decoders[0].grid.window_size: the axis 'window_size' is no list of values, expected one such as [0.5, 1.0]",
    ),
    (
        "[{name: x, kind: window, zip: {window_size: [4, 8], select.pos_penalty: [0]}}]",
        "decoders[0].zip: 'select.pos_penalty' has 1 values and 'window_size' has 2; axes that advance together need equally many",
    ),
    (
        "[{name: x, kind: window, zip: {window_size: [4]}, grid: {window_size: [4]}}]",
        "decoders[0].grid.window_size: this axis is varied under 'zip' already; name it once",
    ),
    (
        "[{name: x, kind: window, list: [{window_size: 4}, {windw_size: 8}]}]",
        "decoders[0].list[1].windw_size: unknown field 'windw_size', expected one of 'variant', 'window_size', 'ending', 'select', 'entropy'; did you mean 'window_size'?",
    ),
    (
        "[{name: x, kind: window, grid: {window_size: [4, 8]}, exclude: [{window_size: 5}]}]",
        "decoders[0].exclude[0]: no point has these values, so none is excluded",
    ),
    (
        "[{name: x, kind: window, grid: {window_size: [4]}, exclude: [{window_size: 4}]}]",
        "decoders[0].exclude[0]: no point is left",
    ),
    // The list itself.
    (
        "[]",
        "there is nothing to compare with the baseline: give 'decoders' or 'param_grid'",
    ),
    (
        "[{name: x, kind: window}, {name: x, kind: window, window_size: 4}]",
        "decoders[1].name: 'x' is the name of decoders[0] already",
    ),
];

#[test]
fn a_wrong_decoder_is_reported_at_its_key() {
    for (decoders, sentence) in BROKEN_DECODERS {
        let said = complaint(&[MODELS, WORKLOAD, &format!("decoders: {decoders}")]);
        assert_eq!(said, format!("test.yaml: {sentence}"), "{decoders}");
    }
}

/// Something wrong around the decoders.
const BROKEN_SWEEPS: &[(&[&str], &str)] = &[
    (
        &[MODELS, WORKLOAD, DECODERS, "devcie: cpu"],
        "unknown field 'devcie', expected one of 'name', 'models', 'device', 'threads', 'dtype', 'drafter_dtype', 'workload', 'sampling', 'decoders', 'param_grid', 'sample', 'halving', 'mode', 'replay', 'timing', 'hardware', 'seed'; did you mean 'device'?",
    ),
    (&[MODELS, DECODERS], "missing field 'workload'"),
    (
        &[MODELS, WORKLOAD, DECODERS, "device: gpu"],
        "device: unknown device 'gpu', expected cpu, cuda, cuda:N or wgpu",
    ),
    (
        &[MODELS, WORKLOAD, DECODERS, "dtype: fp16"],
        "dtype: unknown value 'fp16', expected one of 'f32', 'f16', 'bf16'; did you mean 'f16'?",
    ),
    (
        &[MODELS, WORKLOAD, DECODERS, "threads: 0"],
        "threads: 0 threads do nothing, expected 1 or more",
    ),
    (
        &["models: {verifier: 'hf:Qwen'}", WORKLOAD, DECODERS],
        "models.verifier: 'hf:Qwen' names no model, expected 'embedded:NAME', 'hf:org/name[@revision]' or a folder",
    ),
    (
        &["models: {verifier: 'embedded:v'}", WORKLOAD, DECODERS],
        "models: missing field 'window', which decoders[0] ('w') needs",
    ),
    (
        &[
            "models: {verifier: 'embedded:v'}",
            WORKLOAD,
            "param_grid: {theta_abs: [1]}",
        ],
        "models: missing field 'drafter', which param_grid needs",
    ),
    (
        &["models: {window: 'embedded:w'}", WORKLOAD, DECODERS],
        "models: missing field 'verifier', which the autoregressive baseline needs",
    ),
    (
        &[
            MODELS,
            DECODERS,
            "workload: {source: 'synthetic:gsm9k', limit: 1}",
        ],
        "workload.source: unknown workload source 'synthetic:gsm9k', expected 'synthetic:gsm8k', 'synthetic:gsm8k-new-templates', 'synthetic:code', 'synthetic:counting', 'synthetic:qa', 'synthetic:translation', 'synthetic:summary', 'synthetic:story', 'synthetic:mix', 'gsm8k:PATH', 'humaneval:PATH', 'mt-bench:PATH', 'spec-bench:PATH', 'qa:PATH', 'summaries:PATH', 'pairs:PATH' or 'plain:PATH'",
    ),
    (
        &[MODELS, DECODERS, "workload: {source: 'synthetic:gsm8k'}"],
        "workload: missing field 'limit': synthetic:gsm8k has no end",
    ),
    (
        &[
            MODELS,
            DECODERS,
            "workload: {source: 'synthetic:gsm8k', limit: 0}",
        ],
        "workload.limit: 0 prompts measure nothing, expected 1 or more",
    ),
    (
        &[MODELS, WORKLOAD, DECODERS, "sampling: {temperature: -1}"],
        "sampling.temperature: -1 is out of range, expected 0 (greedy) or positive and finite",
    ),
    (
        &[MODELS, WORKLOAD, DECODERS, "sampling: {topp: 0.9}"],
        "sampling: unknown field 'topp', expected one of 'temperature', 'top_k', 'top_p'; did you mean 'top_p'?",
    ),
    (
        &[MODELS, WORKLOAD, DECODERS, "timing: {repeats: 0}"],
        "timing.repeats: 0 repeats measure nothing, expected 1 or more",
    ),
    (
        &[MODELS, WORKLOAD, DECODERS, "timing: {share_forward: false}"],
        "timing: unknown field 'share_forward', expected one of 'repeats', 'warmup', 'duplicate_baseline', 'look_back', 'share_forwards'; did you mean 'share_forwards'?",
    ),
    (
        &[
            MODELS,
            WORKLOAD,
            DECODERS,
            "timing: {share_forwards: maybe}",
        ],
        "timing.share_forwards: invalid type: string \"maybe\", expected true or false",
    ),
    (
        &[MODELS, WORKLOAD, DECODERS, "hardware: tpu"],
        "hardware: there is no profile 'tpu', expected 'llama-3.1-8b-h100' or the path of a YAML file",
    ),
    (
        &[MODELS, WORKLOAD, "param_grid: {theta_abs: []}"],
        "param_grid.theta_abs: the list has no values, expected at least one",
    ),
    (
        &[
            MODELS,
            WORKLOAD,
            "param_grid: {entropy_type: [shannon, gini]}",
        ],
        "param_grid.entropy_type[1]: unknown value 'gini', expected one of 'shannon', 'renyi', 'tsallis', 'topk', 'min', 'varentropy'",
    ),
    (
        &[
            MODELS,
            WORKLOAD,
            "param_grid: {stopping_strategy: [absolut]}",
        ],
        "param_grid.stopping_strategy[0]: unknown value 'absolut', expected one of 'fixed', 'absolute', 'relative', 'window', 'combined'; did you mean 'absolute'?",
    ),
    (
        &[
            MODELS,
            WORKLOAD,
            "param_grid: {window_size: [3, 0], stopping_strategy: [window]}",
        ],
        "param_grid.window_size[1]: 0 is out of range, expected 1 or more",
    ),
    (
        &[MODELS, WORKLOAD, DECODERS, "seed: ${SEED}"],
        "seed: the environment variable SEED is not set; set it or write '${SEED:-default}'",
    ),
    (
        &[
            MODELS,
            WORKLOAD,
            DECODERS,
            "seed: !!int 7",
            "threads: !count 2",
        ],
        "threads: the YAML tag !count is not used here; leave it out",
    ),
    (
        &[MODELS, WORKLOAD, DECODERS, "sample: {kind: sobol}"],
        "sample: missing field 'n'",
    ),
    (
        &[MODELS, WORKLOAD, DECODERS, "sample: {kind: sobool, n: 3}"],
        "sample.kind: unknown value 'sobool', expected 'sobol' or 'random'; did you mean 'sobol'?",
    ),
    (
        &[MODELS, WORKLOAD, DECODERS, "sample: {kind: random, n: 0}"],
        "sample.n: 0 is out of range, expected 1 or more",
    ),
    (
        &[MODELS, WORKLOAD, DECODERS, "halving: {eta: 1}"],
        "halving.eta: 1 is out of range, expected 2 or more",
    ),
    (
        &[MODELS, WORKLOAD, DECODERS, "halving: {min_prompts: 0}"],
        "halving.min_prompts: 0 is out of range, expected 1 or more",
    ),
    (
        &[MODELS, WORKLOAD, DECODERS, "halving: {}", "mode: auto"],
        "halving: trials are dropped by measured times, so mode has to be live",
    ),
    (
        &[MODELS, WORKLOAD, DECODERS, "timing: {1: 2}"],
        "timing: the key 1 is not text; write \"1\"",
    ),
    (
        &[
            MODELS,
            WORKLOAD,
            "decoders: [{name: x, kind: speculative, stop: {kind: absolute, theta_abs: .inf}}]",
        ],
        "decoders[0].stop.theta_abs: .inf is not a finite number",
    ),
];

#[test]
fn a_wrong_sweep_is_reported_at_its_key() {
    for (parts, sentence) in BROKEN_SWEEPS {
        assert_eq!(
            complaint(parts),
            format!("test.yaml: {sentence}"),
            "{parts:?}"
        );
    }
}

#[test]
fn a_name_that_cannot_be_a_folder_is_refused() {
    let text = format!("name: a/b\n{MODELS}\n{WORKLOAD}\n{DECODERS}\n");
    let error = parse_sweep("test.yaml", &text, &[], &|_| None).unwrap_err();
    assert_eq!(
        error.to_string(),
        "test.yaml: name: 'a/b' cannot name a folder, expected letters, digits, '-', '_' and '.'"
    );
}

#[test]
fn text_that_is_no_yaml_is_reported_with_its_line_and_column() {
    for (parts, sentence) in [
        (
            ["models: {verifier: x", WORKLOAD],
            "test.yaml: line 3, column 9: did not find expected ',' or '}'",
        ),
        (
            [MODELS, "  workload: 1"],
            "test.yaml: line 3, column 3: did not find expected key",
        ),
        (
            [MODELS, "workload: {source: a, limit: 1, source: b}"],
            "test.yaml: line 3, column 11: workload: duplicate key 'source'",
        ),
        (
            [MODELS, "name: again"],
            "test.yaml: line 1, column 1: duplicate key 'name'",
        ),
    ] {
        assert_eq!(complaint(&parts), sentence);
    }
}

#[test]
fn an_empty_file_says_so() {
    for text in ["", "# nothing yet\n"] {
        let error = parse_sweep("test.yaml", text, &[], &|_| None).unwrap_err();
        assert_eq!(error.to_string(), "test.yaml: the file holds nothing");
    }
}

#[test]
fn a_missing_file_is_named_with_a_near_one_beside_it() {
    let folder = tempfile::tempdir().unwrap();
    let place = |name: &str| folder.path().join(name).display().to_string();
    std::fs::write(place("gsm8k.yaml"), "").unwrap();
    assert_eq!(
        load_sweep(place("gms8k.yaml"), &[])
            .unwrap_err()
            .to_string(),
        format!(
            "{}: no such file; did you mean '{}'?",
            place("gms8k.yaml"),
            place("gsm8k.yaml")
        )
    );
    assert_eq!(
        load_sweep(place("other.yaml"), &[])
            .unwrap_err()
            .to_string(),
        format!(
            "{}: no such file; expected a YAML file such as those in configs/",
            place("other.yaml")
        )
    );
}

#[test]
fn a_training_file_is_checked_like_a_sweep() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("train.yaml");
    let whole = std::fs::read_to_string("configs/train/wedlm.yaml").unwrap();
    let refused = |from: &str, to: &str| {
        assert!(whole.contains(from), "{from}");
        std::fs::write(&file, whole.replacen(from, to, 1)).unwrap();
        let message = TrainSpec::load(&file).unwrap_err().to_string();
        let place = format!("{}: ", file.display());
        message.strip_prefix(&place).unwrap().to_owned()
    };
    assert_eq!(
        refused("batch_len:", "batch_length:"),
        "schedule: unknown field 'batch_length', expected one of 'n_steps', 'batch_len', \
         'micro_batch_len', 'optimizer', 'learning_rate', 'final_learning_rate', 'n_warmup_steps', \
         'weight_decay', 'beta_2', 'clip_norm', 'checkpoint_every'; did you mean 'batch_len'?"
    );
    assert_eq!(
        refused("workers: 2", "workers: 0"),
        "workers: 0 is out of range, expected at least 1"
    );
    assert_eq!(
        refused("source: \"synthetic:mix\"", "source: \"gsm8k:test.jsonl\""),
        "data.source: 'gsm8k:test.jsonl' is not for training, expected 'synthetic:FAMILY' or \
         'synthetic:mix'"
    );
    let nothing = TrainSpec::load(&folder.path().join("nothing.yaml"));
    let message = nothing.unwrap_err().to_string();
    assert!(message.contains("no such file; expected"), "{message}");
}

#[test]
fn an_override_is_checked_like_the_file() {
    let text = format!("name: test\n{MODELS}\n{WORKLOAD}\n{DECODERS}\n");
    let said = |assignment: &str| {
        parse_sweep("test.yaml", &text, &[assignment.to_owned()], &|_| None)
            .unwrap_err()
            .to_string()
    };
    assert_eq!(
        said("decoders[0].windw_size=4"),
        "test.yaml: decoders[0]: unknown field 'windw_size', expected one of 'variant', 'window_size', \
         'ending', 'select', 'entropy'; did you mean 'window_size'?"
    );
    assert_eq!(
        said("decoders[3].window_size=4"),
        "--set decoders[3].window_size=4: 'decoders' is a list of 1, expected an index below 1 in place of '3'"
    );
    assert_eq!(
        said("workload.limit=many"),
        "test.yaml: workload.limit: invalid type: string \"many\", expected a whole number, zero or more"
    );
}
