//! Example pairings, and what `x-error`, `x-given` and `x-varies` add to them.

use serde_json::Value;

use super::DocumentReader;
use crate::{
    document::{Example, ExampleParam},
    resolve::Node,
};

impl<'a> DocumentReader<'_> {
    pub(super) fn examples(&mut self, node: &Node<'a>) -> Vec<Example> {
        self.list(node, "examples", false).iter().map(|pairing| self.example(pairing)).collect()
    }

    fn example(&mut self, pairing: &Node<'a>) -> Example {
        let params = self.list(pairing, "params", true);
        let result = pairing.get("result").and_then(|result| self.resolved(&result));
        let result = result.and_then(|result| result.get("value")).map(|value| value.value.clone());
        let error = self.example_error(pairing);
        let varies = match error.as_ref().or(result.as_ref()) {
            Some(answer) => self.varies(pairing, answer),
            None => Vec::new(),
        };
        Example {
            place: pairing.place(),
            name: pairing.text("name").unwrap_or_default().to_owned(),
            params: params.iter().filter_map(|param| self.example_param(param)).collect(),
            result,
            error,
            given: self.text(pairing, "x-given"),
            varies,
        }
    }

    fn example_param(&mut self, node: &Node<'a>) -> Option<ExampleParam> {
        let name = self.required_text(node, "name")?;
        let value = node.get("value").map(|value| value.value.clone());
        Some(ExampleParam { place: node.place(), name, value })
    }

    /// An error object that is answered in place of a result.
    fn example_error(&mut self, pairing: &Node<'a>) -> Option<Value> {
        let error = self.is_object(pairing.get("x-error")?)?;
        if error.get("code").is_none_or(|code| code.value.as_i64().is_none()) {
            error.fault(self.faults, "no code, which is an integer");
        }
        self.present_text(&error, "message");
        if let Some(result) = pairing.get("result") {
            result.fault(self.faults, "expected no result together with x-error");
        }
        Some(error.value.clone())
    }

    /// Pointers to what is there.
    fn varies(&mut self, pairing: &Node<'a>, answer: &Value) -> Vec<String> {
        let Some(member) = pairing.get("x-varies") else { return Vec::new() };
        if !member.value.is_array() {
            member.fault(self.faults, "expected an array of JSON pointers");
        }
        let pointers = member.elements().filter_map(|element| {
            let pointer = element.value.as_str().filter(|pointer| answer.pointer(pointer).is_some());
            if pointer.is_none() {
                element.fault(self.faults, "expected a JSON pointer to a part of the answer");
            }
            pointer.map(str::to_owned)
        });
        pointers.collect()
    }
}
