//! Several circles on one server: settings in `circles.json`, access, and ports.

use std::{collections::BTreeMap, fs, os::unix::fs::PermissionsExt as _, path::Path};

use circles_api::codes::FORBIDDEN;
use circles_auth::{Access, AccessList};
use circles_tests::{Program, Raw, World, run, secret_key, unused_address};
use serde_json::{Value, json};
use tokio::process::Command;

use crate::programs::server_at;

fn key(name: &str) -> String {
    secret_key(name).public_key().to_string()
}

/// A connection that is logged in as this person, or anonymous.
async fn connect(url: &str, name: Option<&str>) -> Raw {
    let mut raw = Raw::connect(url).await;
    if let Some(name) = name {
        raw.log_in(&secret_key(name)).await;
    }
    raw
}

/// Whether this person, or an anonymous caller, may play. Checks that a refusal is `FORBIDDEN`.
async fn may_play(url: &str, name: Option<&str>) -> bool {
    match connect(url, name).await.play("40 + 2").await {
        Ok(value) => value == 42,
        Err(error) => {
            assert_eq!((&error["code"], &error["data"]), (&json!(FORBIDDEN), &Value::Null), "{error}");
            false
        }
    }
}

/// The command of a server with a config.
fn configured(directory: &Path, port: u16, config: &Value) -> Command {
    let path = directory.join("circles.json");
    fs::write(&path, config.to_string()).unwrap();
    let mut command = server_at(directory, port);
    command.arg("--config").arg(path);
    command
}

/// Starts a server, and returns it with the URLs of this number of circles, by key.
async fn started(command: &mut Command, circles: usize) -> (Program, BTreeMap<String, String>) {
    let mut server = Program::start(command);
    let mut urls = BTreeMap::new();
    for _ in 0..circles {
        let Some(line) = server.line().await else {
            panic!("the server did not start: {}", server.ended().await.1);
        };
        let words: Vec<_> = line.split(' ').collect();
        assert_eq!((words.len(), words[0]), (3, "circle"), "{line}");
        urls.insert(words[1].to_owned(), words[2].to_owned());
    }
    (server, urls)
}

/// The error message of a server that does not start.
async fn refused(command: &mut Command) -> String {
    let (code, stdout, stderr) = run(command).await;
    assert_eq!((code, stdout.as_str()), (2, ""), "{stderr}");
    assert!(!stderr.contains("panicked"), "{stderr}");
    stderr
}

#[tokio::test]
async fn access_list_admits_listed_keys_and_owner_only() {
    let bob = AccessList::from_iter([secret_key("bob").public_key().circle_id()]);
    let world = World::builder()
        .circles(&["alice", "carol", "dave"])
        .access(0, Access { play: bob, run: AccessList::empty() })
        .access(1, Access { play: AccessList::empty(), run: AccessList::Everyone })
        .access(2, Access { play: AccessList::Everyone, run: AccessList::empty() })
        .start()
        .await;
    for (circle, expected) in [
        (0, [("bob", true), ("alice", true), ("carol", false), ("", false)]),
        // Permission to run library scripts is separate.
        (1, [("bob", false), ("alice", false), ("carol", true), ("", false)]),
        (2, [("bob", true), ("alice", true), ("carol", true), ("", true)]),
    ] {
        for (name, may) in expected {
            let name = Some(name).filter(|name| !name.is_empty());
            assert_eq!(may_play(&world.circle_url(circle), name).await, may, "{name:?} in {circle}");
        }
    }
}

#[tokio::test]
async fn callers_without_access_may_only_call_whoami() {
    let world = World::builder().access(0, Access::closed()).start().await;
    let mut raw = connect(&world.circle_url(0), Some("bob")).await;
    assert_eq!(raw.code("play", json!({ "script": "1", "idempotency_key": "k" })).await, FORBIDDEN);
    assert_eq!(raw.call("whoami", json!([])).await.unwrap()["caller"], key("bob"));
    let batch = [raw.request("play", json!(["1"])), raw.request("play", json!(["2"]))];
    let answers = raw.ask(format!("[{}]", batch.join(","))).await;
    for answer in answers.as_array().unwrap() {
        assert_eq!(answer["error"]["code"], FORBIDDEN, "{answer}");
    }
}

