use std::{ops::Deref, time::Duration};

use circles_api::{
    CirclesClient as _,
    types::{IdempotencyKey, PlayResult, Retries, Script, ScriptName, TaskId, TimeoutMs},
};
use serde::{Serialize, de::DeserializeOwned};
use serde_json::Value;

use crate::{
    Client, Error,
    call::{Ask, Boxed, Call, argument, boxed},
};

/// Bytes of the arguments as JSON. With the longest script, fully escaped, they fill the 2 MiB of a message that
/// servers take; a longer one would cost the connection and every call on it.
const MAX_ARGS: usize = 3 << 19;
/// How long an answer may take beyond a play's own time limit.
const MARGIN: Duration = Duration::from_secs(5);

/// A play to be sent: awaited, it brings what the script leaves.
pub type Play<'a> = Call<'a, ToPlay>;

/// A task to be accepted: awaited, it brings its id. From then on it runs also if this client goes away.
pub type Submission<'a> = Call<'a, ToSubmit>;

/// What is to be played.
#[derive(Clone)]
pub enum Source {
    Script(Script),
    Name(ScriptName),
}

/// A script and all that may be said of how to play it: what a [`Play`], a [`Submission`] and a
/// [`Watch`](crate::Watch) have in common.
#[derive(Clone)]
pub struct Order {
    pub(crate) source: Source,
    pub(crate) args: Option<Value>,
    pub(crate) timeout_ms: Option<TimeoutMs>,
    idempotency_key: Option<IdempotencyKey>,
    retries: Option<Retries>,
}

/// An order whose end is awaited.
pub struct ToPlay(Order);
/// An order to be accepted.
pub struct ToSubmit(Order);

impl Source {
    pub fn of_script(script: impl Into<String>) -> Result<Self, Error> {
        script.into().try_into().map(Self::Script).map_err(|cause| argument("script", cause))
    }

    pub fn of_name(name: impl Into<String>) -> Result<Self, Error> {
        name.into().try_into().map(Self::Name).map_err(|cause| argument("name", cause))
    }
}

impl Source {
    /// The params `script` and `name`, of which a call has one.
    pub fn either(self) -> (Option<Script>, Option<ScriptName>) {
        match self {
            Self::Script(script) => (Some(script), None),
            Self::Name(name) => (None, Some(name)),
        }
    }
}

impl From<Source> for Order {
    fn from(source: Source) -> Self {
        Self { source, args: None, timeout_ms: None, idempotency_key: None, retries: None }
    }
}

impl From<Source> for ToPlay {
    fn from(source: Source) -> Self {
        Self(source.into())
    }
}

impl From<Source> for ToSubmit {
    fn from(source: Source) -> Self {
        Self(source.into())
    }
}

impl AsMut<Order> for ToPlay {
    fn as_mut(&mut self) -> &mut Order {
        &mut self.0
    }
}

impl AsMut<Order> for ToSubmit {
    fn as_mut(&mut self) -> &mut Order {
        &mut self.0
    }
}

impl<P: AsMut<Order>> Call<'_, P> {
    /// What the script sees as `ARGS`: anything that has a JSON form.
    pub fn args(self, args: &(impl Serialize + ?Sized)) -> Self {
        self.with("args", |order| {
            let args = serde_json::to_value(args)?;
            if args.to_string().len() > MAX_ARGS {
                return Err(format!("must be at most {MAX_ARGS} bytes as JSON").into());
            }
            order.as_mut().args = Some(args);
            Ok(())
        })
    }

    /// How long the play may take from acceptance, from 1 ms to a day. The server may allow less.
    pub fn timeout(self, timeout: Duration) -> Self {
        self.with("timeout_ms", |order| {
            order.as_mut().timeout_ms = Some(u64::try_from(timeout.as_millis())?.try_into()?);
            Ok(())
        })
    }
}

/// Calls that may carry an idempotency key.
pub trait Keyed: AsMut<Order> {}

impl Keyed for ToPlay {}
impl Keyed for ToSubmit {}

impl<P: Keyed> Call<'_, P> {
    /// Makes the call safe to repeat: within 24 hours, the same call with the same key is answered with the
    /// first outcome. 1 to 128 printable ASCII characters. The client then repeats it by itself when the
    /// connection breaks.
    pub fn idempotency_key(self, key: impl Into<String>) -> Self {
        self.with("idempotency_key", |order| {
            order.as_mut().idempotency_key = Some(key.into().try_into()?);
            Ok(())
        })
    }
}

impl Submission<'_> {
    /// How often the task may be run again after a crash although it may have had outside effects; at most 10,
    /// 0 by default.
    pub fn retries(self, retries: u64) -> Self {
        self.with("retries", |order| {
            order.0.retries = Some(retries.try_into()?);
            Ok(())
        })
    }
}

impl Ask for ToPlay {
    type Answer = Played;

    fn send(self, client: &Client) -> Boxed<'_, Result<Played, Error>> {
        let order = self.0;
        // Always sent, and waited for longer: the server's answer to a late play says more than our silence.
        let timeout_ms = order.timeout_ms.unwrap_or_else(|| milliseconds(client.timeout()));
        let limit = answer_limit(timeout_ms);
        let repeatable = order.idempotency_key.is_some();
        boxed(async move {
            let limit = limit.max(client.timeout());
            let played = client.call(limit, repeatable, |rpc| {
                let Order { source, args, idempotency_key, .. } = order.clone();
                async move {
                    match source {
                        Source::Script(script) => {
                            rpc.play(script, args, Some(timeout_ms), idempotency_key).await
                        }
                        Source::Name(name) => rpc.run(name, args, Some(timeout_ms), idempotency_key).await,
                    }
                }
            });
            played.await.map(Played)
        })
    }
}

impl Ask for ToSubmit {
    type Answer = TaskId;

    fn send(self, client: &Client) -> Boxed<'_, Result<TaskId, Error>> {
        let order = self.0;
        let repeatable = order.idempotency_key.is_some();
        boxed(async move {
            let submitted = client.call(client.timeout(), repeatable, |rpc| {
                let Order { source, args, timeout_ms, idempotency_key, retries } = order.clone();
                let (script, name) = source.either();
                async move { rpc.submit(script, name, args, timeout_ms, idempotency_key, retries).await }
            });
            submitted.await.map(|submitted| submitted.task_id)
        })
    }
}

/// How long the answer to a play with this time limit may take: some seconds more.
pub fn answer_limit(timeout_ms: TimeoutMs) -> Duration {
    Duration::from_millis(timeout_ms.get().into()) + MARGIN
}

/// A duration as the interface's time limit, which is from a millisecond to a day.
pub fn milliseconds(duration: Duration) -> TimeoutMs {
    let millis = u64::try_from(duration.as_millis()).unwrap_or(u64::MAX).max(1);
    TimeoutMs::try_from(millis).unwrap_or(TimeoutMs::MAX)
}

/// What a script that succeeded left.
#[derive(Clone, Debug, PartialEq)]
pub struct Played(pub PlayResult);

impl Played {
    /// The script's value as a type of one's own.
    pub fn value<T: DeserializeOwned>(&self) -> Result<T, Error> {
        T::deserialize(&self.0.value).map_err(|error| Error::Decode(error.to_string()))
    }
}

/// Output, logs, statistics and the task's id.
impl Deref for Played {
    type Target = PlayResult;

    fn deref(&self) -> &PlayResult {
        &self.0
    }
}
