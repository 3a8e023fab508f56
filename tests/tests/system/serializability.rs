//! Concurrent plays of a circle have the effects of some serial order.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::{Duration, Instant},
};

use circles_api::codes::CANCELLED;
use circles_tests::{Raw, end, event_that, soon};
use futures_util::future::join_all;
use serde_json::{Value, json};

use super::World;

/// A watched play.
struct WatchedPlay {
    raw: Raw,
    id: Value,
}

impl WatchedPlay {
    /// Starts a play of a script.
    async fn play(world: &World, script: &str) -> Self {
        let mut raw = world.raw().await;
        raw.call("watch_play", json!({ "script": script })).await.unwrap();
        let id = raw.receive().await.unwrap()["params"]["result"]["task_id"].take();
        Self { raw, id }
    }

    /// Waits until it logs this line.
    async fn wait_for_line(&mut self, text: &str) {
        event_that(&mut self.raw, |event| event["line"]["text"] == text).await;
    }

    /// Waits until it is rerun after a conflict.
    async fn wait_for_rerun(&mut self) {
        event_that(&mut self.raw, |event| event["event"] == "restarted").await;
    }

    /// Its task at the end.
    async fn ends(&mut self) -> Value {
        end(&mut self.raw).await
    }
}

#[tokio::test]
async fn counter_of_many_callers_is_exact_without_refusals() {
    const CALLERS: usize = 32;
    const EACH: usize = 10;
    let world = Arc::new(World::builder().workers(4).start().await);
    let callers = (0..CALLERS).map(|_| {
        let world = world.clone();
        tokio::spawn(async move {
            let mut raw = world.raw().await;
            let mut seen = Vec::new();
            for _ in 0..EACH {
                seen.push(raw.play(r#"db::incr("n")"#).await.unwrap().as_u64().unwrap());
            }
            seen
        })
    });
    let mut seen: Vec<_> = join_all(callers).await.into_iter().flat_map(Result::unwrap).collect();
    seen.sort_unstable();
    // Each play saw a different number.
    assert!(seen.into_iter().eq(1..=(CALLERS * EACH) as u64));
    assert_eq!(world.raw().await.play(r#"db::get("n")"#).await, Ok(json!(CALLERS * EACH)));
}

#[tokio::test]
async fn counter_by_separate_read_and_write_is_exact() {
    const CALLERS: usize = 32;
    let world = World::builder().workers(4).start().await;
    let calls = (0..CALLERS).map(|_| async {
        let mut raw = world.raw().await;
        raw.play(r#"let n = db::get("n") ?? 0; for i in 0..100 {} db::set("n", n + 1); n"#).await.unwrap()
    });
    let mut seen: Vec<_> = join_all(calls).await.iter().map(|n| n.as_u64().unwrap()).collect();
    seen.sort_unstable();
    assert!(seen.into_iter().eq(0..CALLERS as u64));
}

#[tokio::test]
async fn write_skew_is_prevented() {
    let world = World::builder().workers(4).start().await;
    let mut raw = world.raw().await;
    // Two doctors on call, one of whom has to stay; and two people who book the same free room.
    let leave = r#"let on = db::get("a") + db::get("b"); sleep(0.2); if on > 1 { db::set(ARGS, 0); } on"#;
    let book = "let booked = db::scan(`room/`, ``, 10).len(); sleep(0.2); \
                if booked == 0 { db::set(`room/${ARGS}`, true); } booked";
    for (script, expected, left) in
        [(leave, [1, 2], r#"db::get("a") + db::get("b")"#), (book, [0, 1], r#"db::keys("room/").len()"#)]
    {
        for round in 0..3 {
            raw.play(r#"db::set("a", 1); db::set("b", 1); db::delete("room/a"); db::delete("room/b"); 0"#)
                .await
                .unwrap();
            let plays = ["a", "b"].map(|who| {
                let world = &world;
                async move {
                    let mut raw = world.raw().await;
                    let answer = raw.call("play", json!([script, who])).await;
                    answer.unwrap()["value"].as_u64().unwrap()
                }
            });
            let mut seen = join_all(plays).await;
            seen.sort_unstable();
            assert_eq!((seen, raw.play(left).await), (expected.to_vec(), Ok(json!(1))), "{round}: {script}");
        }
    }
}

#[tokio::test]
async fn readers_see_constant_sum_during_transfers() {
    const ACCOUNTS: usize = 8;
    let world = Arc::new(World::builder().workers(4).start().await);
    let mut raw = world.raw().await;
    let open = format!("for i in 0..{ACCOUNTS} {{ db::set(`account/${{i}}`, 100); }}");
    raw.play(&open).await.unwrap();
    let transfer = "let [from, to] = [`account/${ARGS[0]}`, `account/${ARGS[1]}`]; \
        let has = db::get(from); if has < ARGS[2] { return false; } \
        db::set(from, has - ARGS[2]); db::set(to, db::get(to) + ARGS[2]); true";
    let transfer = transfer.replace(
        "let [from, to] = [`account/${ARGS[0]}`, `account/${ARGS[1]}`];",
        "let from = `account/${ARGS[0]}`; let to = `account/${ARGS[1]}`;",
    );
    let sum = "let sum = 0; for it in db::scan(`account/`, ``, 100) { sum += it.value; } sum";
    let over = Arc::new(AtomicBool::new(false));
    let readers: Vec<_> = (0..4)
        .map(|_| {
            let (world, over) = (world.clone(), over.clone());
            tokio::spawn(async move {
                let mut raw = world.raw().await;
                let mut sums = 0;
                while !over.load(Ordering::SeqCst) {
                    assert_eq!(raw.play(sum).await, Ok(json!(ACCOUNTS * 100)));
                    sums += 1;
                }
                sums
            })
        })
        .collect();
    let writers = (0..8_usize).map(|writer| {
        let (world, transfer) = (world.clone(), transfer.clone());
        tokio::spawn(async move {
            let mut raw = world.raw().await;
            for turn in 0..20 {
                let from = (writer * 3 + turn) % ACCOUNTS;
                let to = (from + 1 + turn % (ACCOUNTS - 1)) % ACCOUNTS;
                raw.call("play", json!([transfer, [from, to, 30]])).await.unwrap();
            }
        })
    });
    for writer in join_all(writers).await {
        writer.unwrap();
    }
    over.store(true, Ordering::SeqCst);
    for reader in readers {
        assert!(reader.await.unwrap() > 0);
    }
    assert_eq!(raw.play(sum).await, Ok(json!(ACCOUNTS * 100)));
    assert_ne!(raw.play("db::get(`account/0`)").await, Ok(Value::Null));
}

/// Reads `n`. The first run waits for a conflict; the second keeps other conflicting plays waiting.
const HOLD: &str = r#"
    if db::get("n") == () { print("read"); while !fs::exists("first") { sleep(0.01) } db::set("m", 1); }
    else { print("again"); sleep(20); db::set("m", 2); }
"#;

#[tokio::test]
async fn play_waiting_for_its_rerun_can_be_cancelled() {
    let world = World::builder().start().await;
    let mut raw = world.raw().await;
    let mut first = WatchedPlay::play(&world, HOLD).await;
    first.wait_for_line("read").await;
    raw.play(r#"db::set("n", 1)"#).await.unwrap();
    world.create_file(0, "first");
    first.wait_for_line("again").await;

    let script =
        r#"let n = db::get("n"); print("read"); while !fs::exists("second") { sleep(0.01) } db::set("n", 9)"#;
    let mut second = WatchedPlay::play(&world, script).await;
    second.wait_for_line("read").await;
    raw.play(r#"db::set("n", 2)"#).await.unwrap();
    world.create_file(0, "second");
    second.wait_for_rerun().await;
    let began = Instant::now();
    assert_eq!(raw.call("cancel", json!([second.id])).await, Ok(json!({ "cancelled": true })));
    let task = second.ends().await;
    assert_eq!((&task["state"], &task["error"]["code"]), (&json!("cancelled"), &json!(CANCELLED)), "{task}");
    // The first play would have delayed it for twenty seconds.
    assert!(began.elapsed() < Duration::from_secs(5), "{:?}", began.elapsed());
    raw.call("cancel", json!([first.id])).await.unwrap();
    assert_eq!(first.ends().await["state"], "cancelled");
}

#[tokio::test]
async fn plays_waiting_for_reruns_do_not_delay_other_circles() {
    let world = Arc::new(World::builder().circles(&["alice", "carol"]).workers(2).start().await);
    let mut raw = world.raw().await;
    let mut first = WatchedPlay::play(&world, HOLD).await;
    first.wait_for_line("read").await;
    raw.play(r#"db::set("n", 1)"#).await.unwrap();
    world.create_file(0, "first");
    first.wait_for_line("again").await;
    // The plays conflict with each other, and those that conflict wait for the first.
    let mut many = world.raw().await;
    for _ in 0..50 {
        let call = many.request("play", json!([r#"db::incr("k")"#]));
        many.send(call).await;
    }
    let mut neighbour = Raw::connect(&world.circle_url(1)).await;
    let began = Instant::now();
    for _ in 0..20 {
        assert_eq!(neighbour.play(r#"db::get("k"); 40 + 2"#).await, Ok(json!(42)));
    }
    assert!(began.elapsed() < Duration::from_secs(8), "{:?}", began.elapsed());
    raw.call("cancel", json!([first.id])).await.unwrap();
    for _ in 0..50 {
        let answer = many.receive().await.unwrap();
        assert!(answer["result"]["value"].is_u64(), "{answer}");
    }
}

#[tokio::test]
async fn rerun_that_calls_its_own_circle_does_not_deadlock() {
    let world = Arc::new(World::builder().workers(4).start().await);
    let mut raw = world.raw().await;
    let script = r#"
        if db::get("n") == () {
            print("read");
            while !fs::exists("first") { sleep(0.01) }
            db::set("m", 1);
            return 0;
        }
        print("again");
        try { circle(CIRCLE).play(`let k = db::get("k"); sleep(0.1); db::set("j", k)`); } catch {}
    "#;
    let mut outer = WatchedPlay::play(&world, script).await;
    outer.wait_for_line("read").await;
    raw.play(r#"db::set("n", 1)"#).await.unwrap();
    world.create_file(0, "first");
    outer.wait_for_line("again").await;
    let began = Instant::now();
    let over = Arc::new(AtomicBool::new(false));
    let writer = tokio::spawn({
        let (world, over) = (world.clone(), over.clone());
        async move {
            let mut raw = world.raw().await;
            while !over.load(Ordering::SeqCst) {
                raw.play(r#"db::incr("k")"#).await.unwrap();
            }
        }
    });
    let task = soon(outer.ends()).await;
    over.store(true, Ordering::SeqCst);
    writer.await.unwrap();
    assert_eq!(task["state"], "succeeded", "{task}");
    // On a deadlock its deadline would have ended it after thirty seconds.
    assert!(began.elapsed() < Duration::from_secs(10), "{:?}", began.elapsed());
}
