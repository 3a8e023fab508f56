//! Hostile calls: for each method the most expensive requests that its params allow.

use std::time::{Duration, Instant};

use circles_tests::{Raw, secret_key, soon};
use futures_util::future::join_all;
use serde_json::{Value, json};
use tokio_tungstenite::tungstenite::Message;

use super::site::{ALLOWED, DENIED, OWNER, STRANGER};

/// Connections of a load.
const CONNECTIONS: usize = 4;
/// Calls in flight on each connection.
const WINDOW: usize = 16;
/// Pause of an attacker after a refused connection: refusals are cheap, and the attack aims at the methods.
const PAUSE: Duration = Duration::from_millis(5);

/// A kind of caller, by its permissions in the attacked circle.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Caller {
    /// A connection that never logs in.
    Anonymous,
    /// A key that is on no access list.
    Stranger,
    /// A key on the access lists whose plays the policy denies.
    Denied,
    /// A key that may play and run.
    Allowed,
    /// The circle's own key.
    Owner,
}

/// Every kind of caller, by increasing permissions.
pub(super) const CALLERS: [Caller; 5] =
    [Caller::Anonymous, Caller::Stranger, Caller::Denied, Caller::Allowed, Caller::Owner];

impl Caller {
    fn key(self) -> Option<&'static str> {
        match self {
            Self::Anonymous => None,
            Self::Stranger => Some(STRANGER),
            Self::Denied => Some(DENIED),
            Self::Allowed => Some(ALLOWED),
            Self::Owner => Some(OWNER),
        }
    }

    /// Whether this caller may play.
    pub(super) fn may_play(self) -> bool {
        matches!(self, Self::Allowed | Self::Owner)
    }
}

/// Calls a method as fast as a few connections can for `time`, and returns the number of answers.
pub(super) async fn attack(url: &str, caller: Caller, method: &'static str, time: Duration) -> usize {
    let readers = (0..CONNECTIONS).map(|lane| read_answers(url, caller, method, lane, time));
    let (answers, ()) = tokio::join!(join_all(readers), never_read(url, caller, method, time));
    answers.into_iter().sum()
}

/// Calls on one connection, and on a new one whenever the server closes it; reads all answers. The time counts from the
/// first login.
async fn read_answers(url: &str, caller: Caller, method: &str, lane: usize, time: Duration) -> usize {
    let (mut answers, mut number) = (0, lane << 32);
    let mut next = connected(url, caller).await;
    let until = Instant::now() + time;
    while Instant::now() < until {
        let connection = match next.take() {
            Some(raw) => Some(raw),
            None => connected(url, caller).await,
        };
        let Some(mut raw) = connection else {
            tokio::time::sleep(PAUSE).await;
            continue;
        };
        let mut under_way = 0;
        loop {
            while under_way < WINDOW && Instant::now() < until {
                number += 1;
                let request = request(method, number);
                if raw.send_frame(Message::text(request)).await.is_err() {
                    break;
                }
                under_way += 1;
            }
            if under_way == 0 || raw.receive().await.is_none() {
                break;
            }
            answers += 1;
            under_way -= 1;
        }
    }
    answers
}

/// Calls on a connection without reading, until the server cuts it or stops reading too.
async fn never_read(url: &str, caller: Caller, method: &str, time: Duration) {
    let Some(mut raw) = connected(url, caller).await else { return };
    let until = Instant::now() + time;
    let mut number = usize::MAX >> 1;
    while Instant::now() < until {
        number += 1;
        let sent = raw.send_frame(Message::text(request(method, number)));
        match tokio::time::timeout_at(until.into(), sent).await {
            Ok(Ok(())) => {}
            Ok(Err(_)) | Err(_) => break,
        }
    }
}

/// A connection, logged in if the caller has a key; `None` if the server refuses it.
async fn connected(url: &str, caller: Caller) -> Option<Raw> {
    let mut raw = Raw::connect_with(url, &[]).await.ok()?;
    if let Some(name) = caller.key() {
        soon(raw.log_in(&secret_key(name))).await;
    }
    Some(raw)
}

/// The text of one call, or of a batch of cheap ones.
fn request(method: &str, number: usize) -> String {
    let call =
        |id: usize, params: Value| json!({ "jsonrpc": "2.0", "id": id, "method": method, "params": params });
    match method {
        "whoami" | "rpc.discover" | "scripts" => {
            Value::from_iter((0..50).map(|entry| call(number + entry, json!([])))).to_string()
        }
        _ => call(number, params(method, number)).to_string(),
    }
}

/// The most expensive params of a method.
fn params(method: &str, number: usize) -> Value {
    let key = secret_key(STRANGER).public_key().to_string();
    // The high bits vary too, so that ids spread over hash buckets.
    let task = format!("019a{:04x}-0000-7000-8000-{:012x}", number & 0xffff, number & 0xffff_ffff_ffff);
    match method {
        "fetch_nonce" => json!({ "pubkey": key }),
        "authenticate" => json!({ "pubkey": key, "signature": "1".repeat(128) }),
        "play" => {
            json!({ "script": script(number), "timeout_ms": 200, "idempotency_key": format!("k{number}") })
        }
        "run" if number.is_multiple_of(2) => {
            json!({ "name": "noop", "args": deep(60), "timeout_ms": 200, "idempotency_key": format!("r{number}") })
        }
        "run" => json!({ "name": format!("absent{number}"), "timeout_ms": 200 }),
        "submit" => {
            json!({ "script": script(number), "timeout_ms": 200, "idempotency_key": format!("s{number}") })
        }
        "task" => json!({ "task_id": task, "wait_ms": 100 }),
        "tasks" => json!({ "limit": 100, "state": "failed" }),
        "cancel" => json!({ "task_id": task }),
        "provenance" => json!({ "limit": 100 }),
        "watch_play" => json!({ "script": script(number), "timeout_ms": 200 }),
        "unwatch_play" => json!({ "subscription": format!("{number}") }),
        _ => json!([]),
    }
}

/// A script that needs time, memory or space when it is compiled, run, printed or dropped.
fn script(number: usize) -> String {
    match number % 8 {
        // Constant folding would need 16 GiB.
        0 => {
            let mut text = r#"const A0="xxxxxxxxxxxxxxxx";"#.to_owned();
            for level in 1..30 {
                text += &format!("const A{level}=A{0}+A{0};", level - 1);
            }
            text + "1"
        }
        1 => format!("{}1{}", "{".repeat(60), "}".repeat(60)),
        2 => "let x = []; loop { x.push(`${x.len()}`) }".to_owned(),
        3 => r#"loop { print("a line of a log that never ends") }"#.to_owned(),
        4 => format!("// {number}\n{}", "let a = 1; ".repeat(5_000)),
        5 => r#"let s = "x"; s.pad(900000, 'x'); s"#.to_owned(),
        6 => format!("db::set(`n/${{TASK}}`, {number}); 1"),
        _ => "loop {}".to_owned(),
    }
}

/// Nested arrays.
fn deep(levels: usize) -> Value {
    (0..levels).fold(json!(1), |value, _| json!([value]))
}
