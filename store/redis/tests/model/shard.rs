//! A shard of a real Redis, where the real scripts do what happens in the model.

use circles_testing::RedisReply;
use serde_json::json;

use super::{
    redis::Published,
    resp::{Connection, pairs},
    scenario::{Id, Outcome, Scenario, Who},
    step::{Cancelled, Looked, Reply, Settled, Step, Submitted, Which},
    world::Event,
};

/// Longer than any test; where time is to pass, it is made to.
pub const LONG: u64 = 3_600_000;
pub const CIRCLE: &str = "c";
pub const KEY: &str = "c::k";
/// A caller that proved nothing, as words and keys have it.
pub const NOBODY: &str = "-";
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
            shared: include_str!("../../src/lua/shared.lua").to_owned(),
            texts: vec![$(($name, include_str!(concat!("../../src/lua/", $name, ".lua")).to_owned())),*],
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

pub fn task(id: Id) -> String {
    format!("t{id}")
}

pub fn worker(who: Who) -> String {
    format!("w{who}")
}

pub fn server(who: Who) -> String {
    format!("s{who}")
}

/// Where the right of way is.
pub fn way() -> String {
    format!(":way:{CIRCLE}")
}

pub fn number(name: &str) -> u8 {
    name.get(1..).and_then(|digits| digits.parse().ok()).unwrap_or_else(|| panic!("{name} is no name"))
}

/// An outcome, also behind the times that servers are told with it.
pub fn outcome(text: &str) -> Outcome {
    let name = text.rsplit(' ').next().unwrap_or_default().trim_matches('"');
    OUTCOMES.into_iter().find(|outcome| format!("{outcome:?}") == name).unwrap_or_else(|| panic!("{text}"))
}

pub fn small(text: &str) -> u8 {
    text.parse().unwrap_or_else(|_| panic!("{text} is no small number"))
}

