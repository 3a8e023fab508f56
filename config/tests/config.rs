//! Reads valid and faulty `circles.json` files.

#![allow(clippy::unwrap_used, clippy::expect_used)] // A test fails on a missing value.

use std::{
    collections::BTreeMap,
    ffi::OsString,
    fs,
    os::unix::{ffi::OsStringExt as _, fs::PermissionsExt as _},
    path::{Path, PathBuf},
};

use circles_auth::{Access, AccessList, PublicKey, SecretKey, key_file};
use circles_config::{
    CircleConfig, Environment, Faults, Limits, max_for, parse, parse_limits, read, remember,
};
use serde_json::{Value, json};
use tempfile::TempDir;

/// A folder for a config, its data directory, and environment variables.
struct Folder {
    directory: TempDir,
    variables: BTreeMap<&'static str, OsString>,
}

impl Folder {
    fn new() -> Self {
        let variables = [
            ("EMPTY", OsString::new()),
            ("BINARY", OsString::from_vec(vec![0xff])),
            ("KEY", "s3cret".into()),
        ];
        Self { directory: tempfile::tempdir().unwrap(), variables: variables.into() }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.directory.path().canonicalize().unwrap().join(name)
    }

    fn data(&self, name: &str) -> PathBuf {
        self.path("data").join(name)
    }

    fn parse_text(&self, text: &str) -> Result<Vec<CircleConfig>, Faults> {
        let variable = |name: &str| self.variables.get(name).cloned();
        parse(
            text,
            &self.path("circles.json"),
            Environment { data_dir: &self.path("data"), variable: &variable, creates_keys: true },
        )
    }

    fn parse(&self, config: &Value) -> Result<Vec<CircleConfig>, Faults> {
        self.parse_text(&config.to_string())
    }

    /// Returns the faults one per line, with `$` for the folder.
    fn faults(&self, config: &Value) -> Vec<String> {
        let faults = self.parse(config).expect_err("it has faults");
        let (inside, folder) = (self.path(""), self.directory.path().canonicalize().unwrap());
        let short = |text: String| {
            text.replace(inside.to_str().unwrap(), "$/").replace(folder.to_str().unwrap(), "$")
        };
        faults.iter().map(|fault| short(fault.to_string())).collect()
    }

    fn key_file(&self, name: &str, number: u8) -> PublicKey {
        let key: SecretKey = format!("{number:064x}").parse().unwrap();
        key_file::write(&self.path(name), &key, true).unwrap();
        key.public_key()
    }
}

fn key(number: u8) -> PublicKey {
    format!("{number:064x}").parse::<SecretKey>().unwrap().public_key()
}

/// Returns a circle with these fields besides its id and key.
fn circle(fields: Value) -> Value {
    let mut circle = json!({ "id": "a", "public_key": key(1).to_string() });
    circle.as_object_mut().unwrap().extend(fields.as_object().unwrap().clone());
    circle
}

#[test]
fn circle_without_paths_uses_data_directory() {
    let folder = Folder::new();
    let circles = folder.parse(&json!([circle(json!({}))])).unwrap();
    assert_eq!(
        circles,
        [CircleConfig { id: "a".into(), ..CircleConfig::with_defaults(key(1), &folder.path("data")) }]
    );
    let own = folder.data(&key(1).to_string());
    let paths = [&circles[0].db_path, &circles[0].rhai_path, &circles[0].files_path];
    assert_eq!(paths, [&own.join("circle.db"), &own.join("scripts"), &own.join("files")]);
    assert!(!folder.path("data").exists(), "only keys are written");
}

#[test]
fn all_fields_are_read() {
    let folder = Folder::new();
    let ana = folder.key_file("ana.key", 2);
    let circles = folder.parse(&json!([
        circle(json!({})),
        {
            "id": "ana_2", "key_file": "ana.key", "port": 0,
            "db_path": "/srv/ana.db", "rhai_path": "lib/../scripts", "files_path": "files",
            "access": { "play": [key(1).to_string()], "run": "*" },
            "limits": { "operations": 5, "memory_bytes": 1 << 20 }, "secrets": { "STRIPE_SECRET_KEY": "KEY" }
        }
    ]));
    let circle = circles.unwrap().pop().unwrap();
    assert_eq!((circle.id.as_str(), circle.key, circle.port), ("ana_2", ana, Some(0)));
    let paths = [circle.db_path, circle.rhai_path, circle.files_path];
    assert_eq!(paths, [PathBuf::from("/srv/ana.db"), folder.path("scripts"), folder.path("files")]);
    let play = AccessList::from_iter([key(1).circle_id()]);
    assert_eq!(circle.access, Access { play, run: AccessList::Everyone });
    assert_eq!(circle.limits, Limits { operations: 5, memory_bytes: 1 << 20, ..Limits::default() });
    assert_eq!(circle.secrets.get("STRIPE_SECRET_KEY"), Some("s3cret"));
    assert!(!format!("{:?}", circle.secrets).contains("s3cret"), "{:?}", circle.secrets);
}

