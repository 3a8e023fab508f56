//! One circle of the file, as far as it can be understood.

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
    Limits,
    circle::{CircleConfig, Secrets, default_path},
    fault::{Fault, Place},
    limits,
    object::{Object, expected, kind_of},
    paths::{join, resolve},
    read::Surroundings,
};

/// Every field that a circle may have in the file.
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

/// Fields of the design that have no effect yet, so that naming them would be an error nobody notices.
const NOT_YET: [(&str, &str); 3] = [
    ("http", "scripts cannot reach out yet, so there are no rules for it"),
    ("webhooks", "webhooks are not served yet"),
    ("provenance", "which plays leave a record cannot be chosen yet"),
];

/// The folder of the data directory with the keys that were made for circles without a `db_path`.
pub const KEYS: &str = "keys";
const NAME: &str = "a name of 1 to 64 letters, digits, - and _";
const PUBLIC_KEY: &str = "a public key: 66 lower-case hex digits, a point of secp256k1";

/// What a circle of the file is, as far as it could be read.
pub struct Entry {
    pub at: Place,
    pub id: Option<String>,
    pub key: Key,
    pub db_path: Option<PathBuf>,
    pub rhai_path: Option<PathBuf>,
    pub files_path: Option<PathBuf>,
    port: Option<u16>,
    access: Access,
    limits: Limits,
    secrets: Secrets,
    pool: Option<String>,
}

/// The key of a circle, and where it comes from.
#[derive(Default)]
pub struct Key {
    pub public: Option<PublicKey>,
    /// The field that says it, if one does.
    pub field: Option<&'static str>,
    /// The file that it is in.
    pub path: Option<PathBuf>,
    /// The key as a whole, where it is new and no file holds it yet.
    pub new: Option<SecretKey>,
}

