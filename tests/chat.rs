//! Chat templates: rendered as transformers renders them, read from where checkpoints keep them, and
//! turned into token ids.

mod common;

use std::fs;
use std::path::Path;
use std::process::{Command, Output};

use common::{fixture, read_json};
use serde_json::{Value, json};
use wedlm_bench::model::chat::{self, ChatTemplate, Message, Speaker};
use wedlm_bench::model::checkpoint::Checkpoint;
use wedlm_bench::model::tokenizer::Tokenizer;

fn day() -> chrono::NaiveDate {
    chat::date(chat::DEFAULT_DATE).unwrap()
}

fn message(role: Speaker, content: &str) -> Message {
    Message {
        role,
        content: content.to_string(),
    }
}

fn template(source: &str) -> ChatTemplate {
    ChatTemplate::new("test".into(), source.into(), Vec::new(), day()).unwrap()
}

fn rendered(source: &str) -> Result<String, String> {
    template(source)
        .render(&[message(Speaker::User, "Hi")], true)
        .map_err(|error| error.to_string())
}

/// A copy of a checkpoint without the files named, to which others can be added.
fn copy(name: &str, to: &Path, without: &[&str]) {
    for entry in fs::read_dir(fixture(name)).unwrap() {
        let path = entry.unwrap().path();
        let file = path.file_name().unwrap().to_string_lossy().into_owned();
        if !without.contains(&file.as_str()) {
            fs::copy(&path, to.join(file)).unwrap();
        }
    }
}

fn run(arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_wedlm-bench"))
        .args(arguments)
        .output()
        .unwrap()
}

#[test]
fn eighty_four_conversations_are_rendered_as_transformers_renders_them() {
    let document: Value = read_json("chat/expected.json");
    assert_eq!(document["date"], chat::DEFAULT_DATE);
    let cases = document["cases"].as_array().unwrap();
    assert_eq!(cases.len(), 84);
    let (mut n_texts, mut n_refusals) = (0, 0);
    for case in cases {
        let name = case["template"].as_str().unwrap();
        let source = fs::read_to_string(fixture(&format!("chat/templates/{name}.jinja"))).unwrap();
        let tokens = case["special_tokens"].as_object().unwrap().iter();
        let tokens = tokens.map(|(key, text)| (key.clone(), text.as_str().unwrap().to_string()));
        let template = ChatTemplate::new(name.into(), source, tokens.collect(), day()).unwrap();
        let messages = case["messages"]
            .as_array()
            .unwrap()
            .iter()
            .map(|said| Message {
                role: match said["role"].as_str().unwrap() {
                    "system" => Speaker::System,
                    "user" => Speaker::User,
                    "assistant" => Speaker::Assistant,
                    other => panic!("{other}"),
                },
                content: said["content"].as_str().unwrap().to_string(),
            });
        let messages: Vec<Message> = messages.collect();
        let is_open = case["add_generation_prompt"].as_bool().unwrap();
        let place = format!("{name}, {}", case["conversation"]);
        match (template.render(&messages, is_open), case.get("text")) {
            (Ok(text), Some(expected)) => {
                assert_eq!(text, expected.as_str().unwrap(), "{place}");
                n_texts += 1;
            }
            (Err(error), None) => {
                let expected = case["error"].as_str().unwrap();
                assert!(error.to_string().contains(expected), "{place}: {error}");
                n_refusals += 1;
            }
            (outcome, expected) => panic!("{place}: {outcome:?}, expected {expected:?}"),
        }
    }
    assert_eq!((n_texts, n_refusals), (80, 4));
}

#[test]
fn a_template_that_does_not_end_or_is_no_jinja_is_refused_in_a_sentence() {
    let endless =
        "{% for a in range(9999) %}{% for b in range(9999) %}{{ a }}{% endfor %}{% endfor %}";
    let message = rendered(endless).unwrap_err();
    assert!(message.ends_with("it does not come to an end"), "{message}");
    let broken = ChatTemplate::new("m".into(), "{% if %}".into(), Vec::new(), day()).unwrap_err();
    assert!(
        broken
            .to_string()
            .starts_with("m: the chat template cannot be rendered: "),
        "{broken}"
    );
    for (source, reason) in [
        ("{{ raise_exception('no such role') }}", "no such role"),
        ("{{ strftime_now('%Q') }}", "'%Q' is no format of a date"),
        ("{% include '/etc/passwd' %}", "/etc/passwd"),
        ("{{ open('/etc/passwd').read() }}", "open"),
    ] {
        let message = rendered(source).unwrap_err();
        assert!(message.contains(reason), "{message}");
    }
}

#[test]
fn what_a_training_learns_from_is_rendered_as_if_it_were_not_marked() {
    let marked = "{% for message in messages %}\n<{% generation %} {{ message.content }} {% endgeneration %}>\n\
        {%- set seen = 1 -%} {%-generation-%} {% set seen = 2 %}\n{%- endgeneration +%}{{ seen }}{% endfor %}";
    assert_eq!(rendered(marked).unwrap(), "< Hi >1");
    let open = ChatTemplate::new("m".into(), "{% generation %}".into(), Vec::new(), day());
    assert!(open.is_err());
}