#[test]
fn missing_keys_are_created_once_next_to_databases() {
    let folder = Folder::new();
    let example = json!([
        { "id": "circle-1", "port": 9001, "db_path": "lib/circle-1.db", "rhai_path": "lib/scripts" },
        { "id": "circle-2" }
    ]);
    let first = folder.parse(&example).unwrap();
    assert_eq!(folder.parse(&example).unwrap(), first);
    for (path, circle) in [("lib/circle-1.db.key", 0), ("data/keys/circle-2.key", 1)] {
        assert_eq!(fs::metadata(folder.path(path)).unwrap().permissions().mode() & 0o777, 0o600);
        let kept = key_file::read(&folder.path(path)).unwrap();
        assert_eq!(kept.public_key(), first[circle].key);
    }
    assert_eq!(first[1].db_path, folder.data(&first[1].key.to_string()).join("circle.db"));
}

#[test]
fn config_with_a_fault_writes_nothing() {
    let folder = Folder::new();
    assert_eq!(folder.faults(&json!([{ "id": "a" }, { "id": "b", "port": -1 }])).len(), 1);
    assert_eq!(fs::read_dir(folder.path("")).unwrap().count(), 0);
}

#[test]
fn config_is_read_and_missing_file_is_reported() {
    let folder = Folder::new();
    let (path, data) = (folder.path("circles.json"), folder.path("data"));
    let environment = Environment { data_dir: &data, variable: &|_| None, creates_keys: true };
    let error = read(&path, environment).unwrap_err().to_string();
    assert!(error.starts_with(path.to_str().unwrap()) && error.contains("No such file"), "{error}");
    fs::write(&path, json!([circle(json!({}))]).to_string()).unwrap();
    assert_eq!(read(&path, environment).unwrap().len(), 1);
}

#[test]
fn config_that_is_no_list_is_a_fault() {
    for (text, expected) in [
        ("", "expected a list of circles, at least one; the file is empty"),
        ("\u{feff} \n", "expected a list of circles, at least one; the file is empty"),
        ("null", "expected a list of circles, at least one, found null"),
        ("[{\"id\": \"a\",\n}]", "trailing comma at line 2 column 1"),
        ("[{\"id\": \"a\",\n\"id\": \"b\"}]", "duplicate field `id` at line 2 column 10"),
        ("[]", "expected a list of circles, at least one, found []"),
        ("{\"id\": \"a\"}", "expected a list of circles, at least one, found {\"id\":\"a\"}"),
    ] {
        let faults = Folder::new().parse_text(text).unwrap_err();
        assert_eq!(faults.iter().map(|fault| fault.to_string()).collect::<Vec<_>>(), [expected], "{text}");
    }
}

#[test]
fn byte_order_mark_is_ignored() {
    let text = json!([circle(json!({}))]).to_string();
    assert_eq!(Folder::new().parse_text(&format!("\u{feff}{text}")).unwrap().len(), 1);
}

