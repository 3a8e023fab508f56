//! Simulates a disk that loses power: any subset of the sectors written since the last sync survives.
//!
//! The test proves that the store and redb wait for the disk where durability needs it. It does not prove that the
//! system and the disk carry out a sync, nor that renaming a new file is atomic.

use std::{
    io,
    path::Path,
    sync::{Arc, Mutex, MutexGuard},
    time::{Duration, SystemTime},
};

use circles_api::{CircleId, provenance::Verifier};
use circles_store::{Caller, Outcome, Quota, State, Task};
use redb::{Database, StorageBackend};

use super::{Change, DbFile, Retention, TaskChange};
use crate::record_chain::UnsealedRecord;

/// Bytes that a disk writes as a whole.
const SECTOR: usize = 512;
/// Steps of a circle's history.
const STEPS: usize = 60;
/// Pairs of documents; each step writes both documents of one pair.
const PAIRS: usize = 7;

/// A deterministic random generator (SplitMix64).
#[derive(Debug)]
struct Random(u64);

impl Random {
    fn below(&mut self, bound: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (mixed ^ (mixed >> 31)) % bound
    }
}

#[derive(Debug)]
enum Written {
    Sector(usize, Vec<u8>),
    Length(usize),
}

#[derive(Debug)]
struct Platters {
    /// The contents that the process reads.
    seen: Vec<u8>,
    /// The contents as of the last sync.
    synced: Vec<u8>,
    /// Later writes, in order.
    unsynced: Vec<Written>,
    random: Random,
    /// The number of acknowledged steps.
    acknowledged: usize,
    /// The contents after each power failure, and the number of steps acknowledged before it.
    failures: Vec<(Vec<u8>, usize)>,
}

#[derive(Clone, Debug)]
struct Disk(Arc<Mutex<Platters>>);

impl Disk {
    fn new(image: Vec<u8>, seed: u64) -> Self {
        Self(Arc::new(Mutex::new(Platters {
            seen: image.clone(),
            synced: image,
            unsynced: Vec::new(),
            random: Random(seed),
            acknowledged: 0,
            failures: Vec::new(),
        })))
    }

    fn platters(&self) -> MutexGuard<'_, Platters> {
        self.0.lock().unwrap()
    }
}

impl Platters {
    /// Sometimes saves what a power failure at this point would leave. The process itself continues.
    fn maybe_fail(&mut self) {
        if self.random.below(8) > 0 {
            return;
        }
        // Between none and all of the writes survive.
        let share = self.random.below(9);
        let mut left = self.synced.clone();
        for written in &self.unsynced {
            if self.random.below(8) < share {
                put(&mut left, written);
            }
        }
        self.failures.push((left, self.acknowledged));
    }
}

fn put(image: &mut Vec<u8>, written: &Written) {
    match written {
        Written::Length(length) => image.resize(*length, 0),
        Written::Sector(offset, bytes) => {
            let end = offset + bytes.len();
            if image.len() < end {
                image.resize(end, 0);
            }
            image[*offset..end].copy_from_slice(bytes);
        }
    }
}

impl StorageBackend for Disk {
    fn len(&self) -> io::Result<u64> {
        Ok(self.platters().seen.len() as u64)
    }

    fn read(&self, offset: u64, out: &mut [u8]) -> io::Result<()> {
        let offset = usize::try_from(offset).unwrap();
        let platters = self.platters();
        let found = platters.seen.get(offset..offset + out.len()).ok_or(io::ErrorKind::UnexpectedEof)?;
        out.copy_from_slice(found);
        Ok(())
    }

    fn set_len(&self, len: u64) -> io::Result<()> {
        let mut platters = self.platters();
        let length = Written::Length(usize::try_from(len).unwrap());
        put(&mut platters.seen, &length);
        platters.unsynced.push(length);
        platters.maybe_fail();
        Ok(())
    }

    fn sync_data(&self) -> io::Result<()> {
        let mut platters = self.platters();
        platters.maybe_fail();
        let platters = &mut *platters;
        platters.unsynced.drain(..).for_each(|written| put(&mut platters.synced, &written));
        platters.maybe_fail();
        Ok(())
    }

