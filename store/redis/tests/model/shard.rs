//! A shard of a real Redis, where the real scripts repeat what the model does.

use circles_testing::RedisReply;
use serde_json::json;

use super::{
    redis::Published,
    resp::{Connection, pairs},
    scenario::{Id, Node, Outcome, Scenario},
    step::{Cancelled, Looked, Reply, Settled, Step, Submitted, Which},
    world::Event,
};

/// Longer than any test. The test changes stored times instead of waiting.
pub(crate) const FOREVER_MS: u64 = 3_600_000;
pub(crate) const CIRCLE: &str = "c";
pub(crate) const KEY: &str = "c::k";
/// The anonymous caller in keys and words.
pub(crate) const ANONYMOUS: &str = "-";
const OUTCOMES: [Outcome; 5] =
    [Outcome::Succeeded, Outcome::Failed, Outcome::TimedOut, Outcome::Cancelled, Outcome::Lost];

/// The scripts of the steps by file name, and the shared part before each.
pub(crate) struct Scripts {
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
    pub(crate) fn real() -> Self {
        scripts!("submit", "claim", "mark", "settle", "renew", "reap", "cancel", "answers", "look")
    }

    /// Returns the scripts with a text that occurs once replaced by another.
    pub(crate) fn changed(name: &str, from: &str, to: &str) -> Self {
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

/// Returns the name of the script of a step.
pub(crate) const fn script_of(step: &Step) -> &'static str {
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

pub(crate) struct Shard<'a> {
    pub scenario: &'a Scenario,
    pub scripts: &'a Scripts,
    pub commands: &'a mut Connection,
    /// Receives what is published to servers.
    pub messages: &'a mut Connection,
    pub name: String,
}

pub(crate) fn task(id: Id) -> String {
    format!("t{id}")
}

pub(crate) fn worker(node: Node) -> String {
    format!("w{node}")
}

pub(crate) fn server(node: Node) -> String {
    format!("s{node}")
}

/// Returns the key of the circle's retry lock.
pub(crate) fn retry_lock() -> String {
    format!(":way:{CIRCLE}")
}

pub(crate) fn number(name: &str) -> u8 {
    name.get(1..).and_then(|digits| digits.parse().ok()).unwrap_or_else(|| panic!("{name} is no name"))
}

/// Parses an outcome, with or without the times that precede it in messages to servers.
pub(crate) fn outcome(text: &str) -> Outcome {
    let name = text.rsplit(' ').next().unwrap_or_default().trim_matches('"');
    OUTCOMES.into_iter().find(|outcome| format!("{outcome:?}") == name).unwrap_or_else(|| panic!("{text}"))
}

pub(crate) fn small(text: &str) -> u8 {
    text.parse().unwrap_or_else(|_| panic!("{text} is no small number"))
}

impl Shard<'_> {
    /// Applies an event of the model. Returns the script's reply and what it published.
    pub(crate) fn apply(&mut self, event: &Event) -> Option<(Reply, Published)> {
        match event {
            Event::Step(step, ..) => {
                let text = self.scripts.text(script_of(step));
                let mut script: Vec<Vec<u8>> = ["EVAL", &text, "1", &self.name].map(Into::into).into();
                script.extend(self.arguments(step));
                // The retry lock must not expire before the model says so.
                let persist: Vec<Vec<u8>> = ["PERSIST", &self.key(&retry_lock())].map(Into::into).into();
                let whole = [vec![b"MULTI".to_vec()], script, persist, vec![b"EXEC".to_vec()]];
                let answer = self.commands.ask_all(&whole).pop().expect("an answer").list().swap_remove(0);
                return Some((reply(step, answer), self.published()));
            }
            Event::LeaseEnds(node) => {
                self.ask(&["ZADD", ":leases", "XX", "0", &worker(*node)]);
            }
            Event::DeadlinePasses(id) => {
                let text = self.ask(&["HGET", ":live", &task(*id)]).optional_text().expect("a task");
                let (_, rest) = text.split_once(' ').expect("words");
                self.ask(&["HSET", ":live", &task(*id), &format!("0 {rest}")]);
            }
            Event::RetryLockExpires => {
                self.ask(&["DEL", &retry_lock()]);
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

    pub(crate) fn key(&self, rest: &str) -> String {
        format!("{}{rest}", self.name)
    }

    /// Returns the metadata of a submitted task, as the store writes it.
    fn known(&self, id: Id) -> String {
        let call = self.scenario.call(id);
        let mut known = json!({
            "circle": CIRCLE, "caller": "", "accepted": 0, "timeout": FOREVER_MS, "pool": "",
            "kept": call.is_remembered(), "remember": FOREVER_MS, "submitted": call.is_submitted(),
            "retries": call.retries(),
        });
        if call.key {
            known["key"] = json!(KEY);
        }
        if call.is_remembered() {
            known["most"] = json!(FOREVER_MS);
        }
        known.to_string()
    }

    /// Returns the arguments of a step, as its script documents them.
    fn arguments(&self, step: &Step) -> Vec<Vec<u8>> {
        let texts = match step {
            Step::Submit { server: node, acknowledged, task: id } => {
                let most = "1000".to_owned();
                let count = acknowledged.iter().count().to_string();
                let mut texts = vec![server(*node), most.clone(), most, count];
                texts.extend(acknowledged.iter().map(task));
                if let Some(id) = id {
                    let call = self.scenario.call(*id);
                    let flags = match (call.is_remembered(), call.is_submitted()) {
                        (_, true) => "ks",
                        (true, false) => "k",
                        (false, false) => "-",
                    };
                    let (key, name) = if call.key { (KEY, "call") } else { ("", "") };
                    let words = [
                        &*task(*id),
                        CIRCLE,
                        ANONYMOUS,
                        &FOREVER_MS.to_string(),
                        flags,
                        "",
                        &self.known(*id),
                        "body",
                        key,
                        name,
                        if call.is_remembered() { "1000 1000000" } else { "" },
                    ];
                    texts.extend(words.map(str::to_owned));
                }
                texts
            }
            Step::Claim { worker: node, number, most } => {
                let numbers = [number.to_string(), most.to_string(), FOREVER_MS.to_string()];
                let mut texts = vec![worker(*node)];
                texts.extend(numbers);
                texts.extend([String::new(), "0".to_owned()]);
                texts
            }
            Step::Mark { task: id, worker: node, epoch } => vec![task(*id), worker(*node), epoch.to_string()],
            Step::Settle { worker: node, task: id, epoch, outcome, read, side_effect } => {
                let is_nested = *epoch == 0;
                let received = if is_nested { self.known(*id) } else { String::new() };
                let epoch = if is_nested { String::new() } else { epoch.to_string() };
                let texts = [worker(*node), task(*id), epoch, received, format!("\"{outcome:?}\"")];
                let mut arguments: Vec<Vec<u8>> = texts.map(Into::into).into();
                arguments.push(self.how(*id, *outcome, *read, *side_effect));
                return arguments;
            }
            Step::Renew { worker: node, back } => {
                let mut texts = vec![worker(*node), FOREVER_MS.to_string()];
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
            Step::Answers { server: node, tasks } => {
                let mut texts = vec![server(*node)];
                texts.extend(tasks.iter().map(task));
                texts
            }
            Step::Look { task: id, server: node } => {
                vec![task(*id), CIRCLE.to_owned(), server(*node), String::new()]
            }
        };
        texts.into_iter().map(String::into_bytes).collect()
    }

    /// Packs the details of a settlement as the store does. A play that writes increments `n`.
    fn how(&self, id: Id, outcome: Outcome, read: Option<u8>, side_effect: bool) -> Vec<u8> {
        let call = self.scenario.call(id);
        let leaves = read.is_some() || side_effect || call.is_submitted();
        if !leaves && !call.is_remembered() && !call.is_nested() {
            return Vec::new();
        }
        let (read, keys) =
            (read.map_or(json!(false), |read| json!(read)), if read.is_some() { vec!["n"] } else { vec![] });
        let writes: Vec<String> = keys.iter().flat_map(|key| [(*key).to_owned(), task(id)]).collect();
        let ranges: [&str; 0] = [];
        rmp_serde::to_vec(&(
            format!("{outcome:?}"),
            leaves,
            false,
            read,
            keys,
            ranges,
            writes,
            FOREVER_MS,
            false,
        ))
        .expect("MessagePack")
    }

    /// Returns what was published since the last call.
    fn published(&mut self) -> Published {
        let mut published = Published::default();
        self.messages.send(&["PING"]);
        loop {
            let message = self.messages.receive().list();
            match &message[..] {
                [RedisReply::Bytes(kind), _, channel, RedisReply::Bytes(packed)] if kind == b"pmessage" => {
                    let channel = channel.optional_text().expect("a channel");
                    let (shard, received): (String, Vec<String>) =
                        rmp_serde::from_slice(packed).expect("MessagePack");
                    assert_eq!(shard, self.name);
                    let node = channel.strip_prefix("circles:server:").expect("a server's channel");
                    for pair in received.chunks_exact(2) {
                        outcome(&pair[1]);
                        published[usize::from(number(node))].insert(number(&pair[0]));
                    }
                }
                _ => return published,
            }
        }
    }
}

/// Parses the reply of a script.
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
            "overtaken" => Settled::Conflict,
            "later" => Settled::Locked,
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
            "told" => Cancelled::Interrupted,
            "again" => Cancelled::Repeated,
            "none" => Cancelled::Nothing,
            "running" => Cancelled::Running,
            other => panic!("{other}"),
        }),
        Step::Answers { .. } => {
            // No answer is lost here: a missing one was acknowledged, or has not arrived.
            let found: Vec<_> = pairs(answer).into_iter().filter(|(_, text)| !text.is_empty()).collect();
            Reply::Answered(found.iter().map(|(id, text)| (number(id), outcome(text))).collect())
        }
        Step::Look { .. } => Reply::Looked(match &answer.texts()[..] {
            [] => Looked::Unknown,
            [_, _, _, _, ended, _] if !ended.is_empty() => Looked::Ended(outcome(ended)),
            _ => Looked::InProgress,
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
