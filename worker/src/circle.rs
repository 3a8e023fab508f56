//! The circle that a play runs in, as scripts see it: a library, files, secrets, limits.
//!
//! **Invariants.** A script reaches a circle through the play on its thread and can name no other. Whatever
//! path it names is resolved below the circle's own directories, by the operating system where it can, so
//! that no `..`, no link and no rename in between leads out. Nothing on disk is looked at before a script asks
//! for it.

mod files;
mod library;
mod listing;
mod masks;
mod modules;

use std::{
    collections::BTreeMap,
    fmt,
    io::ErrorKind,
    path::{Path, PathBuf},
    sync::{Arc, Mutex, OnceLock, PoisonError},
    time::{Duration, Instant},
};

use circles_auth::Access;
use circles_config::{CircleConfig, default_path};
use circles_store::CircleId;

use self::masks::Masks;
use crate::{
    Limits,
    budget::{Budget, Share},
    cache::Script,
    engine::Engines,
    play::Play,
};

pub use files::{FileFault, Files, Reservation};
pub use library::{Compiled, Library, LibraryFault, Loaded};
pub use listing::{LibraryFunction, LibraryScript};
pub use modules::Resolver;

/// The library script that decides who may do what (SPEC §4).
pub const POLICY: &str = "policy";
/// How long a policy that was put in place may go unnoticed.
const POLICY_AGE: Duration = Duration::from_secs(1);

/// How long a policy may fail again without another line in the log: callers decide how often it does.
const WARNING_INTERVAL: Duration = Duration::from_secs(10);

/// What the scripts of one circle may reach. By default nothing but the store, within [`Limits::default`].
#[derive(Clone, Default)]
pub struct CircleSettings {
    /// The directory of its script library. Nothing is written there; it must not lie within `files`, where
    /// scripts write.
    pub library: Option<PathBuf>,
    /// Whether nothing may run in the circle while that directory is not there: a policy in it would not be seen.
    pub library_required: bool,
    /// The directory of its files, its own alone; made when a script first writes.
    pub files: Option<PathBuf>,
    /// What scripts may know and nobody else, by name.
    pub secrets: BTreeMap<String, String>,
    /// What one play may use.
    pub limits: Limits,
    /// Who may play here; the owner always may.
    pub access: Access,
}

impl CircleSettings {
    /// Of a circle of which nothing is said, whose things lie under `data_dir`.
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

/// Secrets are named, not shown.
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

/// What is wrong with a policy that cannot decide.
pub const NO_AUTHORIZE: &str = "it has no function authorize(request): callers are denied, except the owner";

/// Whether a policy has the function that decides.
pub fn decides(policy: &Script) -> bool {
    policy.ast.iter_functions().any(|function| function.name == "authorize" && function.params.len() == 1)
}

/// A circle with what its plays share.
pub struct Circle {
    pub library: Library,
    pub files: Files,
    pub engines: Arc<Engines>,
    pub access: Access,
    /// When it was last seen that there is no policy.
    no_policy: Mutex<Option<Instant>>,
    /// What its plays may hold of the process's memory.
    memory: OnceLock<Share>,
    secrets: BTreeMap<String, String>,
    masks: Masks,
    /// When a fault of the policy was last logged.
    warned: Mutex<Option<Instant>>,
}

impl Circle {
    /// A circle whose limits are those of `engines`, and whose library's scripts are kept compiled there.
    pub fn new(settings: CircleSettings, engines: Arc<Engines>, compiled: &Arc<Compiled>) -> Self {
        Self {
            library: Library::new(settings.library, settings.library_required, compiled.clone()),
            files: Files::new(settings.files),
            engines,
            access: settings.access,
            no_policy: Mutex::new(None),
            memory: OnceLock::new(),
            masks: Masks::new(&settings.secrets),
            warned: Mutex::new(None),
            secrets: settings.secrets,
        }
    }

    /// What one play may use.
    pub fn limits(&self) -> &Limits {
        &self.engines.limits
    }

    /// What its plays may hold of a process's memory.
    pub fn memory_share(&self, budget: &Budget) -> &Share {
        self.memory.get_or_init(|| budget.share(self.limits().memory_bytes))
    }

    /// A script of its library as it stands now, for a play. May block on the disk.
    pub fn load(&self, name: &str, play: &Play) -> Result<Loaded, LibraryFault> {
        self.library.load(self.limits(), name, play)
    }

    /// A script of its library that was loaded, compiled within the limits of the play on this thread.
    pub fn compile(&self, loaded: Loaded) -> Result<Arc<Script>, LibraryFault> {
        self.library.compile(&self.engines.real, loaded)
    }

    /// A script of its library, compiled. May block on the disk.
    pub fn script(&self, name: &str, play: &Play) -> Result<Arc<Script>, LibraryFault> {
        self.compile(self.load(name, play)?)
    }

    /// The script that decides who may do what, if the library has one. May block on the disk.
    pub fn policy(&self, play: &Play) -> Result<Option<Arc<Script>>, LibraryFault> {
        // Only what is certainly not there is no policy: one that cannot be read denies.
        let there = match self.library.open()? {
            None if self.library.is_required() => return Err(LibraryFault::Absent),
            None => false,
            Some(root) => match root.symlink_metadata(format!("{POLICY}.rhai")) {
                Ok(_) => true,
                Err(error) if error.kind() == ErrorKind::NotFound => false,
                Err(error) => return Err(error.into()),
            },
        };
        let found = if there { self.script(POLICY, play).map(Some) } else { Ok(None) };
        let none = matches!(found, Ok(None)).then(Instant::now);
        *self.no_policy.lock().unwrap_or_else(PoisonError::into_inner) = none;
        found
    }

    /// Whether there was no policy a moment ago. Does not look at the disk.
    pub fn is_sure_to_have_no_policy(&self) -> bool {
        let seen = *self.no_policy.lock().unwrap_or_else(PoisonError::into_inner);
        seen.is_some_and(|seen| seen.elapsed() < POLICY_AGE)
    }

    /// The secret of this name.
    pub fn secret(&self, name: &str) -> Option<&str> {
        self.secrets.get(name).map(String::as_str)
    }

    /// The text with the name of each secret in place of its value, which errors quote when a script hands it
    /// around; no more of it than `most` bytes and a little.
    pub fn without_secrets(&self, text: &str, most: usize) -> String {
        self.masks.masked(text, most)
    }

    /// Whether a fault of the policy is to be logged: the first one, and one of all that follow within a while.
    pub fn is_time_for_a_warning(&self) -> bool {
        let mut warned = self.warned.lock().unwrap_or_else(PoisonError::into_inner);
        let due = warned.is_none_or(|warned| warned.elapsed() >= WARNING_INTERVAL);
        if due {
            *warned = Some(Instant::now());
        }
        due
    }
}
