//! That nothing in a chain of records can be changed unseen, and that the documented bytes are these.

#![allow(clippy::unwrap_used, reason = "what is missing here fails the test")]

use circles_api::{
    CircleId,
    provenance::{Broken, Head, Verifier, hash, text},
    types::{Record, Sha256, TaskState},
};
use proptest::{prelude::*, sample::Index};
use serde_json::json;
use sha2::Digest as _;

const PROTOCOL: &str = include_str!("../../docs/protocol.md");
const CIRCLE: &str = "02c6047f9441ed7d6d3045406e95c07cd85c778e4b8cef3ca7abac09b95c709ee5";
const OTHER: &str = "0279be667ef9dcbbac55a06295ce870b07029bfcdb2dce28d959f2815b16f81798";

fn circle() -> CircleId {
    CIRCLE.parse().unwrap()
}

/// A record as a store has it before it is sealed.
fn unsealed(caller: &str, script: Option<u8>, accepted: u64, outcome: TaskState) -> Record {
    let zeros = Sha256::from([0; 32]);
    serde_json::from_value(json!({
        "number": 0, "task_id": "019aa4c2-7e00-7a3b-8c4d-5e6f708192a3", "caller": caller,
        "script_sha256": script.map(|byte| Sha256::from([byte; 32])), "accepted_at": accepted,
        "ended_at": accepted + 9, "outcome": outcome, "previous": zeros, "hash": zeros,
    }))
    .unwrap()
}

/// The same record of a play that another play called.
fn called(record: Record, origin: &str) -> Record {
    let via = json!({ "circle": OTHER, "task_id": "019aa4c2-7e00-7a3b-8c4d-5e6f708192a2", "origin": origin });
    Record { via: Some(serde_json::from_value(via).unwrap()), ..record }
}

fn sealed(records: Vec<Record>) -> Vec<Record> {
    let mut head = Head::START;
    let seal = |record| {
        let record = head.seal(&circle(), record);
        head = Head::of(&record);
        record
    };
    records.into_iter().map(seal).collect()
}

fn verify(records: &[Record]) -> Result<Head, Broken> {
    let mut verifier = Verifier::new(circle());
    records.iter().try_for_each(|record| verifier.push(record)).map(|()| verifier.head())
}

/// Another record that differs in one field only.
fn changed(record: &Record, field: usize) -> Record {
    let other = |hash: &Sha256| Sha256::from(if hash.starts_with("07") { [8; 32] } else { [7; 32] });
    let mut record = record.clone();
    match field {
        0 => record.number = (record.number.get() + 1).try_into().unwrap(),
        1 => record.task_id = "019aa4c2-7e00-7a3b-8c4d-5e6f708192a4".parse().unwrap(),
        2 => record.caller = if record.caller.is_empty() { OTHER } else { "" }.try_into().unwrap(),
        3 => record.script_sha256 = if record.script_sha256.is_some() { None } else { Some([7; 32].into()) },
        4 => record.accepted_at = (record.accepted_at.get() + 1).try_into().unwrap(),
        5 => record.ended_at = (record.ended_at.get() + 1).try_into().unwrap(),
        6 if record.outcome == TaskState::Lost => record.outcome = TaskState::Succeeded,
        6 => record.outcome = TaskState::Lost,
        7 => record.previous = other(&record.previous),
        8 => match &mut record.via {
            Some(via) => via.task_id = "019aa4c2-7e00-7a3b-8c4d-5e6f708192a5".parse().unwrap(),
            None => record = called(record, OTHER),
        },
        9 => match &mut record.via {
            Some(via) => via.origin = if via.origin.is_empty() { OTHER } else { "" }.try_into().unwrap(),
            None => record = called(record, ""),
        },
        10 if record.via.is_some() => record.via = None,
        10 => record = called(record, CIRCLE),
        _ => record.hash = other(&record.hash),
    }
    record
}

