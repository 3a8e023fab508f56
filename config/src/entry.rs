//! Reads one circle of the file, as far as it is without fault.

use std::{
    collections::BTreeSet,
    ffi::OsString,
    io::ErrorKind,
    path::{Path, PathBuf},
};

use circles_auth::{
    Access, AccessList, PublicKey, SecretKey,
    key_file::{self, Error as KeyFileError},
};
use serde_json::Value;

use crate::{
    circle::{CircleConfig, Secrets, default_path},
    environment::Environment,
    fault::{Fault, Pointer},
    limits::Limits,
    object::{Object, expected, type_of},
    paths::{KEYS_FOLDER, join, resolve},
    read_limits::read_limits,
};

/// The fields of a circle in the file.
pub const FIELDS: [&str; 11] = [
    "id",
    "port",
    "public_key",
    "key_file",
    "db_path",
    "rhai_path",
    "files_path",
    "access",
    "limits",
    "secrets",
    "pool",
];

/// Fields without an effect in this version, and why: accepting them would hide a mistake.
const UNSUPPORTED: [(&str, &str); 3] = [
    ("http", "scripts cannot make network requests yet"),
    ("webhooks", "webhooks are not served yet"),
    ("provenance", "the choice of recorded plays cannot be configured yet"),
];

const NAME_FORMAT: &str = "a name of 1 to 64 letters, digits, - and _";
const PUBLIC_KEY_FORMAT: &str = "a public key: 66 lower-case hex digits, a point of secp256k1";

/// A circle of the file; fields with a fault are `None` or have their default.
pub(crate) struct Entry {
    pub at: Pointer,
    pub id: Option<String>,
    pub key: CircleKey,
    pub db_path: Option<PathBuf>,
    pub rhai_path: Option<PathBuf>,
    pub files_path: Option<PathBuf>,
    port: Option<u16>,
    access: Access,
    limits: Limits,
    secrets: Secrets,
    pool: Option<String>,
}

/// The key of a circle and its origin.
#[derive(Default)]
pub(crate) struct CircleKey {
    pub public: Option<PublicKey>,
    /// The field with the key, if the file has one.
    pub field: Option<&'static str>,
    /// The key file.
    pub path: Option<PathBuf>,
    /// The new secret key, which is not in its file yet.
    pub new: Option<SecretKey>,
}

impl Entry {
    /// Reads a circle of the file. Relative paths begin in `directory`.
    pub(crate) fn read(
        value: Value,
        at: Pointer,
        directory: &Path,
        environment: &Environment<'_>,
        faults: &mut Vec<Fault>,
    ) -> Option<Self> {
        let mut object = Object::new(value, at.clone(), "an object with the fields of a circle", faults)?;
        if !object.has("id") {
            object.fault_here("missing field id");
        }
        let id = object.take("id", NAME_FORMAT, named);
        let port = object.take("port", "a port from 0 to 65535", |port| port.as_u64()?.try_into().ok());
        let has_key = object.has("public_key") || object.has("key_file");
        let mut path = |name, kind| read_path(&mut object, directory, name, kind);
        let key_file = path("key_file", PathKind::File);
        let db_path = path("db_path", PathKind::File);
        let rhai_path = path("rhai_path", PathKind::Folder);
        let files_path = path("files_path", PathKind::Folder);
        let default_key_path = default_key_path(id.as_deref(), db_path.as_deref(), environment.data_dir);
        let key = match default_key_path {
            _ if has_key => CircleKey::read(key_file, &mut object),
            Some(path) => CircleKey::find(path, environment.creates_keys, &mut object),
            None => CircleKey::default(),
        };
        let access = object.take_with("access", access).unwrap_or_default();
        let limits = object.take_with("limits", read_limits).unwrap_or_default();
        let secrets =
            object.take_with("secrets", |value, at, faults| secrets(value, at, environment, faults));
        let pool = object.take("pool", NAME_FORMAT, named);
        for (name, reason) in UNSUPPORTED {
            if object.take_with(name, |_, _, _| ()).is_some() {
                object.fault(name, format!("not supported in this version: {reason}; remove the field"));
            }
        }
        object.finish(&FIELDS);

        let default = |name| key.public.map(|key| resolve(&default_path(environment.data_dir, key, name)));
        Some(Self {
            db_path: db_path.or_else(|| default("circle.db")),
            rhai_path: rhai_path.or_else(|| default("scripts")),
            files_path: files_path.or_else(|| default("files")),
            at,
            id,
            key,
            port,
            access,
            limits,
            secrets: secrets.unwrap_or_default(),
            pool,
        })
    }

