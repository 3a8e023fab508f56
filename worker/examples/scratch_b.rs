use std::{alloc::System, time::{Duration, Instant}};
use circles_store::{Caller, Outcome, Task, Trial as _};
use circles_worker::{CountingAllocator, Host, Limits};
use tokio_util::sync::CancellationToken;
#[global_allocator]
static A: CountingAllocator<System> = CountingAllocator::new(System);
fn main() {
    let path = std::env::args().nth(1).unwrap();
    let source = std::fs::read_to_string(&path).unwrap();
    let args = std::env::args().nth(2).map(|a| serde_json::from_str(&a).unwrap()).unwrap_or_default();
    std::thread::Builder::new().stack_size(1 << 30).spawn(move || {
        let rt = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_time().build().unwrap();
        let _e = rt.enter();
        let host = Host::new(Limits::default());
        let task = Task::new("02c6047f9441ed7d6d3045406e95c07cd85c778e4b8cef3ca7abac09b95c709ee5".parse().unwrap(), Caller::Anonymous, source.as_str(), args, Duration::from_secs(3));
        let n: usize = std::env::var("N").ok().and_then(|n| n.parse().ok()).unwrap_or(1);
        for _ in 0..n {
        let b = Instant::now();
        let o = host.play(&task, b + task.timeout, &CancellationToken::new(), || ());
        let t = b.elapsed();
        let hwm = std::fs::read_to_string("/proc/self/status").unwrap();
        let hwm = hwm.lines().filter(|l| l.starts_with("VmHWM") || l.starts_with("VmRSS")).collect::<Vec<_>>().join(" ");
        let mut s = format!("{o:?}"); s.truncate(150);
        println!("{:>8} ms  {hwm}  {s}", t.as_millis());
        let _ = host.attempt(&task);
        let _ = matches!(o, Outcome::TimedOut);
        }
    }).unwrap().join().unwrap();
}
