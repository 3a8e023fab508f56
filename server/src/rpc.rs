//! From a call to its answer: the one [`Handler`] that every call passes, and the methods of `openrpc.json`.

mod args;
mod document;
mod feed;
mod guard;
mod handler;
mod methods;
mod params;
mod subscriptions;
mod watch;

pub(crate) use self::{
    document::DISCOVER,
    feed::{Feed, SubscriptionChange},
    handler::Handler,
    methods::methods,
};