#[test]
fn fault_names_its_place_and_the_expected_value() {
    let name = "expected a name of 1 to 64 letters, digits, - and _";
    let unsupported = "not supported in this version";
    for (fields, expected) in [
        (json!({ "id": "" }), format!("/0/id: {name}, found \"\"")),
        (json!({ "id": "../a" }), format!("/0/id: {name}, found \"../a\"")),
        (json!({ "id": 7 }), format!("/0/id: {name}, found 7")),
        (json!({ "id": "a".repeat(65) }), format!("/0/id: {name}, found \"{}…", "a".repeat(39))),
        (json!({ "port": 65_536 }), "/0/port: expected a port from 0 to 65535, found 65536".into()),
        (json!({ "port": -1 }), "/0/port: expected a port from 0 to 65535, found -1".into()),
        (json!({ "port": "9001" }), "/0/port: expected a port from 0 to 65535, found \"9001\"".into()),
        (json!({ "public_key": "02ab" }), "/0/public_key: expected a public key: 66 lower-case hex".into()),
        (json!({ "key_file": "k" }), "/0/key_file: expected public_key or key_file, found both".into()),
        (json!({ "db_path": "" }), "/0/db_path: expected the path of a file, found \"\"".into()),
        (json!({ "db_path": "~/a.db" }), "/0/db_path: ~ is not expanded here: expected the path of".into()),
        (json!({ "rhai_path": "~ana/a" }), "/0/rhai_path: ~ is not expanded here: expected the path".into()),
        (json!({ "files_path": "~" }), "/0/files_path: ~ is not expanded here: expected the path".into()),
        (json!({ "db_path": "." }), "/0/db_path: expected a file, but $/. is a folder".into()),
        (json!({ "rhai_path": "k" }), "/0/rhai_path: expected a folder, but $/k is a file".into()),
        (json!({ "files_path": 1 }), "/0/files_path: expected the path of a folder, found 1".into()),
        (
            json!({ "db_path": "db/" }),
            "/0/db_path: expected the path of a file, found one that ends with /".into(),
        ),
        (json!({ "db_path": "none/.." }), "/0/db_path: expected a file, but $ is a folder".into()),
        (json!({ "db_path": "circles.json" }), "/0/db_path: $/circles.json is this config file too".into()),
        (json!({ "db_path": "x", "rhai_path": "./x" }), "/0/db_path: $/x is the rhai_path too".into()),
        (json!({ "db_path": null }), "/0/db_path: expected the path of a file, found null".into()),
        (json!({ "port": 9001.0 }), "/0/port: expected a port from 0 to 65535, found 9001.0".into()),
        (json!({ "a\nb": 1 }), "/0/a\\nb: unknown field".into()),
        (json!({ "access": null }), "/0/access: expected an object with play and run, found null".into()),
        (
            json!({ "secrets": "whsec_bm90aGluZw==" }),
            "/0/secrets: expected an object that maps names to environment variables, found a string".into(),
        ),
        (json!({ "access": "*" }), "/0/access: expected an object with play and run, found \"*\"".into()),
        (
            json!({ "access": { "plays": "*" } }),
            "/0/access/plays: unknown field, expected one of play, run".into(),
        ),
        (json!({ "access": { "play": "all" } }), "/0/access/play: expected \"*\" or a list of public".into()),
        (json!({ "access": { "run": ["*"] } }), "/0/access/run/0: expected a public key: 66".into()),
        (json!({ "limits": 5 }), "/0/limits: expected an object of limits by name, found 5".into()),
        (
            json!({ "limits": { "a/b": 5 } }),
            "/0/limits/a~1b: unknown field, expected one of call_depth, ".into(),
        ),
        (json!({ "secrets": [] }), "/0/secrets: expected an object that maps names".into()),
        (
            json!({ "secrets": { "a": 5 } }),
            "/0/secrets/a: expected the name of an environment variable".into(),
        ),
        (json!({ "secrets": { "a": "NO" } }), "/0/secrets/a: environment variable NO is not set".into()),
        (json!({ "secrets": { "a": "EMPTY" } }), "/0/secrets/a: environment variable EMPTY is empty".into()),
        (
            json!({ "secrets": { "a": "BINARY" } }),
            "/0/secrets/a: environment variable BINARY is not UTF-8".into(),
        ),
        (json!({ "http": {} }), format!("/0/http: {unsupported}: scripts cannot make network requests")),
        (json!({ "webhooks": {} }), format!("/0/webhooks: {unsupported}: webhooks")),
        (json!({ "pool": "a b" }), "/0/pool: expected a name of 1 to 64 letters".into()),
        (json!({ "pool": "" }), "/0/pool: expected a name of 1 to 64 letters".into()),
        (json!({ "provenance": "all" }), format!("/0/provenance: {unsupported}: the choice of")),
        (json!({ "dbpath": "x" }), "/0/dbpath: unknown field, expected one of id, port, public_key".into()),
    ] {
        let folder = Folder::new();
        folder.key_file("k", 1);
        let faults = folder.faults(&json!([circle(fields.clone())]));
        assert_eq!(faults.len(), 1, "{fields}: {faults:?}");
        assert!(faults[0].starts_with(&expected), "{fields}: {}", faults[0]);
    }
}

