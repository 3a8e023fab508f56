//! Restarts: what the embedded store's files keep, and which files are refused.

use std::{path::Path, sync::Arc, time::Duration};

use circles_api::provenance::{Head, Verifier};
use circles_store::{Error, Kind, Outcome, Settled, State, Store, Task, Transaction};
use circles_store_embedded::{EmbeddedConfig, EmbeddedStore};
use futures_util::FutureExt as _;
use serde_json::json;

use crate::{
    conformance::{circle, keyed, settle, soon, success, task},
    tasks::submitted,
    transactions::settlement,
};

pub(crate) fn open(directory: &Path, config: EmbeddedConfig) -> EmbeddedStore {
    let directory = directory.to_owned();
    EmbeddedStore::new(config, move |circle| directory.join(circle.to_string()).join("circle.db")).unwrap()
}

/// Fewer open files than circles: at the start, the others are only checked for unfinished tasks.
fn few_files() -> EmbeddedConfig {
    EmbeddedConfig { open_files: 1, ..EmbeddedConfig::default() }
}

/// Returns the store after a restart, and how many tasks it recovered.
async fn again(directory: &Path) -> (Arc<dyn Store>, usize) {
    let store = open(directory, EmbeddedConfig::default());
    let found = store.recover([circle(1), circle(2)]).await.unwrap();
    (Arc::new(store), found)
}

async fn write(store: &dyn Store, key: &str, value: &str) {
    let (claim, ticket) = store.begin_nested(task("write")).unwrap();
    let mut transaction = Transaction::new(claim.snapshot().unwrap());
    transaction.put(key, Some(value.into()));
    assert!(matches!(claim.settle(settlement(transaction)).await, Ok(Settled::Recorded)));
    assert_eq!(soon(ticket).await, success(""));
}

fn read(store: &dyn Store, key: &str) -> Option<String> {
    let (claim, _ticket) = store.begin_nested(task("read")).unwrap();
    claim.snapshot().unwrap().get(key).unwrap().map(|value| value.to_string())
}

#[tokio::test]
async fn restart_keeps_documents_outcomes_keys_and_records() {
    let directory = tempfile::tempdir().unwrap();
    let store = open(directory.path(), EmbeddedConfig::default());
    write(&store, "plot/7", "{\"width\":12}").await;
    let ended = store.submit(submitted("a")).await.unwrap();
    let id = ended.task();
    settle(soon(store.claim()).await.unwrap(), success("done")).await;
    assert_eq!(soon(ended).await, success("done"));
    let once = store.submit(keyed("b", "k")).await.unwrap();
    settle(soon(store.claim()).await.unwrap(), success("once")).await;
    assert_eq!(soon(once).await, success("once"));
    let before = store.provenance(&circle(1), 0, 10).await.unwrap();
    store.shutdown().await;
    drop(store);

    let (store, found) = again(directory.path()).await;
    assert_eq!(found, 0);
    assert_eq!(read(&*store, "plot/7").as_deref(), Some("{\"width\":12}"));
    let task = store.task(&circle(1), id, Duration::ZERO).await.unwrap().unwrap();
    assert_eq!(task.outcome, Some(success("done")));
    assert_eq!(soon(store.submit(keyed("b", "k")).await.unwrap()).await, success("once"));
    assert!(matches!(store.submit(keyed("c", "k")).await.err(), Some(Error::KeyReused(_))));
    assert_eq!(store.provenance(&circle(1), 0, 10).await.unwrap(), before);
    // The chain continues after its last record.
    write(&*store, "plot/8", "1").await;
    let after = store.provenance(&circle(1), 0, 10).await.unwrap();
    let mut chain = Verifier::new(circle(1));
    after.records.iter().for_each(|record| chain.push(record).unwrap());
    assert_eq!(chain.head(), Head::from(&after.head));
    assert_eq!(after.records.len(), before.records.len() + 1);
}

#[tokio::test]
async fn submitted_task_runs_in_next_process() {
    let directory = tempfile::tempdir().unwrap();
    let store = open(directory.path(), EmbeddedConfig::default());
    let queued = store.submit(submitted("queued")).await.unwrap().task();
    let running = store.submit(submitted("running")).await.unwrap().task();
    drop(soon(store.claim()).await.unwrap());
    let left = soon(store.claim()).await.unwrap();
    store.shutdown().await;
    drop((left, store));

    let (store, found) = again(directory.path()).await;
    assert_eq!(found, 2);
    for id in [queued, running] {
        let claim = soon(store.claim()).await.unwrap();
        assert_eq!(claim.task().id, id);
        settle(claim, success("")).await;
        let ended = soon(store.task(&circle(1), id, Duration::from_secs(20))).await.unwrap().unwrap();
        assert_eq!(ended.state, State::Succeeded);
    }
}

