//! A model of tasks on Redis: submitting, claiming, renewing, settling, reaping and answering, and every fault that can
//! come between these steps. `docs/tasks-on-redis.md` describes it.
//!
//! `world.rs` lists the possible actions, `scripts.rs` does what the scripts do, and `promises.rs` lists what must hold
//! in every state. `replay.rs` compares the model with the real scripts.

#![allow(clippy::unwrap_used, clippy::expect_used)] // Tests may panic.
#![allow(clippy::print_stdout)] // `--nocapture` shows how each rule's promise breaks.

mod model {
    pub(crate) mod callers;
    pub(crate) mod check;
    pub(crate) mod contents;
    pub(crate) mod promises;
    pub(crate) mod redis;
    pub(crate) mod replay;
    pub(crate) mod resp;
    pub(crate) mod scenario;
    pub(crate) mod scripts;
    pub(crate) mod shard;
    pub(crate) mod step;
    mod without;
    pub(crate) mod workers;
    pub(crate) mod world;
}

use std::{collections::BTreeSet, fs, path::Path};

use model::{
    check::{assert_terminates, holds},
    replay::Replay,
    scenario::{Call, Kind, PLAY, Rules, Scenario},
    shard::Scripts,
};

/// A play that may fail and has a side effect, and two workers.
const ONE: Scenario = Scenario {
    calls: &[Call { has_side_effect: true, may_fail: true, ..PLAY }],
    workers: 2,
    servers: 1,
    slots: 2,
    faults: 3,
    rules: Rules::ALL,
};

/// A task with one retry.
const RETRIED: Scenario = Scenario {
    calls: &[Call { kind: Kind::Submitted { retries: 1 }, has_side_effect: true, ..PLAY }],
    ..ONE
};

/// A task that may be the cause of its workers' deaths.
const DEADLY: Scenario =
    Scenario { calls: &[Call { kind: Kind::Submitted { retries: 0 }, ..PLAY }], slots: 1, ..ONE };

/// Two plays of one circle that may conflict.
const CONFLICTING: Scenario =
    Scenario { calls: &[PLAY, Call { has_side_effect: true, ..PLAY }], faults: 1, ..ONE };

/// Plays of which one holds the retry lock when others settle.
const CONTENDED: Scenario = Scenario { calls: &[PLAY; 3], workers: 1, faults: 0, ..ONE };

/// A call that is repeated at the same server.
const JOINED: Scenario = Scenario { calls: &[Call { key: true, ..PLAY }; 2], faults: 2, ..ONE };

/// A call that is repeated at another server.
const ELSEWHERE: Scenario = Scenario {
    calls: &[Call { key: true, ..PLAY }, Call { key: true, server: 1, ..PLAY }],
    servers: 2,
    ..JOINED
};

/// A task whose end is awaited at another server.
const QUERIED: Scenario = Scenario {
    calls: &[
        Call { kind: Kind::Submitted { retries: 0 }, ..PLAY },
        Call { kind: Kind::Query, server: 1, ..PLAY },
    ],
    servers: 2,
    ..JOINED
};

/// A nested play, and a play that may conflict with it.
const NESTED: Scenario =
    Scenario { calls: &[Call { kind: Kind::Nested, ..PLAY }, PLAY], workers: 1, faults: 2, ..ONE };

const ALL: [Scenario; 9] = [ONE, RETRIED, DEADLY, CONFLICTING, CONTENDED, JOINED, ELSEWHERE, QUERIED, NESTED];

#[test]
fn play_promises_hold_under_all_faults() {
    assert!(holds(ONE) > 100_000);
}

#[test]
fn retry_promises_hold_under_all_faults() {
    assert!(holds(RETRIED) > 100_000);
}

#[test]
fn deadly_task_promises_hold_under_all_faults() {
    assert!(holds(DEADLY) > 10_000);
}

#[test]
fn conflict_promises_hold_under_all_faults() {
    assert!(holds(CONFLICTING) > 10_000);
    assert!(holds(CONTENDED) > 1_000);
}

#[test]
fn repeated_call_promises_hold_under_all_faults() {
    assert!(holds(JOINED) > 10_000);
}

#[test]
fn repeated_call_on_other_server_promises_hold() {
    assert!(holds(ELSEWHERE) > 10_000);
}

#[test]
fn task_query_promises_hold_under_all_faults() {
    assert!(holds(QUERIED) > 10_000);
}

#[test]
fn nested_play_promises_hold_under_all_faults() {
    assert!(holds(NESTED) > 10_000);
}

#[test]
#[ignore = "one fault more: a minute in release, and a gigabyte"]
fn promises_hold_with_one_more_fault() {
    for scenario in ALL {
        let scenario = Scenario { faults: scenario.faults + 1, ..scenario };
        println!("{} states of {scenario:?}", holds(scenario));
    }
}

#[test]
fn every_scenario_terminates() {
    let mut happened = BTreeSet::new();
    for scenario in ALL {
        happened.extend(assert_terminates(Scenario { faults: scenario.faults.min(2), ..scenario }));
    }
    // The number of variants of `Action`.
    assert_eq!(happened.len(), 34, "{happened:#?}");
}

