//! Failures of the disk, a file or the process under the embedded store.

use std::{
    fs,
    path::{Path, PathBuf},
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use circles_api::CircleId;
use circles_store::{Error, Kind, Outcome, Settled, State, Store, Task, TaskFilter, Ticket, Transaction};
use circles_store_embedded::{EmbeddedConfig, EmbeddedStore};
use circles_testing::SeededRng;
use futures_util::FutureExt as _;
use tokio::task::JoinSet;

use crate::{
    conformance::{circle, keyed, settle, soon, success, task},
    restarts::open,
    tasks::submitted,
    transactions::settlement,
};

fn few(open_files: usize) -> EmbeddedConfig {
    EmbeddedConfig { open_files, ..EmbeddedConfig::default() }
}

fn folder(directory: &Path, circle: CircleId) -> PathBuf {
    directory.join(circle.to_string())
}

/// Runs a play that writes one document.
async fn write(store: &dyn Store, circle: CircleId, key: &str) -> Result<Outcome, Error> {
    let (claim, ticket) = store.begin_nested(Task { circle, ..task("write") })?;
    let mut transaction = Transaction::new(claim.snapshot()?);
    transaction.get("other")?;
    transaction.put(key, Some("1".into()));
    assert!(matches!(claim.settle(settlement(transaction)).await, Ok(Settled::Recorded)));
    Ok(soon(ticket).await)
}

fn read(store: &dyn Store, circle: CircleId, key: &str) -> Result<bool, Error> {
    let (claim, _ticket) = store.begin_nested(Task { circle, ..task("read") })?;
    Ok(claim.snapshot()?.get(key)?.is_some())
}

fn all() -> TaskFilter {
    TaskFilter { caller: None, state: None, before: None, limit: 100 }
}

#[tokio::test]
async fn settling_after_shutdown_fails_at_once() {
    let directory = tempfile::tempdir().unwrap();
    let store = open(directory.path(), EmbeddedConfig::default());
    let (claim, ticket) = store.begin_nested(task("late")).unwrap();
    let mut transaction = Transaction::new(claim.snapshot().unwrap());
    transaction.put("a", Some("1".into()));
    let kept = store.submit(submitted("late")).await.unwrap();
    let kept_claim = soon(store.claim()).await.unwrap();
    store.shutdown().await;
    assert!(matches!(claim.settle(settlement(transaction)).await, Ok(Settled::Recorded)));
    settle(kept_claim, success("late")).await;
    for ticket in [ticket, kept] {
        assert!(matches!(soon(ticket).await, Outcome::Failed(..)), "it is not on the disk");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn busy_circles_do_not_starve_disk_writes_of_others() {
    let directory = tempfile::tempdir().unwrap();
    let store: Arc<dyn Store> = Arc::new(open(directory.path(), EmbeddedConfig::default()));
    let stop = Arc::new(AtomicBool::new(false));
    let mut busy = JoinSet::new();
    let (in_swing, mut swinging) = tokio::sync::mpsc::channel(8);
    for number in 0..8 {
        let (store, stop, in_swing) = (store.clone(), stop.clone(), in_swing.clone());
        busy.spawn(async move {
            // Plays follow each other so closely that changes are always pending.
            let mut under_way = Vec::new();
            while !stop.load(Ordering::Relaxed) {
                let (claim, ticket) =
                    store.begin_nested(Task { circle: circle(number), ..task("busy") }).unwrap();
                let mut transaction = Transaction::new(claim.snapshot().unwrap());
                transaction.put("n", Some("1".into()));
                assert!(matches!(claim.settle(settlement(transaction)).await, Ok(Settled::Recorded)));
                under_way.push(ticket);
                if under_way.len() == 128 {
                    in_swing.send(()).await.unwrap();
                }
                // Ahead of the disk, but not so far that it cannot catch up.
                if under_way.len().is_multiple_of(64) {
                    tokio::time::sleep(Duration::from_millis(5)).await;
                }
                tokio::task::yield_now().await;
            }
        });
    }
    for _ in 0..8 {
        soon(swinging.recv()).await.unwrap();
    }
    for round in 0..3 {
        assert_eq!(write(&*store, circle(100), &round.to_string()).await, Ok(success("")));
    }
    stop.store(true, Ordering::Relaxed);
    while let Some(done) = soon(busy.join_next()).await {
        done.unwrap();
    }
}

#[cfg(target_os = "linux")]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn concurrent_opens_respect_open_file_limit() {
    let directory = tempfile::tempdir().unwrap();
    let store = Arc::new(open(directory.path(), few(8)));
    let mut callers = JoinSet::new();
    for number in 0..240_u8 {
        let store = store.clone();
        callers.spawn(async move {
            store.submit(Task { circle: circle(number), ..submitted("a") }).await.map(drop)
        });
    }
    let mut most = 0;
    while let Some(done) = soon(callers.join_next()).await {
        done.unwrap().unwrap();
        let links =
            fs::read_dir("/proc/self/fd").unwrap().filter_map(|link| link.ok()?.path().read_link().ok());
        let open = links.filter(|path| path.starts_with(directory.path()) && path.is_file()).count();
        most = most.max(open);
    }
    // The limit, and one for each thread that is opening a file.
    assert!(most <= 8 + 4 + 1, "{most} files were open");
}

#[cfg(target_os = "linux")]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn slow_file_open_does_not_block_other_circles() {
    let directory = tempfile::tempdir().unwrap();
    let slow = folder(directory.path(), circle(1));
    fs::create_dir(&slow).unwrap();
    let held = fs::File::open(&slow).unwrap();
    held.lock().unwrap();
    let store: Arc<dyn Store> = Arc::new(open(directory.path(), few(1)));
    let waiting = tokio::spawn({
        let store = store.clone();
        async move { store.submit(submitted("slow")).await.map(drop) }
    });
    for number in 2..12 {
        let asked = tokio::spawn({
            let store = store.clone();
            async move { store.submit(Task { circle: circle(number), ..submitted("a") }).await.map(drop) }
        });
        assert_eq!(soon(asked).await.unwrap(), Ok(()));
    }
    assert!(!waiting.is_finished());
    held.unlock().unwrap();
    assert_eq!(soon(waiting).await.unwrap(), Ok(()));
}

#[tokio::test]
async fn emptied_file_is_refused_not_recreated() {
    let directory = tempfile::tempdir().unwrap();
    let store = open(directory.path(), EmbeddedConfig::default());
    assert_eq!(write(&store, circle(1), "a").await, Ok(success("")));
    store.shutdown().await;
    drop(store);
    let file = folder(directory.path(), circle(1)).join("circle.db");
    for length in [0, 4_096] {
        fs::write(&file, vec![0; length]).unwrap();
        let store = open(directory.path(), EmbeddedConfig::default());
        let refusal = store.recover([circle(1)]).await.unwrap_err().to_string();
        assert!(refusal.contains("circle.db"), "{refusal}");
        assert!(read(&store, circle(1), "a").is_err());
        assert!(store.submit(submitted("a")).await.is_err());
        assert_eq!(fs::metadata(&file).unwrap().len(), length as u64, "it stays as it was found");
    }
}

#[tokio::test]
async fn missing_file_fails_waiters_until_it_returns() {
    let directory = tempfile::tempdir().unwrap();
    let store = open(directory.path(), EmbeddedConfig::default());
    assert_eq!(write(&store, circle(1), "before").await, Ok(success("")));
    assert_eq!(write(&store, circle(2), "before").await, Ok(success("")));
    let (there, away) = (folder(directory.path(), circle(1)), directory.path().join("away"));
    fs::rename(&there, &away).unwrap();
    let names: Vec<_> = (0..20).map(|number| format!("lost {number}")).collect();
    let mut plays = Vec::new();
    for name in &names {
        let (claim, ticket) = store.begin_nested(task("write")).unwrap();
        let mut transaction = Transaction::new(claim.snapshot().unwrap());
        transaction.put(name, Some("1".into()));
        plays.push((claim, transaction, ticket));
    }
    let settling = plays.into_iter().map(|(claim, transaction, ticket)| async move {
        assert!(matches!(claim.settle(settlement(transaction)).await, Ok(Settled::Recorded)));
        soon(ticket).await
    });
    for outcome in futures_util::future::join_all(settling).await {
        assert!(matches!(outcome, Outcome::Failed(..)), "{outcome:?}");
    }
    // The file is not created again, and every call reports that.
    assert!(read(&store, circle(1), "before").is_err());
    assert!(store.submit(submitted("a")).await.is_err());
    assert!(store.submit(keyed("a", "k")).await.is_err());
    assert!(store.tasks(&circle(1), all()).await.is_err());
    assert!(!there.exists() || fs::read_dir(&there).unwrap().count() == 0);
    assert_eq!(write(&store, circle(2), "meanwhile").await, Ok(success("")));

    let _ = fs::remove_dir(&there);
    fs::rename(&away, &there).unwrap();
    assert_eq!(read(&store, circle(1), "before"), Ok(true));
    for name in &names {
        assert_eq!(read(&store, circle(1), name), Ok(false), "{name}");
    }
    assert_eq!(write(&store, circle(1), "after").await, Ok(success("")));
    assert!(store.submit(keyed("a", "k")).await.is_ok());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn damaged_file_is_an_error_not_a_panic_or_hang() {
    let directory = tempfile::tempdir().unwrap();
    let store = open(directory.path(), EmbeddedConfig::default());
    for number in 0..50 {
        assert_eq!(write(&store, circle(1), &number.to_string().repeat(20)).await, Ok(success("")));
    }
    drop(store.submit(submitted("a")).await.unwrap());
    store.shutdown().await;
    drop(store);
    let file = folder(directory.path(), circle(1)).join("circle.db");
    let sound = fs::read(&file).unwrap();
    let mut rng = SeededRng::new(7, 0);
    for _ in 0..150 {
        let mut damaged = sound.clone();
        let at = rng.next_u64() as usize % damaged.len();
        if rng.next_u64().is_multiple_of(4) {
            damaged.truncate(at);
        } else {
            let to = damaged.len().min(at + 1 + rng.next_u64() as usize % 8_192);
            damaged[at..to].iter_mut().for_each(|byte| *byte = rng.next_u64() as u8);
        }
        fs::write(&file, damaged).unwrap();
        let store = open(directory.path(), EmbeddedConfig::default());
        let _ = soon(store.recover([circle(1)])).await;
        let _ = read(&store, circle(1), "1");
        let _ = soon(write(&store, circle(1), "new")).await;
        let _ = soon(store.submit(submitted("b"))).await.map(drop);
        let _ = soon(store.tasks(&circle(1), all())).await;
        let _ = soon(store.provenance(&circle(1), 0, 100)).await;
        assert_eq!(soon(write(&store, circle(2), "a")).await, Ok(success("")), "another circle goes on");
        soon(store.shutdown()).await;
    }
}

#[tokio::test]
async fn huge_timeouts_do_not_overflow() {
    let directory = tempfile::tempdir().unwrap();
    let config = EmbeddedConfig { remember_for: Duration::MAX, ..EmbeddedConfig::default() };
    let store = open(directory.path(), config);
    let ticket = store.submit(Task { timeout: Duration::MAX, ..submitted("a") }).await.unwrap();
    settle(soon(store.claim()).await.unwrap(), success("")).await;
    let id = ticket.task();
    assert_eq!(soon(ticket).await, success(""));
    let seen = soon(store.task(&circle(1), id, Duration::MAX)).await.unwrap().unwrap();
    assert_eq!(seen.state, State::Succeeded);
}

#[tokio::test]
async fn list_omits_expired_tasks() {
    let directory = tempfile::tempdir().unwrap();
    let config = EmbeddedConfig { remember_for: Duration::from_millis(200), ..EmbeddedConfig::default() };
    let store = open(directory.path(), config);
    let ticket = store.submit(submitted("a")).await.unwrap();
    let id = ticket.task();
    settle(soon(store.claim()).await.unwrap(), success("")).await;
    soon(ticket).await;
    tokio::time::sleep(Duration::from_millis(220)).await; // As long as tasks are remembered.
    assert_eq!(store.task(&circle(1), id, Duration::ZERO).await, Ok(None));
    assert_eq!(store.tasks(&circle(1), all()).await.unwrap().tasks, []);
}

#[tokio::test]
async fn marked_keyed_play_is_lost_even_before_recovery() {
    let directory = tempfile::tempdir().unwrap();
    let store = open(directory.path(), EmbeddedConfig::default());
    let ticket = store.submit(keyed("a", "k")).await.unwrap();
    let claim = soon(store.claim()).await.unwrap();
    claim.mark_side_effects().unwrap();
    store.shutdown().await;
    drop((ticket, claim, store));
    let store = open(directory.path(), EmbeddedConfig::default());
    assert_eq!(soon(store.submit(keyed("a", "k")).await.unwrap()).await, Outcome::Lost);
}

#[tokio::test]
async fn recovery_skips_tasks_of_this_process() {
    let directory = tempfile::tempdir().unwrap();
    let store = open(directory.path(), EmbeddedConfig::default());
    let ticket: Ticket = store.submit(submitted("a")).await.unwrap();
    assert_eq!(store.recover([circle(1)]).await, Ok(0));
    settle(soon(store.claim()).await.unwrap(), success("")).await;
    assert!(store.claim().now_or_never().is_none(), "it runs once");
    assert_eq!(soon(ticket).await, success(""));
}

#[tokio::test]
async fn submission_claimed_at_shutdown_runs_in_next_process() {
    let directory = tempfile::tempdir().unwrap();
    let store = open(directory.path(), EmbeddedConfig::default());
    let ticket = store.submit(submitted("a")).await.unwrap();
    let claim = soon(store.claim()).await.unwrap();
    store.close().await;
    drop((claim, ticket));
    store.shutdown().await;
    drop(store);
    let store = open(directory.path(), EmbeddedConfig::default());
    assert_eq!(store.recover([circle(1)]).await, Ok(1));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn dropped_settle_requeues_task() {
    let directory = tempfile::tempdir().unwrap();
    let store = open(directory.path(), EmbeddedConfig::default());
    // A play with a conflict holds the retry lock.
    let (first, _ticket) = store.begin_nested(task("first")).unwrap();
    let mut transaction = Transaction::new(first.snapshot().unwrap());
    transaction.get("n").unwrap();
    transaction.put("n", Some("1".into()));
    assert_eq!(write(&store, circle(1), "n").await, Ok(success("")));
    let Ok(Settled::Conflict(first)) = first.settle(settlement(transaction)).await else {
        panic!("settled despite the conflict");
    };
    let ticket = store.submit(task("second")).await.unwrap();
    let second = soon(store.claim()).await.unwrap();
    let mut transaction = Transaction::new(second.snapshot().unwrap());
    transaction.put("m", Some("1".into()));
    assert!(second.settle(settlement(transaction)).now_or_never().is_none());
    let again = soon(store.claim()).await.unwrap();
    assert_eq!(again.task().id, ticket.task());
    settle(again, success("again")).await;
    assert_eq!(soon(ticket).await, success("again"));
    drop(first);
}

#[tokio::test]
async fn dropped_claim_after_side_effect_uses_retries() {
    let directory = tempfile::tempdir().unwrap();
    let store = open(directory.path(), EmbeddedConfig::default());
    let once = Task { kind: Kind::Submitted { retries: 1 }, ..submitted("once more") };
    for task in [task("plain"), keyed("keyed", "k"), submitted("submitted"), once] {
        let retries = if let Kind::Submitted { retries } = task.kind { retries } else { 0 };
        let ticket = store.submit(task).await.unwrap();
        for _ in 0..=retries {
            let claim = soon(store.claim()).await.unwrap();
            claim.mark_side_effects().unwrap();
            drop(claim);
        }
        assert_eq!(soon(ticket).await, Outcome::Lost);
        assert!(store.claim().now_or_never().is_none());
    }
}

#[tokio::test]
async fn ticket_polled_after_ready_stays_pending() {
    let directory = tempfile::tempdir().unwrap();
    let store: EmbeddedStore = open(directory.path(), EmbeddedConfig::default());
    let mut ticket = store.submit(task("a")).await.unwrap();
    settle(soon(store.claim()).await.unwrap(), success("")).await;
    assert_eq!(soon(&mut ticket).await, success(""));
    assert_eq!((&mut ticket).now_or_never(), None);
}
