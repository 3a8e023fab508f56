use std::{sync::Arc, time::Duration};

use circles_api::{Error, Fault, types::SubscriptionId};
use jsonrpsee::{
    Extensions, MethodResponse,
    core::{
        id_providers::RandomIntegerIdProvider,
        server::{BoundedSubscriptions, ConnectionId, MethodSink, SubscriptionMethod, SubscriptionState},
        traits::IdProvider,
    },
    types::{ErrorCode, ErrorObject, Id, Params, SubscriptionId as AnyId},
};
use serde_json::Value;
use tokio::sync::mpsc;

use super::feed::{Feed, SubscriptionChange};
use crate::{error::retry_after, limits::Limits};

/// Notifications of one subscription that wait for their connection. The play waits while there are as many.
const FEED_CAPACITY: usize = 16;
/// The wait before a client with too many subscriptions should retry: the time in which a short play ends.
pub(crate) const SUBSCRIPTION_RETRY_AFTER: Duration = Duration::from_millis(500);

/// Starts and ends the subscriptions of one connection.
#[derive(Clone)]
pub(crate) struct Subscriptions {
    connection: ConnectionId,
    permits: BoundedSubscriptions,
    max_answer: usize,
}

impl Subscriptions {
    pub(crate) fn new(connection: ConnectionId, limits: &Limits) -> Self {
        let permits = BoundedSubscriptions::new(limits.subscriptions);
        Self { connection, permits, max_answer: limits.answer_bytes }
    }

    /// Starts a subscription. Its feed travels with the answer; dropping the feed ends the subscription.
    pub(crate) async fn subscribe(
        &self,
        method: &SubscriptionMethod<'static>,
        id: Id<'_>,
        params: Params<'_>,
        extensions: Extensions,
    ) -> MethodResponse {
        let Some((permit, name)) = self.permits.acquire().zip(FixedId::random()) else {
            let error = Error::from(Fault::RateLimited(retry_after(SUBSCRIPTION_RETRY_AFTER)));
            return MethodResponse::error(id, error);
        };
        let (sender, notifications) = mpsc::channel(FEED_CAPACITY);
        let state =
            SubscriptionState { conn_id: self.connection, id_provider: &name, subscription_permit: permit };
        let mut answer = method(id, params, MethodSink::new(sender), state, extensions).await;
        if answer.is_success() {
            let mut feed = Feed::new(name.0, notifications);
            feed.skip_answer();
            answer.extensions_mut().insert(SubscriptionChange::Started(Arc::new(feed)));
        }
        answer
    }

    /// Ends a subscription. jsonrpsee reads the id by position only, and takes a value that is no id for an unknown
    /// one; so the id is read here.
    pub(crate) fn unsubscribe(
        &self,
        method: &UnsubscriptionMethod,
        id: Id<'_>,
        params: &Params<'_>,
        extensions: Extensions,
    ) -> MethodResponse {
        let Some(subscription) = only_param(params) else {
            return MethodResponse::error(id, ErrorObject::from(ErrorCode::InvalidParams));
        };
        let position = format!("[{subscription}]");
        let params = Params::new(Some(&position));
        let mut answer = method(id, params, self.connection, self.max_answer, extensions);
        answer.extensions_mut().insert(SubscriptionChange::Ended(subscription));
        answer
    }
}

/// jsonrpsee's type of the same name, which is private.
type UnsubscriptionMethod =
    Arc<dyn Send + Sync + Fn(Id, Params, ConnectionId, usize, Extensions) -> MethodResponse>;

/// The id of a subscription, known before it starts.
#[derive(Debug)]
struct FixedId(SubscriptionId);

impl FixedId {
    /// Draws an id that cannot be guessed and that JavaScript's numbers can represent.
    fn random() -> Option<Self> {
        match RandomIntegerIdProvider.next_id() {
            AnyId::Num(number) => SubscriptionId::try_from(number).ok().map(Self),
            AnyId::Str(_) => None,
        }
    }
}

impl IdProvider for FixedId {
    fn next_id(&self) -> AnyId<'static> {
        AnyId::Num(self.0.get())
    }
}

/// Reads the only param of a method, by position or by its name, which was checked before.
fn only_param(params: &Params<'_>) -> Option<SubscriptionId> {
    let mut params = match params.parse().ok()? {
        Value::Array(params) => params,
        Value::Object(params) => params.into_iter().map(|(_, param)| param).collect(),
        _ => return None,
    };
    params.pop().filter(|_| params.is_empty()).and_then(|id| serde_json::from_value(id).ok())
}
