//! A store on each kind of Redis, by URL.

use circles_store::{Error, Store};
use circles_store_redis::{RedisConfig, RedisStore};
use circles_testing::{Cluster, Redis, Sentinels, loopback};

use crate::conformance::{settle, soon, success, task};

/// Connects a store with few shards, so that maintenance visits each of them often.
pub(crate) async fn connect(url: &str) -> RedisStore {
    soon(RedisStore::connect(url, config())).await.unwrap()
}

pub(crate) fn config() -> RedisConfig {
    RedisConfig { shards: 4, ..RedisConfig::default() }
}

/// Checks that tasks of one store run on another and that the first receives their outcomes.
async fn serves(url: &str) {
    let (server, worker) = (connect(url).await, connect(url).await);
    for number in 0..8 {
        let task = circles_store::Task { circle: crate::conformance::circle(number), ..task("a") };
        let ticket = soon(server.submit(task)).await.unwrap();
        settle(soon(worker.claim()).await.unwrap(), success("done")).await;
        assert_eq!(soon(ticket).await, success("done"));
    }
    for store in [server, worker] {
        soon(store.shutdown()).await;
    }
}

async fn refusal(url: &str) -> String {
    match soon(RedisStore::connect(url, config())).await {
        Ok(_) => panic!("{url} is taken"),
        Err(error) => error.to_string(),
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn redis_url_with_and_without_database_serves() {
    let redis = Redis::start();
    serves(&redis.url()).await;
    serves(&format!("redis://{}", redis.address())).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn password_authenticates_and_is_never_shown() {
    let redis = Redis::builder().password("pa%ss").start();
    let at = redis.address();
    serves(&format!("redis://:pa%25ss@{at}")).await;
    serves(&format!("redis://default:pa%25ss@{at}/7")).await;
    for (url, part) in [
        (format!("redis://:verysecret@{at}"), "does not know this user with this password"),
        (format!("redis://somebody:verysecret@{at}"), "does not know this user with this password"),
        (format!("redis://{at}"), "asks for a password"),
    ] {
        let refusal = refusal(&url).await;
        assert!(refusal.contains(part) && refusal.contains(&at.to_string()), "{refusal}");
        assert!(!refusal.contains("verysecret"), "{refusal}");
    }
}

/// The ACL rules that a user needs, as in the operators' guide.
const RULES: [&str; 10] = [
    "~circles:*",
    "&circles:*",
    "+@connection",
    "+@read",
    "+@write",
    "+@scripting",
    "+@pubsub",
    "+info",
    "+time",
    "-@dangerous",
];

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn acl_user_needs_few_rights_and_hears_missing_ones() {
    let redis = Redis::start();
    let at = redis.address();
    let grant = |name: &str, rules: &[&str]| {
        let known = [&["ACL", "SETUSER", name, "on", ">secret", "reset", "on", ">secret"], rules].concat();
        redis.ask(&known);
    };
    let mut rules = RULES.to_vec();
    rules.push("+info");
    grant("circles", &rules);
    serves(&format!("redis://circles:secret@{at}")).await;
    grant("deaf", &[&RULES[..1], &RULES[2..]].concat());
    let refusal = refusal(&format!("redis://deaf:secret@{at}")).await;
    assert!(refusal.contains("its user may not do this") && refusal.contains("NOPERM"), "{refusal}");
    grant("blind", &[&["~other:*"], &RULES[1..]].concat());
    let refusal = self::refusal(&format!("redis://blind:secret@{at}")).await;
    assert!(refusal.contains("its user may not do this"), "{refusal}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn unix_socket_serves() {
    let redis = Redis::builder().set(&["--unixsocket", "redis.sock"]).start();
    serves(&format!("redis+unix://{}", redis.file("redis.sock").display())).await;
    let refusal = refusal(&format!("redis+unix://{}", redis.file("another.sock").display())).await;
    assert!(refusal.contains("another.sock"), "{refusal}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn unix_socket_requires_password() {
    let redis = Redis::builder().password("secret").set(&["--unixsocket", "redis.sock"]).start();
    let path = redis.file("redis.sock");
    serves(&format!("redis+unix://default:secret@localhost{}", path.display())).await;
    let refusal = refusal(&format!("redis+unix://{}", path.display())).await;
    assert!(refusal.contains("asks for a password"), "{refusal}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn tls_checks_certificates_on_both_sides() {
    let redis = Redis::builder().tls().start();
    let at = redis.tls_address().unwrap();
    let file = |name: &str| redis.file(name).display().to_string();
    let (cert, key) = (file("client.pem"), file("client.key"));
    serves(&format!("rediss://{at}/2?ca={}&cert={cert}&key={key}", file("ca.pem"))).await;
    for (url, part) in [
        // Signed by another authority.
        (
            format!("rediss://{at}?ca={}&cert={cert}&key={key}", file("other.pem")),
            "its certificate is not trusted",
        ),
        // Without a client certificate, which this Redis requires.
        (format!("rediss://{at}?ca={}", file("ca.pem")), "it rejects our certificate"),
        // Signed by an authority that this system does not trust.
        (format!("rediss://{at}?cert={cert}&key={key}"), "its certificate is not trusted"),
        // A key file without a key.
        (format!("rediss://{at}?ca={}&cert={cert}&key={cert}", file("ca.pem")), "client.pem"),
        // TLS on a plain port, and plain text on a TLS port.
        (format!("rediss://{}?ca={}", redis.address(), file("ca.pem")), "no answer"),
        (format!("redis://{at}"), "onnection"),
    ] {
        let refusal = refusal(&url).await;
        assert!(refusal.contains(part), "{url}: {refusal}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn sentinels_resolve_primary() {
    let sentinels = Sentinels::start();
    serves(&sentinels.url()).await;
    let refusal = refusal(&sentinels.url().replace("=mine", "=yours")).await;
    assert!(refusal.contains("its sentinels"), "{refusal}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn cluster_serves() {
    let cluster = Cluster::start();
    serves(&cluster.url()).await;
    // Any node leads to the others.
    serves(&format!("redis-cluster://{}", cluster.nodes()[5].address())).await;
    let refusal = refusal(&format!("redis://{}", cluster.nodes()[0].address())).await;
    assert!(refusal.contains("must begin with redis-cluster://"), "{refusal}");
}

#[tokio::test]
async fn wrong_kind_of_redis_is_reported() {
    let redis = Redis::start();
    let not_a_cluster = refusal(&format!("redis-cluster://{}", redis.address())).await;
    assert!(not_a_cluster.contains("it is not a cluster"), "{not_a_cluster}");
    let no_listener = refusal(&format!("redis://{}:1", loopback())).await;
    assert!(no_listener.contains("refused"), "{no_listener}");
    let unknown = refusal("redis://nowhere.invalid").await;
    assert!(unknown.contains("nowhere.invalid"), "{unknown}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn dangerous_redis_settings_are_reported() {
    let durable = Redis::builder().durable().set(&["--maxmemory", "1gb"]).start();
    let store = connect(&durable.url()).await;
    assert_eq!(store.warnings().await, Ok(Vec::new()));
    durable.ask(&["CONFIG", "SET", "maxmemory-policy", "allkeys-lru"]);
    let [warning] = &store.warnings().await.unwrap()[..] else { panic!("one") };
    assert!(warning.contains("allkeys-lru"), "{warning}");
    let store = connect(&Redis::start().url()).await;
    assert!(matches!(store.warnings().await, Err(Error::Unavailable(_))), "it has gone");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn settings_of_all_cluster_primaries_are_checked() {
    let cluster = Cluster::start();
    let store = connect(&cluster.url()).await;
    assert_eq!(store.warnings().await, Ok(Vec::new()));
    let one = &cluster.nodes()[cluster.owner("any")];
    one.ask(&["CONFIG", "SET", "maxmemory-policy", "allkeys-lru"]);
    assert_eq!(store.warnings().await.unwrap().len(), 1);
}
