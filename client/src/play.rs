use std::{future::IntoFuture, ops::Deref, time::Duration};

use circles_api::{PlayParams, types::PlayResult};
use futures_util::FutureExt as _;
use serde::{Serialize, de::DeserializeOwned};

use crate::{Client, Error};

/// Bytes of the arguments as JSON. With the longest script, fully escaped, they fill the 2 MiB of a message that
/// servers take; a longer one would cost the connection and every call on it.
const MAX_ARGS: usize = 3 << 19;

/// A play to be sent: awaited, it brings what the script leaves.
#[must_use = "a play is not sent until it is awaited"]
pub struct Play<'a> {
    client: &'a Client,
    params: Result<PlayParams, Error>,
}

impl<'a> Play<'a> {
    pub(crate) fn new(client: &'a Client, script: String) -> Self {
        let script = script.try_into().map_err(|cause| argument("script", cause));
        let params =
            script.map(|script| PlayParams { script, args: None, timeout_ms: None, idempotency_key: None });
        Self { client, params }
    }

    /// What the script sees as `ARGS`: anything that has a JSON form.
    pub fn args(self, args: &(impl Serialize + ?Sized)) -> Self {
        self.with("args", |params| {
            let args = serde_json::to_value(args)?;
            if args.to_string().len() > MAX_ARGS {
                return Err(format!("must be at most {MAX_ARGS} bytes as JSON").into());
            }
            params.args = Some(args);
            Ok(())
        })
    }

    /// How long the play may take from acceptance, from 1 ms to a day. The server may allow less.
    pub fn timeout(self, timeout: Duration) -> Self {
        self.with("timeout_ms", |params| {
            params.timeout_ms = Some(u64::try_from(timeout.as_millis())?.try_into()?);
            Ok(())
        })
    }

    /// Makes the call safe to repeat: within 24 hours, the same call with the same key is answered with the
    /// first outcome. 1 to 128 printable ASCII characters. The client then repeats it by itself when the
    /// connection breaks.
    pub fn idempotency_key(self, key: impl Into<String>) -> Self {
        self.with("idempotency_key", |params| {
            params.idempotency_key = Some(key.into().try_into()?);
            Ok(())
        })
    }

    fn with(
        mut self,
        param: &'static str,
        set: impl FnOnce(&mut PlayParams) -> Result<(), Box<dyn std::error::Error>>,
    ) -> Self {
        self.params = self.params.and_then(|mut params| match set(&mut params) {
            Ok(()) => Ok(params),
            Err(cause) => Err(argument(param, cause)),
        });
        self
    }

    async fn send(self) -> Result<Played, Error> {
        self.client.send_play(self.params?).await.map(Played)
    }
}

fn argument(param: &'static str, cause: impl std::fmt::Display) -> Error {
    Error::Argument { param, cause: cause.to_string() }
}

#[cfg(not(target_arch = "wasm32"))]
impl<'a> IntoFuture for Play<'a> {
    type Output = Result<Played, Error>;
    type IntoFuture = futures_util::future::BoxFuture<'a, Self::Output>;

    fn into_future(self) -> Self::IntoFuture {
        self.send().boxed()
    }
}

#[cfg(target_arch = "wasm32")]
impl<'a> IntoFuture for Play<'a> {
    type Output = Result<Played, Error>;
    type IntoFuture = futures_util::future::LocalBoxFuture<'a, Self::Output>;

    fn into_future(self) -> Self::IntoFuture {
        self.send().boxed_local()
    }
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
