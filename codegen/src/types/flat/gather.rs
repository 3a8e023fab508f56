//! Reads what several schemas say of one value, keyword by keyword.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use super::{
    super::{
        Findings, kinds,
        scalar::{Bound, NumberRules, TextRules, regex},
    },
    Flat, Part,
};
use crate::{
    check::{is_annotation, whole},
    error::Faults,
    resolve::{Node, Place, Unresolved},
    valid::{is_valid_part, same},
};

/// The deepest nesting of references and compositions; deeper ones are a loop or a trap.
const MAX_REFERENCE_DEPTH: usize = 100;
/// The most values of one enumeration that are checked against the rest of their schema: the check takes quadratic
/// time.
const MAX_ENUM_VALUES: usize = 2_000;

/// Gathers the rules of several parts.
pub(in crate::types) fn flatten<'a>(
    parts: &[Part<'a>],
    findings: &mut Findings,
    faults: &mut Faults,
) -> Flat<'a> {
    let flat = Flat {
        types: kinds::EVERY,
        typed: false,
        nullable: false,
        lets_null: true,
        never: false,
        properties: BTreeMap::new(),
        required: BTreeSet::new(),
        closed: false,
        open: false,
        additional: Vec::new(),
        patterns: Vec::new(),
        every: Vec::new(),
        items: Vec::new(),
        prefix: Vec::new(),
        ends: None,
        ends_there: false,
        least_items: 0,
        most_items: None,
        values: None,
        text: TextRules::default(),
        number: NumberRules::default(),
        format: None,
        unions: Vec::new(),
        title: None,
        description: None,
        deprecated: false,
        remote: false,
    };
    let mut gatherer =
        Gatherer { flat, above: Vec::new(), seen: BTreeSet::new(), closers: Vec::new(), findings, faults };
    for part in parts {
        gatherer.schema(&part.node, part.bare, false);
        if part.only != kinds::EVERY {
            gatherer.flat.types &= part.only;
            gatherer.flat.typed = true;
        }
    }
    gatherer.close();
    let mut flat = gatherer.flat;
    let is_valid = |value: &Value| parts.iter().all(|part| is_valid_part(&part.node, part.bare, value));
    if let Some(values) = flat.values.as_mut().filter(|values| values.len() <= MAX_ENUM_VALUES) {
        values.retain(is_valid);
    }
    if flat.nullable || !flat.unions.is_empty() || (flat.typed && flat.types & kinds::NULL != 0) {
        flat.lets_null = is_valid(&Value::Null);
    }
    flat
}

struct Gatherer<'a, 'f> {
    flat: Flat<'a>,
    /// The schemas around the current one.
    above: Vec<Place>,
    seen: BTreeSet<(Place, bool)>,
    /// Keywords about all members except those that the schema around them names.
    closers: Vec<(Node<'a>, Node<'a>)>,
    findings: &'f mut Findings,
    faults: &'f mut Faults,
}

