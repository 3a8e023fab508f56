use std::{
    any::Any,
    panic::AssertUnwindSafe,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
};

use circles_api::Error;
use futures_util::FutureExt as _;
use jsonrpsee::{
    MethodCallback, MethodResponse, Methods,
    core::server::ConnectionId,
    types::{Params, Request},
};

use super::{guard::authorize_call, params, subscriptions::Subscriptions};
use crate::{auth::Session, error::internal, limits::Limits};

/// Answers the calls of one connection, or of one POST.
///
/// One function and no tower layers: single calls and entries of a batch take the same steps in the same order, and
/// layers would add a batch and a notification method that no call reaches. The registry, the callbacks and the
/// answers are jsonrpsee's; its own service can only be built by its socket loop, which this server does not use
/// (see `connection.rs`).
#[derive(Clone)]
pub(crate) struct Handler {
    methods: Methods,
    session: Arc<Session>,
    limits: Limits,
    require_login: bool,
    /// Tells connections apart in jsonrpsee's table of subscriptions, which they share.
    connection: ConnectionId,
    subscriptions: Subscriptions,
}

impl Handler {
    /// Returns the handler of a new connection. `require_login` is the server's `--auth`.
    pub(crate) fn new(methods: Methods, session: Arc<Session>, limits: Limits, require_login: bool) -> Self {
        static CONNECTIONS: AtomicUsize = AtomicUsize::new(0);
        let connection = ConnectionId(CONNECTIONS.fetch_add(1, Ordering::Relaxed));
        let subscriptions = Subscriptions::new(connection, &limits);
        Self { methods, session, limits, require_login, connection, subscriptions }
    }

    /// Answers a call: panic guard, session, param names, the method, error mapping.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future drops the call, which cancels its play unless it has an idempotency key.
    pub(crate) async fn handle(&self, request: Request<'_>) -> MethodResponse {
        let id = request.id.clone();
        let steps = async {
            let Some(method) = circles_api::method(request.method_name()) else {
                return MethodResponse::error(request.id, Error::MethodNotFound);
            };
            let text = request.params.clone();
            let text = text.as_ref().map(|text| text.get());
            let checked = authorize_call(method, &self.session, self.require_login)
                .and_then(|()| params::check(method, text));
            if let Err(error) = checked {
                return MethodResponse::error(request.id, error);
            }
            params::map_error(self.call(request).await, method, &id, text)
        };
        // State shared by handlers is behind locks under which nothing panics (see `Session` and `Store`), so a panic
        // leaves no broken state behind.
        let answer = AssertUnwindSafe(steps).catch_unwind().await;
        answer.unwrap_or_else(|panic| MethodResponse::error(id, internal(panic_message(&*panic))))
    }

    /// Calls the method of the generated trait by its name.
    async fn call(&self, request: Request<'_>) -> MethodResponse {
        let Request { id, method, params, mut extensions, .. } = request;
        let params = Params::new(params.as_ref().map(|params| params.get()));
        // jsonrpsee passes the session on to the method.
        extensions.insert(self.session.clone());
        let max_answer = self.limits.answer_bytes;
        match self.methods.method(&method) {
            Some(MethodCallback::Async(method)) => {
                method(id.into_owned(), params.into_owned(), self.connection, max_answer, extensions).await
            }
            Some(MethodCallback::Sync(method)) => method(id, params, max_answer, extensions),
            Some(MethodCallback::Subscription(method)) => {
                self.subscriptions.subscribe(method, id, params, extensions).await
            }
            Some(MethodCallback::Unsubscription(method)) => {
                self.subscriptions.unsubscribe(method, id, &params, extensions)
            }
            None => MethodResponse::error(id, Error::MethodNotFound),
        }
    }

    /// The session of the connection.
    pub(crate) fn session(&self) -> &Session {
        &self.session
    }

    /// The limits of the connection.
    pub(crate) const fn limits(&self) -> &Limits {
        &self.limits
    }

    /// Returns whether the connection must log in.
    pub(crate) const fn requires_login(&self) -> bool {
        self.require_login
    }

    /// Returns the limit that a message of so many bytes exceeds, if any.
    pub(crate) fn exceeded_by_message(&self, bytes: usize) -> Option<usize> {
        self.exceeded(bytes, self.limits.message_bytes)
    }

    /// Returns the limit that answers of so many bytes to one message exceed, if any.
    pub(crate) fn exceeded_by_answer(&self, bytes: usize) -> Option<usize> {
        self.exceeded(bytes, self.limits.answer_bytes)
    }

    fn exceeded(&self, bytes: usize, limit: usize) -> Option<usize> {
        let before_login = limit.min(self.limits.bytes_before_login);
        // Most texts are short and need no look at the session.
        if bytes <= before_login {
            return None;
        }
        let limit = if self.session.allows_long_texts(self.require_login) { limit } else { before_login };
        (bytes > limit).then_some(limit)
    }
}

fn panic_message(panic: &(dyn Any + Send)) -> String {
    let text =
        panic.downcast_ref::<&str>().copied().or_else(|| panic.downcast_ref::<String>().map(String::as_str));
    format!("a handler panicked: {}", text.unwrap_or("no message"))
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use jsonrpsee::{
        RpcModule,
        types::{ErrorObjectOwned, Id},
    };

    use super::*;
    use crate::auth::Transport;

    /// A handler whose `play` panics after its first await, and whose `whoami` panics at once.
    fn panicking_handler() -> Handler {
        let mut module = RpcModule::new(());
        module
            .register_async_method("play", |_, _, _| async {
                tokio::task::yield_now().await;
                panic!("secret cause");
                #[allow(unreachable_code)] // Sets the closure's type.
                Ok::<(), ErrorObjectOwned>(())
            })
            .unwrap();
        module
            .register_method("whoami", |params, (), _| {
                if params.len_bytes() < usize::MAX {
                    panic!("secret cause");
                }
                Ok::<(), ErrorObjectOwned>(())
            })
            .unwrap();
        let key = format!("{:064x}", 1).parse::<circles_auth::SecretKey>().unwrap().public_key();
        let session = Session::new(key, String::new(), Transport::WebSocket, Duration::ZERO);
        Handler::new(module.into(), session.into(), Limits::default(), false)
    }

    #[tokio::test]
    async fn panic_answers_with_call_id_and_hides_cause() {
        for method in ["play", "whoami"] {
            let answer = panicking_handler().handle(Request::borrowed(method, None, Id::Number(7))).await;
            assert_eq!(answer.as_error_code(), Some(-32603), "{method}");
            let text = answer.as_json().get();
            assert!(text.contains("\"id\":7"), "{text}");
            assert!(!text.contains("secret"), "{text}");
        }
    }
}
