//! Whether a value is valid by a schema: published examples often are not, and prove nothing then.

use serde_json::Value;

use crate::{check::whole, resolve::Node, types::scalar::regex};

/// Schemas within schemas; deeper ones are held to say nothing valid.
const DEEPEST: usize = 64;
/// Steps for one value; a schema that takes more multiplies on purpose.
const MOST_STEPS: usize = 200_000;

/// Whether a value is valid by all that is known of the schema at a node.
pub(crate) fn is_valid(schema: &Node<'_>, value: &Value) -> bool {
    let mut steps = 0;
    valid(schema, value, 0, &mut steps)
}

fn valid(node: &Node<'_>, value: &Value, depth: usize, steps: &mut usize) -> bool {
    *steps += 1;
    if depth > DEEPEST || *steps > MOST_STEPS {
        return false;
    }
    match node.value {
        Value::Bool(answer) => *answer,
        Value::Object(_) => {
            if value.is_null() && ["nullable", "x-nullable"].iter().any(|key| node.is_true(key)) {
                return true;
            }
            node.members().all(|(key, member)| {
                let mut check = Check { node, value, depth: depth + 1, steps };
                check.keyword(key, &member)
            })
        }
        _ => false,
    }
}

struct Check<'c, 'a> {
    node: &'c Node<'a>,
    value: &'c Value,
    depth: usize,
    steps: &'c mut usize,
}

impl<'a> Check<'_, 'a> {
    fn holds(&mut self, schema: &Node<'a>, value: &Value) -> bool {
        valid(schema, value, self.depth, self.steps)
    }

    fn keyword(&mut self, key: &str, member: &Node<'a>) -> bool {
        let value = self.value;
        match key {
            "$ref" => {
                let target = self.node.target(member.value);
                target.is_ok_and(|target| self.holds(&target, value))
            }
            "type" => match member.value {
                Value::Array(kinds) => kinds.iter().any(|kind| is_of_type(value, kind)),
                kind => is_of_type(value, kind),
            },
            "enum" => member.elements().any(|known| same(known.value, value)),
            "const" => same(member.value, value),
            "allOf" => member.elements().all(|branch| self.holds(&branch, value)),
            "anyOf" => member.elements().any(|branch| self.holds(&branch, value)),
            "oneOf" => member.elements().filter(|branch| self.holds(branch, value)).count() == 1,
            "not" => !self.holds(member, value),
            "if" => {
                let branch = if self.holds(member, value) { "then" } else { "else" };
                self.node.get(branch).is_none_or(|branch| self.holds(&branch, value))
            }
            _ => match value {
                Value::Object(_) => self.object(key, member),
                Value::Array(items) => self.list(key, member, items),
                Value::String(text) => string(key, member.value, text),
                Value::Number(_) => number(key, member, self.node, value),
                _ => true,
            },
        }
    }

    fn object(&mut self, key: &str, member: &Node<'a>) -> bool {
        let Some(object) = self.value.as_object() else { return true };
        let length = i128::try_from(object.len()).unwrap_or(i128::MAX);
        match key {
            "required" => {
                member.elements().all(|name| name.value.as_str().is_none_or(|name| object.contains_key(name)))
            }
            "properties" => member
                .members()
                .all(|(name, schema)| object.get(name).is_none_or(|value| self.holds(&schema, value))),
            "patternProperties" => member.members().all(|(pattern, schema)| {
                let Ok(pattern) = regex(pattern) else { return true };
                object
                    .iter()
                    .filter(|(name, _)| pattern.find(name).is_some())
                    .all(|(_, value)| self.holds(&schema, value))
            }),
            "additionalProperties" => {
                let known = self.node.get("properties");
                let patterns = self.node.get("patternProperties");
                let patterns = patterns.iter().flat_map(Node::members);
                let patterns = patterns.filter_map(|(pattern, _)| regex(pattern).ok()).collect::<Vec<_>>();
                object.iter().all(|(name, value)| {
                    known.as_ref().is_some_and(|known| known.get(name).is_some())
                        || patterns.iter().any(|pattern| pattern.find(name).is_some())
                        || self.holds(member, value)
                })
            }
            "propertyNames" => object.keys().all(|name| self.holds(member, &Value::from(name.as_str()))),
            "minProperties" => length >= whole(member.value).unwrap_or(0),
            "maxProperties" => length <= whole(member.value).unwrap_or(0),
            _ => true,
        }
    }

    fn list(&mut self, key: &str, member: &Node<'a>, items: &[Value]) -> bool {
        let length = i128::try_from(items.len()).unwrap_or(i128::MAX);
        let by_position = |check: &mut Self| {
            let mut pairs = member.elements().zip(items);
            pairs.all(|(schema, item)| check.holds(&schema, item))
        };
        match key {
            "items" if member.value.is_array() => by_position(self),
            "prefixItems" => by_position(self),
            "items" => {
                let before = self.node.get("prefixItems").map_or(0, |prefix| prefix.elements().count());
                items.iter().skip(before).all(|item| self.holds(member, item))
            }
            "additionalItems" => {
                let prefix = self.node.get("items").filter(|items| items.value.is_array());
                let before = prefix.map_or(usize::MAX, |prefix| prefix.elements().count());
                items.iter().skip(before).all(|item| self.holds(member, item))
            }
            "contains" => items.iter().any(|item| self.holds(member, item)),
            "minItems" => length >= whole(member.value).unwrap_or(0),
            "maxItems" => length <= whole(member.value).unwrap_or(0),
            "uniqueItems" if member.value == &Value::Bool(true) => items
                .iter()
                .enumerate()
                .all(|(at, item)| !items.iter().skip(at + 1).any(|other| same(item, other))),
            _ => true,
        }
    }
}

fn string(key: &str, limit: &Value, text: &str) -> bool {
    let length = || i128::try_from(text.chars().count()).unwrap_or(i128::MAX);
    match key {
        "pattern" => limit
            .as_str()
            .and_then(|pattern| regex(pattern).ok())
            .is_none_or(|regex| regex.find(text).is_some()),
        "minLength" => whole(limit).is_none_or(|least| length() >= least),
        "maxLength" => whole(limit).is_none_or(|most| length() <= most),
        _ => true,
    }
}

fn number(key: &str, member: &Node<'_>, node: &Node<'_>, value: &Value) -> bool {
    let (Some(limit), Some(number)) = (member.value.as_f64(), value.as_f64()) else { return true };
    match key {
        "minimum" => number > limit || (number == limit && !node.is_true("exclusiveMinimum")),
        "maximum" => number < limit || (number == limit && !node.is_true("exclusiveMaximum")),
        "exclusiveMinimum" => number > limit,
        "exclusiveMaximum" => number < limit,
        "multipleOf" if limit > 0.0 => (number / limit).fract() == 0.0,
        _ => true,
    }
}

fn is_of_type(value: &Value, kind: &Value) -> bool {
    match (kind.as_str(), value) {
        (Some("null"), Value::Null)
        | (Some("boolean"), Value::Bool(_))
        | (Some("string"), Value::String(_))
        | (Some("array"), Value::Array(_))
        | (Some("object"), Value::Object(_))
        | (Some("number"), Value::Number(_)) => true,
        (Some("integer"), number) => whole(number).is_some(),
        _ => false,
    }
}

/// Equality of JSON values, where 1 and 1.0 are one number.
fn same(one: &Value, other: &Value) -> bool {
    one == other || (one.is_number() && other.is_number() && one.as_f64() == other.as_f64())
}