impl Shard<'_> {
    /// Lets the same happen here. What a script returned and published.
    pub fn happen(&mut self, event: &Event) -> Option<(Reply, Published)> {
        match event {
            Event::Step(step, ..) => {
                let text = self.scripts.text(script_of(step));
                let mut script: Vec<Vec<u8>> = ["EVAL", &text, "1", &self.name].map(Into::into).into();
                script.extend(self.arguments(step));
                // Whoever has the right of way keeps it until the model says otherwise.
                let persist: Vec<Vec<u8>> = ["PERSIST", &self.key(&way())].map(Into::into).into();
                let whole = [vec![b"MULTI".to_vec()], script, persist, vec![b"EXEC".to_vec()]];
                let answer = self.commands.ask_all(&whole).pop().expect("an answer").list().swap_remove(0);
                return Some((reply(step, answer), self.published()));
            }
            Event::LeaseEnds(who) => {
                self.ask(&["ZADD", ":leases", "XX", "0", &worker(*who)]);
            }
            Event::DeadlinePasses(id) => {
                let text = self.ask(&["HGET", ":live", &task(*id)]).optional_text().expect("a task");
                let (_, rest) = text.split_once(' ').expect("words");
                self.ask(&["HSET", ":live", &task(*id), &format!("0 {rest}")]);
            }
            Event::WayEnds => {
                self.ask(&["DEL", &way()]);
            }
            Event::Forget(id) => {
                self.ask(&["DEL", &format!(":done:{}", task(*id))]);
            }
        }
        None
    }

    /// Sends a command whose second word is a key of the shard.
    fn ask(&mut self, command: &[&str]) -> RedisReply {
        let key = self.key(command[1]);
        let mut command = command.to_vec();
        command[1] = &key;
        self.commands.ask(&command)
    }

    pub fn key(&self, rest: &str) -> String {
        format!("{}{rest}", self.name)
    }

    /// What is known of a task when it is submitted, as `Known` in `store/redis/src/known.rs` writes it.
    fn known(&self, id: Id) -> String {
        let call = self.scenario.call(id);
        let mut known = json!({
            "circle": CIRCLE, "caller": "", "accepted": 0, "timeout": LONG, "pool": "", "kept": call.is_kept(),
            "remember": LONG, "submitted": call.is_submitted(), "retries": call.retries(),
        });
        if call.key {
            known["key"] = json!(KEY);
        }
        if call.is_kept() {
            known["most"] = json!(LONG);
        }
        known.to_string()
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
                    let call = self.scenario.call(*id);
                    let flags = match (call.is_kept(), call.is_submitted()) {
                        (_, true) => "ks",
                        (true, false) => "k",
                        (false, false) => "-",
                    };
                    let (key, name) = if call.key { (KEY, "call") } else { ("", "") };
                    let words = [
                        &*task(*id),
                        CIRCLE,
                        NOBODY,
                        &LONG.to_string(),
                        flags,
                        "",
                        &self.known(*id),
                        "body",
                        key,
                        name,
                        if call.is_kept() { "1000 1000000" } else { "" },
                    ];
                    texts.extend(words.map(str::to_owned));
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
                let told = if is_nested { self.known(*id) } else { String::new() };
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
                    Which::Now => "now",
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

    /// How an outcome was come to, as `store/redis/src/settle.rs` packs it. What writes counts up `n`.
    fn how(&self, id: Id, outcome: Outcome, read: Option<u8>, reached: bool) -> Vec<u8> {
        let call = self.scenario.call(id);
        let leaves = read.is_some() || reached || call.is_submitted();
        if !leaves && !call.is_kept() && !call.is_nested() {
            return Vec::new();
        }
        let (read, keys) =
            (read.map_or(json!(false), |read| json!(read)), if read.is_some() { vec!["n"] } else { vec![] });
        let writes: Vec<String> = keys.iter().flat_map(|key| [(*key).to_owned(), task(id)]).collect();
        let ranges: [&str; 0] = [];
        rmp_serde::to_vec(&(format!("{outcome:?}"), leaves, false, read, keys, ranges, writes, LONG, false))
            .expect("MessagePack")
    }

    /// What was published since the last time.
    fn published(&mut self) -> Published {
        let mut published = Published::default();
        self.messages.send(&["PING"]);
        loop {
            let message = self.messages.receive().list();
            match &message[..] {
                [RedisReply::Bytes(kind), _, channel, RedisReply::Bytes(packed)] if kind == b"pmessage" => {
                    let channel = channel.optional_text().expect("a channel");
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
}

/// What a script returned.
fn reply(step: &Step, answer: RedisReply) -> Reply {
    match step {
        Step::Submit { .. } => {
            Reply::Submitted(answer.list().into_iter().next().map(|reply| submitted(&reply.texts())))
        }
        Step::Claim { .. } => {
            let mut parts = answer.list().into_iter();
            let left = parts.next().expect("a count").number() as u8;
            let tasks = parts.map(|part| part.list()).map(|part| {
                let text = |at: usize| part[at].optional_text().expect("text");
                (number(&text(0)), small(&text(1)))
            });
            Reply::Claimed(left, tasks.collect())
        }
        Step::Mark { .. } => Reply::Marked(answer.number() == 1),
        Step::Settle { .. } => Reply::Settled(match &*answer.texts()[0] {
            "recorded" => Settled::Recorded,
            "gone" => Settled::Gone,
            "overtaken" => Settled::Overtaken,
            "later" => Settled::Later,
            other => panic!("{other}"),
        }),
        Step::Renew { .. } => {
            let holds = answer.list().into_iter().map(|part| part.list()).map(|part| {
                let text = |at: usize| part[at].optional_text().expect("text");
                (number(&text(0)), small(&text(1)), text(2) == "1")
            });
            Reply::Renewed(holds.collect())
        }
        Step::Reap => {
            let parts = answer.list();
            Reply::Reaped { back: parts[0].number() as u8, lost: parts[1].number() as u8 }
        }
        Step::Cancel { .. } => Reply::Cancelled(match &*answer.optional_text().expect("a word") {
            "ended" => Cancelled::Ended,
            "told" => Cancelled::Told,
            "again" => Cancelled::Again,
            "none" => Cancelled::Nothing,
            "running" => Cancelled::Running,
            other => panic!("{other}"),
        }),
        Step::Answers { .. } => {
            // Nothing is lost here, so what is not known was answered before, or has not come yet.
            let found: Vec<_> = pairs(answer).into_iter().filter(|(_, text)| !text.is_empty()).collect();
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
