//! The cost of a Redis script is bounded however much is stored: other clients wait while it runs.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use circles_store::{Caller, KeyRange, Kind, Quota, Quotas, State, Store, Task, TaskFilter, Transaction};
use circles_store_redis::{RedisConfig, RedisStore};
use circles_testing::Redis;

use crate::{
    conformance::{circle, keyed, settle, soon, success, task},
    links::until,
    tasks::submitted,
    transactions::settlement,
};

/// The number of stored entries.
const MANY: usize = 50_000;
/// The number of entries that are added at a time.
const SOME: usize = 1_000;
/// The most commands of one script, besides those for a play's own documents.
const COMMANDS: i64 = 6_000;
/// The most commands of one script of a listing: many callers may list at a time, and plays wait in between.
const LISTING_COMMANDS: i64 = 500;
/// The most microseconds of one script: far more than on an idle machine, far less than a walk through all entries.
const TIME: i64 = 400_000;

/// The cost of scripts since the last measurement.
struct Costs<'a> {
    redis: &'a Redis,
    scripts: i64,
    commands: i64,
    /// Processor time in microseconds.
    processor: i64,
}

impl<'a> Costs<'a> {
    fn of(redis: &'a Redis) -> Self {
        redis.ask(&["CONFIG", "SET", "slowlog-log-slower-than", "0"]);
        redis.ask(&["CONFIG", "SET", "slowlog-max-len", "10000"]);
        let mut costs = Self { redis, scripts: 0, commands: 0, processor: 0 };
        costs.look();
        costs
    }

    /// Returns the average number of commands of a script, and the microseconds of the longest one.
    fn look(&mut self) -> (i64, i64) {
        let stats = self.redis.ask(&["INFO", "commandstats"]).text();
        let calls: BTreeMap<&str, i64> = stats
            .lines()
            .filter_map(|line| line.strip_prefix("cmdstat_")?.split_once(":calls="))
            .filter_map(|(name, rest)| Some((name, rest.split(',').next()?.parse().ok()?)))
            .collect();
        let scripts: i64 = ["eval", "evalsha"].iter().filter_map(|name| calls.get(name)).sum();
        let commands: i64 = calls.values().sum();
        let slow = self.redis.ask(&["SLOWLOG", "GET", "10000"]).list();
        let longest = slow.into_iter().filter_map(|entry| {
            let mut entry = entry.list().into_iter().skip(2);
            let took = entry.next()?.number();
            let name = entry.next()?.list().into_iter().next()?.text();
            name.to_lowercase().starts_with("eval").then_some(took)
        });
        let longest = longest.max().unwrap_or(0);
        self.redis.ask(&["SLOWLOG", "RESET"]);
        let info = self.redis.ask(&["INFO", "cpu"]).text();
        let seconds = |name: &str| {
            let line = info.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':'));
            line.and_then(|seconds| seconds.trim().parse::<f64>().ok()).unwrap_or(0.0)
        };
        let processor = seconds("used_cpu_sys") + seconds("used_cpu_user");
        let processor = Duration::from_secs_f64(processor).as_micros() as i64;
        let ran = (scripts - self.scripts).max(1);
        let each = (commands - self.commands) / ran;
        // On a busy machine a script may wait; its processor time bounds what it did.
        let longest = longest.min(processor - self.processor);
        (self.scripts, self.commands, self.processor) = (scripts, commands, processor);
        (each, longest)
    }

    fn are_bounded(&mut self, what: &str) {
        self.are_within(COMMANDS, what);
    }

    fn are_within(&mut self, most: i64, what: &str) {
        let (commands, time) = self.look();
        assert!(commands <= most, "{what}: {commands} commands for each script");
        assert!(time <= TIME, "{what}: {time} µs");
    }
}

/// Fills a shard with Lua code, which runs for the numbers from `first` to `last`, some at a time.
fn fill(redis: &Redis, lua: &str) {
    let lua = format!(
        "local shard, circle, first, last = 'circles:{{0}}', ARGV[1], tonumber(ARGV[2]), tonumber(ARGV[3])\n{lua}"
    );
    for first in (1..=MANY).step_by(SOME) {
        let (first, last) = (first.to_string(), (first + SOME - 1).to_string());
        redis.ask(&["EVAL", &lua, "0", &circle(1).to_string(), &first, &last]);
    }
}

async fn store(url: &str) -> RedisStore {
    let many = 10 * MANY as u64;
    let quota = Quota { caller_tasks: many, caller_bytes: 1 << 40, guest_tasks: many, guest_bytes: 1 << 40 };
    let quotas = Quotas { others: quota, ..Quotas::default() };
    // No maintenance runs while a test measures.
    let lease = Duration::from_secs(600);
    let config = RedisConfig {
        shards: 1,
        quotas,
        lease,
        queue_limit: 10 * MANY,
        circle_queue_limit: 10 * MANY,
        ..RedisConfig::default()
    };
    RedisStore::connect(url, config).await.unwrap()
}