fn chains() -> impl Strategy<Value = Vec<Record>> {
    let record = (
        prop_oneof![Just(""), Just(OTHER), Just("webhook:stripe")],
        proptest::option::of(any::<u8>()),
        0..4_102_444_800_000_u64,
        prop_oneof![Just(TaskState::Succeeded), Just(TaskState::Failed), Just(TaskState::Lost)],
    );
    let record = record.prop_map(|(caller, script, at, outcome)| unsealed(caller, script, at, outcome));
    let record = (record, any::<Option<bool>>()).prop_map(|(record, via)| match via {
        Some(anonymous) => called(record, if anonymous { "" } else { OTHER }),
        None => record,
    });
    proptest::collection::vec(record, 1..8).prop_map(sealed)
}

proptest! {
    #[test]
    fn sealed_chain_verifies(records in chains(), cut in any::<Index>()) {
        let head = Head::of(records.last().unwrap());
        prop_assert_eq!(verify(&records), Ok(head));
        // A verifier that knows a head in the middle can start there.
        let rest = &records[cut.index(records.len())..];
        let mut verifier = Verifier::after(circle(), Head::before(&rest[0]));
        prop_assert!(rest.iter().all(|record| verifier.push(record).is_ok()));
        prop_assert_eq!(verifier.head(), head);
    }

    #[test]
    fn missing_record_is_detected(records in chains(), gone in any::<Index>()) {
        let head = verify(&records);
        let mut records = records;
        records.remove(gone.index(records.len()));
        // A chain that lost its newest records is sound, but has another head.
        prop_assert_ne!(verify(&records), head);
    }

    #[test]
    fn changed_field_is_detected(records in chains(), which in any::<Index>(), field in 0..12_usize) {
        let head = verify(&records);
        let which = which.index(records.len());
        let mut records = records;
        records[which] = changed(&records[which], field);
        prop_assert!(verify(&records).is_err());
        // Sealing all records again leads to another head.
        if (1..7).contains(&field) || (8..11).contains(&field) {
            prop_assert_ne!(verify(&sealed(records)), head);
        }
    }

    #[test]
    fn reordered_records_are_detected(records in chains(), one in any::<Index>(), other in any::<Index>()) {
        let (one, other) = (one.index(records.len()), other.index(records.len()));
        prop_assume!(one != other);
        let mut records = records;
        records.swap(one, other);
        prop_assert!(verify(&records).is_err());
    }

    #[test]
    fn copied_record_is_detected(records in chains(), copied in any::<Index>(), at in any::<Index>()) {
        let copy = records[copied.index(records.len())].clone();
        let mut records = records;
        records.insert(at.index(records.len() + 1), copy);
        prop_assert!(verify(&records).is_err());
    }

    #[test]
    fn chain_of_another_circle_is_detected(records in chains()) {
        let mut verifier = Verifier::new(OTHER.parse().unwrap());
        let broken = Broken::Hash { number: records[0].number };
        prop_assert_eq!(verifier.push(&records[0]), Err(broken));
    }
}

#[test]
fn documented_example_is_hashed_text() {
    let record = unsealed(OTHER, None, 1_763_694_000_000, TaskState::Succeeded);
    let source = "db::set(\"plot/7\", 12)";
    let digest: [u8; 32] = sha2::Sha256::digest(source).into();
    let first = Head::START.seal(&circle(), Record { script_sha256: Some(digest.into()), ..record });
    let second = unsealed("", None, 1_763_694_060_000, TaskState::Cancelled);
    let second = Head::of(&first).seal(&circle(), second);
    assert!(PROTOCOL.contains(&format!("`{source}`")));
    let third = unsealed(CIRCLE, None, 1_763_694_120_000, TaskState::Succeeded);
    let third = Head::of(&second).seal(&circle(), called(third, OTHER));
    for record in [first, second, third] {
        let (text, hash) = (text(&circle(), &record), hash(&circle(), &record));
        assert!(PROTOCOL.contains(&format!("```text\n{text}\n```")), "docs/protocol.md lacks\n{text}");
        assert!(PROTOCOL.contains(&format!("`{}`", hash.as_str())), "docs/protocol.md lacks the hash {hash}");
    }
}
