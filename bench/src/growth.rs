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
    load::{Call, Concurrency, load, once},
    play::PLAY,
    process::{Endpoint, Process, temporary},
    sample::Sample,
    table::{print_end, print_machine, runtime},
};

/// Flags of `growth`.
#[derive(Debug, clap::Args)]
pub(crate) struct GrowthArgs {
    /// Number of circles; one server is measured for each number.
    #[arg(long, value_delimiter = ',', default_values_t = [1, 100, 10_000])]
    #[arg(value_parser = clap::value_parser!(u32).range(1..=100_000))]
    circles: Vec<u32>,
    /// The directory for the servers' data, which is removed at the end [default: the system's temporary directory].
    #[arg(long, value_name = "DIR")]
    disk: Option<PathBuf>,
}

/// Circles that are called at the same time.
const CIRCLES_AT_A_TIME: usize = 8;
/// Length of a measurement in one circle.
const ONE_CIRCLE_LENGTH: Duration = Duration::from_secs(1);
const ONE_AT_A_TIME: Concurrency = Concurrency { connections: 1, window: 1 };

/// The rows of the table: each has a name and a figure per server.
type Rows = Vec<(&'static str, Vec<String>)>;

/// Measures and prints one table.
pub(crate) fn growth(server: &Path, args: &GrowthArgs) -> Result {
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

/// Measures a server of `count` circles, from its start to a few plays in each circle.
async fn measure(server: &Path, count: u32, disk: Option<&Path>) -> Result<Vec<(&'static str, String)>> {
    let directory = temporary(disk)?;
    let keys = (1..=count).map(key).collect::<Result<Vec<_>>>()?;
    let config = directory.path().join("circles.json");
    fs::write(&config, config_of(&keys)).map_err(|error| format!("{}: {error}", config.display()))?;
    let data = directory.path().join("data");

    let mut start_up = Vec::new();
    let mut start_server = || {
        let start = Instant::now();
        let process = Process::configured(server, &config, &data)?;
        start_up.push(start.elapsed());
        Ok::<_, String>(process)
    };
    // The first start creates the folders.
    drop(start_server()?);
    let process = start_server()?;
    let endpoints: Vec<_> =
        keys.iter().map(|key| Endpoint { path: format!("/{key}"), ..process.endpoint().clone() }).collect();
    let started = Usage::of(&process)?;
    let (plays, _) = each(&process, &endpoints, PLAY).await?;
    let played = Usage::of(&process)?;
    let (sets, set_files) = each(&process, &endpoints, PUT).await?;
    let written = Usage::of(&process)?;
    let (gets, get_files) = each(&process, &endpoints, GET).await?;
    let read = Usage::of(&process)?;
    let mut hot = Vec::new();
    for call in [PLAY, GET, PUT] {
        hot.push(load(process.endpoint(), call, ONE_AT_A_TIME, ONE_CIRCLE_LENGTH).await?);
    }
    drop(process);
    drop(start_server()?);

    let per_circle = |usage: Usage, before: u64| {
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
        ("first start (creates folders), s", seconds(0)),
        ("start, s", seconds(1)),
        ("start with a database in each, s", seconds(2)),
        ("memory after the start, MiB", mib(started)),
        ("memory after a `40 + 2` in each, MiB", mib(played)),
        ("  increase, KiB per circle", per_circle(played, started.bytes)),
        ("memory after a `db::set` in each, MiB", mib(written)),
        ("memory after a `db::get` in each, MiB", mib(read)),
        ("  increase since the start, KiB per circle", per_circle(read, started.bytes)),
        ("open files after the start", started.files.to_string()),
        ("open files at most", set_files.max(get_files).to_string()),
        ("first `40 + 2` of each, p50 µs", p50(&plays)),
        ("first `db::set` of each (creates its file), p50 µs", p50(&sets)),
        ("one `db::get` in each, p50 µs", p50(&gets)),
        ("`40 + 2` in one circle, p50 µs", hot(0)),
        ("`db::get` in one circle, p50 µs", hot(1)),
        ("`db::set` in one circle, p50 µs", hot(2)),
        ("disk, KiB per circle", format!("{data_kib:.0}")),
    ])
}

/// Makes one call in each circle, a few at a time. Also returns the largest number of open files seen.
async fn each(process: &Process, endpoints: &[Endpoint], call: Call) -> Result<(Sample, usize)> {
    let (start, mut latencies, mut files) = (Instant::now(), Vec::new(), 0);
    for (number, endpoints) in endpoints.chunks(CIRCLES_AT_A_TIME).enumerate() {
        let mut calls = JoinSet::new();
        for endpoint in endpoints {
            let endpoint = endpoint.clone();
            calls.spawn(async move { once(&endpoint, call).await });
        }
        while let Some(called) = calls.join_next().await {
            latencies.push(called.map_err(|error| format!("a call failed: {error}"))??);
        }
        if number.is_multiple_of(16) {
            files = files.max(Usage::of(process)?.files);
        }
    }
    files = files.max(Usage::of(process)?.files);
    Ok((Sample::new(latencies, 0, start.elapsed()), files))
}

/// Memory and open files of a process.
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
        let bytes = resident(&status).ok_or_else(|| format!("{proc}/status has no line VmRSS"))?;
        Ok(Self { bytes, files: files.count() })
    }
}

/// Reads the resident memory from the text of `/proc/<pid>/status`.
fn resident(status: &str) -> Option<u64> {
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"))?;
    let kib: u64 = line.trim().strip_suffix(" kB")?.parse().ok()?;
    Some(kib * 1024)
}

/// Returns the disk space of a directory, in bytes.
fn size(path: &Path) -> u64 {
    let own = fs::symlink_metadata(path).map_or(0, |metadata| metadata.blocks() * 512);
    let entries = fs::read_dir(path).into_iter().flatten().flatten();
    own + entries.map(|entry| size(&entry.path())).sum::<u64>()
}

/// Returns the public key of the secret key `number`.
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
        // Writing to a string cannot fail.
        let _ = write!(text, "{comma}\n  {{ \"id\": \"circle-{index}\", \"public_key\": \"{key}\" }}");
    }
    text.push_str("\n]\n");
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn config_names_each_circle_with_its_own_key() {
        let keys: Vec<_> = (1..=2).map(|number| key(number).unwrap()).collect();
        assert_eq!(keys[0], "0279be667ef9dcbbac55a06295ce870b07029bfcdb2dce28d959f2815b16f81798");
        let text = config_of(&keys);
        assert!(
            text.contains(&keys[0]) && text.contains(&keys[1]) && text.matches("id").count() == 2,
            "{text}"
        );
    }

    #[test]
    fn resident_memory_is_parsed() {
        assert_eq!(resident("VmPeak:\t 9 kB\nVmRSS:\t    12 kB\n"), Some(12_288));
        assert_eq!(resident("VmPeak:\t 9 kB\n"), None);
    }
}
