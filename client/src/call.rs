use std::future::{Future, IntoFuture};

use futures_util::FutureExt as _;

use crate::{Client, Error};

#[cfg(not(target_arch = "wasm32"))]
pub(crate) type BoxFuture<'a, T> = futures_util::future::BoxFuture<'a, T>;
#[cfg(target_arch = "wasm32")]
pub(crate) type BoxFuture<'a, T> = futures_util::future::LocalBoxFuture<'a, T>;

#[cfg(not(target_arch = "wasm32"))]
pub(crate) fn boxed<'a, T>(future: impl Future<Output = T> + Send + 'a) -> BoxFuture<'a, T> {
    future.boxed()
}

#[cfg(target_arch = "wasm32")]
pub(crate) fn boxed<'a, T>(future: impl Future<Output = T> + 'a) -> BoxFuture<'a, T> {
    future.boxed_local()
}

/// A call that is sent when it is awaited; the await returns the response.
#[must_use = "a call is not sent until it is awaited"]
pub struct Call<'a, R> {
    client: &'a Client,
    request: Result<R, Error>,
}

/// A request that a [`Call`] sends.
pub trait Request: Sized {
    /// The value that a successful call returns.
    type Response;

    /// Sends the request, and sends it again after a lost connection if a second run does no harm.
    fn send(self, client: &Client) -> BoxFuture<'_, Result<Self::Response, Error>>;
}

impl<'a, R> Call<'a, R> {
    pub(crate) const fn new(client: &'a Client, request: Result<R, Error>) -> Self {
        Self { client, request }
    }

    /// Sets a param. The call fails with the first param that is invalid.
    pub(crate) fn with(
        mut self,
        param: &'static str,
        set: impl FnOnce(&mut R) -> Result<(), Box<dyn std::error::Error>>,
    ) -> Self {
        self.request = self.request.and_then(|mut request| match set(&mut request) {
            Ok(()) => Ok(request),
            Err(cause) => Err(invalid_argument(param, cause)),
        });
        self
    }
}

pub(crate) fn invalid_argument(param: &'static str, cause: impl std::fmt::Display) -> Error {
    Error::Argument { param, cause: cause.to_string() }
}

impl<'a, R: Request> IntoFuture for Call<'a, R>
where
    R::Response: Send + 'a,
{
    type Output = Result<R::Response, Error>;
    type IntoFuture = BoxFuture<'a, Self::Output>;

    fn into_future(self) -> Self::IntoFuture {
        match self.request {
            Ok(request) => request.send(self.client),
            Err(error) => boxed(std::future::ready(Err(error))),
        }
    }
}
