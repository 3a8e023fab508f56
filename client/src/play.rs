use std::{ops::Deref, time::Duration};

use circles_api::{
    CirclesClient as _,
    types::{IdempotencyKey, PlayResult, Retries, Script, ScriptName, TaskId, TimeoutMs},
};
use serde::{Serialize, de::DeserializeOwned};
use serde_json::Value;

use crate::{
    Client, Error,
    call::{BoxFuture, Call, Request, boxed, invalid_argument},
};

/// Bytes of the arguments as JSON. Together with the longest script, fully escaped, they fill the 2 MiB message that
/// servers accept; a longer message would cost the connection and every call on it.
const MAX_ARGS_BYTES: usize = 3 << 19;
/// How much later than a play's deadline its answer may arrive.
const ANSWER_MARGIN: Duration = Duration::from_secs(5);

/// A call that plays a script and returns its result.
pub type Play<'a> = Call<'a, PlayRequest>;

/// A call that submits a task and returns its id once the server has accepted it. The task then runs even if this
/// client disconnects.
pub type Submission<'a> = Call<'a, SubmitRequest>;

/// A script, or the name of one in the circle's library.
#[derive(Clone)]
pub enum Source {
    Script(Script),
    Name(ScriptName),
}

/// A script and its options: the part that a [`Play`], a [`Submission`] and a [`Watch`](crate::Watch) have in common.
#[derive(Clone)]
pub struct ScriptRequest {
    pub(crate) source: Source,
    pub(crate) args: Option<Value>,
    pub(crate) timeout_ms: Option<TimeoutMs>,
    idempotency_key: Option<IdempotencyKey>,
    retries: Option<Retries>,
}

/// A request to play a script; the response is its result.
pub struct PlayRequest(ScriptRequest);
/// A request to submit a script; the response is the task's id.
pub struct SubmitRequest(ScriptRequest);

impl Source {
    pub fn script(script: impl Into<String>) -> Result<Self, Error> {
        script.into().try_into().map(Self::Script).map_err(|cause| invalid_argument("script", cause))
    }

    pub fn name(name: impl Into<String>) -> Result<Self, Error> {
        name.into().try_into().map(Self::Name).map_err(|cause| invalid_argument("name", cause))
    }

    /// Returns the params `script` and `name`; exactly one of them is set.
    pub fn into_params(self) -> (Option<Script>, Option<ScriptName>) {
        match self {
            Self::Script(script) => (Some(script), None),
            Self::Name(name) => (None, Some(name)),
        }
    }
}

impl From<Source> for ScriptRequest {
    fn from(source: Source) -> Self {
        Self { source, args: None, timeout_ms: None, idempotency_key: None, retries: None }
    }
}

impl From<Source> for PlayRequest {
    fn from(source: Source) -> Self {
        Self(source.into())
    }
}

impl From<Source> for SubmitRequest {
    fn from(source: Source) -> Self {
        Self(source.into())
    }
}

impl AsMut<ScriptRequest> for PlayRequest {
    fn as_mut(&mut self) -> &mut ScriptRequest {
        &mut self.0
    }
}

impl AsMut<ScriptRequest> for SubmitRequest {
    fn as_mut(&mut self) -> &mut ScriptRequest {
        &mut self.0
    }
}

impl<R: AsMut<ScriptRequest>> Call<'_, R> {
    /// Sets the script's `ARGS`: any value that has a JSON form.
    pub fn args(self, args: &(impl Serialize + ?Sized)) -> Self {
        self.with("args", |request| {
            let args = serde_json::to_value(args)?;
            if args.to_string().len() > MAX_ARGS_BYTES {
                return Err(format!("must be at most {MAX_ARGS_BYTES} bytes as JSON").into());
            }
            request.as_mut().args = Some(args);
            Ok(())
        })
    }

    /// Sets the play's deadline, counted from its acceptance, from 1 ms to a day. The server may allow less.
    pub fn timeout(self, timeout: Duration) -> Self {
        self.with("timeout_ms", |request| {
            request.as_mut().timeout_ms = Some(u64::try_from(timeout.as_millis())?.try_into()?);
            Ok(())
        })
    }
}

