use std::future::{Future, IntoFuture};

use futures_util::FutureExt as _;

use crate::{Client, Error};

#[cfg(not(target_arch = "wasm32"))]
pub type Boxed<'a, T> = futures_util::future::BoxFuture<'a, T>;
#[cfg(target_arch = "wasm32")]
pub type Boxed<'a, T> = futures_util::future::LocalBoxFuture<'a, T>;

#[cfg(not(target_arch = "wasm32"))]
pub fn boxed<'a, T>(future: impl Future<Output = T> + Send + 'a) -> Boxed<'a, T> {
    future.boxed()
}

#[cfg(target_arch = "wasm32")]
pub fn boxed<'a, T>(future: impl Future<Output = T> + 'a) -> Boxed<'a, T> {
    future.boxed_local()
}

/// A call to be sent: awaited, it brings the answer.
#[must_use = "a call is not sent until it is awaited"]
pub struct Call<'a, P> {
    client: &'a Client,
    params: Result<P, Error>,
}

/// What a call asks for, and how it is sent.
pub trait Ask: Sized {
    /// What it brings.
    type Answer;

    /// Sends it, again if it may be repeated.
    fn send(self, client: &Client) -> Boxed<'_, Result<Self::Answer, Error>>;
}

impl<'a, P> Call<'a, P> {
    pub(crate) const fn new(client: &'a Client, params: Result<P, Error>) -> Self {
        Self { client, params }
    }

    /// Sets a param; the first that is wrong is what the call will say.
    pub(crate) fn with(
        mut self,
        param: &'static str,
        set: impl FnOnce(&mut P) -> Result<(), Box<dyn std::error::Error>>,
    ) -> Self {
        self.params = self.params.and_then(|mut params| match set(&mut params) {
            Ok(()) => Ok(params),
            Err(cause) => Err(argument(param, cause)),
        });
        self
    }
}

pub fn argument(param: &'static str, cause: impl std::fmt::Display) -> Error {
    Error::Argument { param, cause: cause.to_string() }
}

impl<'a, P: Ask> IntoFuture for Call<'a, P>
where
    P::Answer: Send + 'a,
{
    type Output = Result<P::Answer, Error>;
    type IntoFuture = Boxed<'a, Self::Output>;

    fn into_future(self) -> Self::IntoFuture {
        match self.params {
            Ok(params) => params.send(self.client),
            Err(error) => boxed(std::future::ready(Err(error))),
        }
    }
}
