//! Measures plays that pass through Redis to worker processes.

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

use circles_testing::RedisConnection;
use tempfile::TempDir;

use crate::{
    Result,
    load::{Call, Concurrency, load},
    play::{BARE, PLAY},
    process::{Process, temporary},
    sample::{Sample, median},
    table::{BARE_METHOD, Rounds, Subject, measure, print_end, print_head, print_rows, runtime},
};

/// Flags of `redis`.
#[derive(Debug, clap::Args)]
pub(crate) struct RedisArgs {
    #[command(flatten)]
    rounds: Rounds,
    /// Numbers of workers; each gets a table.
    #[arg(long, value_delimiter = ',', default_value = "1,2,4", value_parser = clap::value_parser!(u16).range(1..=64))]
    workers: Vec<u16>,
    /// Measure only these plays, by their names in the tables, at 64 in flight and without the latency tables.
    #[arg(long, value_name = "NAME")]
    play: Vec<String>,
    /// The Redis program to start.
    #[arg(long, default_value = "redis-server", value_name = "PATH")]
    redis_server: PathBuf,
    /// The directory for its append-only file [default: the system's temporary directory].
    #[arg(long, value_name = "DIR")]
    disk: Option<PathBuf>,
}

/// One at a time, 64 and 256 in flight.
const REDIS_CONCURRENCY: [Concurrency; 4] = [
    Concurrency { connections: 1, window: 1 },
    Concurrency { connections: 8, window: 8 },
    Concurrency { connections: 1, window: 64 },
    Concurrency { connections: 8, window: 32 },
];
const IN_FLIGHT_64: Concurrency = Concurrency { connections: 8, window: 8 };
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
/// Plays that are measured at 64 in flight.
const PLAYS: [(&str, Call); 4] =
    [("40 + 2", PLAY), ("db::get", READ), ("db::set", WRITE), ("hot db::incr", INCR)];
/// Round trips that measure the floor.
const FLOOR_ROUND_TRIPS: usize = 5_000;

impl RedisArgs {
    fn wants(&self, play: &str) -> bool {
        self.play.is_empty() || self.play.iter().any(|name| name == play)
    }
}

