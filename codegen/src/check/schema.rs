//! The part of JSON Schema that the generated types can say in full. Anything else is refused, not dropped.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use super::Names;
use crate::{
    document::{Document, Schema, schema_name},
    error::Faults,
    names,
    resolve::Node,
};

const TYPES: [&str; 7] = ["null", "boolean", "integer", "number", "string", "array", "object"];

/// Checks the schemas of a document, wherever they stand.
pub(super) fn check_all(root: &Value, document: &Document, faults: &mut Faults) {
    let mut checker = Checker { root, faults };
    for named in &document.schemas {
        checker.schema(&node(&named.schema));
    }
    for method in &document.methods {
        method.params.iter().for_each(|param| checker.schema(&node(&param.schema)));
        checker.schema(&node(&method.result));
        method.subscription.iter().for_each(|subscription| checker.schema(&node(&subscription.item)));
    }
    for data in document.errors.iter().filter_map(|error| error.data.as_ref()) {
        checker.schema(&node(data));
    }
    checker.inclusions(document);
}

fn node(schema: &Schema) -> Node<'_> {
    Node { value: &schema.value, pointer: schema.pointer.clone() }
}

struct Checker<'a, 'f> {
    root: &'a Value,
    faults: &'f mut Faults,
}

impl Checker<'_, '_> {
    fn schema(&mut self, node: &Node<'_>) {
        match node.value {
            Value::Bool(true) => {}
            Value::Bool(false) => self.faults.add(&node.pointer, "a schema of false lets no value in"),
            Value::Object(_) => self.object(node),
            _ => self.faults.add(&node.pointer, "expected a schema: an object or true"),
        }
    }

    fn object(&mut self, node: &Node<'_>) {
        if let Some(reference) = node.get("$ref") {
            if let Err(problem) = schema_name(self.root, reference.value) {
                self.faults.add(reference.pointer, problem);
            }
            for (key, sibling) in node.members() {
                if key != "$ref" && !is_annotation(key) {
                    self.faults.add(sibling.pointer, "stands beside `$ref`, where it would be ignored");
                }
            }
            return;
        }
        let kind = self.kind(node);
        for (key, member) in node.members() {
            self.keyword(key, &member, kind.as_deref());
        }
        self.bounds(node, "minLength", "maxLength");
        self.bounds(node, "minimum", "maximum");
        self.required(node);
    }

    /// The one type of a schema, null aside.
    fn kind(&mut self, node: &Node<'_>) -> Option<String> {
        let member = node.get("type")?;
        let kinds = match member.value {
            Value::String(kind) => vec![kind.as_str()],
            Value::Array(kinds) => kinds.iter().filter_map(Value::as_str).collect(),
            _ => Vec::new(),
        };
        let known = kinds.iter().all(|kind| TYPES.contains(kind));
        let listed = member.value.as_array().map_or(1, Vec::len);
        match kinds.as_slice() {
            [kind] if known && listed == 1 => Some((*kind).to_owned()),
            [kind, "null"] | ["null", kind] if known && *kind != "null" && listed == 2 => {
                Some((*kind).to_owned())
            }
            _ => {
                let problem = format!("expected one of {}, or one of them and null", TYPES.join(", "));
                self.faults.add(member.pointer, problem);
                None
            }
        }
    }

    fn keyword(&mut self, key: &str, member: &Node<'_>, kind: Option<&str>) {
        match key {
            "type" | "required" => {}
            "properties" => self.properties(member, kind),
            "additionalProperties" | "items" => {
                self.only_for(member, key, kind, if key == "items" { "array" } else { "object" });
                if !(key == "additionalProperties" && member.value.is_boolean()) {
                    self.schema(member);
                }
            }
            "oneOf" | "anyOf" | "allOf" => self.branches(member),
            "enum" => self.enumeration(member, kind),
            "const" => {
                if !member.value.is_string() || kind != Some("string") {
                    self.faults.add(&member.pointer, "expected a string, in a schema of type string");
                }
            }
            "pattern" => self.pattern(member, kind),
            "minLength" | "maxLength" => {
                self.only_for(member, key, kind, "string");
                if member.value.as_u64().is_none() {
                    self.faults.add(&member.pointer, "expected an integer that is not negative");
                }
            }
            "minimum" | "maximum" => {
                self.only_for(member, key, kind, "integer");
                if member.value.as_i64().is_none() && member.value.as_u64().is_none() {
                    self.faults.add(&member.pointer, "expected an integer of at most 64 bits");
                }
            }
            "title" | "description" | "format" => {
                if !member.value.is_string() {
                    self.faults.add(&member.pointer, "expected a string");
                }
            }
            _ if is_annotation(key) => {}
            _ => self.faults.add(&member.pointer, format!("the keyword `{key}` is not supported")),
        }
    }