/// Copies the files as a killed process leaves them.
fn copy_files(from: &Path, to: &Path) {
    for entry in std::fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        std::fs::create_dir_all(to.join(entry.file_name())).unwrap();
        for file in std::fs::read_dir(entry.path()).unwrap() {
            let file = file.unwrap();
            std::fs::copy(file.path(), to.join(entry.file_name()).join(file.file_name())).unwrap();
        }
    }
}

#[tokio::test]
async fn task_is_lost_after_two_process_deaths() {
    let mut directory = tempfile::tempdir().unwrap();
    let mut store = open(directory.path(), EmbeddedConfig::default());
    let deadly = store.submit(submitted("deadly")).await.unwrap().task();
    let mut waits = None;
    for deaths in 0..2 {
        let claim = soon(store.claim()).await.unwrap();
        assert_eq!(claim.task().id, deadly, "after {deaths} deaths");
        // A task that never ran is not lost as well.
        if deaths == 1 {
            waits = Some(store.submit(submitted("waits")).await.unwrap().task());
        }
        let next = tempfile::tempdir().unwrap();
        copy_files(directory.path(), next.path());
        store.shutdown().await;
        drop(claim);
        directory = next;
        store = open(directory.path(), EmbeddedConfig::default());
        assert_eq!(store.recover([circle(1)]).await.unwrap(), deaths + 1);
    }
    let ended = soon(store.task(&circle(1), deadly, Duration::from_secs(20))).await.unwrap().unwrap();
    assert_eq!((ended.state, ended.outcome), (State::Lost, Some(Outcome::Lost)));
    let claim = soon(store.claim()).await.unwrap();
    assert_eq!(Some(claim.task().id), waits);
    let id = claim.task().id;
    settle(claim, success("")).await;
    soon(store.task(&circle(1), id, Duration::from_secs(20))).await.unwrap();
    assert_eq!(store.provenance(&circle(1), 0, 10).await.unwrap().records.len(), 2);
}

#[tokio::test]
async fn orderly_shutdown_does_not_count_as_crash() {
    let directory = tempfile::tempdir().unwrap();
    let mut store = open(directory.path(), EmbeddedConfig::default());
    let id = store.submit(submitted("a")).await.unwrap().task();
    for _ in 0..3 {
        let claim = soon(store.claim()).await.unwrap();
        assert_eq!(claim.task().id, id);
        store.close().await;
        drop(claim);
        store.shutdown().await;
        drop(store);
        store = open(directory.path(), EmbeddedConfig::default());
        assert_eq!(store.recover([circle(1)]).await.unwrap(), 1);
    }
    settle(soon(store.claim()).await.unwrap(), success("")).await;
    let ended = soon(store.task(&circle(1), id, Duration::from_secs(20))).await.unwrap().unwrap();
    assert_eq!(ended.state, State::Succeeded);
}

#[tokio::test]
async fn recovery_finds_tasks_in_closed_files() {
    let directory = tempfile::tempdir().unwrap();
    let submitted_in = |number| Task { circle: circle(number), ..submitted("a") };
    let store = open(directory.path(), EmbeddedConfig::default());
    for number in 1..=3 {
        let ended = store.submit(submitted_in(number)).await.unwrap();
        settle(soon(store.claim()).await.unwrap(), success("")).await;
        assert_eq!(soon(ended).await, success(""));
    }
    let waits = store.submit(submitted_in(3)).await.unwrap().task();
    store.shutdown().await;
    drop(store);

    let store = open(directory.path(), few_files());
    assert_eq!(store.recover((1..=4).map(circle)).await.unwrap(), 1);
    assert_eq!(soon(store.claim()).await.unwrap().task().id, waits);
}

#[tokio::test]
async fn deadline_counts_while_no_process_runs() {
    let directory = tempfile::tempdir().unwrap();
    let store = open(directory.path(), EmbeddedConfig::default());
    let late = Task { timeout: Duration::from_millis(1), ..submitted("a") };
    let id = store.submit(late).await.unwrap().task();
    store.shutdown().await;
    drop(store);
    let (store, _) = again(directory.path()).await;
    let ended = soon(store.task(&circle(1), id, Duration::from_secs(20))).await.unwrap().unwrap();
    assert_eq!(ended.state, State::TimedOut);
}

