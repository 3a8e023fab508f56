use std::{
    io::Write as _,
    time::{Duration, Instant},
};

use tokio::{task::JoinSet, time::timeout};

use crate::{
    Result,
    process::Endpoint,
    sample::Sample,
    socket::{Socket, find},
};

/// How long after a round its last answers may arrive.
const DRAIN_TIMEOUT: Duration = Duration::from_secs(10);

/// A call to repeat.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Call {
    /// The text of a request after its id.
    pub rest: &'static str,
    /// A part of every right answer.
    pub answer: &'static str,
    /// A part of answers that count as refusals; any other answer is wrong.
    pub refusal: Option<&'static str>,
}

impl Call {
    /// A call that is never refused.
    pub(crate) const fn new(rest: &'static str, answer: &'static str) -> Self {
        Self { rest, answer, refusal: None }
    }
}

/// How many calls are in flight, and over how many connections.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Concurrency {
    /// Number of connections.
    pub connections: usize,
    /// Calls in flight on each connection.
    pub window: usize,
}

/// Repeats a call for `length`. The sample includes every answer.
pub(crate) async fn load(
    endpoint: &Endpoint,
    call: Call,
    concurrency: Concurrency,
    length: Duration,
) -> Result<Sample> {
    let mut sockets = Vec::with_capacity(concurrency.connections);
    for _ in 0..concurrency.connections {
        sockets.push(Socket::connect(endpoint.address, &endpoint.path).await?);
    }
    let start = Instant::now();
    let mut tasks = JoinSet::new();
    for socket in sockets {
        tasks.spawn(LoadConnection::new(socket, call, concurrency.window).run(start + length));
    }
    let (mut latencies, mut refused) = (Vec::new(), 0);
    let finish = async {
        while let Some(task) = tasks.join_next().await {
            let answers = task.map_err(|error| format!("a connection failed: {error}"))??;
            latencies.extend(answers.latencies);
            refused += answers.refused;
        }
        Ok::<_, String>(())
    };
    timeout(length + DRAIN_TIMEOUT, finish)
        .await
        .map_err(|_| "not all answers arrived after the round".to_owned())??;
    Ok(Sample::new(latencies, refused, start.elapsed()))
}

/// Makes one call on a new connection and returns its latency.
pub(crate) async fn once(endpoint: &Endpoint, call: Call) -> Result<Duration> {
    let socket = Socket::connect(endpoint.address, &endpoint.path).await?;
    // The deadline has passed, so no second call follows.
    let answers = timeout(DRAIN_TIMEOUT, LoadConnection::new(socket, call, 1).run(Instant::now()));
    let answers = answers.await.map_err(|_| "no answer arrived".to_owned())??;
    answers.latencies.first().copied().ok_or_else(|| "the call was refused".to_owned())
}

/// The answers on one connection.
struct Answers {
    /// Latencies of the right answers.
    latencies: Vec<Duration>,
    refused: u64,
}

struct LoadConnection {
    socket: Socket,
    call: Call,
    /// The id and send time of the call in each slot. A slot is the id modulo the window's length, so that an answer
    /// finds its call without a search.
    window: Vec<(usize, Instant)>,
    text: Vec<u8>,
}

impl LoadConnection {
    fn new(socket: Socket, call: Call, window: usize) -> Self {
        let now = Instant::now();
        Self {
            socket,
            call,
            window: (0..window).map(|id| (id, now)).collect(),
            text: Vec::with_capacity(256),
        }
    }

    /// Keeps the window full until the deadline, then waits for the calls in flight.
    async fn run(mut self, deadline: Instant) -> Result<Answers> {
        let (mut latencies, mut refused) = (Vec::with_capacity(1 << 10), 0);
        let mut answered: Vec<usize> = Vec::with_capacity(self.window.len());
        let mut in_flight = self.window.len();
        for slot in 0..self.window.len() {
            self.send(slot)?;
        }
        self.socket.flush().await?;
        while in_flight > 0 {
            self.socket.fill().await?;
            let now = Instant::now();
            let (window, call) = (&self.window, self.call);
            self.socket.texts(|text| {
                let (slot, sent, right) = match_answer(text, call, window)?;
                if right {
                    latencies.push(now - sent);
                } else {
                    refused += 1;
                }
                answered.push(slot);
                Ok(())
            })?;
            for slot in answered.drain(..) {
                self.window[slot].0 += self.window.len();
                if now < deadline {
                    self.send(slot)?;
                } else {
                    in_flight -= 1;
                }
            }
            self.socket.flush().await?;
        }
        Ok(Answers { latencies, refused })
    }

    fn send(&mut self, slot: usize) -> Result {
        let (id, sent) = &mut self.window[slot];
        self.text.clear();
        write!(self.text, "{{\"jsonrpc\":\"2.0\",\"id\":{id},{}", self.call.rest)
            .map_err(|error| error.to_string())?;
        *sent = Instant::now();
        self.socket.push(&self.text);
        Ok(())
    }
}

/// Returns the slot and send time of an answer's call, and whether the answer is right; it fails unless the answer is
/// right or a refusal, and its call is in flight.
fn match_answer(text: &[u8], call: Call, window: &[(usize, Instant)]) -> Result<(usize, Instant, bool)> {
    let wrong = || format!("a wrong answer: {}", String::from_utf8_lossy(text));
    let id = id(text).ok_or_else(wrong)?;
    let slot = id % window.len();
    let holds = |part: &str| find(text, part.as_bytes()).is_some();
    let right = holds(call.answer);
    match window.get(slot) {
        Some(&(expected, sent)) if expected == id && (right || call.refusal.is_some_and(holds)) => {
            Ok((slot, sent, right))
        }
        _ => Err(wrong()),
    }
}

fn id(text: &[u8]) -> Option<usize> {
    let digits = text.get(find(text, b"\"id\":")? + 5..)?;
    let end = digits.iter().position(|byte| !byte.is_ascii_digit())?;
    std::str::from_utf8(digits.get(..end)?).ok()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_right_answers_to_calls_in_flight_count() {
        let now = Instant::now();
        let window = [(4, now), (9, now), (2, now), (3, now)];
        let call = Call { refusal: Some("full"), ..Call::new("", "\"output\":\"42\"") };
        let check =
            |text: &str| match_answer(text.as_bytes(), call, &window).map(|(slot, _, right)| (slot, right));
        assert_eq!(check(r#"{"jsonrpc":"2.0","id":9,"result":{"output":"42"}}"#), Ok((1, true)));
        assert_eq!(
            check(r#"{"jsonrpc":"2.0","id":4,"result":{"task_id":"a","output":"42"}}"#),
            Ok((0, true))
        );
        assert_eq!(check(r#"{"jsonrpc":"2.0","id":2,"error":{"code":1,"message":"full"}}"#), Ok((2, false)));
        for text in [
            r#"{"jsonrpc":"2.0","id":5,"result":{"output":"42"}}"#,
            r#"{"jsonrpc":"2.0","id":9,"result":{"output":"43"}}"#,
            r#"{"jsonrpc":"2.0","id":9,"error":{"code":1,"message":"no"}}"#,
            r#"{"jsonrpc":"2.0","id":null,"error":{"code":1,"message":"no"}}"#,
            "",
        ] {
            assert!(check(text).is_err(), "{text}");
        }
    }
}