#[test]
fn a_template_is_read_from_each_of_the_three_files_that_may_hold_it() {
    const FILES: [&str; 2] = ["chat_template.jinja", "tokenizer_config.json"];
    let folder = tempfile::tempdir().unwrap();
    copy("llama", folder.path(), &FILES);
    let name = folder.path().to_str().unwrap();
    let text = || {
        let checkpoint = Checkpoint::open(name).map_err(|error| error.to_string())?;
        ChatTemplate::of(&checkpoint, day())
            .and_then(|template| template.render(&[message(Speaker::User, "Hi")], false))
            .map_err(|error| error.to_string())
    };
    let write = |file: &str, document: Value| {
        fs::write(folder.path().join(file), document.to_string()).unwrap();
    };
    let missing = text().unwrap_err();
    assert!(
        missing.contains("there is no chat template") && missing.contains("workload.chat"),
        "{missing}"
    );
    let named = json!([
        {"name": "tool_use", "template": "tools"},
        {"name": "default", "template": "{{ bos_token }}named"},
    ]);
    write(
        "tokenizer_config.json",
        json!({"chat_template": named, "bos_token": {"content": "<b>"}}),
    );
    assert_eq!(text().unwrap(), "<b>named");
    write(
        "tokenizer_config.json",
        json!({"chat_template": [{"name": "rag", "template": "x"}]}),
    );
    assert!(
        text()
            .unwrap_err()
            .ends_with("chat_template lists rag and no 'default'")
    );
    write("tokenizer_config.json", json!({"chat_template": 7}));
    assert!(
        text()
            .unwrap_err()
            .contains("tokenizer_config.json: chat_template is 7")
    );
    write("chat_template.json", json!({"chat_template": "from json"}));
    assert_eq!(text().unwrap(), "from json");
    fs::write(folder.path().join("chat_template.jinja"), "from jinja").unwrap();
    assert_eq!(text().unwrap(), "from jinja");
}

#[test]
fn special_tokens_of_a_rendered_text_become_their_ids() {
    let checkpoint = Checkpoint::open(fixture("llama").to_str().unwrap()).unwrap();
    let tokenizer = Tokenizer::load(&checkpoint).unwrap();
    let text = ChatTemplate::of(&checkpoint, day())
        .unwrap()
        .render(&[message(Speaker::User, "Hi")], true)
        .unwrap();
    assert_eq!(
        text,
        "<|im_start|>user\nHi<|im_end|>\n<|im_start|>assistant\n"
    );
    let ids = tokenizer.encode(&text).unwrap();
    let (start, end) = (
        tokenizer.id("<|im_start|>").unwrap(),
        tokenizer.id("<|im_end|>").unwrap(),
    );
    assert_eq!(ids.iter().filter(|&&id| id == start).count(), 2);
    assert_eq!(ids.iter().filter(|&&id| id == end).count(), 1);
    assert_eq!(ids[0], start);
}

/// The tokenizer of a fixture, which puts `<|endoftext|>` in front of a text and `<|im_end|>` behind.
fn tokenizer_with_bos() -> Vec<u8> {
    let mut document: Value = read_json("llama/tokenizer.json");
    let special = |name: &str| json!({"SpecialToken": {"id": name, "type_id": 0}});
    let entry = |name: &str, id: u32| json!({"id": name, "ids": [id], "tokens": [name]});
    let sequence = json!({"Sequence": {"id": "A", "type_id": 0}});
    document["post_processor"] = json!({
        "type": "TemplateProcessing",
        "single": [special("<|endoftext|>"), sequence, special("<|im_end|>")],
        "pair": [sequence, {"Sequence": {"id": "B", "type_id": 1}}],
        "special_tokens": {
            "<|endoftext|>": entry("<|endoftext|>", 0),
            "<|im_end|>": entry("<|im_end|>", 2),
        },
    });
    document.to_string().into_bytes()
}

#[test]
fn a_plain_prompt_begins_with_the_token_that_its_tokenizer_puts_there_and_does_not_end_with_one() {
    let tokenizer = Tokenizer::from_json(&tokenizer_with_bos()).unwrap();
    let bare = tokenizer.encode("Tom has 3 pens.").unwrap();
    let first = tokenizer.encode_first("Tom has 3 pens.").unwrap();
    assert_eq!(first[0], 0);
    assert_eq!(first[1..], bare);
    // Ids of special tokens that stand in the text itself stay.
    let ended = tokenizer.encode_first("Tom<|im_end|>").unwrap();
    assert_eq!(ended.last(), Some(&2));
}

