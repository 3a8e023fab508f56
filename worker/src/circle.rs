//! The circle that a play runs in, as scripts see it: a library, files, secrets, limits.
//!
//! **Invariants.** A script reaches a circle through the play on its thread and can name no other. Whatever path
//! it names is resolved below the circle's own directories, by the operating system where it can, so that no
//! `..`, no link and no rename in between leads out. Nothing on disk is looked at before a script asks for it.

mod files;
mod library;
mod listing;
mod modules;

use std::{collections::BTreeMap, fmt, path::PathBuf, sync::Arc};

use crate::{Limits, cache::Script, engine::Engines};

pub use files::{FileFault, Files};
pub use library::{Library, LibraryFault};
pub use listing::{LibraryFunction, LibraryScript};
pub use modules::Resolver;

/// What the scripts of one circle may reach. By default nothing but the store, within [`Limits::default`].
#[derive(Clone, Default)]
pub struct CircleSettings {
    /// The directory of its script library. Nothing is written there; it must not lie within `files`, where
    /// scripts write.
    pub library: Option<PathBuf>,
    /// The directory of its files, its own alone; made when a script first writes.
    pub files: Option<PathBuf>,
    /// What scripts may know and nobody else, by name.
    pub secrets: BTreeMap<String, String>,
    /// What one play may use.
    pub limits: Limits,
}

/// Secrets are named, not shown.
impl fmt::Debug for CircleSettings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("CircleSettings")
            .field("library", &self.library)
            .field("files", &self.files)
            .field("secrets", &self.secrets.keys())
            .field("limits", &self.limits)
            .finish()
    }
}

/// A circle with what its plays share.
pub struct Circle {
    pub library: Library,
    pub files: Files,
    pub engines: Arc<Engines>,
    secrets: BTreeMap<String, String>,
}

impl Circle {
    /// A circle whose limits are those of `engines`.
    pub fn new(settings: CircleSettings, engines: Arc<Engines>) -> Self {
        Self {
            library: Library::new(settings.library),
            files: Files::new(settings.files),
            engines,
            secrets: settings.secrets,
        }
    }

    /// What one play may use.
    pub fn limits(&self) -> &Limits {
        &self.engines.limits
    }

    /// A script of its library, compiled. May block on the disk.
    pub fn script(&self, name: &str) -> Result<Arc<Script>, LibraryFault> {
        self.library.script(&self.engines.real, self.limits(), name)
    }

    /// The secret of this name.
    pub fn secret(&self, name: &str) -> Option<&str> {
        self.secrets.get(name).map(String::as_str)
    }

    /// The text with the name of each secret in place of its value: errors quote what scripts handed around.
    pub fn without_secrets(&self, text: &str) -> String {
        self.secrets.iter().filter(|(_, value)| !value.is_empty()).fold(
            text.to_owned(),
            |text, (name, value)| {
                let text = text.replace(value.as_str(), &format!("[secret {name}]"));
                // As `{:?}` writes it.
                text.replace(&*value.escape_debug().to_string(), &format!("[secret {name}]"))
            },
        )
    }
}
