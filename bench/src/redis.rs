//! Plays that go through a Redis to workers in processes of their own.

use std::{
    net::{Ipv4Addr, SocketAddr, TcpListener},
    path::{Path, PathBuf},
    process::Command,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    thread,
    time::{Duration, Instant},
};

use tempfile::TempDir;

use crate::{
    Result,
    load::{Call, Shape, load},
    play::{BARE, PLAY},
    process::{Process, temporary},
    resp::Connection,
    sample::{Sample, median},
    table::{Rounds, Subject, measure, print_end, print_head, print_rows, runtime},
};

/// What `cargo xtask bench redis` takes.
#[derive(Debug, clap::Args)]
pub struct Args {
    #[command(flatten)]
    rounds: Rounds,
    /// With how many workers, one table after another.
    #[arg(long, value_delimiter = ',', default_value = "1,2,4", value_parser = clap::value_parser!(u16).range(1..=64))]
    workers: Vec<u16>,
    /// The Redis to start.
    #[arg(long, default_value = "redis-server", value_name = "PATH")]
    redis_server: PathBuf,
    /// A file system to keep its append-only file on, instead of the one for temporary files.
    #[arg(long, value_name = "DIR")]
    disk: Option<PathBuf>,
}

/// One at a time, 64 and 256 in flight.
const SHAPES: [Shape; 4] = [
    Shape { connections: 1, window: 1 },
    Shape { connections: 8, window: 8 },
    Shape { connections: 1, window: 64 },
    Shape { connections: 8, window: 32 },
];
/// 64 in flight.
const MANY: Shape = Shape { connections: 8, window: 8 };
const READ: Call =
    Call::new("\"method\":\"play\",\"params\":{\"script\":\"db::get(\\\"k\\\")\"}}", "\"output\":\"\"");
const WRITE: Call = Call::new(
    "\"method\":\"play\",\"params\":{\"script\":\"db::set(\\\"k\\\" + TASK.sub_string(34), 1)\"}}",
    "\"output\":\"\"",
);
const INCR: Call = Call::new(
    "\"method\":\"play\",\"params\":{\"script\":\"db::incr(\\\"hot\\\"); ()\"}}",
    "\"output\":\"\"",
);
const SUBMIT: Call = Call::new("\"method\":\"submit\",\"params\":{\"script\":\"40 + 2\"}}", "\"task_id\":\"");
/// How often the yardstick goes to and fro.
const FLOOR: usize = 5_000;

/// Measures and prints tables.
pub fn redis(server: &Path, args: &Args) -> Result {
    let worker = server.with_file_name("circles-worker");
    let runtime = runtime()?;
    print_head(args.rounds);
    for &workers in &args.workers {
        let redis = Redis::start(args, "no")?;
        let circles = Process::on_redis(server, &redis.url(), redis.directory.path())?;
        let _workers = start_workers(&worker, &redis, workers)?;
        println!("{workers} workers; push, blocking pop and back, raw: p50 {:.1} µs", floor(redis.address)?);
        let subjects = [
            Subject { name: "whoami (bare)", place: circles.place(), call: BARE },
            Subject { name: "play(\"40 + 2\")", place: circles.place(), call: PLAY },
        ];
        for shape in SHAPES {
            let samples = runtime.block_on(measure(&subjects, shape, args.rounds))?;
            print_rows(&subjects, shape, &samples, 0);
        }
        for (name, call) in [("40 + 2", PLAY), ("db::get", READ), ("db::set", WRITE), ("hot db::incr", INCR)]
        {
            let cost =
                redis.cost(|| runtime.block_on(load(circles.place(), call, MANY, args.rounds.length())))?;
            println!("{name:<14} {cost}");
        }
        println!();
    }
    for fsync in ["everysec", "always"] {
        let redis = Redis::start(args, fsync)?;
        let circles = Process::on_redis(server, &redis.url(), redis.directory.path())?;
        let _workers = start_workers(&worker, &redis, 2)?;
        let mut rates = Vec::new();
        for _ in 0..args.rounds.count() {
            let sample = runtime.block_on(load(circles.place(), SUBMIT, MANY, args.rounds.length()))?;
            rates.push(sample.throughput);
        }
        println!(
            "submit, 2 workers, appendfsync {fsync}: {:.0}/s at 64 in flight",
            median(rates.into_iter())
        );
    }
    print_end();
    Ok(())
}

fn start_workers(worker: &Path, redis: &Redis, count: u16) -> Result<Vec<Process>> {
    (0..count).map(|_| Process::worker(worker, &redis.url(), redis.directory.path())).collect()
}

/// What plays cost Redis.
struct Cost {
    sample: Sample,
    /// Of the process, in seconds.
    cpu: f64,
    received: f64,
    sent: f64,
    commands: f64,
}