#[test]
fn a_chat_prompt_has_one_begin_of_text_and_not_two() {
    let folder = tempfile::tempdir().unwrap();
    copy(
        "llama",
        folder.path(),
        &[
            "chat_template.jinja",
            "tokenizer.json",
            "tokenizer_config.json",
        ],
    );
    fs::write(folder.path().join("tokenizer.json"), tokenizer_with_bos()).unwrap();
    let template =
        "{{ bos_token }}{% for m in messages %}{{ m.role }}: {{ m.content }}{% endfor %}";
    let config = json!({"bos_token": "<|endoftext|>", "chat_template": template});
    fs::write(
        folder.path().join("tokenizer_config.json"),
        config.to_string(),
    )
    .unwrap();
    let name = folder.path().to_str().unwrap();
    let prompt = |flags: &[&str]| {
        let fixed = [
            "generate",
            "--prompt",
            "Hi",
            "--verifier",
            name,
            "--max-new-tokens",
            "1",
            "--decoder",
            "{kind: autoregressive}",
        ];
        let all = [&fixed[..], flags].concat();
        let output = run(&all);
        assert!(
            output.status.success(),
            "{}",
            String::from_utf8_lossy(&output.stderr)
        );
        String::from_utf8(output.stdout).unwrap()
    };
    // The prompt is shown without special tokens.
    assert!(prompt(&["--chat", "--system", "Be kind."]).starts_with("system: Be kind.user: Hi"));
    assert!(prompt(&["--chat"]).starts_with("user: Hi"));
    assert!(prompt(&[]).starts_with("Hi"));
    let checkpoint = Checkpoint::open(name).unwrap();
    let text = ChatTemplate::of(&checkpoint, day())
        .unwrap()
        .render(&[message(Speaker::User, "Hi")], true)
        .unwrap();
    let ids = Tokenizer::load(&checkpoint).unwrap().encode(&text).unwrap();
    assert_eq!(ids.iter().filter(|&&id| id == 0).count(), 1);
}

#[test]
fn a_sweep_puts_its_prompts_and_examples_into_the_template() {
    let folder = tempfile::tempdir().unwrap();
    let verifier = fixture("llama");
    let sweep = json!({
        "name": "chat",
        "models": {"verifier": verifier, "drafter": fixture("llama-drafter")},
        "workload": {
            "source": "synthetic:gsm8k", "limit": 2, "max_new_tokens": 4,
            "chat": {"system": "Count."}, "few_shot": {"n": 2, "source": "synthetic:gsm8k"},
            "answer": "flexible",
        },
        "decoders": [{"name": "x", "kind": "speculative", "stop": {"kind": "fixed"}, "max_draft_len": 2}],
        "timing": {"repeats": 1, "warmup": 0},
    });
    let config = folder.path().join("chat.yaml");
    fs::write(&config, sweep.to_string()).unwrap();
    let out = folder.path().join("results");
    let output = run(&[
        "sweep",
        config.to_str().unwrap(),
        "--out",
        out.to_str().unwrap(),
    ]);
    let stdout = String::from_utf8(output.stdout).unwrap();
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    let place = Path::new(stdout.lines().last().unwrap());
    let journal = fs::read_to_string(place.join("journal.jsonl")).unwrap();
    let entry: Value = serde_json::from_str(journal.lines().next().unwrap()).unwrap();
    assert_eq!(entry["generation"]["error"], Value::Null);

    let checkpoint = Checkpoint::open(verifier.to_str().unwrap()).unwrap();
    let spec: wedlm_bench::config::workload::WorkloadSpec =
        serde_json::from_value(sweep["workload"].clone()).unwrap();
    let items = spec.load().unwrap();
    let index = entry["generation"]["prompt"].as_u64().unwrap() as usize;
    let text = ChatTemplate::of(&checkpoint, day())
        .unwrap()
        .render(
            &[
                message(Speaker::System, "Count."),
                message(Speaker::User, &items[index].prompt),
            ],
            true,
        )
        .unwrap();
    assert_eq!(text.matches("Question: ").count(), 3);
    let ids = Tokenizer::load(&checkpoint).unwrap().encode(&text).unwrap();
    assert_eq!(entry["generation"]["prompt_len"], ids.len());
    // What was run is written down, defaults filled in.
    let yaml = fs::read_to_string(place.join("sweep.yaml")).unwrap();
    assert!(
        yaml.contains("date: 2024-07-26") || yaml.contains("date: '2024-07-26'"),
        "{yaml}"
    );

    let broken = [
        "--set",
        "models.verifier=embedded:verifier",
        "--set",
        "models.drafter=embedded:drafter-10",
    ];
    let output = run(&[
        &[
            "sweep",
            config.to_str().unwrap(),
            "--out",
            out.to_str().unwrap(),
        ],
        &broken[..],
    ]
    .concat());
    let stderr = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(1), "{stderr}");
    assert!(
        stderr.contains("embedded:verifier: there is no chat template"),
        "{stderr}"
    );
}