#[tokio::test]
async fn circle_with_own_port_is_served_only_there() {
    let world = World::builder().circles(&["alice", "bob", "carol"]).own_port(1).start().await;
    let own = world.circle_url(1);
    let base = own.trim_end_matches(&key("bob")).trim_end_matches('/');
    assert!(!own.contains(&world.address.to_string()), "{own}");
    for url in [own.clone(), format!("{base}/"), format!("{base}/ws/")] {
        let mut raw = connect(&url, Some("ana")).await;
        assert_eq!(raw.play("CIRCLE").await, Ok(json!(key("bob"))), "{url}");
    }
    for path in ["/", "/ws/"] {
        assert_eq!(Raw::connect(&world.url(path)).await.play("CIRCLE").await, Ok(json!(key("alice"))));
    }
    for elsewhere in [format!("{base}/{}", key("alice")), world.url(&format!("/{}", key("bob")))] {
        let refused = Raw::connect_with(&elsewhere, &[]).await.err().map(|status| status.as_u16());
        assert_eq!(refused, Some(404), "{elsewhere}");
    }
}

#[tokio::test]
async fn server_serves_circles_of_its_config() {
    let directory = tempfile::tempdir().unwrap();
    let config = json!([
        { "id": "alice", "public_key": key("alice"), "access": { "play": [key("bob")] } },
        { "id": "carol", "public_key": key("carol"), "port": 0, "access": { "play": "*" } },
        { "id": "new", "rhai_path": "library" }
    ]);
    let (server, urls) =
        started(configured(directory.path(), 0, &config).args(["-k", &key("dave")]), 4).await;
    let alice = &urls[&key("alice")];
    assert!(may_play(alice, Some("bob")).await && may_play(alice, Some("alice")).await);
    assert!(!may_play(alice, Some("carol")).await && !may_play(alice, None).await);
    let carol = &urls[&key("carol")];
    assert!(may_play(carol, None).await && may_play(carol, Some("bob")).await);
    assert!(may_play(&urls[&key("dave")], None).await);
    let host = |url: &str| url.split('/').nth(2).unwrap().to_owned();
    assert_ne!(host(carol), host(alice));
    assert_eq!(host(&urls[&key("dave")]), host(alice));

    let kept = directory.path().join("data/keys/new.key");
    assert_eq!(fs::metadata(kept).unwrap().permissions().mode() & 0o777, 0o600);
    for folder in
        [&format!("data/{}/files", key("dave")), &format!("data/{}/scripts", key("carol")), "library"]
    {
        assert!(directory.path().join(folder).is_dir(), "{folder}");
    }
    server.signal("TERM").await;
    assert_eq!(server.ended().await.0, 0);
}

#[tokio::test]
async fn circles_may_share_a_port_and_unused_port_is_not_bound() {
    let directory = tempfile::tempdir().unwrap();
    let host = unused_address(8).ip().to_string();
    let taken = tokio::net::TcpListener::bind((host.as_str(), 0)).await.unwrap();
    let shared = taken.local_addr().unwrap().port();
    // Other processes take no port at this address.
    let config = json!([
        { "id": "alice", "public_key": key("alice"), "port": 9101 },
        { "id": "bob", "public_key": key("bob"), "port": 9101 },
        { "id": "carol", "public_key": key("carol"), "port": 9102 }
    ]);
    let (_server, urls) =
        started(configured(directory.path(), shared, &config).args(["--host", &host]), 3).await;
    for (name, port) in [("alice", 9101), ("bob", 9101), ("carol", 9102)] {
        let url = &urls[&key(name)];
        assert_eq!(*url, format!("ws://{host}:{port}/{}", key(name)));
        assert_eq!(Raw::connect(url).await.play("CIRCLE").await, Ok(json!(key(name))));
    }
    // A circle that names the shared port shares it; here that port is taken.
    let directory = tempfile::tempdir().unwrap();
    let config = json!([{ "id": "alice", "public_key": key("alice"), "port": shared }]);
    let stderr = refused(configured(directory.path(), shared, &config).args(["--host", &host])).await;
    assert!(stderr.contains(&format!("--port {shared}: Address already in use")), "{stderr}");
}

