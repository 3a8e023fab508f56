//! Reads a shard of a real Redis into the form that the model has.

use circles_testing::RedisReply;
use serde_json::Value as Json;

use super::{
    redis::{Held, Lease, Live, Redis, Remembered},
    resp::pairs,
    scenario::{Id, Node, SERVERS, Set, TASKS, WORKERS},
    shard::{
        ANONYMOUS, CIRCLE, FOREVER_MS, KEY, Shard, number, outcome, retry_lock, server, small, task, worker,
    },
};

/// The reply of PTTL for a missing key.
const PTTL_MISSING: i64 = -2;

/// Replies to commands that were sent together, in order.
struct Answers(std::vec::IntoIter<RedisReply>);

impl Answers {
    fn next(&mut self) -> RedisReply {
        self.0.next().expect("an answer to each question")
    }

    fn text(&mut self) -> Option<String> {
        self.next().optional_text()
    }

    fn pairs(&mut self) -> Vec<(String, String)> {
        pairs(self.next())
    }
}

impl Shard<'_> {
    /// Returns the contents of the shard.
    pub(crate) fn redis(&mut self) -> Result<Redis, String> {
        let mut answers = self.ask_for_all();
        let mut redis = Redis {
            held: answers.pairs().iter().map(|(id, text)| held(id, text)).collect(),
            queue: answers.next().texts().iter().map(|id| number(id)).collect(),
            epoch: answers.text().map_or(0, |epoch| small(&epoch)),
            key: answers.text().map(|id| number(&id)),
            version: answers.text().map_or(0, |version| small(&version)),
            retry_lock: answers.text().map(|id| number(&id)),
            ..Redis::default()
        };
        for (id, text) in answers.pairs() {
            redis.live[usize::from(number(&id))] = Some(live(&text));
        }
        for (node, text) in answers.pairs() {
            redis.claims[usize::from(number(&node))] = Some(claim(&text));
        }
        for text in answers.next().texts() {
            let record: Json = serde_json::from_str(&text).expect("JSON");
            redis.records[usize::from(number(record["task"].as_str().expect("a name")))] += 1;
        }
        for lease in &mut redis.leases {
            *lease = answers.text().map(|ends| if ends == "0" { Lease::HasEnded } else { Lease::Runs });
        }
        for kept in &mut redis.answers {
            for (id, text) in answers.pairs() {
                kept[usize::from(number(&id))] = Some(outcome(&text));
            }
        }
        for id in 0..TASKS {
            redis.remembered[id] = answers.text().map(|state| remembered(&state));
            let left = answers.next().number();
            if left != PTTL_MISSING {
                if left <= FOREVER_MS as i64 {
                    return Err(format!(
                        "a nested play is known for {left} ms, and may come again for {FOREVER_MS} ms"
                    ));
                }
                redis.done.insert(id as Id);
            }
        }
        check_derived_keys(&mut answers, &redis)?;
        Ok(redis)
    }

    fn ask_for_all(&mut self) -> Answers {
        let (queue, records) = (format!(":queue:{CIRCLE}"), format!(":records:{CIRCLE}"));
        let (key, circle) = (format!(":key:{KEY}"), format!(":circle:{CIRCLE}"));
        let mut questions = vec![
            vec!["HGETALL", ":held"],
            vec!["LRANGE", &queue, "0", "-1"],
            vec!["GET", ":epoch"],
            vec!["HGET", &key, "task"],
            vec!["HGET", &circle, "version"],
        ];
        let retry_lock = retry_lock();
        questions.extend([vec!["GET", &retry_lock], vec!["HGETALL", ":live"], vec!["HGETALL", ":workers"]]);
        questions.push(vec!["LRANGE", &records, "0", "-1"]);
        let workers: Vec<_> = (0..WORKERS).map(|node| worker(node as Node)).collect();
        questions.extend(workers.iter().map(|worker| vec!["ZSCORE", ":leases", worker]));
        let answers: Vec<_> = (0..SERVERS).map(|node| format!(":answers:{}", server(node as Node))).collect();
        questions.extend(answers.iter().map(|answers| vec!["HGETALL", &**answers]));
        let ended = |of: &str| (0..TASKS).map(|id| format!(":{of}:{}", task(id as Id))).collect::<Vec<_>>();
        let (tasks, done) = (ended("task"), ended("done"));
        for (task, done) in tasks.iter().zip(&done) {
            questions.extend([vec!["HGET", task, "state"], vec!["PTTL", done]]);
        }
        let of = |name: &str| (format!(":{name}:{CIRCLE}"), format!(":{name}:{CIRCLE}:{ANONYMOUS}"));
        let ((open, own_open), (ended, own_ended)) = (of("open"), of("tasks"));
        let shares = format!(":shares:{CIRCLE}");
        questions.extend([
            vec!["GET", ":count"],
            vec!["LRANGE", ":turns:", "0", "-1"],
            vec!["HLEN", ":body"],
            vec!["ZRANGE", &open, "0", "-1"],
            vec!["ZRANGE", &own_open, "0", "-1"],
            vec!["ZRANGE", &ended, "0", "-1"],
            vec!["ZRANGE", &own_ended, "0", "-1"],
            vec!["ZRANGEBYSCORE", ":expiry", "-inf", "+inf"],
            vec!["HGET", &shares, "tasks -"],
        ]);
        let holds: Vec<_> = (0..WORKERS).map(|node| format!(":holds:{}", worker(node as Node))).collect();
        questions.extend(holds.iter().map(|holds| vec!["ZRANGE", holds, "0", "-1"]));
        let keyed = questions.into_iter().map(|question| {
            let name = self.key(question[1]);
            let words = question.into_iter().enumerate();
            words.map(|(at, word)| if at == 1 { name.clone() } else { word.to_owned() }).collect()
        });
        let keyed: Vec<Vec<String>> = keyed.collect();
        Answers(self.commands.ask_all(&keyed).into_iter())
    }
}

