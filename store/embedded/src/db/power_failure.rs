//! A disk that loses power: of what was written since the last sync, any sectors are there and others are not.
//!
//! It proves that we and redb wait for the disk where it matters. That the system and the disk do what a sync asks
//! for, and the rename of a new file, it takes for granted.

use std::{
    io,
    sync::{Mutex, MutexGuard},
};

use circles_api::provenance::Verifier;
use redb::StorageBackend;

use super::{super::chain::Ended, *};
use circles_store::{Caller, Outcome, Quota, State, Task};

/// What a disk writes as a whole.
const SECTOR: usize = 512;
/// Steps of a circle's history.
const STEPS: usize = 60;
/// Pairs of documents that each step keeps equal.
const PAIRS: usize = 7;

/// SplitMix64.
#[derive(Debug)]
struct Dice(u64);

impl Dice {
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
    /// What the process reads.
    seen: Vec<u8>,
    /// What is left in the worst case.
    safe: Vec<u8>,
    /// What came since, in order.
    unsafe_yet: Vec<Written>,
    dice: Dice,
    /// How many steps were acknowledged.
    told: usize,
    /// What power failures left, and how many steps had been acknowledged by then.
    cuts: Vec<(Vec<u8>, usize)>,
}

#[derive(Clone, Debug)]
struct Disk(Arc<Mutex<Platters>>);

impl Disk {
    fn new(image: Vec<u8>, seed: u64) -> Self {
        Self(Arc::new(Mutex::new(Platters {
            seen: image.clone(),
            safe: image,
            unsafe_yet: Vec::new(),
            dice: Dice(seed),
            told: 0,
            cuts: Vec::new(),
        })))
    }

    fn platters(&self) -> MutexGuard<'_, Platters> {
        self.0.lock().unwrap()
    }
}

impl Platters {
    /// Now and then the power fails; this process goes on, and what it would have left is put aside.
    fn perhaps_cut(&mut self) {
        if self.dice.below(8) > 0 {
            return;
        }
        // From nearly nothing to nearly everything.
        let share = self.dice.below(9);
        let mut left = self.safe.clone();
        for written in &self.unsafe_yet {
            if self.dice.below(8) < share {
                put(&mut left, written);
            }
        }
        self.cuts.push((left, self.told));
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
        platters.unsafe_yet.push(length);
        platters.perhaps_cut();
        Ok(())
    }

    fn sync_data(&self) -> io::Result<()> {
        let mut platters = self.platters();
        platters.perhaps_cut();
        let platters = &mut *platters;
        platters.unsafe_yet.drain(..).for_each(|written| put(&mut platters.safe, &written));
        platters.perhaps_cut();
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
            platters.unsafe_yet.push(sector);
            at += rest.len() - more.len();
            rest = more;
        }
        platters.perhaps_cut();
        Ok(())
    }
}

fn circle() -> CircleId {
    let mut bytes = [1; 33];
    bytes[0] = 2;
    CircleId::from_bytes(bytes).unwrap()
}

fn on(disk: &Disk) -> File {
    let retention = Retention { time: Duration::from_secs(3_600), quota: Quota::default() };
    let database = Database::builder().set_cache_size(CACHE).create_with_backend(disk.clone()).unwrap();
    File::new(Path::new("a disk"), database, retention, Default::default())
}

/// Step `number`: a task that writes both halves of a pair and counts itself, and its record.
fn step(number: usize) -> Change {
    let script = circles_store::Source::script("a");
    let task = Task::new(circle(), Caller::Anonymous, script, number.into(), Duration::from_secs(9));
    let task = Arc::new(task);
    // Of many lengths, so that pages split and move.
    let value = format!("\"{number} {}\"", "x".repeat(number * 97 % 3_000));
    let pair = number % PAIRS;
    let document = |key: String, value: &str| (key.as_str().into(), Some(value.into()));
    let documents = vec![
        document(format!("left/{pair}"), &value),
        document(format!("right/{pair}"), &value),
        document("count".to_owned(), &number.to_string()),
    ];
    let (ended_at, state) = (SystemTime::now(), State::Cancelled);
    let record = Ended { task: task.clone(), script_sha256: None, ended_at, state };
    let ended =
        TaskChange::Ended { task, started_at: None, ended_at, outcome: Outcome::cancelled(), refused: None };
    Change { documents, task: Some(ended), record: Some(record), sweeps: 0 }
}

/// How many steps a file shows, which are there as a whole and in a sound chain.
fn audited(file: &File) -> usize {
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
fn what_was_acknowledged_outlives_a_power_failure() {
    let mut cuts = 0;
    for seed in 0..2 {
        let disk = Disk::new(Vec::new(), seed);
        let file = on(&disk);
        file.begin(&circle()).unwrap();
        let mut chain = file.check(&circle()).unwrap();
        // What is cut while it is made is made again, under another name: `File::make`.
        disk.platters().cuts.clear();
        for number in 1..=STEPS {
            file.apply(&[step(number)], &mut chain).unwrap();
            disk.platters().told = number;
        }
        for (left, told) in std::mem::take(&mut disk.platters().cuts) {
            let after = Disk::new(left, seed);
            let file = on(&after);
            let mut chain = file.check(&circle()).unwrap();
            let found = audited(&file);
            assert!((told..=told + 1).contains(&found), "{told} steps were told, {found} are there");
            file.apply(&[step(found + 1)], &mut chain).unwrap();
            assert_eq!(audited(&file), found + 1);
            cuts += 1;
        }
    }
    assert!(cuts > 100, "{cuts} power failures");
}
