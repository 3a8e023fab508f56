//! A subscription is three names of the document: the method that starts it, its notification, and the method that
//! ends it, which jsonrpsee answers by itself.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use crate::{
    document::{Document, DocumentMethod, Subscription},
    error::Faults,
};

/// Checks the subscriptions of a document.
pub(super) fn check(document: &Document<'_>, faults: &mut Faults) {
    let mut users =
        document.methods.iter().map(|method| (&method.name, "a method")).collect::<BTreeMap<_, _>>();
    let mut ends = BTreeMap::new();
    for (method, subscription) in document.subscriptions() {
        if !method.connection {
            let problem = "a subscription needs a connection: expected \"x-connection\": true on the method";
            subscription.node.fault(faults, problem);
        }
        let name = &subscription.notification;
        if let Some(user) = users.insert(name, "the notification of another subscription") {
            subscription
                .node
                .member_or_self("notification")
                .fault(faults, format!("`{name}` is already {user}"));
        }
        let name = &subscription.unsubscribe;
        if let Some(other) = ends.insert(name, &method.name) {
            let problem = format!("`{name}` already ends the subscriptions of `{other}`");
            subscription.node.member_or_self("unsubscribe").fault(faults, problem);
        }
        match document.methods.iter().find(|method| method.name == *name) {
            None => {
                subscription.node.member_or_self("unsubscribe").fault(faults, format!("no method `{name}`"));
            }
            Some(end) => self::end(end, method, subscription, faults),
        }
    }
}

/// Checks the method that ends a subscription: it takes the id that the other method answered, and answers a boolean.
fn end(
    end: &DocumentMethod<'_>,
    method: &DocumentMethod<'_>,
    subscription: &Subscription<'_>,
    faults: &mut Faults,
) {
    if end.subscription.is_some() {
        let problem = format!("`{}` starts subscriptions itself", end.name);
        subscription.node.member_or_self("unsubscribe").fault(faults, problem);
        return;
    }
    if !end.connection {
        let problem = "it ends a subscription, which needs a connection: expected \"x-connection\": true";
        end.node.fault(faults, problem);
    }
    let result = method.result.as_ref().map(|result| bare(result.value));
    match end.params.as_slice() {
        [id] if id.required && Some(bare(id.schema.value)) == result => {}
        _ => {
            let problem =
                format!("expected one param, required, with the schema of the result of `{}`", method.name);
            end.node.member_or_self("params").fault(faults, problem);
        }
    }
    let answer = end.result.as_ref().filter(|answer| bare(answer.value) != json!({ "type": "boolean" }));
    if let Some(answer) = answer {
        answer.fault(faults, "it ends a subscription: expected a schema of type boolean");
    }
}

/// A schema without its annotations.
fn bare(schema: &Value) -> Value {
    let mut bare = schema.clone();
    if let Some(schema) = bare.as_object_mut() {
        schema.retain(|key, _| !super::is_annotation(key));
    }
    bare
}