    /// Returns the circle if all its fields could be read.
    pub(crate) fn finish(self) -> Option<CircleConfig> {
        Some(CircleConfig {
            id: self.id?,
            key: self.key.public?,
            port: self.port,
            db_path: self.db_path?,
            rhai_path: self.rhai_path?,
            files_path: self.files_path?,
            access: self.access,
            limits: self.limits,
            secrets: self.secrets,
            pool: self.pool,
        })
    }
}

impl CircleKey {
    /// Reads the key from `public_key` or `key_file`.
    fn read(key_file: Option<PathBuf>, object: &mut Object<'_>) -> Self {
        if object.has("public_key") {
            if key_file.is_some() {
                object.fault("key_file", "expected public_key or key_file, found both");
            }
            let public = object.take("public_key", PUBLIC_KEY_FORMAT, public_key);
            return Self { public, field: Some("public_key"), ..Self::default() };
        }
        let Some(path) = key_file else { return Self::default() };
        let read = key_file::read(&path).map_err(|error| object.fault("key_file", error.to_string()));
        Self {
            public: read.ok().map(|key| key.public_key()),
            field: Some("key_file"),
            path: Some(path),
            new: None,
        }
    }

    /// Reads the key that was created for a circle without a key in the file, or creates one.
    fn find(path: PathBuf, may_create: bool, object: &mut Object<'_>) -> Self {
        let (key, is_new) = match key_file::read(&path) {
            Ok(key) => (Some(key), false),
            Err(KeyFileError::Io { cause, .. }) if cause.kind() == ErrorKind::NotFound && !may_create => {
                object.fault_here(format!(
                    "expected public_key or key_file, or a key created by a server at {}",
                    path.display()
                ));
                (None, false)
            }
            Err(KeyFileError::Io { cause, .. }) if cause.kind() == ErrorKind::NotFound => {
                let key = SecretKey::generate();
                let key = key.map_err(|error| object.fault_here(format!("cannot create a key: {error}")));
                (key.ok(), true)
            }
            Err(error) => {
                object.fault_here(format!("cannot use the key created for this circle: {error}"));
                (None, false)
            }
        };
        let public = key.as_ref().map(SecretKey::public_key);
        Self { public, field: None, path: Some(path), new: key.filter(|_| is_new) }
    }
}

/// Takes a path from the object and reports its faults.
fn read_path(object: &mut Object<'_>, directory: &Path, name: &str, kind: PathKind) -> Option<PathBuf> {
    let written = object.take(name, kind.expected(), |path| text(path).map(str::to_owned))?;
    // Only a shell expands it; here it would become the name of a folder.
    if written.starts_with('~') {
        let expected = kind.expected();
        object.fault(name, format!("~ is not expanded here: expected {expected}, written in full"));
        return None;
    }
    let path = join(directory, Path::new(&written));
    if let Some(problem) = kind.fault(&written, &path) {
        object.fault(name, problem);
        return None;
    }
    Some(resolve(&path))
}

/// The kind of file that a path must lead to.
#[derive(Clone, Copy)]
enum PathKind {
    File,
    Folder,
}

impl PathKind {
    const fn expected(self) -> &'static str {
        match self {
            Self::File => "the path of a file",
            Self::Folder => "the path of a folder",
        }
    }

    /// Returns the fault of a path as written, or of the file that exists there.
    fn fault(self, written: &str, path: &Path) -> Option<String> {
        if matches!(self, Self::File) && written.ends_with('/') {
            return Some(format!("expected {}, found one that ends with /", self.expected()));
        }
        // A path through a missing folder and back, such as `missing/..`, exists only once it is resolved.
        let (path, found) = match path.metadata() {
            Ok(found) => (path.to_owned(), found),
            Err(_) => {
                let path = resolve(path);
                let found = path.metadata().ok()?;
                (path, found)
            }
        };
        let (expected, found) = match (self, found.is_dir()) {
            (Self::File, true) => ("a file", "a folder"),
            (Self::Folder, false) => ("a folder", "a file"),
            _ => return None,
        };
        Some(format!("expected {expected}, but {} is {found}", path.display()))
    }
}

