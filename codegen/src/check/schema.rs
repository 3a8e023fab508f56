//! The rules of JSON Schema for schemas: each keyword is of the right kind, each reference has a target.

use std::collections::{BTreeSet, HashSet};

use serde_json::Value;

use crate::{
    document::Document,
    error::Faults,
    resolve::{Node, Place, Unresolved},
    valid::is_valid,
};

const JSON_TYPES: [&str; 7] = ["null", "boolean", "integer", "number", "string", "array", "object"];

/// Checks every schema that a document reaches.
pub(super) fn check_all(document: &Document<'_>, faults: &mut Faults) {
    let mut checker = Checker { faults, seen: HashSet::new(), queue: document.roots().cloned().collect() };
    while let Some(node) = checker.queue.pop() {
        if checker.seen.insert(node.place()) {
            checker.schema(&node);
        }
    }
}

/// Keywords that say nothing about values.
pub(crate) fn is_annotation(key: &str) -> bool {
    const ANNOTATIONS: [&str; 24] = [
        "$anchor",
        "$comment",
        "$defs",
        "$id",
        "$schema",
        "$vocabulary",
        "contentEncoding",
        "contentMediaType",
        "default",
        "definitions",
        "deprecated",
        "description",
        "discriminator",
        "example",
        "examples",
        "externalDocs",
        "format",
        "id",
        "name",
        "readOnly",
        "summary",
        "title",
        "writeOnly",
        "xml",
    ];
    ANNOTATIONS.contains(&key) || (key.starts_with("x-") && key != "x-nullable")
}

struct Checker<'a, 'f> {
    faults: &'f mut Faults,
    seen: HashSet<Place>,
    queue: Vec<Node<'a>>,
}

impl<'a> Checker<'a, '_> {
    fn schema(&mut self, node: &Node<'a>) {
        match node.value {
            Value::Bool(_) => {}
            Value::Object(_) => self.object(node),
            _ => node.fault(self.faults, "expected a schema: an object, true or false"),
        }
    }

    fn object(&mut self, node: &Node<'a>) {
        for (key, member) in node.members() {
            self.keyword(key, &member, node);
        }
        self.bounds(node, "minLength", "maxLength");
        self.bounds(node, "minItems", "maxItems");
        self.bounds(node, "minimum", "maximum");
        if let Some(default) = node.get("default").filter(|default| !is_valid(node, default.value)) {
            self.faults.warn(default.file_name(), &default.pointer, "its own schema refuses this default");
        }
    }

    fn keyword(&mut self, key: &str, member: &Node<'a>, schema: &Node<'a>) {
        match key {
            "$ref" => self.reference(member, schema),
            "type" => self.kind(member),
            "required" => self.required(member),
            "properties" | "patternProperties" | "definitions" | "$defs" | "dependentSchemas" => {
                self.map(member);
            }
            "additionalProperties" | "additionalItems" | "unevaluatedProperties" | "unevaluatedItems" => {
                self.queue.push(member.clone());
            }
            "items" if member.value.is_array() => self.queue.extend(member.elements()),
            "items" | "contains" | "not" | "if" | "then" | "else" | "propertyNames" => {
                self.queue.push(member.clone());
            }
            "prefixItems" | "oneOf" | "anyOf" | "allOf" => self.branches(member),
            "enum" if member.elements().next().is_none() => {
                member.fault(self.faults, "expected an array that is not empty");
            }
            "pattern" => self.pattern(member),
            "minLength" | "maxLength" | "minItems" | "maxItems" | "minProperties" | "maxProperties"
                if whole(member.value).is_none_or(|length| length < 0) =>
            {
                member.fault(self.faults, "expected an integer that is not negative");
            }
            "minimum" | "maximum" | "multipleOf" if !member.value.is_number() => {
                member.fault(self.faults, "expected a number");
            }
            // Up to draft 04 it was a flag for `minimum`.
            "exclusiveMinimum" | "exclusiveMaximum"
                if !member.value.is_number() && !member.value.is_boolean() =>
            {
                member.fault(self.faults, "expected a number");
            }
            "title" | "description" | "format" if !member.value.is_string() => {
                member.fault(self.faults, "expected a string");
            }
            _ => {}
        }
    }

    fn reference(&mut self, member: &Node<'a>, schema: &Node<'a>) {
        match schema.target(member.value) {
            Ok(target) => self.queue.push(target),
            // A URL is no fault; its schema is just unknown.
            Err(Unresolved::Remote(_)) => {}
            Err(lost) => member.fault(self.faults, lost.problem()),
        }
    }

    fn kind(&mut self, member: &Node<'a>) {
        let kinds = match member.value {
            Value::Array(kinds) => kinds.iter().collect(),
            kind => vec![kind],
        };
        let known = |kind: &&Value| kind.as_str().is_some_and(|kind| JSON_TYPES.contains(&kind));
        if kinds.is_empty() || !kinds.iter().all(known) {
            let problem = format!("expected one of {}, or an array of them", JSON_TYPES.join(", "));
            member.fault(self.faults, problem);
        }
    }

    fn required(&mut self, member: &Node<'a>) {
        // Up to draft 03 `required` was a flag of the property; that form is not supported.
        if !member.value.is_array() {
            member.fault(self.faults, "expected an array of names");
        }
        let mut seen = BTreeSet::new();
        for element in member.elements() {
            match element.value.as_str() {
                None => element.fault(self.faults, "expected the name of a property"),
                Some(name) if !seen.insert(name) => {
                    element.fault(self.faults, format!("`{name}` is required twice"));
                }
                Some(_) => {}
            }
        }
    }

    fn map(&mut self, member: &Node<'a>) {
        if !member.value.is_object() {
            member.fault(self.faults, "expected an object");
        }
        self.queue.extend(member.members().map(|(_, schema)| schema));
    }

    fn branches(&mut self, member: &Node<'a>) {
        if member.elements().next().is_none() {
            member.fault(self.faults, "expected an array of schemas that is not empty");
        }
        self.queue.extend(member.elements());
    }

    fn pattern(&mut self, member: &Node<'a>) {
        match member.value.as_str() {
            None => member.fault(self.faults, "expected a string"),
            Some(pattern) => {
                if let Err(error) = crate::types::scalar::regex(pattern) {
                    member.fault(self.faults, format!("invalid regular expression: {error}"));
                }
            }
        }
    }

    fn bounds(&mut self, node: &Node<'a>, low: &str, high: &str) {
        let bound = |key| node.get(key).and_then(|bound| bound.value.as_f64());
        if let (Some(least), Some(most)) = (bound(low), bound(high))
            && least > most
        {
            node.fault(self.faults, format!("{low} {least} is above {high} {most}"));
        }
    }
}

/// The integer value of a number; `1.0` has one too.
pub(crate) fn whole(value: &Value) -> Option<i128> {
    let number = value.as_i64().map(i128::from).or_else(|| value.as_u64().map(i128::from));
    number.or_else(|| {
        let number = value.as_f64()?;
        // Beyond this a cast would saturate.
        (number.fract() == 0.0 && number.abs() < 1e36).then_some(number as i128)
    })
}
