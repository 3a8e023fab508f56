//! A shard of a real Redis: the real scripts run there, and what lies there is read as the model knows it.

use serde_json::{Value as Json, json};

use super::{
    redis::{
        Cancelled, Held, Lease, Live, Looked, Published, Redis, Remembered, Reply, Settled, Step, Submitted,
        Which,
    },
    resp::{Connection, Value},
    scenario::{Id, Outcome, SERVERS, Scenario, Set, TASKS, WORKERS, Who},
    world::Event,
};

/// Longer than any test; where time is to pass, it is made to.
const LONG: u64 = 3_600_000;
const CIRCLE: &str = "c";
const KEY: &str = "c::k";
const OUTCOMES: [Outcome; 5] =
    [Outcome::Succeeded, Outcome::Failed, Outcome::TimedOut, Outcome::Cancelled, Outcome::Lost];

/// The scripts that do steps, by the names of their files, and what stands before each.
pub struct Scripts {
    pub shared: String,
    pub texts: Vec<(&'static str, String)>,
}

macro_rules! scripts {
    ($($name:literal),*) => {
        Scripts {
            shared: include_str!("../../src/redis/lua/shared.lua").to_owned(),
            texts: vec![$(($name, include_str!(concat!("../../src/redis/lua/", $name, ".lua")).to_owned())),*],
        }
    };
}

impl Scripts {
    pub fn real() -> Self {
        scripts!("submit", "claim", "mark", "settle", "renew", "reap", "cancel", "answers", "look")
    }

    /// With one text in place of another, which is there once.
    pub fn changed(name: &str, from: &str, to: &str) -> Self {
        let mut scripts = Self::real();
        let texts = scripts.texts.iter_mut().map(|(name, text)| (*name, text));
        let mut all = texts.chain([("shared", &mut scripts.shared)]);
        let (_, text) = all.find(|(other, _)| *other == name).expect("a script");
        assert_eq!(text.matches(from).count(), 1, "{name}.lua: {from}");
        *text = text.replace(from, to);
        drop(all);
        scripts
    }

    fn text(&self, name: &str) -> String {
        let (_, text) = self.texts.iter().find(|(other, _)| *other == name).expect("a script");
        format!("{}{text}", self.shared)
    }
}

/// The script that does a step.
pub const fn script_of(step: &Step) -> &'static str {
    match step {
        Step::Submit { .. } => "submit",
        Step::Claim { .. } => "claim",
        Step::Mark { .. } => "mark",
        Step::Settle { .. } => "settle",
        Step::Renew { .. } => "renew",
        Step::Reap => "reap",
        Step::Cancel { .. } => "cancel",
        Step::Answers { .. } => "answers",
        Step::Look { .. } => "look",
    }
}

pub struct Shard<'a> {
    pub scenario: &'a Scenario,
    pub scripts: &'a Scripts,
    pub commands: &'a mut Connection,
    /// Hears what is published to servers.
    pub messages: &'a mut Connection,
    pub name: String,
}

fn task(id: Id) -> String {
    format!("t{id}")
}

fn worker(who: Who) -> String {
    format!("w{who}")
}

fn server(who: Who) -> String {
    format!("s{who}")
}

fn number(name: &str) -> u8 {
    name.get(1..).and_then(|digits| digits.parse().ok()).unwrap_or_else(|| panic!("{name} is no name"))
}

fn outcome(text: &str) -> Outcome {
    let name = text.trim_matches('"');
    OUTCOMES.into_iter().find(|outcome| format!("{outcome:?}") == name).unwrap_or_else(|| panic!("{text}"))
}

fn json_of(text: &str) -> Json {
    serde_json::from_str(text).expect("JSON")
}

fn small(json: &Json) -> u8 {
    let number = json.as_u64().or_else(|| json.as_str()?.parse().ok());
    number.and_then(|number| number.try_into().ok()).unwrap_or_else(|| panic!("{json} is no small number"))
}

/// Of a list; Lua writes an empty one as an object.
fn names(json: &Json) -> Vec<u8> {
    json.as_array().into_iter().flatten().filter_map(Json::as_str).map(number).collect()
}