/// Checks keys whose contents follow from the others.
fn check_derived_keys(answers: &mut Answers, redis: &Redis) -> Result<(), String> {
    let waiting = redis.queue.len();
    let count = answers.text().unwrap_or_else(|| "0".to_owned());
    let turns = answers.next().texts().len();
    let bodies = answers.next().number();
    let live = redis.live.iter().flatten().count();
    if count != waiting.to_string() || turns != usize::from(waiting > 0) || bodies != live as i64 {
        return Err(format!(
            "{waiting} tasks wait, and are counted as {count}; their circle has {turns} turns; \
             {live} tasks live, and {bodies} bodies are there"
        ));
    }
    let mut set = || -> Vec<Id> {
        let mut ids: Vec<_> = answers.next().texts().iter().map(|id| number(id)).collect();
        ids.sort_unstable();
        ids
    };
    let (open, own_open, ended, own_ended, expiry) = (set(), set(), set(), set(), set());
    let share = answers.text().map_or(0, |count| small(&count));
    let mut holds: Vec<Id> = Vec::new();
    for _ in 0..WORKERS {
        holds.extend(answers.next().texts().iter().map(|id| number(id)));
    }
    holds.sort_unstable();
    let ids =
        |is: &dyn Fn(usize) -> bool| (0..TASKS).filter(|id| is(*id)).map(|id| id as Id).collect::<Vec<_>>();
    let live = ids(&|id| redis.live[id].is_some());
    let remembered = ids(&|id| matches!(redis.remembered[id], Some(Remembered::Ended(_))));
    let mut held: Vec<_> = redis.held.iter().map(|held| held.task).collect();
    held.sort_unstable();
    let all = redis.remembered.iter().flatten().count();
    if open != live || own_open != live || ended != remembered || own_ended != remembered {
        return Err(format!("{live:?} live and are listed as {open:?}; {remembered:?} ended, as {ended:?}"));
    }
    if expiry != remembered || usize::from(share) != all || holds != held {
        return Err(format!(
            "{all} count as {share} and expire as {expiry:?}; {held:?} are held as {holds:?}"
        ));
    }
    Ok(())
}

/// Parses as `parse` in `shared.lua`.
fn live(text: &str) -> Live {
    let words: Vec<_> = text.splitn(7, ' ').collect();
    let [deadline, flags, retried, first, circle, caller, rest] = words[..] else { panic!("{text}") };
    assert_eq!((circle, caller), (CIRCLE, ANONYMOUS));
    let rest: Json = serde_json::from_str(rest).expect("JSON");
    let more = rest.get("servers").and_then(Json::as_array).filter(|_| flags.contains('m'));
    let mut servers = Set::of(number(first));
    for node in more.into_iter().flatten() {
        servers.insert(number(node.as_str().expect("a name")));
    }
    let deaths = rest.get("deaths").and_then(Json::as_array).into_iter().flatten();
    let deaths: Vec<_> = deaths.map(|epoch| small(epoch.as_str().expect("an epoch"))).collect();
    assert!(deaths.len() < 2, "{text}");
    let death = deaths.first().copied().unwrap_or(0);
    Live { servers, death, retried: small(retried), overdue: deadline == "0" }
}

/// Parses as `held` in `shared.lua`.
fn held(id: &str, text: &str) -> Held {
    let words: Vec<_> = text.split(' ').collect();
    let [epoch, worker, claim, _, flags] = words[..] else { panic!("{text}") };
    Held {
        task: number(id),
        worker: number(worker),
        number: small(claim),
        epoch: small(epoch),
        marked: flags.contains('m'),
        cancelled: flags.contains('c'),
    }
}

/// Parses a worker's last claim: its number and tasks.
fn claim(text: &str) -> (u8, Vec<Id>) {
    let (claim, tasks) = text.split_once(' ').expect("tasks");
    (small(claim), tasks.split(' ').map(number).collect())
}

fn remembered(state: &str) -> Remembered {
    match state {
        "Queued" => Remembered::Queued,
        "Running" => Remembered::Running,
        ended => Remembered::Ended(outcome(ended)),
    }
}
