use std::{any::Any, future::Future, panic::AssertUnwindSafe};

use futures_util::FutureExt as _;
use jsonrpsee::{
    MethodResponse,
    core::middleware::{Batch, Notification, Request, RpcServiceT},
};

use super::{each_call, unanswered};
use crate::fault::internal;

/// Answers −32603 for a handler that panics; without it the caller would wait for ever.
#[derive(Clone)]
pub struct Panics<S> {
    inner: S,
}

impl<S> Panics<S> {
    pub const fn new(inner: S) -> Self {
        Self { inner }
    }
}

impl<S> RpcServiceT for Panics<S>
where
    S: RpcServiceT<MethodResponse = MethodResponse> + Clone + Send + Sync + 'static,
{
    type MethodResponse = MethodResponse;
    type BatchResponse = Vec<MethodResponse>;
    type NotificationResponse = ();

    fn call<'a>(&self, request: Request<'a>) -> impl Future<Output = MethodResponse> + Send + 'a {
        let id = request.id.clone();
        // What a handler shares is behind locks that hold no broken state (see `Session` and `Store`), so
        // nothing half done is seen after the unwinding. A handler that panics before its first await does
        // so while its future is made or polled: both are inside.
        let inner = self.inner.clone();
        AssertUnwindSafe(async move { inner.call(request).await }).catch_unwind().map(|answer| {
            answer.unwrap_or_else(|panic| MethodResponse::error(id, internal(message(&*panic))))
        })
    }

    fn batch<'a>(&self, batch: Batch<'a>) -> impl Future<Output = Vec<MethodResponse>> + Send + 'a {
        each_call(self.clone(), batch)
    }

    fn notification<'a>(&self, notification: Notification<'a>) -> impl Future<Output = ()> + Send + 'a {
        unanswered(notification)
    }
}

fn message(panic: &(dyn Any + Send)) -> String {
    let text =
        panic.downcast_ref::<&str>().copied().or_else(|| panic.downcast_ref::<String>().map(String::as_str));
    format!("a handler panicked: {}", text.unwrap_or("no message"))
}

#[cfg(test)]
mod tests {
    use jsonrpsee::{
        Methods, RpcModule,
        types::{ErrorObjectOwned, Id},
    };

    use super::*;
    use crate::{
        auth::Transport,
        rpc::{Limits, module::Module},
    };

    fn service() -> Panics<Module> {
        let mut module = RpcModule::new(());
        module
            .register_async_method("later", |_, _, _| async {
                tokio::task::yield_now().await;
                panic!("secret cause");
                #[allow(unreachable_code)] // Tells the closure's type.
                Ok::<(), ErrorObjectOwned>(())
            })
            .unwrap();
        module
            .register_method("at_once", |params, (), _| {
                if params.len_bytes() < usize::MAX {
                    panic!("secret cause");
                }
                Ok::<(), ErrorObjectOwned>(())
            })
            .unwrap();
        let key = format!("{:064x}", 1).parse::<circles_auth::SecretKey>().unwrap().public_key();
        let session =
            crate::auth::Session::new(key, String::new(), Transport::WebSocket, std::time::Duration::ZERO);
        Panics::new(Module::new(Methods::from(module), session.into(), &Limits::default()))
    }

    #[tokio::test]
    async fn a_handler_that_panics_answers_with_an_id_and_no_cause() {
        for method in ["later", "at_once"] {
            let answer = service().call(Request::borrowed(method, None, Id::Number(7))).await;
            assert_eq!(answer.as_error_code(), Some(-32603), "{method}");
            let text = answer.as_json().get();
            assert!(text.contains("\"id\":7"), "{text}");
            assert!(!text.contains("secret"), "{text}");
        }
    }
}