/// Returns a path next to the database, so that both move together, or in the data directory without a `db_path`.
fn default_key_path(id: Option<&str>, db_path: Option<&Path>, data_dir: &Path) -> Option<PathBuf> {
    match (db_path, id) {
        (Some(db_path), _) => {
            let mut path = db_path.as_os_str().to_owned();
            path.push(".key");
            Some(path.into())
        }
        (None, Some(id)) => Some(data_dir.join(KEYS_FOLDER).join(format!("{id}.key"))),
        (None, None) => None,
    }
}

fn named(value: &Value) -> Option<String> {
    text(value).filter(|name| is_name(name)).map(str::to_owned)
}

/// Returns whether a text may be the id of a circle or the name of a pool: 1 to 64 letters, digits, `-` and `_`.
pub fn is_name(name: &str) -> bool {
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_';
    (1..=64).contains(&name.len()) && name.bytes().all(is_plain)
}

/// Returns a text that is not empty and may be part of a path.
fn text(value: &Value) -> Option<&str> {
    value.as_str().filter(|text| !text.is_empty() && !text.contains('\0'))
}

fn public_key(value: &Value) -> Option<PublicKey> {
    value.as_str()?.parse().ok()
}

fn access(value: Value, at: Pointer, faults: &mut Vec<Fault>) -> Access {
    let Some(mut object) = Object::new(value, at, "an object with play and run", faults) else {
        return Access::closed();
    };
    let mut list = |name| object.take_with(name, access_list).unwrap_or_else(AccessList::empty);
    let access = Access { play: list("play"), run: list("run") };
    object.finish(&["play", "run"]);
    access
}

fn access_list(value: Value, at: Pointer, faults: &mut Vec<Fault>) -> AccessList {
    match value {
        Value::String(text) if text == "*" => AccessList::Everyone,
        Value::Array(keys) => {
            let mut only = BTreeSet::new();
            for (index, key) in keys.iter().enumerate() {
                match public_key(key) {
                    Some(key) => drop(only.insert(key.circle_id())),
                    None => faults.push(expected(&at.child(index), PUBLIC_KEY_FORMAT, key)),
                }
            }
            AccessList::Only(only)
        }
        other => {
            faults.push(expected(&at, "\"*\" or a list of public keys", &other));
            AccessList::empty()
        }
    }
}

fn secrets(value: Value, at: Pointer, environment: &Environment<'_>, faults: &mut Vec<Fault>) -> Secrets {
    let Value::Object(secrets) = value else {
        // The value is not quoted, since it may be the secret itself, written here by mistake.
        faults.push(at.fault(format!(
            "expected an object that maps names to environment variables, found {}",
            type_of(&value)
        )));
        return Secrets::default();
    };
    let mut read = |(name, variable): (String, Value)| {
        let at = at.child(&name);
        let Some(variable) = variable.as_str().filter(|variable| !name.is_empty() && is_variable(variable))
        else {
            // The value is not quoted, since it may be the secret itself, written here by mistake.
            faults.push(at.fault("expected the name of an environment variable"));
            return None;
        };
        let problem = match (environment.variable)(variable).map(OsString::into_string) {
            Some(Ok(secret)) if !secret.is_empty() => return Some((name, secret)),
            Some(Ok(_)) => "is empty",
            Some(Err(_)) => "is not UTF-8",
            None => "is not set",
        };
        faults.push(at.fault(format!("environment variable {variable} {problem}")));
        None
    };
    secrets.into_iter().filter_map(&mut read).collect()
}

/// Returns whether POSIX allows this name for an environment variable.
fn is_variable(name: &str) -> bool {
    !name.is_empty() && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_')
}
