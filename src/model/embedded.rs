//! The checkpoints that are compiled into the program.

/// Files of one embedded checkpoint.
#[derive(Debug)]
pub struct Embedded {
    pub name: &'static str,
    files: &'static [(&'static str, &'static [u8])],
}

impl Embedded {
    pub fn file(&self, name: &str) -> Option<&'static [u8]> {
        self.files
            .iter()
            .find(|(file, _)| *file == name)
            .map(|(_, bytes)| *bytes)
    }
}

/// The files of `models/NAME`.
macro_rules! embedded {
    ($name:literal) => {
        Embedded {
            name: $name,
            files: embedded!(@files $name, "config.json", "generation_config.json",
                "model.safetensors", "tokenizer.json", "tokenizer_config.json"),
        }
    };
    (@files $name:literal, $($file:literal),+) => {
        &[$((
            $file,
            include_bytes!(concat!(env!("CARGO_MANIFEST_DIR"), "/models/", $name, "/", $file)),
        )),+]
    };
}

static MODELS: &[Embedded] = &[
    embedded!("verifier"),
    embedded!("drafter-10"),
    embedded!("drafter-20"),
    embedded!("drafter-50"),
    embedded!("drafter-llama"),
    embedded!("wedlm"),
];

/// The embedded checkpoint of that name.
pub fn find(name: &str) -> Option<&'static Embedded> {
    MODELS.iter().find(|model| model.name == name)
}

/// Names of all embedded checkpoints.
pub fn names() -> Vec<&'static str> {
    MODELS.iter().map(|model| model.name).collect()
}
