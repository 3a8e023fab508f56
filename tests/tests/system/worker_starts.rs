//! Start errors of workers, and of servers with a Redis.

use circles_tests::{Fleet, program, run};
use serde_json::json;

use crate::workers::{circle_of, config};

#[tokio::test]
async fn failed_worker_start_prints_one_sentence_and_exits_with_2() {
    let fleet = Fleet::of(&["alice"]).await;
    let alice = circle_of("alice");
    let file = |name: &str, text: &str| {
        let path = fleet.directory().join(name);
        std::fs::write(&path, text).unwrap();
        path.display().to_string()
    };
    let pinned = file("pinned.json", &json!([{ "id": "a", "public_key": alice, "pool": "far" }]).to_string());
    let faulty = file("faulty.json", r#"[{ "id": 7, "limits": { "operations": 0 } }]"#);
    let keyless = file("keyless.json", r#"[{ "id": "a" }]"#);
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let port = taken.local_addr().unwrap().to_string();
    for (args, parts) in [
        (&["--concurrency", "0"][..], &["--concurrency", "64"][..]),
        (&["--concurrency", "65"], &["--concurrency", "64"]),
        (&["--limits", "{\"operations\": 0, \"speed\": 1}"], &["--limits", "/operations: ", "/speed: "]),
        (&["--limits", "7"], &["--limits", "expected an object"]),
        (&["--lease", "10ms"], &["--lease", "from 1s to 5m"]),
        (&["--pool", "a b"], &["--pool", "letters"]),
        (&["-k", "02"], &["--circle", "66 lower-case hex"]),
        (&["-c", &pinned, "-k", &alice], &["--circle", "the pool far", "--pool"]),
        (&["-c", &faulty], &["faulty.json has ", "/0/id: ", "/0/limits/operations: "]),
        (&["-c", &keyless], &["/0: expected public_key"]),
        (&["--listen", &port], &["--listen"]),
        (&["--grace", "soon"], &["--grace", "30s"]),
    ] {
        let (code, stdout, stderr) = run(&mut fleet.command(args)).await;
        assert_eq!((code, stdout.as_str()), (2, ""), "{args:?}: {stderr}");
        for part in parts {
            assert!(stderr.contains(part), "{args:?}: {stderr}");
        }
        assert!(!stderr.contains("panicked"), "{args:?}: {stderr}");
    }
    assert!(!fleet.directory().join("data/keys").exists());
}

#[tokio::test]
async fn error_about_unreachable_redis_hides_password() {
    let directory = tempfile::tempdir().unwrap();
    for name in ["circles-server", "circles-worker"] {
        for (url, part) in [
            ("hush", "--redis-url: expected a URL"),
            ("http://u:hush@127.0.0.1", "--redis-url: expected a URL such as redis://"),
            ("redis://u:hush@127.0.0.1:port", "--redis-url: expected"),
            ("redis://u:hush@127.0.0.1:1", "--redis-url redis://127.0.0.1:1: Redis is not available"),
        ] {
            let mut command = program(name);
            command.arg("--data-dir").arg(directory.path().join("data")).args(["--redis-url", url]);
            let (code, stdout, stderr) = run(&mut command).await;
            assert_eq!((code, stdout.as_str()), (2, ""), "{name} {url}: {stderr}");
            assert!(stderr.contains(part), "{name} {url}: {stderr}");
            assert!(!stderr.contains("hush") && !stderr.contains("panicked"), "{name} {url}: {stderr}");
        }
        let mut help = program(name);
        let (_, text, _) = run(help.arg("--help").env("REDIS_URL", "redis://u:hush@a")).await;
        assert!(text.contains("REDIS_URL") && !text.contains("hush"), "{text}");
    }
}

#[tokio::test]
async fn pool_requires_redis() {
    let directory = tempfile::tempdir().unwrap();
    let pinned = directory.path().join("circles.json");
    config(&pinned, &json!([{ "id": "a", "public_key": circle_of("alice"), "pool": "far" }]));
    let (code, _, stderr) = run(program("circles-server").arg("-c").arg(&pinned)).await;
    assert_eq!(code, 2, "{stderr}");
    for part in ["--config: a ", "pool far", "--redis-url"] {
        assert!(stderr.contains(part), "{stderr}");
    }
}