impl Shard<'_> {
    /// Lets the same happen here. What a script returned and published.
    pub fn happen(&mut self, event: &Event) -> Option<(Reply, Published)> {
        match event {
            Event::Step(step, ..) => {
                let text = self.scripts.text(script_of(step));
                let mut command: Vec<Vec<u8>> = ["EVAL", &text, "1", &self.name].map(Into::into).into();
                command.extend(self.arguments(step));
                let answer = self.commands.ask(&command);
                return Some((reply(step, answer), self.published()));
            }
            Event::LeaseEnds(who) => {
                self.ask(&["ZADD", ":leases", "XX", "0", &worker(*who)]);
            }
            Event::DeadlinePasses(id) => {
                let text = self.ask(&["HGET", ":live", &task(*id)]).text().expect("a task");
                let mut known = json_of(&text);
                known["deadline"] = json!(0);
                self.ask(&["HSET", ":live", &task(*id), &known.to_string()]);
            }
            Event::Forget(id) => {
                self.ask(&["DEL", &format!(":done:{}", task(*id))]);
            }
        }
        None
    }

    /// Sends a command whose second word is a key of the shard.
    fn ask(&mut self, command: &[&str]) -> Value {
        let key = format!("{}{}", self.name, command[1]);
        let mut command = command.to_vec();
        command[1] = &key;
        self.commands.ask(&command)
    }

    /// What is known of a task when it is submitted, as `Known` in `store/src/redis/known.rs` writes it.
    fn known(&self, id: Id, servers: &[String]) -> String {
        let call = self.scenario.call(id);
        json!({
            "circle": CIRCLE, "caller": "", "accepted": 0, "timeout": LONG, "pool": "", "kept": call.is_kept(),
            "remember": LONG, "submitted": call.is_submitted(), "retries": call.retries(), "servers": servers,
        })
        .to_string()
    }

    /// What a script is told, as it says at its top.
    fn arguments(&self, step: &Step) -> Vec<Vec<u8>> {
        let texts = match step {
            Step::Submit { server: who, acknowledged, task: id } => {
                let most = "1000".to_owned();
                let count = acknowledged.iter().count().to_string();
                let mut texts = vec![server(*who), most.clone(), most, count];
                texts.extend(acknowledged.iter().map(task));
                if let Some(id) = id {
                    let known = self.known(*id, &[server(*who)]);
                    let (key, call) = if self.scenario.call(*id).key { (KEY, "call") } else { ("", "") };
                    texts.extend([task(*id), known, "body".to_owned(), key.to_owned(), call.to_owned()]);
                }
                texts
            }
            Step::Claim { worker: who, number, most } => {
                let numbers = [number.to_string(), most.to_string(), LONG.to_string()];
                let mut texts = vec![worker(*who)];
                texts.extend(numbers);
                texts.extend([String::new(), "0".to_owned()]);
                texts
            }
            Step::Mark { task: id, worker: who, epoch } => vec![task(*id), worker(*who), epoch.to_string()],
            Step::Settle { worker: who, task: id, epoch, outcome, read, reached } => {
                let is_nested = *epoch == 0;
                let told = if is_nested { self.known(*id, &[]) } else { String::new() };
                let epoch = if is_nested { String::new() } else { epoch.to_string() };
                let texts = [worker(*who), task(*id), epoch, told, format!("\"{outcome:?}\"")];
                let mut arguments: Vec<Vec<u8>> = texts.map(Into::into).into();
                arguments.push(self.how(*id, *outcome, *read, *reached));
                return arguments;
            }
            Step::Renew { worker: who, back } => {
                let mut texts = vec![worker(*who), LONG.to_string()];
                texts.extend(back.iter().flat_map(|(id, epoch)| [task(*id), epoch.to_string()]));
                texts
            }
            Step::Reap => Vec::new(),
            Step::Cancel { task: id, outcome, which } => {
                let only = match which {
                    Which::Any => "",
                    Which::Queued => "queued",
                    Which::Now => panic!("the scripts know nothing of that"),
                };
                let state = format!("{outcome:?}");
                vec![task(*id), CIRCLE.to_owned(), state.clone(), format!("\"{state}\""), only.to_owned()]
            }
            Step::Answers { server: who, tasks } => {
                let mut texts = vec![server(*who)];
                texts.extend(tasks.iter().map(task));
                texts
            }
            Step::Look { task: id, server: who } => {
                vec![task(*id), CIRCLE.to_owned(), server(*who), String::new()]
            }
        };
        texts.into_iter().map(String::into_bytes).collect()
    }

    /// How an outcome was come to, as `store/src/redis/settle.rs` packs it. What writes counts up `n`.
    fn how(&self, id: Id, outcome: Outcome, read: Option<u8>, reached: bool) -> Vec<u8> {
        let leaves = read.is_some() || reached || self.scenario.call(id).is_submitted();
        let (read, keys) =
            (read.map_or(json!(false), |read| json!(read)), if read.is_some() { vec!["n"] } else { vec![] });
        let writes: Vec<String> = keys.iter().flat_map(|key| [(*key).to_owned(), task(id)]).collect();
        let ranges: [&str; 0] = [];
        rmp_serde::to_vec(&(format!("{outcome:?}"), leaves, false, read, keys, ranges, writes, LONG))
            .expect("MessagePack")
    }

    /// What was published since the last time.
    fn published(&mut self) -> Published {
        let mut published = Published::default();
        self.messages.send(&["PING"]);
        loop {
            let message = self.messages.hear().array();
            match &message[..] {
                [Value::Bytes(kind), _, channel, Value::Bytes(packed)] if kind == b"pmessage" => {
                    let channel = channel.text().expect("a channel");
                    let (shard, told): (String, Vec<String>) =
                        rmp_serde::from_slice(packed).expect("MessagePack");
                    assert_eq!(shard, self.name);
                    let who = channel.strip_prefix("circles:server:").expect("a server's channel");
                    for pair in told.chunks_exact(2) {
                        outcome(&pair[1]);
                        published[usize::from(number(who))].insert(number(&pair[0]));
                    }
                }
                _ => return published,
            }
        }
    }

    /// What lies in the shard.
    pub fn redis(&mut self) -> Redis {
        let mut redis = Redis {
            held: self.pairs(":held").iter().map(|(id, text)| held(id, &json_of(text))).collect(),
            queue: self.list(&format!(":queue:{CIRCLE}")).iter().map(|id| number(id)).collect(),
            epoch: self.ask(&["GET", ":epoch"]).text().map_or(0, |epoch| small(&json!(epoch))),
            key: self.ask(&["HGET", &format!(":key:{KEY}"), "task"]).text().map(|id| number(&id)),
            version: self
                .ask(&["HGET", &format!(":circle:{CIRCLE}"), "version"])
                .text()
                .map_or(0, |version| small(&json!(version))),
            ..Redis::default()
        };
        for (id, text) in self.pairs(":live") {
            redis.live[usize::from(number(&id))] = Some(live(&json_of(&text)));
        }
        for (who, text) in self.pairs(":workers") {
            let claim = json_of(&text);
            redis.claims[usize::from(number(&who))] = Some((small(&claim["number"]), names(&claim["tasks"])));
        }
        for who in 0..WORKERS {
            let ends = self.ask(&["ZSCORE", ":leases", &worker(who as Who)]).text();
            redis.leases[who] = ends.map(|ends| if ends == "0" { Lease::HasEnded } else { Lease::Runs });
        }
        for who in 0..SERVERS {
            for (id, text) in self.pairs(&format!(":answers:{}", server(who as Who))) {
                redis.answers[who][usize::from(number(&id))] = Some(outcome(&text));
            }
        }
        for id in 0..TASKS {
            let name = task(id as Id);
            redis.remembered[id] =
                self.ask(&["HGET", &format!(":task:{name}"), "state"]).text().map(|state| match &*state {
                    "Queued" => Remembered::Queued,
                    "Running" => Remembered::Running,
                    ended => Remembered::Ended(outcome(ended)),
                });
            if self.ask(&["EXISTS", &format!(":done:{name}")]).int() == 1 {
                redis.done.insert(id as Id);
            }
        }
        for text in self.list(&format!(":records:{CIRCLE}")) {
            let record = json_of(&text);
            redis.records[usize::from(number(record["task"].as_str().expect("a name")))] += 1;
        }
        self.look_at_counts(redis.queue.len());
        redis
    }

    /// What scripts count is what there is.
    fn look_at_counts(&mut self, waiting: usize) {
        for of in ["*", CIRCLE] {
            let count = self.ask(&["HGET", ":count", of]).text().unwrap_or_else(|| "0".to_owned());
            assert_eq!(count, waiting.to_string(), "how many tasks wait of {of}");
        }
        let turns = self.list(":turns:");
        assert!(waiting == 0 || !turns.is_empty(), "a circle has a turn if its tasks wait");
        let bodies = self.ask(&["HLEN", ":body"]);
        assert_eq!(bodies, self.ask(&["HLEN", ":live"]), "a task has a body as long as it lives");
    }

    fn pairs(&mut self, key: &str) -> Vec<(String, String)> {
        self.ask(&["HGETALL", key]).pairs()
    }

    fn list(&mut self, key: &str) -> Vec<String> {
        self.ask(&["LRANGE", key, "0", "-1"]).texts()
    }
}