impl Entry {
    /// Reads what stands at a place; `directory` is where relative paths begin.
    pub fn read(
        value: Value,
        at: Place,
        directory: &Path,
        around: &Surroundings<'_>,
        faults: &mut Vec<Fault>,
    ) -> Option<Self> {
        let mut object = Object::new(value, at.clone(), "an object, which is a circle", faults)?;
        if !object.has("id") {
            object.fault_here("expected a circle to have an id");
        }
        let id = object.take("id", NAME, named);
        let port = object.take("port", "a port from 0 to 65535", |port| port.as_u64()?.try_into().ok());
        let keyless = !object.has("public_key") && !object.has("key_file");
        let mut path = |name, kind: Kind| {
            let said = object.take(name, kind.expected(), |path| text(path).map(str::to_owned))?;
            // Only a shell knows what it means; here it would become the name of a folder.
            if said.starts_with('~') {
                let expected = kind.expected();
                object.fault(name, format!("~ is not expanded here: expected {expected}, written in full"));
                return None;
            }
            let path = join(directory, Path::new(&said));
            match kind.clash(&said, &path) {
                Some(problem) => object.fault(name, problem),
                None => return Some(resolve(&path)),
            }
            None
        };
        let key_file = path("key_file", Kind::File);
        let db_path = path("db_path", Kind::File);
        let rhai_path = path("rhai_path", Kind::Folder);
        let files_path = path("files_path", Kind::Folder);
        let key = match keyless {
            true => match default_key_path(id.as_deref(), db_path.as_deref(), around.data_dir) {
                Some(path) => Key::find(path, around.makes_keys, &mut object),
                None => Key::default(),
            },
            false => Key::read(key_file, &mut object),
        };
        let access = object.take_with("access", access).unwrap_or_default();
        let limits = object.take_with("limits", limits::read).unwrap_or_default();
        let secrets = object.take_with("secrets", |value, at, faults| secrets(value, at, around, faults));
        let pool = object.take("pool", NAME, named);
        for (name, reason) in NOT_YET {
            if object.take_with(name, |_, _, _| ()).is_some() {
                object.fault(name, format!("this version has no such setting: {reason}; remove the field"));
            }
        }
        object.end(&FIELDS);

        let default = |name| key.public.map(|key| resolve(&default_path(around.data_dir, key, name)));
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

    /// The circle, if there is nothing that could not be read.
    pub fn finish(self) -> Option<CircleConfig> {
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

impl Key {
    /// The key that `public_key` or `key_file` says.
    fn read(key_file: Option<PathBuf>, object: &mut Object<'_>) -> Self {
        if object.has("public_key") {
            if key_file.is_some() {
                object.fault("key_file", "expected public_key or key_file, found both");
            }
            let public = object.take("public_key", PUBLIC_KEY, public_key);
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

    /// The key that was made for a circle of which no key is said, or a new one.
    fn find(path: PathBuf, may_make: bool, object: &mut Object<'_>) -> Self {
        let (key, is_new) = match key_file::read(&path) {
            Ok(key) => (Some(key), false),
            Err(KeyFileError::Io { cause, .. }) if cause.kind() == ErrorKind::NotFound && !may_make => {
                object.fault_here(format!(
                    "expected public_key, or key_file, or the key that a server makes at {}",
                    path.display()
                ));
                (None, false)
            }
            Err(KeyFileError::Io { cause, .. }) if cause.kind() == ErrorKind::NotFound => {
                let made = SecretKey::generate();
                let key = made.map_err(|error| object.fault_here(format!("no key could be made: {error}")));
                (key.ok(), true)
            }
            Err(error) => {
                object.fault_here(format!("the key made for this circle cannot be used: {error}"));
                (None, false)
            }
        };
        let public = key.as_ref().map(SecretKey::public_key);
        Self { public, field: None, path: Some(path), new: key.filter(|_| is_new) }
    }
}

/// What a path leads to.
#[derive(Clone, Copy)]
enum Kind {
    File,
    Folder,
}

impl Kind {
    const fn expected(self) -> &'static str {
        match self {
            Self::File => "the path of a file",
            Self::Folder => "the path of a folder",
        }
    }

    /// The fault in how a path is said, or in what is there already.
    fn clash(self, said: &str, path: &Path) -> Option<String> {
        if matches!(self, Self::File) && said.ends_with('/') {
            return Some(format!("expected {}, found one that ends with /", self.expected()));
        }
        // A path that leads through a folder that is not there yet has to be followed first.
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
        Some(format!("expected {expected}, and {} is {found}", path.display()))
    }
}

/// Beside the database, so that the two move together; the data directory if no database is named.
fn default_key_path(id: Option<&str>, db_path: Option<&Path>, data_dir: &Path) -> Option<PathBuf> {
    match (db_path, id) {
        (Some(db_path), _) => {
            let mut path = db_path.as_os_str().to_owned();
            path.push(".key");
            Some(path.into())
        }
        (None, Some(id)) => Some(data_dir.join(KEYS).join(format!("{id}.key"))),
        (None, None) => None,
    }
}

fn named(value: &Value) -> Option<String> {
    text(value).filter(|name| is_name(name)).map(str::to_owned)
}

/// Whether a text can name a circle for people, or a pool: 1 to 64 letters, digits, `-` and `_`.
pub fn is_name(name: &str) -> bool {
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_';
    (1..=64).contains(&name.len()) && name.bytes().all(is_plain)
}

/// A text that something can be named by.
fn text(value: &Value) -> Option<&str> {
    value.as_str().filter(|text| !text.is_empty() && !text.contains('\0'))
}

fn public_key(value: &Value) -> Option<PublicKey> {
    value.as_str()?.parse().ok()
}

fn access(value: Value, at: Place, faults: &mut Vec<Fault>) -> Access {
    let Some(mut object) = Object::new(value, at, "an object with play and run", faults) else {
        return Access::closed();
    };
    let mut who = |verb| object.take_with(verb, who).unwrap_or_else(AccessList::empty);
    let access = Access { play: who("play"), run: who("run") };
    object.end(&["play", "run"]);
    access
}

fn who(value: Value, at: Place, faults: &mut Vec<Fault>) -> AccessList {
    match value {
        Value::String(text) if text == "*" => AccessList::Everyone,
        Value::Array(keys) => {
            let mut only = BTreeSet::new();
            for (index, key) in keys.iter().enumerate() {
                match public_key(key) {
                    Some(key) => drop(only.insert(key.circle_id())),
                    None => faults.push(expected(&at.child(index), PUBLIC_KEY, key)),
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

fn secrets(value: Value, at: Place, around: &Surroundings<'_>, faults: &mut Vec<Fault>) -> Secrets {
    let Value::Object(secrets) = value else {
        // Not quoted: it may be the secret itself, written here by mistake.
        faults.push(at.fault(format!(
            "expected an object of names of environment variables by name, found {}",
            kind_of(&value)
        )));
        return Secrets::default();
    };
    let mut read = |(name, variable): (String, Value)| {
        let at = at.child(&name);
        let Some(variable) = variable.as_str().filter(|variable| !name.is_empty() && is_variable(variable))
        else {
            // Not quoted: it may be the secret itself, written here by mistake.
            faults.push(at.fault("expected the name of an environment variable"));
            return None;
        };
        let problem = match (around.env)(variable).map(OsString::into_string) {
            Some(Ok(secret)) if !secret.is_empty() => return Some((name, secret)),
            Some(Ok(_)) => "is empty",
            Some(Err(_)) => "is not UTF-8",
            None => "is not set",
        };
        faults.push(at.fault(format!("the environment variable {variable} {problem}")));
        None
    };
    secrets.into_iter().filter_map(&mut read).collect()
}

/// A name as POSIX has them.
fn is_variable(name: &str) -> bool {
    !name.is_empty() && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_')
}
