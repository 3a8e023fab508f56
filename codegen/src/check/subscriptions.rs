//! A subscription is three names of the document: the method that begins it, its notification, and the method that
//! ends it, which jsonrpsee answers by itself.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use crate::{
    document::{Document, Method, Subscription},
    error::Faults,
    json::step,
};

/// Checks the subscriptions of a document.
pub(super) fn check(document: &Document, faults: &mut Faults) {
    let mut users =
        document.methods.iter().map(|method| (&method.name, "a method")).collect::<BTreeMap<_, _>>();
    let mut ends = BTreeMap::new();
    for (method, subscription) in document.subscriptions() {
        if !method.connection {
            let problem = "a subscription needs a connection: expected \"x-connection\": true beside it";
            faults.add(&subscription.pointer, problem);
        }
        let name = &subscription.notification;
        if let Some(user) = users.insert(name, "the notification of another subscription") {
            faults.add(step(&subscription.pointer, "notification"), format!("`{name}` is {user} already"));
        }
        let name = &subscription.unsubscribe;
        if let Some(other) = ends.insert(name, &method.name) {
            let problem = format!("`{name}` ends the subscriptions of `{other}` already");
            faults.add(step(&subscription.pointer, "unsubscribe"), problem);
        }
        match document.methods.iter().find(|method| method.name == *name) {
            None => faults.add(step(&subscription.pointer, "unsubscribe"), format!("no method `{name}`")),
            Some(end) => self::end(end, method, subscription, faults),
        }
    }
}

/// The method that ends a subscription takes what the other one answered, and answers whether there was one.
fn end(end: &Method, method: &Method, subscription: &Subscription, faults: &mut Faults) {
    if end.subscription.is_some() {
        let problem = format!("`{}` begins subscriptions itself", end.name);
        faults.add(step(&subscription.pointer, "unsubscribe"), problem);
        return;
    }
    if !end.connection {
        let problem = "it ends a subscription, which needs a connection: expected \"x-connection\": true";
        faults.add(&end.pointer, problem);
    }
    match end.params.as_slice() {
        [id] if id.required && bare(&id.schema.value) == bare(&method.result.value) => {}
        _ => {
            let problem =
                format!("expected one param, required, with the schema of the result of `{}`", method.name);
            faults.add(step(&end.pointer, "params"), problem);
        }
    }
    if bare(&end.result.value) != json!({ "type": "boolean" }) {
        faults.add(&end.result.pointer, "it ends a subscription: expected a schema of type boolean");
    }
}

/// A schema without what it says to people.
fn bare(schema: &Value) -> Value {
    let mut bare = schema.clone();
    if let Some(schema) = bare.as_object_mut() {
        schema.retain(|key, _| !super::is_annotation(key));
    }
    bare
}