impl<'a> Gatherer<'a, '_> {
    fn schema(&mut self, node: &Node<'a>, bare: bool, referred: bool) {
        let place = node.place();
        if self.above.contains(&place) {
            node.fault(self.faults, "this schema includes itself");
            return;
        }
        // A schema counts once.
        if !self.seen.insert((place.clone(), bare)) {
            return;
        }
        if self.above.len() >= MAX_REFERENCE_DEPTH {
            node.fault(self.faults, format!("more than {MAX_REFERENCE_DEPTH} schemas include each other"));
            return;
        }
        match node.value {
            Value::Bool(false) => self.flat.never = true,
            Value::Object(_) => {
                self.above.push(place);
                self.object(node, bare, referred);
                self.above.pop();
            }
            _ => {}
        }
    }

    fn object(&mut self, node: &Node<'a>, bare: bool, referred: bool) {
        if let Some(reference) = node.reference() {
            match node.target(reference) {
                Ok(target) => self.schema(&target, bare, true),
                Err(Unresolved::Remote(_)) => self.flat.remote = true,
                Err(Unresolved::Dangling(_)) => {}
            }
        }
        self.annotations(node, referred);
        if let Some(kinds) = node.get("type") {
            self.kinds(&kinds, node);
        }
        for (key, member) in node.members() {
            match key {
                "allOf" => member.elements().for_each(|branch| self.schema(&branch, bare, referred)),
                "oneOf" | "anyOf" if !bare => self.union(&member),
                "enum" => self.values(member.elements().map(|value| value.value.clone()).collect()),
                "const" => self.values(vec![member.value.clone()]),
                "format" => self.flat.format = member.value.as_str().map(str::to_owned),
                _ if self.object_keyword(key, &member, node)
                    || self.list_keyword(key, &member, node)
                    || self.scalar_keyword(key, &member, node) => {}
                _ => self.other(key, &member),
            }
        }
    }

    fn annotations(&mut self, node: &Node<'a>, referred: bool) {
        self.flat.nullable |= node.is_true("nullable") || node.is_true("x-nullable");
        // The title of a referenced schema names that schema.
        if !referred {
            self.flat.deprecated |= node.is_true("deprecated");
            let text = |key| node.text(key).map(str::to_owned);
            self.flat.title = self.flat.title.take().or_else(|| text("title"));
            self.flat.description = self.flat.description.take().or_else(|| text("description"));
        }
    }

    fn kinds(&mut self, member: &Node<'a>, node: &Node<'a>) {
        let mut set = match member.value {
            Value::String(name) => kinds::of_name(name),
            Value::Array(names) => {
                names.iter().filter_map(Value::as_str).fold(0, |set, name| set | kinds::of_name(name))
            }
            _ => 0,
        };
        if set == 0 {
            return;
        }
        if node.is_true("nullable") {
            set |= kinds::NULL;
        }
        if self.flat.types & set == 0 {
            member
                .fault(self.faults, "no value is of this type and of the other type that the schema demands");
            self.flat.never = true;
        }
        self.flat.types &= set;
        self.flat.typed = true;
    }

    /// Alternatives; those that only say which properties are needed make no other type.
    fn union(&mut self, member: &Node<'a>) {
        let branches = member.elements().collect::<Vec<_>>();
        let says_nothing_of_values = |branch: &Node<'a>| {
            branch.value.as_object().is_some_and(|schema| {
                schema.keys().all(|key| key == "required" || key == "not" || is_annotation(key))
                    && schema.keys().any(|key| key == "required" || key == "not")
            })
        };
        if branches.is_empty() || branches.iter().all(says_nothing_of_values) {
            self.unchecked(member, "alternatives of required properties");
        } else {
            self.flat.unions.push(branches);
        }
    }

    fn values(&mut self, values: Vec<Value>) {
        let kept = match self.flat.values.take() {
            Some(others) => {
                others.into_iter().filter(|value| values.iter().any(|other| same(value, other))).collect()
            }
            None => values,
        };
        self.flat.values = Some(kept);
    }

    fn object_keyword(&mut self, key: &str, member: &Node<'a>, node: &Node<'a>) -> bool {
        let flat = &mut self.flat;
        if key == "additionalProperties" && member.value != &Value::Bool(true) {
            self.closers.push((node.clone(), member.clone()));
        }
        match key {
            "properties" => {
                for (name, property) in member.members() {
                    flat.properties.entry(name.to_owned()).or_default().push(property);
                }
            }
            "required" => {
                let names = member.elements().filter_map(|name| name.value.as_str().map(str::to_owned));
                flat.required.extend(names);
            }
            "additionalProperties" | "unevaluatedProperties" => match member.value {
                Value::Bool(false) => flat.closed = true,
                Value::Bool(true) => flat.open = true,
                Value::Object(schema) if schema.is_empty() => flat.open = true,
                _ => flat.additional.push(member.clone()),
            },
            "patternProperties" => {
                let named = member.members().map(|(pattern, schema)| (pattern.to_owned(), schema));
                flat.patterns.extend(named.filter(|(pattern, _)| regex(pattern).is_ok()));
            }
            _ => return false,
        }
        true
    }

    fn list_keyword(&mut self, key: &str, member: &Node<'a>, node: &Node<'a>) -> bool {
        let flat = &mut self.flat;
        match key {
            "items" if member.value.is_array() => prefix(flat, member),
            "prefixItems" => prefix(flat, member),
            "items" | "additionalItems" => {
                let first = node.get("prefixItems").or_else(|| node.get("items"));
                let first = first.filter(|first| first.value.is_array());
                let first = first.map(|first| first.elements().count());
                match (member.value, first) {
                    (Value::Bool(false), Some(first)) => end(flat, first),
                    (Value::Bool(false), None) if key == "items" => end(flat, 0),
                    (Value::Object(_), Some(_)) => flat.items.push(member.clone()),
                    // Without a list of the first items, `additionalItems` says nothing.
                    (Value::Object(_), None) if key == "items" => flat.every.push(member.clone()),
                    _ => {}
                }
            }
            "unevaluatedItems" => match member.value {
                Value::Bool(false) => flat.ends_there = true,
                Value::Object(_) => flat.items.push(member.clone()),
                _ => {}
            },
            "minItems" => flat.least_items = flat.least_items.max(length(member).unwrap_or(0)),
            "maxItems" => {
                flat.most_items = [flat.most_items, length(member)].into_iter().flatten().min();
            }
            _ => return false,
        }
        true
    }

    fn scalar_keyword(&mut self, key: &str, member: &Node<'a>, node: &Node<'a>) -> bool {
        let flat = &mut self.flat;
        match key {
            "pattern" => match (member.value.as_str(), &flat.text.pattern) {
                (Some(pattern), None) if regex(pattern).is_ok() => {
                    flat.text.pattern = Some(pattern.to_owned())
                }
                (Some(pattern), Some(other)) if pattern != other => {
                    self.unchecked(member, "a second pattern")
                }
                _ => {}
            },
            // A least length of zero is no rule.
            "minLength" => flat.text.least = flat.text.least.max(length(member).filter(|least| *least > 0)),
            "maxLength" => {
                flat.text.most = [flat.text.most, length(member)].into_iter().flatten().min();
            }
            "minimum" | "exclusiveMinimum" => {
                let exclusive = key.starts_with('e') || node.is_true("exclusiveMinimum");
                if let Some(bound) = bound(member, exclusive)
                    && flat.number.least.is_none_or(|other| tighter(bound, other, 1.0))
                {
                    flat.number.least = Some(bound);
                }
            }
            "maximum" | "exclusiveMaximum" => {
                let exclusive = key.starts_with('e') || node.is_true("exclusiveMaximum");
                if let Some(bound) = bound(member, exclusive)
                    && flat.number.most.is_none_or(|other| tighter(bound, other, -1.0))
                {
                    flat.number.most = Some(bound);
                }
            }
            _ => return false,
        }
        true
    }

    fn other(&mut self, key: &str, member: &Node<'a>) {
        const UNCHECKED: [&str; 16] = [
            "not",
            "if",
            "then",
            "else",
            "propertyNames",
            "contains",
            "uniqueItems",
            "multipleOf",
            "minProperties",
            "maxProperties",
            "dependencies",
            "dependentRequired",
            "dependentSchemas",
            "minContains",
            "maxContains",
            "$dynamicRef",
        ];
        if let Some(known) = UNCHECKED.into_iter().find(|known| *known == key) {
            self.unchecked(member, known);
        }
    }

    /// Reports rules about unnamed members that by the letter also hold for members that other branches name. The types
    /// let such members in, because the authors of such documents mean that.
    fn close(&mut self) {
        let overlaps = |pattern: &str| {
            let pattern = regex(pattern);
            let names = || self.flat.properties.keys();
            pattern.is_ok_and(|pattern| names().any(|name| pattern.find(name).is_some()))
        };
        let twice = self.flat.patterns.iter().filter(|(pattern, _)| overlaps(pattern));
        for node in twice.map(|(_, node)| node.clone()).collect::<Vec<_>>() {
            self.unchecked(&node, "patternProperties, of properties with a name of their own");
        }
        for (node, member) in std::mem::take(&mut self.closers) {
            let own = node.get("properties");
            let patterns = node.get("patternProperties");
            let patterns = patterns.iter().flat_map(Node::members);
            let patterns = patterns.filter_map(|(pattern, _)| regex(pattern).ok()).collect::<Vec<_>>();
            let known = |name: &str| {
                own.as_ref().is_some_and(|own| own.get(name).is_some())
                    || patterns.iter().any(|pattern| pattern.find(name).is_some())
            };
            if !self.flat.properties.keys().all(|name| known(name)) {
                self.unchecked(&member, "additionalProperties, of properties that other branches name");
            }
        }
    }

    fn unchecked(&mut self, member: &Node<'a>, what: &'static str) {
        self.findings.unchecked.insert(member.place(), what);
    }
}

/// Adds the schemas of the first items to those of other parts.
fn prefix<'a>(flat: &mut Flat<'a>, member: &Node<'a>) {
    for (index, node) in member.elements().enumerate() {
        match flat.prefix.get_mut(index) {
            Some(nodes) => nodes.push(node),
            None => flat.prefix.push(vec![node]),
        }
    }
}

fn end(flat: &mut Flat<'_>, items: usize) {
    flat.ends = Some(flat.ends.map_or(items, |ends| ends.min(items)));
}

/// The number in a keyword that counts items or characters.
fn length(member: &Node<'_>) -> Option<u64> {
    whole(member.value).and_then(|length| u64::try_from(length).ok())
}

fn bound(member: &Node<'_>, exclusive: bool) -> Option<Bound> {
    Some(Bound { value: member.value.as_f64()?, exact: whole(member.value), exclusive })
}

/// Tells whether a bound is tighter than another; `side` is 1 for the lower end.
fn tighter(bound: Bound, other: Bound, side: f64) -> bool {
    let (bound_at, other_at) = (bound.value * side, other.value * side);
    bound_at > other_at || (bound_at == other_at && bound.exclusive)
}