/// Takes random walks through every scenario in the model and in a real Redis. Returns the kinds of replies, or the
/// first difference.
fn walk(scripts: &Scripts, walks: u64) -> Result<BTreeSet<String>, String> {
    let mut replay = Replay::start();
    let mut returned = BTreeSet::new();
    for seed in 0..walks {
        for scenario in ALL {
            returned.extend(replay.walk(&scenario, scripts, seed)?);
        }
    }
    Ok(returned)
}

#[test]
fn scripts_match_the_model() {
    let returned = walk(&Scripts::real(), 100).unwrap_or_else(|difference| panic!("{difference}"));
    // Every kind of reply must occur in the walks, or it would not be compared.
    let all = [
        "Acknowledged",
        "Answered(1)",
        "Cancelled(Repeated)",
        "Cancelled(Ended)",
        "Cancelled(Nothing)",
        "Cancelled(Running)",
        "Cancelled(Interrupted)",
        "Claimed(0)",
        "Claimed(1)",
        "Claimed(2)",
        "Looked(Ended)",
        "Looked(InProgress)",
        "Marked(false)",
        "Marked(true)",
        "Reaped(0, 0)",
        "Reaped(0, 1)",
        "Reaped(1, 0)",
        "Renewed(0)",
        "Renewed(1)",
        "Settled(Gone)",
        "Settled(Locked)",
        "Settled(Conflict)",
        "Settled(Recorded)",
        "Submitted(Ended)",
        "Submitted(Known)",
        "Submitted(Some(Accepted))",
    ];
    let missing: Vec<_> = all.into_iter().filter(|kind| !returned.contains(*kind)).collect();
    assert!(missing.is_empty(), "{missing:?}");
}

#[test]
fn script_without_a_rule_is_detected() {
    let forgotten = [
        ("submit", "if under_way[index] or answered[index] or new[id]", "if answered[index] or new[id]"),
        ("submit", "elseif name ~= '' then", "elseif name == '-' then"),
        ("submit", "add_listener(id, task, 'servers', server)", ""),
        ("claim", "if last and string.sub(last, 1, #number + 1) == number .. ' ' then", "if false then"),
        ("claim", "if task and task.deadline <= time then", "if false then"),
        ("mark", "claim.epoch ~= epoch", "false"),
        ("settle", "epoch .. ' ' .. worker .. ' '", "''"),
        ("settle", "if read and has_conflict(circle, read, keys, ranges) then", "if false then"),
        ("settle", "if has_way and has_way ~= id then", "if false then"),
        ("settle", "redis.call('EXISTS', key('done', id)) == 1", "false"),
        ("renew", "claim.worker == worker and claim.epoch == epoch", "true"),
        ("renew", "redis.call('ZREM', shard .. ':leases', worker)", ""),
        ("reap", "if claim and claim.worker == worker then", "if false then"),
        ("reap", "if give_back(id, claim, results, true) then", "if give_back(id, claim, results) then"),
        ("renew", "forgive(id, epoch)", ""),
        ("settle", "forgive(id, epoch)", ""),
        ("shared", "if #deaths >= DEATHS then", "if false then"),
        ("shared", "release(results, claim.worker, id)", ""),
        ("claim", "call_chunked('ZADD', key('holds', worker), holds)", ""),
        ("submit", "add_open(key('open', circle), id)", ""),
        ("reap", "redis.call('HDEL', shard .. ':workers', worker)", ""),
        ("cancel", "if claim and only == 'queued' then", "if false then"),
        ("cancel", "if claim and only ~= 'now' then", "if claim then"),
        ("cancel", "claim.flags = claim.flags .. 'c'", ""),
        ("look", "add_listener(id, task, 'servers', server)", ""),
        ("shared", "if marked and task.retried >= (json_of(task).retries or 0) then", "if false then"),
        ("shared", "task.retried = task.retried + 1", ""),
        ("shared", "if string.find(claim.flags, 'c', 1, true) then", "if false then"),
        ("shared", "call_chunked('HSET', kept, told)", ""),
        ("shared", "redis.call('LREM', key('turns', json_of(task).pool), 0, task.circle)", ""),
        ("settle", "RESEND_TIME + json_of(task).timeout", "RESEND_TIME"),
    ];
    for (name, from, to) in forgotten {
        assert!(walk(&Scripts::changed(name, from, to), 500).is_err(), "{name}.lua without: {from}");
    }
}

#[test]
fn every_task_script_is_a_model_step() {
    let others = [
        ("shared", "stands before each of them"),
        ("list", "reads"),
        ("read", "reads"),
        ("present", "counts workers, for operators"),
        ("seal", "chains records, of which each is there already"),
    ];
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/lua");
    let files = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    let found: BTreeSet<_> =
        files.map(|path| path.file_stem().unwrap().to_str().unwrap().to_owned()).collect();
    let steps = Scripts::real();
    let known = steps.texts.iter().map(|(name, _)| *name).chain(others.map(|(name, _)| name));
    assert_eq!(found, known.map(str::to_owned).collect());
}
