use std::{
    fmt::Write as _,
    fs,
    os::unix::fs::MetadataExt as _,
    path::{Path, PathBuf},
    time::{Duration, Instant},
};

use secp256k1::{PublicKey, SecretKey};
use tokio::task::JoinSet;

use crate::{
    Result,
    circle::{GET, PUT},
    load::{Call, Shape, load, once},
    play::PLAY,
    process::{Place, Process, temporary},
    sample::Sample,
    table::{print_end, print_machine, runtime},
};

/// What `growth` takes.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// How many circles the servers have, one after the other.
    #[arg(long, value_delimiter = ',', default_values_t = [1, 100, 10_000])]
    #[arg(value_parser = clap::value_parser!(u32).range(1..=100_000))]
    circles: Vec<u32>,
    /// Where their data lies, in a directory that goes with the run [default: the system's temporary one].
    #[arg(long, value_name = "DIR")]
    disk: Option<PathBuf>,
}

/// Circles that are played in at a time.
const AT_A_TIME: usize = 8;
/// How long one circle is played in.
const ROUND: Duration = Duration::from_secs(1);
const ONE: Shape = Shape { connections: 1, window: 1 };

/// A row of the table: what it is and its figure for each server.
type Rows = Vec<(&'static str, Vec<String>)>;

/// Measures and prints one table.
pub fn growth(server: &Path, args: &Args) -> Result {
    let runtime = runtime()?;
    print_machine();
    let mut rows = Rows::new();
    for &count in &args.circles {
        let figures = runtime.block_on(measure(server, count, args.disk.as_deref()))?;
        if rows.is_empty() {
            rows = figures.iter().map(|(name, _)| (*name, Vec::new())).collect();
        }
        for ((_, row), (_, figure)) in rows.iter_mut().zip(figures) {
            row.push(figure);
        }
    }
    println!();
    for (name, figures) in rows {
        print!("{name:<52}");
        figures.iter().for_each(|figure| print!(" {figure:>12}"));
        println!();
    }
    println!();
    print_end();
    Ok(())
}

/// A server of so many circles, from its start to a few plays in each.
async fn measure(server: &Path, count: u32, disk: Option<&Path>) -> Result<Vec<(&'static str, String)>> {
    let directory = temporary(disk)?;
    let keys = (1..=count).map(key).collect::<Result<Vec<_>>>()?;
    let config = directory.path().join("circles.json");
    fs::write(&config, config_of(&keys)).map_err(|error| format!("{}: {error}", config.display()))?;
    let data = directory.path().join("data");

    let mut start_up = Vec::new();
    let mut server_of = || {
        let start = Instant::now();
        let process = Process::configured(server, &config, &data)?;
        start_up.push(start.elapsed());
        Ok::<_, String>(process)
    };
    // The first start makes the folders.
    drop(server_of()?);
    let process = server_of()?;
    let places: Vec<_> =
        keys.iter().map(|key| Place { path: format!("/{key}"), ..process.place().clone() }).collect();
    let started = Usage::of(&process)?;
    let (plays, _) = each(&process, &places, PLAY).await?;
    let played = Usage::of(&process)?;
    let (sets, set_files) = each(&process, &places, PUT).await?;
    let written = Usage::of(&process)?;
    let (gets, get_files) = each(&process, &places, GET).await?;
    let read = Usage::of(&process)?;
    let mut hot = Vec::new();
    for call in [PLAY, GET, PUT] {
        hot.push(load(process.place(), call, ONE, ROUND).await?);
    }
    drop(process);
    drop(server_of()?);

    let of_each = |usage: Usage, before: u64| {
        let more = usage.bytes.saturating_sub(before) as f64 / f64::from(count);
        format!("{:.1}", more / 1024.0)
    };
    let mib = |usage: Usage| format!("{:.1}", usage.bytes as f64 / f64::from(1 << 20));
    let seconds =
        |index: usize| format!("{:.3}", start_up.get(index).map_or(f64::NAN, Duration::as_secs_f64));
    let p50 = |sample: &Sample| format!("{:.0}", sample.p50);
    let hot = |index: usize| hot.get(index).map(p50).unwrap_or_default();
    let data_kib = size(&data) as f64 / 1024.0 / f64::from(count);
    Ok(vec![
        ("circles", count.to_string()),
        ("first start (makes folders), s", seconds(0)),
        ("start, s", seconds(1)),
        ("start with a database in each, s", seconds(2)),
        ("memory after the start, MiB", mib(started)),
        ("memory after a `40 + 2` in each, MiB", mib(played)),
        ("  more than before, KiB a circle", of_each(played, started.bytes)),
        ("memory after a `db::set` in each, MiB", mib(written)),
        ("memory after a `db::get` in each, MiB", mib(read)),
        ("  more than after the start, KiB a circle", of_each(read, started.bytes)),
        ("open files after the start", started.files.to_string()),
        ("open files at most", set_files.max(get_files).to_string()),
        ("first `40 + 2` of each, p50 µs", p50(&plays)),
        ("first `db::set` of each (makes its file), p50 µs", p50(&sets)),
        ("one `db::get` in each, p50 µs", p50(&gets)),
        ("`40 + 2` in one circle, p50 µs", hot(0)),
        ("`db::get` in one circle, p50 µs", hot(1)),
        ("`db::set` in one circle, p50 µs", hot(2)),
        ("disk, KiB a circle", format!("{data_kib:.0}")),
    ])
}

/// One call in each circle, a few at a time; and the most files that were seen open.
async fn each(process: &Process, places: &[Place], call: Call) -> Result<(Sample, usize)> {
    let (start, mut latencies, mut files) = (Instant::now(), Vec::new(), 0);
    for (number, places) in places.chunks(AT_A_TIME).enumerate() {
        let mut calls = JoinSet::new();
        for place in places {
            let place = place.clone();
            calls.spawn(async move { once(&place, call).await });
        }
        while let Some(called) = calls.join_next().await {
            latencies.push(called.map_err(|error| format!("a call: {error}"))??);
        }
        if number.is_multiple_of(16) {
            files = files.max(Usage::of(process)?.files);
        }
    }
    files = files.max(Usage::of(process)?.files);
    Ok((Sample::new(latencies, 0, start.elapsed()), files))
}

/// What a process has of the machine.
#[derive(Clone, Copy)]
struct Usage {
    bytes: u64,
    files: usize,
}

impl Usage {
    fn of(process: &Process) -> Result<Self> {
        let proc = process.proc();
        let status =
            fs::read_to_string(format!("{proc}/status")).map_err(|error| format!("{proc}: {error}"))?;
        let files = fs::read_dir(format!("{proc}/fd")).map_err(|error| format!("{proc}: {error}"))?;
        let bytes = resident(&status).ok_or_else(|| format!("{proc} does not say what memory it has"))?;
        Ok(Self { bytes, files: files.count() })
    }
}

/// The resident memory that `/proc/<pid>/status` tells.
fn resident(status: &str) -> Option<u64> {
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"))?;
    let kib: u64 = line.trim().strip_suffix(" kB")?.parse().ok()?;
    Some(kib * 1024)
}

/// What a directory takes of its disk.
fn size(path: &Path) -> u64 {
    let own = fs::symlink_metadata(path).map_or(0, |metadata| metadata.blocks() * 512);
    let entries = fs::read_dir(path).into_iter().flatten().flatten();
    own + entries.map(|entry| size(&entry.path())).sum::<u64>()
}

/// The public half of a secret key that is a number.
fn key(number: u32) -> Result<String> {
    let mut bytes = [0; 32];
    bytes[28..].copy_from_slice(&number.to_be_bytes());
    let secret = SecretKey::from_secret_bytes(bytes).map_err(|error| format!("key {number}: {error}"))?;
    Ok(PublicKey::from_secret_key(&secret).to_string())
}

fn config_of(keys: &[String]) -> String {
    let mut text = String::from("[");
    for (index, key) in keys.iter().enumerate() {
        let comma = if index == 0 { "" } else { "," };
        // Writing into a text does not fail.
        let _ = write!(text, "{comma}\n  {{ \"id\": \"circle-{index}\", \"public_key\": \"{key}\" }}");
    }
    text.push_str("\n]\n");
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_config_names_each_circle_by_a_key_of_its_own() {
        let keys: Vec<_> = (1..=2).map(|number| key(number).unwrap()).collect();
        assert_eq!(keys[0], "0279be667ef9dcbbac55a06295ce870b07029bfcdb2dce28d959f2815b16f81798");
        let text = config_of(&keys);
        assert!(
            text.contains(&keys[0]) && text.contains(&keys[1]) && text.matches("id").count() == 2,
            "{text}"
        );
    }

    #[test]
    fn memory_is_read_where_the_system_tells_it() {
        assert_eq!(resident("VmPeak:\t 9 kB\nVmRSS:\t    12 kB\n"), Some(12_288));
        assert_eq!(resident("VmPeak:\t 9 kB\n"), None);
    }
}