/// Remembered tasks of an anonymous caller, with names that sort before all others.
const REMEMBERED: &str = "
    for index = first, last do
      local id = string.format('00000000-0000-7000-8000-%012x', index)
      local view = '{\"circle\":\"' .. circle .. '\",\"caller\":\"\",\"accepted\":1,\"timeout\":1,\"pool\":\"\",'
        .. '\"kept\":true,\"remember\":1000,\"submitted\":true,\"retries\":0,\"most\":1000000}'
      redis.call('HSET', shard .. ':task:' .. id, 'view', view, 'state', 'Succeeded', 'ended', '1',
        'until', '99999999999999')
      redis.call('ZADD', shard .. ':tasks:' .. circle, 0, id)
      redis.call('ZADD', shard .. ':tasks:' .. circle .. ':-', 0, id)
      redis.call('ZADD', shard .. ':expiry', 99999999999999, id)
    end";

fn filter(caller: Option<Caller>, state: Option<State>) -> TaskFilter {
    TaskFilter { caller, state, before: None, limit: 50 }
}

#[tokio::test(flavor = "multi_thread")]
async fn listing_cost_is_independent_of_history() {
    let redis = Redis::start();
    let store = store(&redis.url()).await;
    fill(&redis, REMEMBERED);
    let stranger = Caller::Peer(circle(9));
    let mut costs = Costs::of(&redis);
    for (caller, state) in [
        (Some(stranger), None),
        (Some(Caller::Anonymous), None),
        (Some(Caller::Anonymous), Some(State::Failed)),
        (Some(Caller::Anonymous), Some(State::Running)),
        (None, None),
        (None, Some(State::Queued)),
        (None, Some(State::Lost)),
    ] {
        let page = soon(store.tasks(&circle(1), filter(caller.clone(), state))).await.unwrap();
        costs.are_within(LISTING_COMMANDS, &format!("{caller:?} {state:?}"));
        let shows_some = caller != Some(Caller::Peer(circle(9))) && state.is_none();
        assert_eq!(page.tasks.len(), if shows_some { 50 } else { 0 });
        // A page that finds nothing among so many tasks still names the next page.
        assert_eq!(
            page.next.is_some(),
            shows_some || state.is_some_and(State::is_final),
            "{caller:?} {state:?}"
        );
    }
    // The pages lead through all tasks.
    let mut asked = filter(Some(Caller::Anonymous), Some(State::Lost));
    let mut pages = 1;
    while let Some(next) = soon(store.tasks(&circle(1), asked.clone())).await.unwrap().next {
        asked.before = Some(next);
        pages += 1;
    }
    assert_eq!(pages, MANY / 1_000 + usize::from(pages > MANY / 1_000));
}

#[tokio::test(flavor = "multi_thread")]
async fn reaping_cost_is_independent_of_backlog() {
    let redis = Redis::start();
    let url = redis.url();
    let store = store(&url).await;
    fill(&redis, REMEMBERED);
    // All tasks have expired, and dead workers held as many.
    fill(
        &redis,
        "
        for index = first, last do
          redis.call('ZADD', shard .. ':expiry', 1, string.format('00000000-0000-7000-8000-%012x', index))
          local worker, id = 'w' .. math.floor(index / 50), string.format('00000000-0000-7000-9000-%012x', index)
          redis.call('ZADD', shard .. ':leases', 1, worker)
          local head = '99999999999999 - 0 - ' .. circle .. ' - '
          redis.call('HSET', shard .. ':live', id, head
            .. '{\"circle\":\"' .. circle .. '\",\"caller\":\"\",\"accepted\":1,'
            .. '\"timeout\":1,\"pool\":\"\",\"kept\":false,\"remember\":1,\"submitted\":false,\"retries\":0}')
          redis.call('HSET', shard .. ':body', id, '')
          redis.call('HSET', shard .. ':held', id, index .. ' ' .. worker .. ' 1 1 -')
          redis.call('ZADD', shard .. ':holds:' .. worker, index, id)
          redis.call('ZADD', shard .. ':open:' .. circle, 0, id)
        end",
    );
    let mut costs = Costs::of(&redis);
    // Renewing the lease of this process costs only what it holds itself.
    let ticket = soon(store.submit(Task { circle: circle(2), ..task("mine") })).await.unwrap();
    let claim = soon(store.claim()).await.unwrap();
    costs.are_bounded("claim");
    drop(claim);
    settle(soon(store.claim()).await.unwrap(), success("")).await;
    soon(ticket).await;
    costs.are_bounded("renew");
    // Another process reaps as soon as it starts.
    redis.ask(&["DEL", "circles:reaper"]);
    let _other =
        RedisStore::connect(&url, RedisConfig { lease: Duration::from_secs(2), ..RedisConfig::default() })
            .await
            .unwrap();
    until("everything is looked after", async || {
        redis.ask(&["DEL", "circles:reaper"]);
        let left = redis.ask(&["ZCARD", "circles:{0}:expiry"]).number()
            + redis.ask(&["HLEN", "circles:{0}:held"]).number();
        (left == 0).then_some(())
    })
    .await;
    costs.are_bounded("reap");
    assert_eq!(redis.ask(&["LLEN", &format!("circles:{{0}}:queue:{}", circle(1))]).number(), MANY as i64);
}