#[tokio::test]
async fn taken_circle_port_is_reported_with_its_circle() {
    let directory = tempfile::tempdir().unwrap();
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let taken = listener.local_addr().unwrap();
    let config = json!([{ "id": "a", "public_key": key("alice"), "port": taken.port() }]);
    let stderr = refused(&mut configured(directory.path(), 0, &config)).await;
    for part in ["--config", &key("alice"), &taken.to_string()] {
        assert!(stderr.contains(part), "{part}: {stderr}");
    }
}

#[tokio::test]
async fn all_config_faults_are_reported_and_nothing_is_created() {
    let directory = tempfile::tempdir().unwrap();
    let config = json!([
        { "id": "a", "limits": { "operations": 0 }, "access": { "play": ["bob"] } },
        { "id": "a", "port": 70_000, "http": {}, "secrets": { "S": "CIRCLES_TEST_IS_NOT_SET" } }
    ]);
    let stderr = refused(&mut configured(directory.path(), 0, &config)).await;
    for part in [
        "error: --config ",
        "circles.json has 6 faults:\n",
        "\n  /0/limits/operations: ",
        "\n  /0/access/play/0: ",
        "\n  /1/port: ",
        "\n  /1/http: ",
        "\n  /1/secrets/S: environment variable CIRCLES_TEST_IS_NOT_SET is not set",
        "\n  /1/id: duplicate id a: already used by /0",
    ] {
        assert!(stderr.contains(part), "{part}: {stderr}");
    }
    assert!(!directory.path().join("data").exists());

    let config = json!([{ "id": "a", "public_key": key("alice") }]);
    let stderr = refused(configured(directory.path(), 0, &config).args(["-k", &key("alice")])).await;
    assert!(stderr.contains(&format!("--circle {}: named twice", key("alice"))), "{stderr}");
    let stderr = refused(server_at(directory.path(), 0).args(["-c", "nowhere.json"])).await;
    assert!(stderr.contains("--config nowhere.json") && stderr.contains("No such file"), "{stderr}");
}

/// Every file and folder below a folder, with the permissions of other users.
fn open_to_others(folder: &Path) -> Vec<String> {
    let mut found = Vec::new();
    let mut left = vec![folder.to_owned()];
    while let Some(path) = left.pop() {
        let metadata = fs::metadata(&path).unwrap();
        let mode = metadata.permissions().mode() & 0o777;
        if mode != if metadata.is_dir() { 0o700 } else { 0o600 } {
            found.push(format!("{} {mode:o}", path.display()));
        }
        if metadata.is_dir() {
            left.extend(fs::read_dir(&path).unwrap().map(|entry| entry.unwrap().path()));
        }
    }
    found
}

/// The same command under a umask.
fn under_umask(umask: &str, command: &Command) -> Command {
    let command = command.as_std();
    let mut shell = Command::new("sh");
    shell.arg("-c").arg(format!("umask {umask}; exec \"$@\"")).arg("sh");
    shell.arg(command.get_program()).args(command.get_args());
    for (name, value) in command.get_envs() {
        match value {
            Some(value) => shell.env(name, value),
            None => shell.env_remove(name),
        };
    }
    shell
}

#[tokio::test]
async fn data_is_private_under_any_umask() {
    for umask in ["000", "022"] {
        let directory = tempfile::tempdir().unwrap();
        let path = |name: &str| directory.path().join(name);
        let readable = |name: &str, mode| {
            fs::set_permissions(path(name), fs::Permissions::from_mode(mode)).unwrap();
        };
        let config = json!([
            { "id": "old", "db_path": "old/a.db", "files_path": "old-files", "rhai_path": "library" },
            { "id": "new" }
        ]);
        let mut first = configured(directory.path(), 0, &config);
        for start in 0..2 {
            let (server, urls) = started(&mut under_umask(umask, &first), 2).await;
            for url in urls.values() {
                let script = r#"db::set("n", 1); fs::make_dir("a/b"); fs::write("a/b/c", "1");
                    fs::append("d", "1"); 1"#;
                assert_eq!(Raw::connect(url).await.play(script).await, Ok(json!(1)));
            }
            server.signal("TERM").await;
            assert_eq!(server.ended().await.0, 0);
            for folder in ["data", "old", "old-files", "library"] {
                assert_eq!(open_to_others(&path(folder)), [""; 0], "umask {umask}, start {start}");
            }
            // An earlier version, or a copy, may have left such permissions.
            for folder in ["data", "data/keys", "old", "old-files"] {
                readable(folder, 0o755);
            }
            readable("old/a.db", 0o644);
            readable("old-files/d", 0o644);
            first = configured(directory.path(), 0, &config);
        }
    }
}