impl std::fmt::Display for Cost {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let plays = self.sample.right as f64;
        write!(
            formatter,
            "{:>9.0}/s at 64 in flight; a play costs Redis {:.1} µs of CPU, {:.2} commands, {:.0} bytes in, {:.0} out",
            self.sample.throughput,
            self.cpu * 1e6 / plays,
            self.commands / plays,
            self.received / plays,
            self.sent / plays
        )
    }
}

/// A Redis of its own.
struct Redis {
    child: std::process::Child,
    address: SocketAddr,
    /// Also of the circles' files.
    directory: TempDir,
}

impl Redis {
    /// Keeps no append-only file if `fsync` is `no`.
    fn start(args: &Args, fsync: &str) -> Result<Self> {
        let directory = temporary(args.disk.as_deref())?;
        let port = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))
            .and_then(|listener| listener.local_addr())
            .map_err(|error| format!("a free port: {error}"))?
            .port();
        let mut command = Command::new(&args.redis_server);
        command.args(["--bind", "127.0.0.1", "--save", "", "--port", &port.to_string()]);
        if fsync != "no" {
            command.args(["--appendonly", "yes", "--appendfsync", fsync]);
        }
        let child = command.current_dir(directory.path()).stdout(std::process::Stdio::null()).spawn();
        let child = child.map_err(|error| format!("{}: {error}", args.redis_server.display()))?;
        let redis = Self { child, address: (Ipv4Addr::LOCALHOST, port).into(), directory };
        let until = Instant::now() + Duration::from_secs(10);
        while let Err(error) = Connection::open(redis.address).and_then(|mut redis| redis.ask(&["PING"])) {
            if Instant::now() > until {
                return Err(error);
            }
            thread::sleep(Duration::from_millis(20));
        }
        Ok(redis)
    }

    fn url(&self) -> String {
        format!("redis://{}", self.address)
    }

    fn info(&self) -> Result<Info> {
        let text = Connection::open(self.address)?.ask(&["INFO", "all"])?;
        let field = |name: &str| {
            let found = text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':'));
            found
                .and_then(|value| value.trim().parse::<f64>().ok())
                .ok_or_else(|| format!("Redis tells no {name}"))
        };
        Ok(Info {
            cpu: field("used_cpu_sys")? + field("used_cpu_user")?,
            received: field("total_net_input_bytes")?,
            sent: field("total_net_output_bytes")?,
        })
    }

    /// What a load costs; then, once more, how many commands it takes.
    fn cost(&self, run: impl Fn() -> Result<Sample>) -> Result<Cost> {
        let before = self.info()?;
        let sample = run()?;
        let after = self.info()?;
        let (counted, commands) = self.counted(&run)?;
        Ok(Cost {
            cpu: after.cpu - before.cpu,
            received: after.received - before.received,
            sent: after.sent - before.sent,
            commands: commands * sample.right as f64 / counted.right as f64,
            sample,
        })
    }

    /// How many commands clients send during a load: scripts' own do not count.
    fn counted(&self, run: impl FnOnce() -> Result<Sample>) -> Result<(Sample, f64)> {
        let mut monitor = Connection::open(self.address)?;
        monitor.ask(&["MONITOR"])?;
        let done = Arc::new(AtomicBool::new(false));
        let counting = {
            let done = done.clone();
            thread::spawn(move || {
                let mut commands = 0.0;
                while !done.load(Ordering::Relaxed) {
                    let line = monitor.line()?;
                    // `+<time> [<database> <address>] …`; what scripts do has `lua` for an address.
                    commands += f64::from(u8::from(!line.contains(" lua] ")));
                }
                Ok::<f64, String>(commands)
            })
        };
        let sample = run()?;
        done.store(true, Ordering::Relaxed);
        // One more line, so that it looks.
        Connection::open(self.address)?.ask(&["PING"])?;
        let commands = counting.join().map_err(|_| "counting commands ended badly".to_owned())??;
        Ok((sample, commands))
    }
}

struct Info {
    cpu: f64,
    received: f64,
    sent: f64,
}

impl Drop for Redis {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// The least that a call through Redis takes: push, blocking pop by another, push, blocking pop, in µs.
fn floor(address: SocketAddr) -> Result<f64> {
    let (mut caller, mut worker) = (Connection::open(address)?, Connection::open(address)?);
    let (mut pushing, mut answering) = (Connection::open(address)?, Connection::open(address)?);
    let echo = thread::spawn(move || {
        for _ in 0..FLOOR {
            worker.ask(&["BLPOP", "bench:there", "10"])?;
            answering.ask(&["RPUSH", "bench:back", "42"])?;
        }
        Ok::<(), String>(())
    });
    let mut times = Vec::with_capacity(FLOOR);
    for _ in 0..FLOOR {
        let began = Instant::now();
        pushing.send(&["RPUSH", "bench:there", "40 + 2"])?;
        caller.ask(&["BLPOP", "bench:back", "10"])?;
        times.push(began.elapsed().as_secs_f64() * 1e6);
        pushing.answer()?;
    }
    echo.join().map_err(|_| "the echo ended badly".to_owned())??;
    Ok(median(times.into_iter()))
}
