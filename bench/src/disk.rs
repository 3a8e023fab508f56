use std::{
    fs::File,
    os::unix::fs::FileExt as _,
    path::Path,
    time::{Duration, Instant},
};

use crate::{Result, process::temporary, sample::Sample};

/// A page of the database and of most disks.
const PAGE_BYTES: usize = 4_096;
/// Pages that the benchmark overwrites: a file that does not grow is the fastest case of a disk.
const PAGES: u64 = 64;

/// Writes and syncs one page at a time for `length`.
pub(crate) fn fdatasync(directory: Option<&Path>, length: Duration) -> Result<Sample> {
    let directory = temporary(directory)?;
    let failed = |error: std::io::Error| format!("cannot write a temporary file: {error}");
    let file = File::create(directory.path().join("pages")).map_err(failed)?;
    let page = [1; PAGE_BYTES];
    for number in 0..PAGES {
        file.write_all_at(&page, number * PAGE_BYTES as u64).map_err(failed)?;
    }
    file.sync_all().map_err(failed)?;
    let (start, mut latencies) = (Instant::now(), Vec::new());
    while start.elapsed() < length {
        let number = latencies.len() as u64 % PAGES;
        let before = Instant::now();
        file.write_all_at(&page, number * PAGE_BYTES as u64).map_err(failed)?;
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