#[test]
fn limits_have_bounds() {
    let folder = Folder::new();
    let defaults = serde_json::to_value(Limits::default()).unwrap();
    for (name, default) in defaults.as_object().unwrap() {
        let max = max_for(name, default.as_u64().unwrap());
        for good in [1, max] {
            folder.parse(&json!([circle(json!({ "limits": { name: good } }))])).unwrap();
        }
        for bad in [json!(0), json!(max + 1), json!(-1), json!(1.5), json!("1"), json!(null)] {
            let faults = folder.faults(&json!([circle(json!({ "limits": { name: bad } }))]));
            let expected = format!("/0/limits/{name}: expected a whole number from 1 to {max}, found {bad}");
            assert_eq!(faults, [expected]);
        }
    }
}

#[test]
fn unusable_key_file_is_a_fault() {
    let folder = Folder::new();
    let expected =
        |file: &str| vec![format!("/0/key_file: $/{file}: No such file or directory (os error 2)")];
    assert_eq!(folder.faults(&json!([{ "id": "a", "key_file": "none.key" }])), expected("none.key"));
    fs::write(folder.path("bad.key"), "hello").unwrap();
    fs::create_dir_all(folder.data("keys")).unwrap();
    fs::copy(folder.path("bad.key"), folder.data("keys/a.key")).unwrap();
    for (config, field) in
        [(json!([{ "id": "a", "key_file": "bad.key" }]), "/0/key_file: "), (json!([{ "id": "a" }]), "/0: ")]
    {
        let faults = folder.faults(&config);
        assert!(
            faults.len() == 1 && faults[0].starts_with(field) && faults[0].contains("chmod 600"),
            "{faults:?}"
        );
    }
}

#[test]
fn config_reports_duplicates_of_unique_values() {
    let folder = Folder::new();
    folder.key_file("k", 1);
    let other = |fields: Value| {
        let mut other = circle(fields);
        other.as_object_mut().unwrap().entry("id").and_modify(|id| *id = json!("b"));
        other
    };
    let own = json!({ "db_path": "x.db", "files_path": "f/files", "rhai_path": "lib" });
    let faults = |mut second: Value| {
        if second.get("key_file").is_some() {
            second.as_object_mut().unwrap().remove("public_key");
        }
        folder.faults(&json!([circle(own.clone()), second]))
    };
    let k2 = key(2).to_string();
    assert_eq!(faults(json!({ "id": "a", "public_key": k2 })), ["/1/id: duplicate id a: already used by /0"]);
    let twice = format!("duplicate key {}: already used by /0", key(1));
    assert_eq!(faults(other(json!({}))), [format!("/1/public_key: {twice}")]);
    assert_eq!(faults(other(json!({ "key_file": "k" }))), [format!("/1/key_file: {twice}")]);
    for (fields, expected) in [
        (json!({ "db_path": "./x.db" }), "/1/db_path: duplicate database $/x.db: already used by /0"),
        (json!({ "files_path": "f/../f/files" }), "/1/files_path: $/f/files is the files_path of /0"),
        (json!({ "files_path": "f" }), "/1/files_path: $/f contains the files_path of /0"),
        (json!({ "files_path": "f/files/b" }), "/1/files_path: $/f/files/b is inside the files_path of /0"),
    ] {
        let mut second = other(fields);
        second["public_key"] = json!(k2);
        assert_eq!(faults(second), [expected]);
    }
    // A path with the same beginning is not inside the other, however the two are sorted.
    for files in ["f/files-2", "f/files2", "f/file", "f/files.d/b"] {
        let mut second = other(json!({ "files_path": files }));
        second["public_key"] = json!(k2);
        folder.parse(&json!([circle(own.clone()), second])).unwrap();
    }
    let third = json!({ "id": "c", "public_key": key(3).to_string(), "files_path": "f/files-2" });
    let mut second = other(json!({ "files_path": "f/files/b" }));
    second["public_key"] = json!(k2);
    assert_eq!(
        folder.faults(&json!([second, third, circle(own.clone())])),
        ["/2/files_path: $/f/files contains the files_path of /0"]
    );
    // Circles may share a library, which scripts only read.
    let mut second = other(json!({ "rhai_path": "lib" }));
    second["public_key"] = json!(k2);
    folder.parse(&json!([circle(own.clone()), second])).unwrap();
}