/// Measures and prints tables.
pub(crate) fn redis(server: &Path, args: &RedisArgs) -> Result {
    let worker = server.with_file_name("circles-worker");
    let runtime = runtime()?;
    print_head(args.rounds);
    for &workers in &args.workers {
        let redis = Redis::start(args, "no")?;
        let circles = Process::on_redis(server, &redis.url(), redis.directory.path())?;
        let _workers = start_workers(&worker, &redis, workers)?;
        println!(
            "{workers} workers; raw Redis (push, blocking pop, push, blocking pop): p50 {:.1} µs",
            floor(redis.address)?
        );
        let subjects = [
            Subject { name: BARE_METHOD, endpoint: circles.endpoint(), call: BARE },
            Subject { name: "play(\"40 + 2\")", endpoint: circles.endpoint(), call: PLAY },
        ];
        for concurrency in REDIS_CONCURRENCY.into_iter().filter(|_| args.play.is_empty()) {
            let samples = runtime.block_on(measure(&subjects, concurrency, args.rounds))?;
            print_rows(&subjects, concurrency, &samples);
        }
        for (name, call) in PLAYS {
            if args.wants(name) {
                let run =
                    || runtime.block_on(load(circles.endpoint(), call, IN_FLIGHT_64, args.rounds.length()));
                println!("{name:<14} {}", redis.cost(args.rounds.count(), run)?);
            }
        }
        println!();
    }
    for fsync in ["everysec", "always"].into_iter().filter(|_| args.wants("submit")) {
        let redis = Redis::start(args, fsync)?;
        let circles = Process::on_redis(server, &redis.url(), redis.directory.path())?;
        let _workers = start_workers(&worker, &redis, 2)?;
        let mut rates = Vec::new();
        for _ in 0..args.rounds.count() {
            let sample =
                runtime.block_on(load(circles.endpoint(), SUBMIT, IN_FLIGHT_64, args.rounds.length()))?;
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

/// The cost of plays for Redis.
struct Cost {
    sample: Sample,
    /// CPU time in seconds.
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
            "{:>9.0}/s at 64 in flight, p50 {:.0} µs, p99 {:.0}; per play in Redis {:.1} µs of CPU, {:.2} commands, \
             {:.0} bytes in, {:.0} out",
            self.sample.throughput,
            self.sample.p50,
            self.sample.p99,
            self.cpu * 1e6 / plays,
            self.commands / plays,
            self.received / plays,
            self.sent / plays
        )
    }
}

/// A Redis server of the benchmark's own.
struct Redis {
    child: std::process::Child,
    address: SocketAddr,
    /// Also holds the circles' files.
    directory: TempDir,
}

impl Redis {
    /// Starts Redis, with an append-only file unless `fsync` is `no`.
    fn start(args: &RedisArgs, fsync: &str) -> Result<Self> {
        let directory = temporary(args.disk.as_deref())?;
        let port = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))
            .and_then(|listener| listener.local_addr())
            .map_err(|error| format!("cannot find a free port: {error}"))?
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
        while let Err(error) = RedisConnection::open(redis.address).and_then(|mut redis| redis.ask(&["PING"]))
        {
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
        let text = RedisConnection::open(self.address)?.ask(&["INFO", "all"])?.text();
        let field = |name: &str| {
            let found = text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':'));
            found
                .and_then(|value| value.trim().parse::<f64>().ok())
                .ok_or_else(|| format!("INFO of Redis has no field {name}"))
        };
        Ok(Info {
            cpu: field("used_cpu_sys")? + field("used_cpu_user")?,
            received: field("total_net_input_bytes")?,
            sent: field("total_net_output_bytes")?,
        })
    }

    /// Measures the cost of a load: the round of median throughput. A round before them counts the commands.
    fn cost(&self, rounds: u32, run: impl Fn() -> Result<Sample>) -> Result<Cost> {
        let (counted, commands) = self.count_commands(&run)?;
        let mut costs = Vec::new();
        for _ in 0..rounds {
            let before = self.info()?;
            let sample = run()?;
            let after = self.info()?;
            costs.push(Cost {
                cpu: after.cpu - before.cpu,
                received: after.received - before.received,
                sent: after.sent - before.sent,
                commands: commands * sample.right as f64 / counted.right as f64,
                sample,
            });
        }
        costs.sort_by(|one, other| one.sample.throughput.total_cmp(&other.sample.throughput));
        let middle = costs.len() / 2;
        costs.into_iter().nth(middle).ok_or_else(|| "no rounds".to_owned())
    }

    /// Counts the commands that clients send during a load, without those of Lua scripts.
    fn count_commands(&self, run: impl FnOnce() -> Result<Sample>) -> Result<(Sample, f64)> {
        let mut monitor = RedisConnection::open(self.address)?;
        monitor.ask(&["MONITOR"])?;
        let done = Arc::new(AtomicBool::new(false));
        let counting = {
            let done = done.clone();
            thread::spawn(move || {
                let mut commands = 0.0;
                while !done.load(Ordering::Relaxed) {
                    let line = monitor.receive()?.text();
                    // `<time> [<database> <address>] …`; the address of a script's commands is `lua`.
                    commands += f64::from(u8::from(!line.contains(" lua] ")));
                }
                Ok::<f64, String>(commands)
            })
        };
        let sample = run()?;
        done.store(true, Ordering::Relaxed);
        // One more line wakes the counting thread.
        RedisConnection::open(self.address)?.ask(&["PING"])?;
        let commands =
            counting.join().map_err(|_| "the thread that counts commands panicked".to_owned())??;
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

/// Measures the least that a call through Redis can take, in µs: a push and a blocking pop there, and the same back.
fn floor(address: SocketAddr) -> Result<f64> {
    let (mut caller, mut worker) = (RedisConnection::open(address)?, RedisConnection::open(address)?);
    let (mut pushing, mut answering) = (RedisConnection::open(address)?, RedisConnection::open(address)?);
    let echo = thread::spawn(move || {
        for _ in 0..FLOOR_ROUND_TRIPS {
            worker.ask(&["BLPOP", "bench:there", "10"])?;
            answering.ask(&["RPUSH", "bench:back", "42"])?;
        }
        Ok::<(), String>(())
    });
    let mut times = Vec::with_capacity(FLOOR_ROUND_TRIPS);
    for _ in 0..FLOOR_ROUND_TRIPS {
        let start = Instant::now();
        pushing.send(&["RPUSH", "bench:there", "40 + 2"])?;
        caller.ask(&["BLPOP", "bench:back", "10"])?;
        times.push(start.elapsed().as_secs_f64() * 1e6);
        pushing.receive()?;
    }
    echo.join().map_err(|_| "the thread that echoes panicked".to_owned())??;
    Ok(median(times.into_iter()))
}
