//! Local references: where a `$ref` leads, and whether it leads anywhere.

use std::collections::BTreeSet;

use serde_json::Value;

use crate::{error::Faults, json::step};

/// A value of the document and where it stands.
#[derive(Clone, Debug)]
pub(crate) struct Node<'a> {
    pub(crate) value: &'a Value,
    pub(crate) pointer: String,
}

impl<'a> Node<'a> {
    pub(crate) fn root(value: &'a Value) -> Self {
        Self { value, pointer: String::new() }
    }

    pub(crate) fn get(&self, key: &str) -> Option<Self> {
        let value = self.value.as_object()?.get(key)?;
        Some(Self { value, pointer: step(&self.pointer, key) })
    }

    /// The elements of an array; none of anything else.
    pub(crate) fn elements(&self) -> impl Iterator<Item = Self> {
        let elements: &'a [Value] = self.value.as_array().map_or(&[], Vec::as_slice);
        let pointer = self.pointer.clone();
        elements.iter().enumerate().map(move |(index, value)| Self { value, pointer: step(&pointer, index) })
    }

    /// The members of an object; none of anything else.
    pub(crate) fn members(&self) -> impl Iterator<Item = (&'a str, Self)> {
        let pointer = self.pointer.clone();
        let members = self.value.as_object().into_iter().flatten();
        members.map(move |(key, value)| (key.as_str(), Self { value, pointer: step(&pointer, key) }))
    }

    /// The text of `$ref`, if this node is a reference.
    pub(crate) fn reference(&self) -> Option<&'a Value> {
        self.value.as_object()?.get("$ref")
    }
}

/// Follows `$ref` until something else stands there. `None`, with the fault noted, if nothing does.
pub(crate) fn follow<'a>(root: &'a Value, node: &Node<'a>, faults: &mut Faults) -> Option<Node<'a>> {
    let mut here = node.clone();
    let mut seen = BTreeSet::new();
    while let Some(reference) = here.reference() {
        let at = step(&here.pointer, "$ref");
        if !seen.insert(here.pointer.clone()) {
            faults.add(step(&node.pointer, "$ref"), "this reference leads back to itself");
            return None;
        }
        match target(root, reference) {
            Ok(next) => here = next,
            Err(problem) => {
                faults.add(at, problem);
                return None;
            }
        }
    }
    Some(here)
}

/// What one `$ref` names.
pub(crate) fn target<'a>(root: &'a Value, reference: &Value) -> Result<Node<'a>, String> {
    let text = reference.as_str().ok_or("a reference is a string, such as \"#/components/schemas/Name\"")?;
    let fragment = text
        .strip_prefix('#')
        .ok_or_else(|| format!("`{text}` lies outside this document; only local references are read"))?;
    let pointer = percent_decode(fragment).ok_or_else(|| format!("`{text}` is no JSON pointer"))?;
    match root.pointer(&pointer) {
        Some(value) => Ok(Node { value, pointer }),
        None => Err(format!("nothing stands at `{text}`")),
    }
}

fn percent_decode(text: &str) -> Option<String> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.bytes();
    while let Some(byte) = rest.next() {
        if byte == b'%' {
            let pair = [rest.next()?, rest.next()?];
            bytes.push(u8::from_str_radix(std::str::from_utf8(&pair).ok()?, 16).ok()?);
        } else {
            bytes.push(byte);
        }
    }
    String::from_utf8(bytes).ok()
}