#[test]
fn files_path_excludes_data_scripts_must_not_change() {
    let folder = Folder::new();
    folder.key_file("keys/k", 1);
    for (files, expected) in [
        ("lib", "$/lib contains the rhai_path of /0; scripts could change it"),
        ("lib/files", "$/lib/files is inside the rhai_path of /0; scripts could add to it"),
        ("db", "$/db contains the db_path of /0; scripts could change it"),
        ("keys", "$/keys contains the key file of /0; scripts could change it"),
        ("data", "$/data contains the data directory; scripts could change it"),
    ] {
        let config = json!([{
            "id": "a", "key_file": "keys/k", "db_path": "db/x.db", "rhai_path": "lib", "files_path": files
        }]);
        assert_eq!(folder.faults(&config), [format!("/0/files_path: {expected}")], "{files}");
    }
    let faults = folder.faults(&json!([circle(json!({ "files_path": "." }))])).join("\n");
    for part in
        ["contains this config file", "the data directory", "the db_path of /0", "the rhai_path of /0"]
    {
        assert!(faults.contains(part), "{part}: {faults}");
    }
}

#[test]
fn links_do_not_hide_duplicate_databases() {
    let folder = Folder::new();
    fs::create_dir(folder.path("real")).unwrap();
    std::os::unix::fs::symlink(folder.path("real"), folder.path("link")).unwrap();
    let config = json!([
        { "id": "a", "db_path": "real/x.db" },
        { "id": "b", "db_path": "link/x.db" }
    ]);
    assert_eq!(folder.faults(&config), ["/1/db_path: duplicate database $/real/x.db: already used by /0"]);
}

#[test]
fn config_reports_all_faults_at_once() {
    let folder = Folder::new();
    let config = json!([
        { "id": "a b", "port": 70_000, "public_key": key(1).to_string(), "colour": "red" },
        "circle",
        {
            "public_key": key(1).to_string(), "limits": { "operations": 0, "memory": 1, "call_depth": 65 },
            "access": { "play": ["ana", key(2).to_string(), 5], "run": "bob" },
            "secrets": { "A": "NO", "B": "whsec_bm90aGluZw==", "C": "KEY" }, "http": { "allow": ["*"] }
        }
    ]);
    let said =
        folder.parse(&config).unwrap_err().to_string().replace(folder.path("").to_str().unwrap(), "$/");
    let known = serde_json::to_value(Limits::default()).unwrap();
    let known: Vec<_> = known.as_object().unwrap().keys().cloned().collect();
    let golden = fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/faults.txt")).unwrap();
    let golden = golden
        .replace("{key}", &key(1).to_string())
        .replace("{limits}", &known.join(", "))
        .replace("{operations}", &max_for("operations", Limits::default().operations).to_string());
    assert_eq!(format!("{said}\n"), golden, "\n{said}");
}