fn live(known: &Json) -> Live {
    let mut servers = Set::default();
    names(&known["servers"]).into_iter().for_each(|who| servers.insert(who));
    let retried = known.get("retried").map_or(0, small);
    Live { servers, retried, late: known["deadline"] == json!(0) }
}

fn held(id: &str, claim: &Json) -> Held {
    let is = |what: &str| claim.get(what) == Some(&json!(true));
    Held {
        task: number(id),
        worker: number(claim["worker"].as_str().expect("a name")),
        number: small(&claim["number"]),
        epoch: small(&claim["epoch"]),
        marked: is("marked"),
        cancelled: is("cancelled"),
        retried: small(&claim["retried"]),
    }
}

/// What a script returned.
fn reply(step: &Step, answer: Value) -> Reply {
    match step {
        Step::Submit { .. } => {
            Reply::Submitted(answer.array().into_iter().next().map(|reply| submitted(&reply.texts())))
        }
        Step::Claim { .. } => {
            let mut parts = answer.array().into_iter();
            let left = parts.next().expect("a count").int() as u8;
            let tasks = parts.map(|part| part.array()).map(|part| {
                let text = |at: usize| part[at].text().expect("text");
                (number(&text(0)), small(&json!(text(1))))
            });
            Reply::Claimed(left, tasks.collect())
        }
        Step::Mark { .. } => Reply::Marked(answer.int() == 1),
        Step::Settle { .. } => Reply::Settled(match &*answer.texts()[0] {
            "recorded" => Settled::Recorded,
            "gone" => Settled::Gone,
            "overtaken" => Settled::Overtaken,
            other => panic!("{other}"),
        }),
        Step::Renew { .. } => {
            let holds = answer.array().into_iter().map(|part| part.array()).map(|part| {
                let text = |at: usize| part[at].text().expect("text");
                (number(&text(0)), small(&json!(text(1))), text(2) == "1")
            });
            Reply::Renewed(holds.collect())
        }
        Step::Reap => {
            let parts = answer.array();
            Reply::Reaped { back: parts[0].int() as u8, lost: parts[1].int() as u8 }
        }
        Step::Cancel { .. } => Reply::Cancelled(match &*answer.text().expect("a word") {
            "ended" => Cancelled::Ended,
            "told" => Cancelled::Told,
            "again" => Cancelled::Again,
            "none" => Cancelled::Nothing,
            "running" => Cancelled::Running,
            other => panic!("{other}"),
        }),
        Step::Answers { .. } => {
            let found = answer.pairs();
            Reply::Answered(found.iter().map(|(id, text)| (number(id), outcome(text))).collect())
        }
        Step::Look { .. } => Reply::Looked(match &answer.texts()[..] {
            [] => Looked::Unknown,
            [_, _, _, _, ended, _] if !ended.is_empty() => Looked::Ended(outcome(ended)),
            _ => Looked::UnderWay,
        }),
    }
}

fn submitted(reply: &[String]) -> Submitted {
    match reply {
        [what] if what == "accepted" => Submitted::Accepted,
        [what, id] if what == "known" => Submitted::Known(number(id)),
        [what, id, text] if what == "ended" => Submitted::Ended(number(id), outcome(text)),
        other => panic!("{other:?}"),
    }
}