#[tokio::test]
async fn crash_after_side_effect_loses_or_retries_task() {
    for (retries, last) in [(0, State::Lost), (1, State::Succeeded)] {
        let directory = tempfile::tempdir().unwrap();
        let mut store = open(directory.path(), EmbeddedConfig::default());
        let task = Task { kind: Kind::Submitted { retries }, ..submitted("a") };
        let id = store.submit(task).await.unwrap().task();
        // Each process dies after the side effect, once more than there are retries.
        for crash in 0..=retries {
            let claim = soon(store.claim()).await.unwrap();
            let reaches = crash < retries || retries == 0;
            if reaches {
                claim.mark_side_effects().unwrap();
                store.shutdown().await;
                drop((claim, store));
                let next = open(directory.path(), EmbeddedConfig::default());
                assert_eq!(next.recover([circle(1)]).await.unwrap(), 1);
                store = next;
            } else {
                settle(claim, success("")).await;
            }
        }
        let ended = soon(store.task(&circle(1), id, Duration::from_secs(20))).await.unwrap().unwrap();
        assert_eq!(ended.state, last, "{retries} retries");
    }
}

#[tokio::test]
async fn release_at_close_after_side_effect_loses_or_retries_task() {
    let once = Task { kind: Kind::Submitted { retries: 1 }, ..submitted("a") };
    for (task, goes_on) in [(keyed("a", "k"), false), (submitted("a"), false), (once, true)] {
        let directory = tempfile::tempdir().unwrap();
        let store = open(directory.path(), EmbeddedConfig::default());
        let ticket = store.submit(task).await.unwrap();
        let id = ticket.task();
        let claim = soon(store.claim()).await.unwrap();
        claim.mark_side_effects().unwrap();
        store.close().await;
        drop(claim);
        if goes_on {
            assert_eq!(ticket.now_or_never(), None, "the next process says how it ended");
        } else {
            assert_eq!(soon(ticket).await, Outcome::Lost);
        }
        store.shutdown().await;
        drop(store);
        let (store, found) = again(directory.path()).await;
        assert_eq!(found, usize::from(goes_on));
        if goes_on {
            // That was its only retry.
            let claim = soon(store.claim()).await.unwrap();
            claim.mark_side_effects().unwrap();
            drop(claim);
        }
        let ended = soon(store.task(&circle(1), id, Duration::from_secs(20))).await.unwrap().unwrap();
        assert_eq!(ended.state, State::Lost);
    }
}

#[tokio::test]
async fn crash_after_side_effect_loses_keyed_play() {
    let directory = tempfile::tempdir().unwrap();
    let store = open(directory.path(), EmbeddedConfig::default());
    let ticket = store.submit(keyed("a", "k")).await.unwrap();
    let id = ticket.task();
    let claim = soon(store.claim()).await.unwrap();
    claim.mark_side_effects().unwrap();
    store.shutdown().await;
    drop((ticket, claim, store));
    let (store, _) = again(directory.path()).await;
    assert_eq!(soon(store.submit(keyed("a", "k")).await.unwrap()).await, Outcome::Lost);
    // It may have had side effects, so it leaves a record.
    let records = store.provenance(&circle(1), 0, 10).await.unwrap().records;
    let recorded: Vec<_> = records.iter().map(|record| (record.task_id.0, record.outcome)).collect();
    assert_eq!(recorded, [(id, State::Lost.into())]);
}

#[tokio::test]
async fn late_mark_does_not_revive_ended_task() {
    let directory = tempfile::tempdir().unwrap();
    let store = open(directory.path(), EmbeddedConfig::default());
    let late = Task { timeout: Duration::from_millis(100), ..keyed("a", "k") };
    let ticket = store.submit(late).await.unwrap();
    let claim = soon(store.claim()).await.unwrap();
    assert_eq!(soon(ticket).await, Outcome::timed_out());
    let _ = claim.mark_side_effects();
    store.shutdown().await;
    drop((claim, store));
    let (store, found) = again(directory.path()).await;
    assert_eq!(found, 0);
    assert_eq!(soon(store.submit(keyed("a", "k")).await.unwrap()).await, Outcome::timed_out());
}

#[tokio::test]
async fn half_created_file_is_created_again() {
    let directory = tempfile::tempdir().unwrap();
    let folder = directory.path().join(circle(1).to_string());
    std::fs::create_dir(&folder).unwrap();
    // redb leaves such a file if it is killed before it writes the first header: zeros.
    std::fs::write(folder.join("circle.db.new"), vec![0; 4_096]).unwrap();
    let store = open(directory.path(), EmbeddedConfig::default());
    assert_eq!(store.recover([circle(1)]).await, Ok(0));
    write(&store, "a", "1").await;
    assert_eq!(read(&store, "a").as_deref(), Some("1"));
    let names: Vec<_> = std::fs::read_dir(folder).unwrap().map(|file| file.unwrap().file_name()).collect();
    assert_eq!(names, ["circle.db"]);
}

