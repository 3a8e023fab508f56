use std::{
    io::Write as _,
    time::{Duration, Instant},
};

use tokio::{task::JoinSet, time::timeout};

use crate::{
    Result,
    process::Place,
    sample::Sample,
    socket::{Socket, find},
};

/// How long answers may be outstanding once a round is over.
const DRAIN: Duration = Duration::from_secs(10);

/// A call made over and over.
#[derive(Clone, Copy, Debug)]
pub struct Call {
    /// What a request's text holds behind its id.
    pub rest: &'static str,
    /// What each right answer holds.
    pub answer: &'static str,
    /// What an answer holds that is counted apart; any other is wrong.
    pub refusal: Option<&'static str>,
}

impl Call {
    /// A call that has one right answer.
    pub const fn new(rest: &'static str, answer: &'static str) -> Self {
        Self { rest, answer, refusal: None }
    }
}

/// How calls are spread.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Shape {
    /// Connections, each a task of its own.
    pub connections: usize,
    /// Calls under way at a time on each.
    pub window: usize,
}

/// Calls a circle for `length`; the sample holds every answer that came.
pub async fn load(place: &Place, call: Call, shape: Shape, length: Duration) -> Result<Sample> {
    let mut sockets = Vec::with_capacity(shape.connections);
    for _ in 0..shape.connections {
        sockets.push(Socket::connect(place.address, &place.path).await?);
    }
    let start = Instant::now();
    let mut tasks = JoinSet::new();
    for socket in sockets {
        tasks.spawn(Connection::new(socket, call, shape.window).run(start + length));
    }
    let (mut latencies, mut refused) = (Vec::new(), 0);
    let finish = async {
        while let Some(task) = tasks.join_next().await {
            let answers = task.map_err(|error| format!("a connection: {error}"))??;
            latencies.extend(answers.latencies);
            refused += answers.refused;
        }
        Ok::<_, String>(())
    };
    timeout(length + DRAIN, finish)
        .await
        .map_err(|_| "answers were missing after the round".to_owned())??;
    Ok(Sample::new(latencies, refused, start.elapsed()))
}

/// Calls once on a connection of its own; how long the answer took.
pub async fn once(place: &Place, call: Call) -> Result<Duration> {
    let socket = Socket::connect(place.address, &place.path).await?;
    // A deadline that has passed: nothing follows the first call.
    let answers = timeout(DRAIN, Connection::new(socket, call, 1).run(Instant::now()));
    let answers = answers.await.map_err(|_| "an answer was missing".to_owned())??;
    answers.latencies.first().copied().ok_or_else(|| "the only answer was a refusal".to_owned())
}

/// What came back on one connection.
struct Answers {
    /// How long each right answer took.
    latencies: Vec<Duration>,
    refused: u64,
}

struct Connection {
    socket: Socket,
    call: Call,
    /// The call under way in each place of the window: its id and when it was sent. An id is its place modulo the
    /// window, so that an answer finds its call by counting.
    window: Vec<(usize, Instant)>,
    text: Vec<u8>,
}

impl Connection {
    fn new(socket: Socket, call: Call, window: usize) -> Self {
        let now = Instant::now();
        Self {
            socket,
            call,
            window: (0..window).map(|id| (id, now)).collect(),
            text: Vec::with_capacity(256),
        }
    }

    /// Keeps the window full until the deadline, then waits for what is under way.
    async fn run(mut self, deadline: Instant) -> Result<Answers> {
        let (mut latencies, mut refused) = (Vec::with_capacity(1 << 10), 0);
        let mut answered: Vec<usize> = Vec::with_capacity(self.window.len());
        let mut under_way = self.window.len();
        for place in 0..self.window.len() {
            self.send(place)?;
        }
        self.socket.flush().await?;
        while under_way > 0 {
            self.socket.fill().await?;
            let now = Instant::now();
            let (window, call) = (&self.window, self.call);
            self.socket.texts(|text| {
                let (place, sent, right) = match_answer(text, call, window)?;
                if right {
                    latencies.push(now - sent);
                } else {
                    refused += 1;
                }
                answered.push(place);
                Ok(())
            })?;
            for place in answered.drain(..) {
                self.window[place].0 += self.window.len();
                if now < deadline {
                    self.send(place)?;
                } else {
                    under_way -= 1;
                }
            }
            self.socket.flush().await?;
        }
        Ok(Answers { latencies, refused })
    }

    fn send(&mut self, place: usize) -> Result {
        let (id, sent) = &mut self.window[place];
        self.text.clear();
        write!(self.text, "{{\"jsonrpc\":\"2.0\",\"id\":{id},{}", self.call.rest)
            .map_err(|error| error.to_string())?;
        *sent = Instant::now();
        self.socket.push(&self.text);
        Ok(())
    }
}

/// The place of an answer's call, when that was sent and whether it is the right answer or a refusal; a failure if
/// it is neither, or to no call under way.
fn match_answer(text: &[u8], call: Call, window: &[(usize, Instant)]) -> Result<(usize, Instant, bool)> {
    let wrong = || format!("a wrong answer: {}", String::from_utf8_lossy(text));
    let id = id(text).ok_or_else(wrong)?;
    let place = id % window.len();
    let holds = |part: &str| find(text, part.as_bytes()).is_some();
    let right = holds(call.answer);
    match window.get(place) {
        Some(&(expected, sent)) if expected == id && (right || call.refusal.is_some_and(holds)) => {
            Ok((place, sent, right))
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
    fn only_the_right_answer_to_a_call_under_way_counts() {
        let now = Instant::now();
        let window = [(4, now), (9, now), (2, now), (3, now)];
        let call = Call { refusal: Some("full"), ..Call::new("", "\"output\":\"42\"") };
        let check =
            |text: &str| match_answer(text.as_bytes(), call, &window).map(|(place, _, right)| (place, right));
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
