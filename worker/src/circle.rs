//! The resources of a circle, as its scripts reach them: a library, files, secrets, documents, other circles.
//!
//! This layer knows no script engine. Scripts reach it through [`Resources`] alone, one request at a time.
//!
//! **Invariants.** A script reaches the circle of the play on its thread and can name no other. A path that a script
//! names is resolved below the circle's own directories, by the operating system where it can, so that no `..`, no
//! link and no rename in between leads out. The disk is not read before a script asks for something on it.

mod disk_usage;
mod documents;
mod files;
mod library;
mod library_walk;
mod masks;
mod open;
mod resources;
mod session;

use std::{
    collections::BTreeMap,
    fmt,
    path::{Path, PathBuf},
    sync::OnceLock,
};

use circles_auth::Access;
use circles_config::{CircleConfig, Limits, default_path};
use circles_store::CircleId;

use self::masks::Masks;
use crate::play::{Budget, Share};

pub(crate) use self::{
    documents::stop_for,
    files::{FileError, Files},
    library::{Library, LibraryError, LibraryId, LibraryRead, Version},
    resources::{CircleCall, Egress, ResourceError, Resources},
    session::Session,
};

/// The resources of one circle. By default its scripts reach nothing but the store, within [`Limits::default`].
#[derive(Clone, Default)]
pub struct CircleSettings {
    /// The directory of its script library. Nothing is written there; it must not lie within `files`, where
    /// scripts write.
    pub library: Option<PathBuf>,
    /// True if nothing may run in the circle while that directory is missing: a policy in it would not be seen.
    pub library_required: bool,
    /// The directory of its files, which no other circle shares; created when a script first writes.
    pub files: Option<PathBuf>,
    /// Values that only the circle's scripts may know, by name.
    pub secrets: BTreeMap<String, String>,
    /// The limits of one play.
    pub limits: Limits,
    /// The callers who may play here; the owner always may.
    pub access: Access,
}

impl CircleSettings {
    /// The settings of a circle without an entry in the configuration: its folders lie under `data_dir`.
    pub fn under(data_dir: &Path, circle: &CircleId) -> Self {
        Self {
            library: Some(default_path(data_dir, circle, "scripts")),
            files: Some(default_path(data_dir, circle, "files")),
            ..Self::default()
        }
    }
}

impl From<&CircleConfig> for CircleSettings {
    fn from(circle: &CircleConfig) -> Self {
        Self {
            library: Some(circle.rhai_path.clone()),
            library_required: false,
            files: Some(circle.files_path.clone()),
            secrets: circle.secrets.clone().into(),
            limits: circle.limits,
            access: circle.access.clone(),
        }
    }
}

/// Shows the names of secrets, not their values.
impl fmt::Debug for CircleSettings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("CircleSettings")
            .field("library", &self.library)
            .field("library_required", &self.library_required)
            .field("files", &self.files)
            .field("secrets", &self.secrets.keys())
            .field("limits", &self.limits)
            .field("access", &self.access)
            .finish()
    }
}

/// A circle, with the resources that its plays share.
pub(crate) struct Circle {
    pub library: Library,
    pub files: Files,
    pub access: Access,
    pub limits: Limits,
    /// The part of the process's memory that its plays may hold.
    memory: OnceLock<Share>,
    secrets: BTreeMap<String, String>,
    masks: Masks,
}

impl Circle {
    pub(crate) fn new(settings: CircleSettings) -> Self {
        Self {
            library: Library::new(settings.library, settings.library_required),
            files: Files::new(settings.files),
            access: settings.access,
            limits: settings.limits,
            memory: OnceLock::new(),
            masks: Masks::new(&settings.secrets),
            secrets: settings.secrets,
        }
    }

    /// The part of a process's memory that its plays may hold.
    pub(crate) fn memory_share(&self, budget: &Budget) -> &Share {
        self.memory.get_or_init(|| budget.share(self.limits.memory_bytes))
    }

    /// The secret of this name.
    pub(crate) fn secret(&self, name: &str) -> Option<&str> {
        self.secrets.get(name).map(String::as_str)
    }

    /// The text with the name of each secret in place of its value; no more of it than about `max_bytes`. Errors quote
    /// values that scripts pass around.
    pub(crate) fn mask_secrets(&self, text: &str, max_bytes: usize) -> String {
        self.masks.masked(text, max_bytes)
    }
}
