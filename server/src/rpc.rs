//! From a call to its answer: the layers every call passes, and the methods of `openrpc.json`.

mod args;
mod document;
mod feed;
mod limits;
mod methods;
mod module;
mod panics;
mod params;
mod watch;

use std::sync::Arc;

use circles_api::CirclesServer as _;
use futures_util::FutureExt as _;
use jsonrpsee::{
    MethodResponse, Methods,
    core::middleware::{Batch, BatchEntry, Notification, RpcServiceT},
};

pub use self::{
    document::DISCOVER,
    feed::{Change, Feed},
    limits::Limits,
};
use self::{methods::Rpc, module::Module, panics::Panics, params::Params};
use crate::{
    auth::{Guard, Session},
    dispatch::Dispatch,
};

/// Every method, as they are called by name.
pub fn methods(dispatch: Dispatch) -> Methods {
    let mut module = Rpc::new(dispatch).into_rpc();
    document::share(&mut module);
    module.into()
}

/// What every call on a connection passes: a panic becomes an answer, the guard decides, params are checked,
/// the method runs.
pub type Stack = Panics<Guard<Params<Module>>>;

/// Builds the layers of one connection.
pub fn stack(methods: Methods, session: Arc<Session>, auth: bool, limits: &Limits) -> Stack {
    let module = Module::new(methods, session.clone(), limits);
    Panics::new(Guard::new(Params::new(module), session, auth))
}

/// A batch, run in order by the same service that runs single calls, so that no layer can be passed by.
pub async fn each_call<S>(service: S, batch: Batch<'_>) -> Vec<MethodResponse>
where
    S: RpcServiceT<MethodResponse = MethodResponse> + Send + Sync,
{
    let mut answers = Vec::with_capacity(batch.len());
    for entry in batch {
        match entry {
            Ok(BatchEntry::Call(request)) => answers.push(service.call(request).boxed().await),
            Ok(BatchEntry::Notification(_)) => {}
            Err(refused) => {
                let (error, id) = refused.into_parts();
                answers.push(MethodResponse::error(id, error));
            }
        }
    }
    answers
}

/// JSON-RPC forbids an answer to a notification, and nothing here is worth doing unheard: it is dropped.
pub async fn unanswered(_: Notification<'_>) {}