/// Requests that may carry an idempotency key.
pub trait Idempotent: AsMut<ScriptRequest> {}

impl Idempotent for PlayRequest {}
impl Idempotent for SubmitRequest {}

impl<R: Idempotent> Call<'_, R> {
    /// Makes the call safe to repeat: within 24 hours, the server answers the same call with the same key with the
    /// first outcome. The key is 1 to 128 printable ASCII characters. With a key, the client repeats the call when the
    /// connection breaks.
    pub fn idempotency_key(self, key: impl Into<String>) -> Self {
        self.with("idempotency_key", |request| {
            request.as_mut().idempotency_key = Some(key.into().try_into()?);
            Ok(())
        })
    }
}

impl Submission<'_> {
    /// Sets how often the task may run again after a crash even if it has had side effects; at most 10, 0 by default.
    pub fn retries(self, retries: u64) -> Self {
        self.with("retries", |request| {
            request.0.retries = Some(retries.try_into()?);
            Ok(())
        })
    }
}

impl Request for PlayRequest {
    type Response = PlayResponse;

    fn send(self, client: &Client) -> BoxFuture<'_, Result<PlayResponse, Error>> {
        let request = self.0;
        // The server learns the deadline, and the client waits a little longer: the server's answer to a late play
        // says more than a timeout here.
        let timeout_ms = request.timeout_ms.unwrap_or_else(|| milliseconds(client.timeout()));
        let limit = answer_limit(timeout_ms);
        let repeatable = request.idempotency_key.is_some();
        boxed(async move {
            let limit = limit.max(client.timeout());
            let result = client.call(limit, repeatable, |rpc| {
                let ScriptRequest { source, args, idempotency_key, .. } = request.clone();
                async move {
                    match source {
                        Source::Script(script) => {
                            rpc.play(script, args, Some(timeout_ms), idempotency_key).await
                        }
                        Source::Name(name) => rpc.run(name, args, Some(timeout_ms), idempotency_key).await,
                    }
                }
            });
            result.await.map(PlayResponse)
        })
    }
}

impl Request for SubmitRequest {
    type Response = TaskId;

    fn send(self, client: &Client) -> BoxFuture<'_, Result<TaskId, Error>> {
        let request = self.0;
        let repeatable = request.idempotency_key.is_some();
        boxed(async move {
            let submitted = client.call(client.timeout(), repeatable, |rpc| {
                let ScriptRequest { source, args, timeout_ms, idempotency_key, retries } = request.clone();
                let (script, name) = source.into_params();
                async move { rpc.submit(script, name, args, timeout_ms, idempotency_key, retries).await }
            });
            submitted.await.map(|submitted| submitted.task_id)
        })
    }
}

/// How long to wait for the answer to a play with this deadline.
pub(crate) fn answer_limit(timeout_ms: TimeoutMs) -> Duration {
    Duration::from_millis(timeout_ms.get().into()) + ANSWER_MARGIN
}

/// Converts a duration to the interface's time limit, clamped to 1 ms and a day.
pub(crate) fn milliseconds(duration: Duration) -> TimeoutMs {
    let millis = u64::try_from(duration.as_millis()).unwrap_or(u64::MAX).max(1);
    TimeoutMs::try_from(millis).unwrap_or(TimeoutMs::MAX)
}

/// The result of a script that succeeded.
#[derive(Clone, Debug, PartialEq)]
pub struct PlayResponse(pub PlayResult);

impl PlayResponse {
    /// Decodes the script's value.
    ///
    /// # Errors
    ///
    /// [`Error::Decode`] if the value does not fit `T`.
    pub fn value<T: DeserializeOwned>(&self) -> Result<T, Error> {
        T::deserialize(&self.0.value).map_err(|error| Error::Decode(error.to_string()))
    }
}

/// Output, logs, statistics and the task's id.
impl Deref for PlayResponse {
    type Target = PlayResult;

    fn deref(&self) -> &PlayResult {
        &self.0
    }
}