#[tokio::test]
async fn concurrent_file_creation_keeps_one_owner() {
    for _ in 0..20 {
        let directory = tempfile::tempdir().unwrap();
        let stores = [(); 2].map(|()| open(directory.path(), EmbeddedConfig::default()));
        let tickets = futures_util::future::join_all(stores.iter().map(|store| store.submit(submitted("a"))));
        let accepted = soon(tickets).await.iter().filter(|ticket| ticket.is_ok()).count();
        // The second store is refused, and the first one's task is kept.
        assert_eq!(accepted, 1);
        let [one, two] = stores;
        soon(async { tokio::join!(one.shutdown(), two.shutdown()) }).await;
        drop((one, two));
        assert_eq!(again(directory.path()).await.1, 1);
    }
}

#[tokio::test]
async fn transient_play_never_touches_the_disk() {
    let directory = tempfile::tempdir().unwrap();
    let store = open(directory.path(), EmbeddedConfig::default());
    let ticket = store.submit(task("40 + 2")).await.unwrap();
    settle(soon(store.claim()).await.unwrap(), success("42")).await;
    soon(ticket).await;
    assert_eq!(store.tasks(&circle(1), filter()).await.unwrap().tasks, []);
    assert_eq!(std::fs::read_dir(directory.path()).unwrap().count(), 0);
}

fn filter() -> circles_store::TaskFilter {
    circles_store::TaskFilter { caller: None, state: None, before: None, limit: 10 }
}

#[tokio::test]
async fn second_process_is_refused_the_file() {
    let directory = tempfile::tempdir().unwrap();
    let first = open(directory.path(), EmbeddedConfig::default());
    write(&first, "a", "1").await;
    for circles in [vec![circle(1)], vec![circle(2), circle(1)]] {
        let second = open(directory.path(), few_files());
        let refusal = second.recover(circles).await.unwrap_err().to_string();
        assert!(refusal.contains("circle.db") && refusal.contains("another process"), "{refusal}");
    }
}

#[tokio::test]
async fn file_of_another_circle_is_refused() {
    let directory = tempfile::tempdir().unwrap();
    let store = open(directory.path(), EmbeddedConfig::default());
    write(&store, "a", "1").await;
    store.shutdown().await;
    drop(store);
    let path = |number| directory.path().join(circle(number).to_string());
    std::fs::create_dir(path(2)).unwrap();
    std::fs::copy(path(1).join("circle.db"), path(2).join("circle.db")).unwrap();
    std::fs::create_dir(path(3)).unwrap();
    std::fs::write(path(3).join("circle.db"), "not a database, but some text").unwrap();
    let store = open(directory.path(), few_files());
    for circles in [vec![circle(2)], vec![circle(4), circle(2)]] {
        let refusal = store.recover(circles).await.unwrap_err().to_string();
        assert!(refusal.contains(&circle(1).to_string()), "{refusal}");
    }
    assert!(store.recover([circle(3)]).await.is_err());
    assert!(store.recover([circle(4), circle(3)]).await.is_err());
    // Each circle has a file of its own, so the others are served.
    assert_eq!(read(&store, "a").as_deref(), Some("1"));
}

#[tokio::test]
async fn open_files_stay_within_limit() {
    let directory = tempfile::tempdir().unwrap();
    let store = open(directory.path(), EmbeddedConfig { open_files: 4, ..EmbeddedConfig::default() });
    for round in 0..3 {
        for number in 1..40_u8 {
            let (claim, ticket) = store.begin_nested(Task { circle: circle(number), ..task("a") }).unwrap();
            let mut transaction = Transaction::new(claim.snapshot().unwrap());
            let count = transaction.get("n").unwrap().map_or(0, |n| n.parse::<u32>().unwrap());
            assert_eq!(count, round);
            transaction.put("n", Some((count + 1).to_string().into()));
            assert!(matches!(claim.settle(settlement(transaction)).await, Ok(Settled::Recorded)));
            soon(ticket).await;
        }
    }
    #[cfg(target_os = "linux")]
    {
        let links =
            std::fs::read_dir("/proc/self/fd").unwrap().filter_map(|link| link.ok()?.path().read_link().ok());
        let open = links.filter(|path| path.starts_with(directory.path())).count();
        // Files are closed after others are opened, so some more may be open for a moment.
        assert!(open <= 12, "{open} files are open");
    }
}