#[tokio::test]
async fn second_server_on_a_database_is_refused() {
    let (directory, elsewhere) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let config = |path: &str| {
        let path = directory.path().join(path);
        json!([{ "id": "a", "public_key": key("alice"), "db_path": path }, { "id": "new" }])
    };
    let (first, _) = started(&mut configured(directory.path(), 0, &config("shared/a.db")), 2).await;
    // The second database lies in the data directory of the first server, which the second server does not lock.
    for path in ["shared/a.db", &format!("data/{}/circle.db", key("bob"))] {
        let stderr = refused(&mut configured(elsewhere.path(), 0, &config(path))).await;
        let holder = format!("{path} of a: already in use by circles-server (process {})", first.id());
        assert!(stderr.contains(&holder), "{stderr}");
    }
    // No key was created for the other circle.
    assert!(!elsewhere.path().join("data/keys").exists());
    first.kill().await;
    started(&mut configured(elsewhere.path(), 0, &config("shared/a.db")), 2).await;
}

/// A folder as Kubernetes mounts a config: `circles.json` is a link through `..data` to the newest version.
fn versions(folder: &Path, config: &Value) {
    for version in ["..1", "..2"] {
        fs::create_dir_all(folder.join(version)).unwrap();
        fs::write(folder.join(version).join("circles.json"), config.to_string()).unwrap();
    }
    std::os::unix::fs::symlink("..data/circles.json", folder.join("circles.json")).unwrap();
}

fn switch(folder: &Path, version: &str) {
    let link = folder.join("..data");
    let _ = fs::remove_file(&link);
    std::os::unix::fs::symlink(version, link).unwrap();
}

#[tokio::test]
async fn switched_config_link_serves_the_same_circle() {
    let directory = tempfile::tempdir().unwrap();
    let folder = directory.path().join("k");
    versions(&folder, &json!([{ "id": "a", "db_path": "db/a.db" }]));
    let mut circles = Vec::new();
    for version in ["..1", "..2"] {
        switch(&folder, version);
        let mut command = server_at(directory.path(), 0);
        let (server, urls) = started(command.arg("--config").arg(folder.join("circles.json")), 1).await;
        let (circle, url) = urls.first_key_value().unwrap();
        circles.push(circle.clone());
        let found = Raw::connect(url).await.play(r#"let was = db::get("n"); db::set("n", 7); was"#).await;
        assert_eq!(found, Ok(if version == "..1" { Value::Null } else { json!(7) }), "{version}");
        server.signal("TERM").await;
        let (code, stderr) = server.ended().await;
        assert_eq!(code, 0, "{stderr}");
        assert!(!stderr.contains("WARN"), "{stderr}");
    }
    assert_eq!(circles[0], circles[1]);
    assert!(folder.join("db/a.db").exists() && folder.join("db/a.db.key").exists());
}

#[tokio::test]
async fn start_reports_missing_key_or_database() {
    let directory = tempfile::tempdir().unwrap();
    let config = json!([
        { "id": "keyless", "db_path": "k/keyless.db" },
        { "id": "named", "public_key": key("alice"), "db_path": "k/named.db" }
    ]);
    let started = async || {
        let (server, urls) = started(&mut configured(directory.path(), 0, &config), 2).await;
        let set = Raw::connect(&urls[&key("alice")]).await.play(r#"db::set("n", 7); 1"#).await;
        assert_eq!(set, Ok(json!(1)));
        server.signal("TERM").await;
        (urls, server.ended().await.1)
    };
    let (urls, stderr) = started().await;
    assert!(!stderr.contains("WARN"), "{stderr}");
    let was = urls.keys().find(|name| **name != key("alice")).unwrap();
    // An unmounted volume looks like this.
    fs::rename(directory.path().join("k"), directory.path().join("away")).unwrap();
    let (_, stderr) = started().await;
    for part in
        [format!("circle keyless had the key {was}"), "the database of circle named is missing".into()]
    {
        assert!(stderr.contains(&part), "{part}: {stderr}");
    }
}