#[test]
fn parse_limits_reads_limits_outside_a_config() {
    let expected = Limits { operations: 7, circle_depth: 1, ..Limits::default() };
    assert_eq!(parse_limits(r#"{ "operations": 7, "circle_depth": 1 }"#), Ok(expected));
    assert_eq!(parse_limits("{}"), Ok(Limits::default()));
    for (text, parts) in [
        ("", &["EOF"][..]),
        ("[]", &["expected an object of limits"]),
        (
            r#"{ "operations": 0, "speed": 1 }"#,
            &["/operations: expected a whole number", "; /speed: unknown field"],
        ),
        (r#"{ "operations": 1, "operations": 2 }"#, &["operations"]),
    ] {
        let error = parse_limits(text).unwrap_err();
        for part in parts {
            assert!(error.contains(part), "{text}: {error}");
        }
    }
}

#[test]
fn worker_finds_keys_and_creates_none() {
    let folder = Folder::new();
    let (data, path) = (folder.path("data"), folder.path("circles.json"));
    let text = json!([{ "id": "a" }]).to_string();
    let environment = |creates_keys| Environment { data_dir: &data, variable: &|_| None, creates_keys };
    let faults = parse(&text, &path, environment(false)).unwrap_err().to_string();
    assert!(faults.contains("/0: expected public_key or key_file, or a key"), "{faults}");
    assert!(!data.exists());
    let made = parse(&text, &path, environment(true)).unwrap();
    assert_eq!(parse(&text, &path, environment(false)).unwrap(), made);
}

#[test]
fn relative_paths_begin_next_to_a_linked_config() {
    let folder = Folder::new();
    fs::create_dir_all(folder.path("k/..1")).unwrap();
    let text = json!([{ "id": "a", "db_path": "db/a.db", "rhai_path": "../lib" }]).to_string();
    fs::write(folder.path("k/..1/circles.json"), text).unwrap();
    std::os::unix::fs::symlink("..1/circles.json", folder.path("k/circles.json")).unwrap();
    let data = folder.path("data");
    let environment = Environment { data_dir: &data, variable: &|_| None, creates_keys: true };
    let circles = read(&folder.path("k/circles.json"), environment).unwrap();
    assert_eq!(circles[0].db_path, folder.path("k/db/a.db"));
    assert_eq!(circles[0].rhai_path, folder.path("lib"));
    assert!(folder.path("k/db/a.db.key").exists());
    // Scripts must change neither the link nor its target.
    for files in ["..1", "."] {
        let text =
            json!([{ "id": "a", "db_path": "../db/a.db", "rhai_path": "../lib", "files_path": files }]);
        let faults =
            parse(&text.to_string(), &folder.path("k/circles.json"), environment).unwrap_err().to_string();
        assert!(faults.contains("contains this config file"), "{files}: {faults}");
    }
}

#[test]
fn config_starting_with_byte_order_mark_is_read() {
    let folder = Folder::new();
    let text = format!("\u{feff}{}", json!([circle(json!({}))]));
    assert_eq!(folder.parse_text(&text).unwrap().len(), 1);
}

#[test]
fn config_that_is_not_text_or_too_long_is_a_fault() {
    let folder = Folder::new();
    let (path, data) = (folder.path("circles.json"), folder.path("data"));
    let environment = Environment { data_dir: &data, variable: &|_| None, creates_keys: true };
    let said = || read(&path, environment).unwrap_err().to_string();
    fs::write(&path, [0xff, 0xfe, b'[', 0]).unwrap();
    assert!(said().contains("expected UTF-8: invalid utf-8 sequence of 1 bytes from index 0"), "{}", said());
    fs::File::create(&path).unwrap().set_len((64 << 20) + 1).unwrap();
    assert!(said().contains("expected at most 67108864 bytes"), "{}", said());
    fs::remove_file(&path).unwrap();
    fs::create_dir(&path).unwrap();
    assert!(said().contains("Is a directory"), "{}", said());
    // Numbers and nesting beyond the limits of the JSON parser.
    for (text, part) in [
        (format!("[{{\"port\": 1{}}}]", "0".repeat(400)), "number out of range"),
        ("[".repeat(100_000), "recursion limit exceeded"),
    ] {
        let said = folder.parse_text(&text).unwrap_err().to_string();
        assert!(said.contains(part), "{said}");
    }
}

#[test]
fn plan_writes_nothing_and_warns_of_losses() {
    let folder = Folder::new();
    let (data, path) = (folder.path("data"), folder.path("circles.json"));
    let environment = Environment { data_dir: &data, variable: &|_| None, creates_keys: true };
    let plan_of = |config: Value| {
        fs::write(&path, config.to_string()).unwrap();
        circles_config::plan(&path, environment).unwrap()
    };
    let config = |folder: &str| {
        json!([
            { "id": "a", "db_path": format!("{folder}/a.db") },
            { "id": "b", "public_key": key(2).to_string(), "db_path": format!("{folder}/b.db") }
        ])
    };
    let first = plan_of(config("one"));
    assert_eq!(first.losses(true), [""; 0]);
    assert!(!folder.path("one").exists());
    let circles = first.apply().unwrap();
    fs::create_dir_all(&data).unwrap();
    remember(&circles, &data);
    assert_eq!(plan_of(config("one")).losses(true), [""; 0], "it never had a database");
    fs::write(folder.path("one/b.db"), "").unwrap();
    remember(&circles, &data);
    assert_eq!(plan_of(config("one")).losses(true), [""; 0]);

    let moved = plan_of(config("two")).losses(true).join("\n");
    for part in [
        format!("circle a had the key {} and its database at", circles[0].key),
        "two/a.db.key, so the server creates a new one".to_owned(),
        "circle b had its database at".to_owned(),
    ] {
        assert!(moved.contains(&part), "{part}: {moved}");
    }
    assert_eq!(plan_of(config("two")).losses(false).len(), 1, "databases are not used with Redis");
    fs::remove_file(folder.path("one/b.db")).unwrap();
    let lost = plan_of(config("one")).losses(true);
    assert!(lost.len() == 1 && lost[0].contains("the database of circle b is missing at"), "{lost:?}");
    // The record is private, and an invalid one does not prevent a start.
    let file = data.join("circles.known");
    assert_eq!(fs::metadata(&file).unwrap().permissions().mode() & 0o777, 0o600);
    fs::write(&file, "{").unwrap();
    assert_eq!(plan_of(config("two")).losses(true), [""; 0]);
}