    fn only_for(&mut self, member: &Node<'_>, key: &str, kind: Option<&str>, expected: &str) {
        if kind != Some(expected) {
            self.faults.add(&member.pointer, format!("`{key}` is read only in a schema of type {expected}"));
        }
    }

    fn properties(&mut self, member: &Node<'_>, kind: Option<&str>) {
        self.only_for(member, "properties", kind, "object");
        if !member.value.is_object() {
            self.faults.add(&member.pointer, "expected an object");
        }
        let mut fields = Names::new("properties", names::value_name);
        for (name, property) in member.members() {
            fields.add(name, &property.pointer, self.faults);
            self.schema(&property);
        }
    }

    fn branches(&mut self, member: &Node<'_>) {
        if member.elements().next().is_none() {
            self.faults.add(&member.pointer, "expected an array of schemas that is not empty");
        }
        member.elements().for_each(|branch| self.schema(&branch));
    }

    fn enumeration(&mut self, member: &Node<'_>, kind: Option<&str>) {
        self.only_for(member, "enum", kind, "string");
        if member.elements().next().is_none() {
            self.faults.add(&member.pointer, "expected an array of strings that is not empty");
        }
        let mut variants = Names::new("values", names::type_name);
        for element in member.elements() {
            match element.value.as_str() {
                Some(text) => {
                    variants.add(text, &element.pointer, self.faults);
                }
                None => self.faults.add(element.pointer, "expected a string"),
            }
        }
    }

    fn pattern(&mut self, member: &Node<'_>, kind: Option<&str>) {
        self.only_for(member, "pattern", kind, "string");
        match member.value.as_str() {
            None => self.faults.add(&member.pointer, "expected a string"),
            Some(pattern) => {
                if let Err(error) = regress::Regex::with_flags(pattern, "u") {
                    self.faults.add(&member.pointer, format!("no regular expression: {error}"));
                }
            }
        }
    }

    fn bounds(&mut self, node: &Node<'_>, low: &str, high: &str) {
        let bound = |key| node.get(key).and_then(|bound| integer(bound.value));
        if let (Some(least), Some(most)) = (bound(low), bound(high))
            && least > most
        {
            self.faults.add(&node.pointer, format!("{low} {least} is above {high} {most}"));
        }
        if low == "minimum" && bound(low).unwrap_or(0) < 0 && bound(high).unwrap_or(0) > i128::from(i64::MAX)
        {
            self.faults.add(&node.pointer, "no integer type of 64 bits reaches from minimum to maximum");
        }
    }

    fn required(&mut self, node: &Node<'_>) {
        let Some(required) = node.get("required") else { return };
        if !required.value.is_array() {
            self.faults.add(&required.pointer, "expected an array of names");
        }
        let mut seen = BTreeSet::new();
        for element in required.elements() {
            let Some(name) = element.value.as_str() else {
                self.faults.add(element.pointer, "expected the name of a property");
                continue;
            };
            if !seen.insert(name) {
                self.faults.add(&element.pointer, format!("`{name}` is required twice"));
            }
            if node.get("properties").and_then(|properties| properties.get(name)).is_none() {
                self.faults.add(element.pointer, format!("`{name}` is no property of this schema"));
            }
        }
    }

    /// A schema that includes itself, with no step into a value between, says nothing.
    fn inclusions(&mut self, document: &Document) {
        let included = document
            .schemas
            .iter()
            .map(|named| {
                let mut names = BTreeSet::new();
                self.included(&named.schema.value, &mut names);
                (named.name.as_str(), names)
            })
            .collect::<BTreeMap<_, _>>();
        for named in &document.schemas {
            let mut reached = BTreeSet::new();
            let mut next = vec![named.name.clone()];
            while let Some(name) = next.pop() {
                let names = included.get(name.as_str()).into_iter().flatten();
                next.extend(names.filter(|name| reached.insert((*name).clone())).cloned());
            }
            if reached.contains(&named.name) {
                self.faults.add(&named.schema.pointer, "this schema includes itself");
            }
        }
    }

    fn included(&self, schema: &Value, names: &mut BTreeSet<String>) {
        let Some(schema) = schema.as_object() else { return };
        if let Some(reference) = schema.get("$ref") {
            names.extend(schema_name(self.root, reference));
        }
        for key in ["allOf", "anyOf", "oneOf"] {
            let branches = schema.get(key).and_then(Value::as_array);
            branches.into_iter().flatten().for_each(|branch| self.included(branch, names));
        }
    }
}

fn integer(value: &Value) -> Option<i128> {
    value.as_i64().map(i128::from).or_else(|| value.as_u64().map(i128::from))
}

/// Keywords that say something to people and nothing of values.
pub(crate) fn is_annotation(key: &str) -> bool {
    const ANNOTATIONS: [&str; 7] =
        ["title", "description", "examples", "deprecated", "readOnly", "writeOnly", "$comment"];
    ANNOTATIONS.contains(&key) || key.starts_with("x-")
}