    fn write(&self, offset: u64, data: &[u8]) -> io::Result<()> {
        let mut platters = self.platters();
        let mut at = usize::try_from(offset).unwrap();
        let mut rest = data;
        while !rest.is_empty() {
            let (sector, more) = rest.split_at(rest.len().min(SECTOR - at % SECTOR));
            let sector = Written::Sector(at, sector.to_vec());
            put(&mut platters.seen, &sector);
            platters.unsynced.push(sector);
            at += rest.len() - more.len();
            rest = more;
        }
        platters.maybe_fail();
        Ok(())
    }
}

fn circle() -> CircleId {
    let mut bytes = [1; 33];
    bytes[0] = 2;
    CircleId::from_bytes(bytes).unwrap()
}

fn on(disk: &Disk) -> DbFile {
    let retention = Retention { time: Duration::from_secs(3_600), quota: Quota::default() };
    let database = Database::builder().set_cache_size(4 << 20).create_with_backend(disk.clone()).unwrap();
    DbFile::new(Path::new("a disk"), database, retention, Default::default())
}

/// Step `number`: a task that writes both documents of a pair and counts itself, and its record.
fn step(number: usize) -> Change {
    let script = circles_store::Source::script("a");
    let task = Task::new(circle(), Caller::Anonymous, script, number.into(), Duration::from_secs(9));
    let task = Arc::new(task);
    // Many lengths, so that pages split and move.
    let value = format!("\"{number} {}\"", "x".repeat(number * 97 % 3_000));
    let pair = number % PAIRS;
    let document = |key: String, value: &str| (key.as_str().into(), Some(value.into()));
    let documents = vec![
        document(format!("left/{pair}"), &value),
        document(format!("right/{pair}"), &value),
        document("count".to_owned(), &number.to_string()),
    ];
    let (ended_at, state) = (SystemTime::now(), State::Cancelled);
    let record = UnsealedRecord { task: task.clone(), script_sha256: None, ended_at, state };
    let ended = TaskChange::Ended {
        task,
        started_at: None,
        ended_at,
        outcome: Outcome::cancelled(),
        refusal_retention: None,
    };
    Change { documents, task: Some(ended), record: Some(record), sweeps: 0 }
}

/// Checks that a file holds whole steps with a valid chain of records, and returns their number.
fn audit(file: &DbFile) -> usize {
    let documents = file.documents().unwrap();
    let count: usize = documents.get("count").unwrap().map_or(0, |count| count.parse().unwrap());
    for number in count.saturating_sub(PAIRS - 1).max(1)..=count {
        let pair = number % PAIRS;
        let half = |side: &str| documents.get(&format!("{side}/{pair}")).unwrap().unwrap();
        assert_eq!(half("left"), half("right"), "step {number} of {count}");
        assert!(half("left").starts_with(&format!("\"{number} ")), "step {number} of {count}");
    }
    let records = file.records(0, STEPS + 1).unwrap();
    assert_eq!(records.len(), count);
    let mut chain = Verifier::new(circle());
    records.iter().for_each(|record| chain.push(record).unwrap());
    for record in &records {
        let (row, outcome) = file.task(record.task_id.clone().into()).unwrap().unwrap();
        assert_eq!((row.state, outcome), (State::Cancelled, Some(Outcome::cancelled())));
    }
    count
}

#[test]
fn acknowledged_steps_survive_power_failure() {
    let mut failures = 0;
    for seed in 0..2 {
        let disk = Disk::new(Vec::new(), seed);
        let file = on(&disk);
        file.create_tables(&circle()).unwrap();
        let mut chain = file.check(&circle()).unwrap();
        // A file that fails while it is created is created again, see `DbFile::create`.
        disk.platters().failures.clear();
        for number in 1..=STEPS {
            file.apply(&[step(number)], &mut chain).unwrap();
            disk.platters().acknowledged = number;
        }
        for (left, acknowledged) in std::mem::take(&mut disk.platters().failures) {
            let after = Disk::new(left, seed);
            let file = on(&after);
            let mut chain = file.check(&circle()).unwrap();
            let found = audit(&file);
            assert!(
                (acknowledged..=acknowledged + 1).contains(&found),
                "{acknowledged} steps were acknowledged, {found} are there"
            );
            file.apply(&[step(found + 1)], &mut chain).unwrap();
            assert_eq!(audit(&file), found + 1);
            failures += 1;
        }
    }
    assert!(failures > 100, "{failures} power failures");
}
