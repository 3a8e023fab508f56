//! Examples of a document as tests.

use serde::{Serialize, de::DeserializeOwned};
use serde_json::Value;

use crate::same;

/// A server that examples are played against.
pub trait Live {
    /// Calls a method and returns its result or its error object.
    fn call(&mut self, method: &str, params: Value) -> impl Future<Output = Result<Value, Value>>;

    /// Returns the values that the document made up, such as ids, each with the server's value in its place.
    fn stand_ins(&self) -> Vec<(Value, Value)> {
        Vec::new()
    }
}

/// An example pairing of the document.
#[derive(Clone, Copy, Debug)]
pub struct Example {
    /// The method that is called.
    pub method: &'static str,
    /// The name of the pairing.
    pub name: &'static str,
    /// Its place: file and JSON pointer.
    pub place: &'static str,
    /// A condition to bring about before the call, in the document's words: `x-given`.
    pub given: Option<&'static str>,
    /// The params, as JSON text.
    pub params: &'static str,
    /// The result or the error object, as JSON text.
    pub answer: Result<&'static str, &'static str>,
    /// JSON pointers to parts of the answer that differ from time to time: only their types are compared.
    pub varies: &'static [&'static str],
    /// Checks that a result, or the data of an error, is one of its type.
    #[doc(hidden)]
    pub reads: fn(Value) -> Result<(), serde_json::Error>,
}

impl Example {
    /// Plays the example: the answer must be of its type, and equal to the document's except where it varies.
    ///
    /// # Errors
    ///
    /// How the answer differs from the document.
    pub async fn hold(&self, live: &mut impl Live) -> Result<(), String> {
        let stand_ins = live.stand_ins();
        let here = |text: &str| {
            let value = serde_json::from_str(text).map_err(|error| format!("{}: {error}", self.place))?;
            Ok::<_, String>(substitute(value, &stand_ins))
        };
        let answer = live.call(self.method, here(self.params)?).await;
        let differs = |answer: &Value, expected: &Value, why: &str| {
            let given = self.given.map(|given| format!(", given that {given}")).unwrap_or_default();
            Err(format!("{} `{}`{given}: {answer} came, not {expected}{why}", self.place, self.name))
        };
        let (mut came, mut expected) = match (answer, self.answer) {
            (Ok(came), Ok(text)) | (Err(came), Err(text)) => (came, here(text)?),
            (Ok(came) | Err(came), Ok(text) | Err(text)) => return differs(&came, &here(text)?, ""),
        };
        let typed = if self.answer.is_ok() { Some(&came) } else { came.get("data") };
        if let Some(Err(error)) = typed.map(|typed| (self.reads)(typed.clone())) {
            return differs(&came, &expected, &format!(": {error}"));
        }
        for pointer in self.varies {
            if let (Some(came), Some(expected)) = (came.pointer_mut(pointer), expected.pointer_mut(pointer)) {
                came.take();
                expected.take();
            }
        }
        if same(&came, &expected) { Ok(()) } else { differs(&came, &expected, "") }
    }
}

/// Replaces each value that the document made up by the server's.
fn substitute(value: Value, stand_ins: &[(Value, Value)]) -> Value {
    if let Some((_, here)) = stand_ins.iter().find(|(made_up, _)| *made_up == value) {
        return here.clone();
    }
    match value {
        Value::Array(items) => items.into_iter().map(|item| substitute(item, stand_ins)).collect(),
        Value::Object(members) => {
            members.into_iter().map(|(name, member)| (name, substitute(member, stand_ins))).collect()
        }
        value => value,
    }
}

/// Checks that a value is one of a type and that the type keeps all of it: it is the same when it is written again.
pub fn reads<T: Serialize + DeserializeOwned>(value: Value) -> Result<(), serde_json::Error> {
    let written = serde_json::to_value(serde_json::from_value::<T>(value.clone())?)?;
    if same(&written, &value) {
        return Ok(());
    }
    Err(serde::de::Error::custom(format_args!("its type reads it as {written}")))
}

/// Notes in `faults` an example that its type cannot read, or that is another value when it is written again.
pub fn survives<T: Serialize + DeserializeOwned>(place: &str, text: &str, faults: &mut Vec<String>) {
    let value = serde_json::from_str::<T>(text);
    let written = value.and_then(|value| serde_json::to_value(&value));
    let expected = serde_json::from_str::<Value>(text);
    match (written, expected) {
        (Ok(written), Ok(expected)) if same(&written, &expected) => {}
        (Ok(written), _) => faults.push(format!("{place}: {text} became {written}")),
        (Err(error), _) => faults.push(format!("{place}: {error}: {text}")),
    }
}
