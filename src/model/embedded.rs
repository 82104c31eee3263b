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

static MODELS: &[Embedded] = &[];

/// The embedded checkpoint of that name.
pub fn find(name: &str) -> Option<&'static Embedded> {
    MODELS.iter().find(|model| model.name == name)
}

/// Names of all embedded checkpoints.
pub fn names() -> Vec<&'static str> {
    MODELS.iter().map(|model| model.name).collect()
}