#[tokio::test]
async fn expired_task_and_key_are_forgotten() {
    let directory = tempfile::tempdir().unwrap();
    let config = EmbeddedConfig { remember_for: Duration::ZERO, ..EmbeddedConfig::default() };
    let store = open(directory.path(), config);
    let ticket = store.submit(keyed("a", "k")).await.unwrap();
    let id = ticket.task();
    settle(soon(store.claim()).await.unwrap(), success("")).await;
    soon(ticket).await;
    assert_eq!(store.task(&circle(1), id, Duration::ZERO).await, Ok(None));
    let _again = store.submit(keyed("another call", "k")).await.unwrap();
}

/// Nothing is stored of a keyed play that the end of its process ends, so the same call runs in the next process.
#[tokio::test]
async fn keyed_play_ended_by_close_runs_when_called_again() {
    let directory = tempfile::tempdir().unwrap();
    let store = open(directory.path(), EmbeddedConfig::default());
    let running = store.submit(keyed("a", "running")).await.unwrap();
    let claim = soon(store.claim()).await.unwrap();
    let queued = store.submit(keyed("a", "queued")).await.unwrap();
    let plain = store.submit(task("a")).await.unwrap();
    store.close().await;
    let goes_on = Outcome::failed(circles_store::Failure::Unavailable);
    assert_eq!((soon(queued).await, soon(plain).await), (goes_on.clone(), Outcome::cancelled()));
    drop(claim);
    assert_eq!(soon(running).await, goes_on);
    drop(store);

    let (store, found) = again(directory.path()).await;
    assert_eq!(found, 0);
    for key in ["running", "queued"] {
        let ticket = store.submit(keyed("a", key)).await.unwrap();
        settle(soon(store.claim()).await.unwrap(), success(key)).await;
        assert_eq!(soon(ticket).await, success(key));
    }
}

#[tokio::test]
async fn full_file_accepts_only_deletions() {
    let directory = tempfile::tempdir().unwrap();
    let store = open(directory.path(), EmbeddedConfig { file_bytes: 4 << 20, ..EmbeddedConfig::default() });
    let mut written = 0;
    let refused = loop {
        let (claim, ticket) = store.begin_nested(task("fill")).unwrap();
        let mut transaction = Transaction::new(claim.snapshot().unwrap());
        transaction.put(&written.to_string(), Some(format!("\"{}\"", "x".repeat(200_000)).into()));
        assert!(matches!(claim.settle(settlement(transaction)).await, Ok(Settled::Recorded)));
        match soon(ticket).await {
            Outcome::Succeeded(_) => written += 1,
            other => break other,
        }
        assert!(written < 1_000, "nothing stops it");
    };
    let limit = Outcome::failed(circles_store::Failure::Limit { limit: "database_bytes".into() });
    assert_eq!(refused, limit);
    let (claim, ticket) = store.begin_nested(task("delete")).unwrap();
    let mut transaction = Transaction::new(claim.snapshot().unwrap());
    transaction.put("0", None);
    assert!(matches!(claim.settle(settlement(transaction)).await, Ok(Settled::Recorded)));
    assert_eq!(soon(ticket).await, success(""));
}

#[tokio::test]
async fn queued_tasks_are_bounded_by_memory() {
    // In memory, a map of one member takes many times the bytes of its JSON.
    let large =
        |number| Task { circle: circle(number), args: vec![json!({ "": 0 }); 1_000].into(), ..task("a") };
    let bytes = large(1).memory_bytes();
    assert!(bytes > 50 * large(1).args.to_string().len() / 2, "{bytes}");
    let directory = tempfile::tempdir().unwrap();
    let store =
        open(directory.path(), EmbeddedConfig { queue_bytes: 8 * bytes, ..EmbeddedConfig::default() });
    let mut tickets = Vec::new();
    for number in 1..=4 {
        for _ in 0..2 {
            tickets.push(store.submit(large(number)).await.unwrap());
        }
        assert_eq!(
            store.submit(large(number)).await.err(),
            Some(Error::QueueFull),
            "a quarter of circle {number}"
        );
    }
    assert_eq!(store.submit(large(5)).await.err(), Some(Error::QueueFull), "all");
    // Claimed and cancelled tasks leave the queue.
    settle(soon(store.claim()).await.unwrap(), success("")).await;
    tickets.push(store.submit(large(5)).await.unwrap());
    assert_eq!(store.submit(large(5)).await.err(), Some(Error::QueueFull));
    drop(tickets);
    let _one = store.submit(large(5)).await.unwrap();
}