#[tokio::test(flavor = "multi_thread")]
async fn overdue_queue_is_skipped_in_small_steps() {
    let redis = Redis::start();
    let store = store(&redis.url()).await;
    fill(
        &redis,
        "
        for index = first, last do
          local id = string.format('00000000-0000-7000-9000-%012x', index)
          redis.call('HSET', shard .. ':live', id, '1 - 0 - ' .. circle
            .. ' - {\"circle\":\"' .. circle .. '\",\"caller\":\"\",\"accepted\":1,\"timeout\":1,'
            .. '\"pool\":\"\",\"kept\":false,\"remember\":1,\"submitted\":false,\"retries\":0}')
          redis.call('HSET', shard .. ':body', id, '')
          redis.call('RPUSH', shard .. ':queue:' .. circle, id)
          redis.call('ZADD', shard .. ':open:' .. circle, 0, id)
        end
        if first == 1 then
          redis.call('RPUSH', shard .. ':turns:', circle)
        end
        redis.call('SET', shard .. ':count', last)",
    );
    let mut costs = Costs::of(&redis);
    let deep = soon(store.submit(submitted("deep"))).await.unwrap();
    costs.are_bounded("submit");
    soon(store.task(&circle(1), deep.task(), Duration::ZERO)).await.unwrap();
    costs.are_bounded("look");
    assert_eq!(soon(store.cancel(&circle(1), deep.task())).await, Ok(true));
    costs.are_bounded("cancel");
    let other = soon(store.submit(Task { circle: circle(2), ..task("b") })).await.unwrap();
    settle(soon(store.claim()).await.unwrap(), success("")).await;
    soon(other).await;
    costs.are_bounded("claim");
}

#[tokio::test(flavor = "multi_thread")]
async fn document_cost_is_bounded_by_reads_and_writes() {
    let redis = Redis::start();
    let store: Arc<dyn Store> = Arc::new(store(&redis.url()).await);
    fill(&redis, "
        for index = first, last do
          local name = string.format('%s%06d', string.rep('k', 900), index)
          redis.call('HSET', shard .. ':documents:' .. circle, name, '1')
          redis.call('ZADD', shard .. ':keys:' .. circle, 0, name)
        end
        redis.call('HSET', shard .. ':circle:' .. circle, 'version', 1, 'floor', 1, 'bytes', last, 'undo', 0)
        for index = first, last do
          redis.call('RPUSH', shard .. ':records:' .. circle, '{\"task\":\"00000000-0000-7000-8000-000000000000\",'
            .. '\"caller\":\"\",\"accepted\":1,\"ended\":1,\"state\":\"Succeeded\"}')
        end");
    let begin = || store.begin_nested(task("")).unwrap();
    let name = |number: usize| format!("{}{number:06}", "k".repeat(900));
    let mut costs = Costs::of(&redis);
    let (early, early_ticket) = begin();
    let mut early_reads = Transaction::new(early.snapshot().unwrap());
    early_reads.get(&name(1)).unwrap();
    // As many old versions as are kept for earlier readers.
    for play in 0..20 {
        let (claim, ticket) = begin();
        let mut writes = Transaction::new(claim.snapshot().unwrap());
        for number in 0..30 {
            writes.put(&name(30 * play + number + 2), Some("2".into()));
        }
        assert!(claim.settle(settlement(writes)).await.is_ok());
        soon(ticket).await;
    }
    costs.are_bounded("settle");
    // It reads in many places near changed keys, and the long keys differ only at their end.
    for number in 0..200 {
        let range = KeyRange::of_prefix(&name(20_000 + 100 * number), None);
        early_reads.scan(&range, 10).unwrap();
    }
    let all = early_reads.scan(&KeyRange::of_prefix("", None), MANY + 10).unwrap();
    assert_eq!(all.len(), MANY);
    costs.are_bounded("read");
    early_reads.put("mine", Some("1".into()));
    assert!(early.settle(settlement(early_reads)).await.is_ok());
    costs.are_bounded("settle what read much");
    drop(early_ticket);
    soon(store.provenance(&circle(1), 0, 10)).await.unwrap();
    costs.are_bounded("seal");
}

#[tokio::test(flavor = "multi_thread")]
async fn answers_are_fetched_in_small_batches() {
    let redis = Redis::start();
    let store = store(&redis.url()).await;
    let mut tickets = Vec::new();
    for number in 0..64 {
        tickets.push(soon(store.submit(keyed("a", &number.to_string()))).await.unwrap());
    }
    let large = success(&"x".repeat(1 << 20));
    let mut costs = Costs::of(&redis);
    for _ in 0..64 {
        settle(soon(store.claim()).await.unwrap(), large.clone()).await;
    }
    for ticket in tickets {
        assert_eq!(soon(ticket).await, large);
    }
    costs.are_bounded("answers");
    let kind = Kind::Submitted { retries: 0 };
    drop(soon(store.submit(Task { kind, ..task("last") })).await.unwrap());
}
