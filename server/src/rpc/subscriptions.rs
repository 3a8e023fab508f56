use std::{
    future::Future,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use circles_api::{Fault, types::SubscriptionId};
use futures_util::{FutureExt as _, future::Either};
use jsonrpsee::{
    Extensions, MethodCallback, MethodResponse, Methods,
    core::{
        id_providers::RandomIntegerIdProvider,
        middleware::{Batch, Notification, Request, RpcServiceT},
        server::{BoundedSubscriptions, ConnectionId, MethodSink, SubscriptionMethod, SubscriptionState},
        traits::IdProvider,
    },
    types::{ErrorCode, ErrorObject, Id, Params, SubscriptionId as AnyId},
};
use serde_json::Value;
use tokio::sync::mpsc;

use super::{Change, Feed, Limits, each_call, unanswered};
use crate::{auth::Session, fault::retry_after};

/// Notifications of one subscription that wait for their connection; while there are as many, the play waits.
const WAITING: usize = 16;
/// When a client that has too many subscriptions should ask again.
const RETRY: Duration = Duration::from_millis(500);

/// Where layers end: calls the method of the generated trait by its name.
///
/// jsonrpsee's own end of the stack can only be built by its socket loop, which this server does not use (see
/// `connection.rs`); the registry, the callbacks and the answers are jsonrpsee's.
#[derive(Clone)]
pub struct Module {
    methods: Methods,
    session: Arc<Session>,
    max_response: usize,
    subscriptions: BoundedSubscriptions,
    /// jsonrpsee keeps the subscriptions of all connections in one table: this tells them apart.
    connection: ConnectionId,
}

impl Module {
    /// Calls `methods` for `session`. An answer that is too long becomes an error.
    pub fn new(methods: Methods, session: Arc<Session>, limits: &Limits) -> Self {
        static CONNECTIONS: AtomicUsize = AtomicUsize::new(0);
        Self {
            methods,
            session,
            max_response: limits.answer_bytes,
            subscriptions: BoundedSubscriptions::new(limits.subscriptions),
            connection: ConnectionId(CONNECTIONS.fetch_add(1, Ordering::Relaxed)),
        }
    }

    /// Begins a subscription. Its feed travels with the answer; if nobody takes it up, the subscription ends.
    fn subscribe(
        &self,
        method: &SubscriptionMethod<'static>,
        id: Id<'_>,
        params: Params<'_>,
        extensions: Extensions,
    ) -> impl Future<Output = MethodResponse> + Send + use<> {
        let name = Name::random();
        let begun = self.subscriptions.acquire().zip(name).map(|(permit, name)| {
            let state = SubscriptionState {
                conn_id: self.connection,
                id_provider: &name,
                subscription_permit: permit,
            };
            let (sender, notifications) = mpsc::channel(WAITING);
            let answer = method(id.clone(), params, MethodSink::new(sender), state, extensions);
            (answer, Feed::new(name.0, notifications))
        });
        let id = id.into_owned();
        async move {
            let Some((answer, mut feed)) = begun else {
                return MethodResponse::error(
                    id,
                    circles_api::Error::from(Fault::RateLimited(retry_after(RETRY))),
                );
            };
            let mut answer = answer.await;
            if answer.is_success() {
                feed.skip_answer();
                answer.extensions_mut().insert(Change::Begun(Arc::new(feed)));
            }
            answer
        }
    }

    /// jsonrpsee takes the id by position only, and takes what is no id for one that it does not know.
    fn unsubscribe(
        &self,
        method: &UnsubscriptionMethod,
        id: Id<'_>,
        params: &Params<'_>,
        extensions: Extensions,
    ) -> MethodResponse {
        let Some(name) = one_param(params) else {
            return MethodResponse::error(id, ErrorObject::from(ErrorCode::InvalidParams));
        };
        let position = format!("[{name}]");
        let params = Params::new(Some(&position));
        let mut answer = method(id, params, self.connection, self.max_response, extensions);
        answer.extensions_mut().insert(Change::Ended(name));
        answer
    }
}

/// As jsonrpsee, which keeps it to itself, spells it.
type UnsubscriptionMethod =
    Arc<dyn Send + Sync + Fn(Id, Params, ConnectionId, usize, Extensions) -> MethodResponse>;

/// The name of a subscription, known before it begins.
#[derive(Debug)]
struct Name(SubscriptionId);

impl Name {
    /// One that nobody guesses and every JavaScript can hold.
    fn random() -> Option<Self> {
        match RandomIntegerIdProvider.next_id() {
            AnyId::Num(number) => SubscriptionId::try_from(number).ok().map(Self),
            AnyId::Str(_) => None,
        }
    }
}

impl IdProvider for Name {
    fn next_id(&self) -> AnyId<'static> {
        AnyId::Num(self.0.get())
    }
}

/// The only param of a method that ends subscriptions, by position or by its name, which was checked before.
fn one_param(params: &Params<'_>) -> Option<SubscriptionId> {
    let mut params = match params.parse().ok()? {
        Value::Array(params) => params,
        Value::Object(params) => params.into_iter().map(|(_, param)| param).collect(),
        _ => return None,
    };
    params.pop().filter(|_| params.is_empty()).and_then(|id| serde_json::from_value(id).ok())
}

impl RpcServiceT for Module {
    type MethodResponse = MethodResponse;
    type BatchResponse = Vec<MethodResponse>;
    type NotificationResponse = ();

    fn call<'a>(&self, request: Request<'a>) -> impl Future<Output = MethodResponse> + Send + 'a {
        let Request { id, method, params, mut extensions, .. } = request;
        let params = Params::new(params.as_ref().map(|params| params.get()));
        // jsonrpsee hands extensions to methods.
        extensions.insert(self.session.clone());
        match self.methods.method(&method) {
            Some(MethodCallback::Async(method)) => Either::Right(method(
                id.into_owned(),
                params.into_owned(),
                self.connection,
                self.max_response,
                extensions,
            )),
            Some(MethodCallback::Sync(method)) => {
                Either::Left(std::future::ready(method(id, params, self.max_response, extensions)))
            }
            Some(MethodCallback::Subscription(method)) => {
                Either::Right(self.subscribe(method, id, params, extensions).boxed())
            }
            Some(MethodCallback::Unsubscription(method)) => {
                Either::Left(std::future::ready(self.unsubscribe(method, id, &params, extensions)))
            }
            None => {
                let error = ErrorObject::from(ErrorCode::MethodNotFound);
                Either::Left(std::future::ready(MethodResponse::error(id, error)))
            }
        }
    }

    fn batch<'a>(&self, batch: Batch<'a>) -> impl Future<Output = Vec<MethodResponse>> + Send + 'a {
        each_call(self.clone(), batch)
    }

    fn notification<'a>(&self, notification: Notification<'a>) -> impl Future<Output = ()> + Send + 'a {
        unanswered(notification)
    }
}
