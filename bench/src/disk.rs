use std::{
    fs::File,
    os::unix::fs::FileExt as _,
    path::Path,
    time::{Duration, Instant},
};

use crate::{Result, process::temporary, sample::Sample};

/// A page of the database and of most disks.
const BYTES: usize = 4_096;
/// Pages written over and over: a file that does not grow is what a disk takes quickest.
const PAGES: u64 = 64;

/// Writes a page and waits until the disk has it, over and over for `length`.
pub fn fdatasync(directory: Option<&Path>, length: Duration) -> Result<Sample> {
    let directory = temporary(directory)?;
    let failed = |error: std::io::Error| format!("a file of our own: {error}");
    let file = File::create(directory.path().join("pages")).map_err(failed)?;
    let page = [1; BYTES];
    for number in 0..PAGES {
        file.write_all_at(&page, number * BYTES as u64).map_err(failed)?;
    }
    file.sync_all().map_err(failed)?;
    let (start, mut latencies) = (Instant::now(), Vec::new());
    while start.elapsed() < length {
        let number = latencies.len() as u64 % PAGES;
        let before = Instant::now();
        file.write_all_at(&page, number * BYTES as u64).map_err(failed)?;
        file.sync_data().map_err(failed)?;
        latencies.push(before.elapsed());
    }
    Ok(Sample::new(latencies, 0, start.elapsed()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_write_is_counted() {
        let sample = fdatasync(None, Duration::from_millis(20)).unwrap();
        assert!(sample.right > 0 && sample.refused == 0, "{sample:?}");
    }
}
