//! Validates values by a schema. Published examples are often invalid, and an invalid example proves nothing.

use std::cmp::Ordering;

use serde_json::Value;

use crate::{check::whole, resolve::Node, types::scalar::regex};

/// The deepest nesting of schemas; a deeper schema lets nothing in.
const MAX_VALIDATION_DEPTH: usize = 64;
/// The most steps for one value; a schema that takes more is meant to exhaust the generator.
const MAX_VALIDATION_STEPS: usize = 200_000;

/// Tells whether a value is valid by everything that is known of the schema at a node.
pub(crate) fn is_valid(schema: &Node<'_>, value: &Value) -> bool {
    let mut steps = 0;
    valid(schema, value, 0, &mut steps)
}

/// As [`is_valid`]; `bare`, the alternatives of the schema itself are left out.
pub(crate) fn is_valid_part(schema: &Node<'_>, bare: bool, value: &Value) -> bool {
    if !bare || !schema.value.is_object() {
        return is_valid(schema, value);
    }
    let mut steps = 0;
    is_null_by_flag(schema, value)
        || schema.members().all(|(key, member)| {
            let mut check = Check { node: schema, value, depth: 1, steps: &mut steps };
            key == "oneOf" || key == "anyOf" || check.keyword(key, &member)
        })
}

/// Tells whether a value is null and the schema lets null in by a flag, as OpenAPI spells it.
fn is_null_by_flag(schema: &Node<'_>, value: &Value) -> bool {
    value.is_null() && ["nullable", "x-nullable"].iter().any(|key| schema.is_true(key))
}

fn valid(node: &Node<'_>, value: &Value, depth: usize, steps: &mut usize) -> bool {
    *steps += 1;
    if depth > MAX_VALIDATION_DEPTH || *steps > MAX_VALIDATION_STEPS {
        return false;
    }
    match node.value {
        Value::Bool(answer) => *answer,
        Value::Object(_) => {
            is_null_by_flag(node, value)
                || node.members().all(|(key, member)| {
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
                // An unreadable target has no known rules.
                let target = self.node.target(member.value).ok();
                target.is_none_or(|target| self.holds(&target, value))
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
            // Beyond the depth limit the rule counts as kept.
            "not" => self.depth > MAX_VALIDATION_DEPTH || !self.holds(member, value),
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
            "dependentRequired" | "dependencies" | "dependentSchemas" => {
                member.members().all(|(name, needed)| {
                    if !object.contains_key(name) {
                        return true;
                    }
                    match needed.value {
                        Value::Array(names) => {
                            names.iter().filter_map(Value::as_str).all(|name| object.contains_key(name))
                        }
                        _ => self.holds(&needed, self.value),
                    }
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
            "contains" => {
                let count = |key: &str| self.node.get(key).and_then(|count| whole(count.value));
                let (least, most) = (count("minContains").unwrap_or(1), count("maxContains"));
                let found = items.iter().filter(|item| self.holds(member, item)).count();
                let found = i128::try_from(found).unwrap_or(i128::MAX);
                found >= least && most.is_none_or(|most| found <= most)
            }
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
    let Some(order) = compare(value, member.value) else { return true };
    match key {
        "minimum" => order.is_gt() || (order.is_eq() && !node.is_true("exclusiveMinimum")),
        "maximum" => order.is_lt() || (order.is_eq() && !node.is_true("exclusiveMaximum")),
        "exclusiveMinimum" => order.is_gt(),
        "exclusiveMaximum" => order.is_lt(),
        "multipleOf" => is_multiple(value, member.value),
        _ => true,
    }
}

/// How two numbers compare: integers to the last digit. `None` if one is no number.
fn compare(one: &Value, other: &Value) -> Option<Ordering> {
    match (whole(one), whole(other)) {
        (Some(one), Some(other)) => Some(one.cmp(&other)),
        _ => one.as_f64()?.partial_cmp(&other.as_f64()?),
    }
}

/// Tells whether one number is a multiple of another in decimal digits: 19.99 is a multiple of 0.01.
fn is_multiple(number: &Value, of: &Value) -> bool {
    let (Some(number), Some(of)) = (Decimal::of(number), Decimal::of(of)) else { return true };
    if of.digits <= 0 || number.digits == 0 {
        return true;
    }
    // Digit by digit, so that no exponent is too large.
    match number.exponent - of.exponent {
        beyond @ 0.. => {
            let mut rest = number.digits % of.digits;
            for _ in 0..beyond.min(Decimal::MAX_EXPONENT) {
                rest = rest * 10 % of.digits;
            }
            rest == 0
        }
        // A number with more decimals than the other has is one only if those are zeros, which are cut off, or if the
        // other has factors of ten, which are not.
        short => {
            let scale = u32::try_from(-short).ok().and_then(|short| 10_i128.checked_pow(short));
            let of = scale.and_then(|scale| of.digits.checked_mul(scale));
            of.is_some_and(|of| number.digits % of == 0)
        }
    }
}

/// A number as its decimal digits, without zeros at their end, and a power of ten.
struct Decimal {
    digits: i128,
    exponent: i32,
}

impl Decimal {
    /// The parser reads no number with a larger exponent.
    const MAX_EXPONENT: i32 = 400;

    fn of(number: &Value) -> Option<Self> {
        let text = number.as_number()?.to_string();
        let (mantissa, exponent) = text.split_once(['e', 'E']).unwrap_or((&text, "0"));
        let (before, after) = mantissa.split_once('.').unwrap_or((mantissa, ""));
        let mut digits = format!("{before}{after}").parse::<i128>().ok()?;
        let mut exponent = exponent.parse::<i32>().ok()?.checked_sub(i32::try_from(after.len()).ok()?)?;
        while digits != 0 && digits % 10 == 0 {
            digits /= 10;
            exponent += 1;
        }
        Some(Self { digits, exponent })
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

/// Equality of JSON values, where 1 and 1.0 are one number, at every depth.
pub(crate) fn same(one: &Value, other: &Value) -> bool {
    match (one, other) {
        (Value::Number(_), Value::Number(_)) => compare(one, other) == Some(Ordering::Equal),
        (Value::Array(one), Value::Array(other)) => {
            one.len() == other.len() && one.iter().zip(other).all(|(one, other)| same(one, other))
        }
        (Value::Object(one), Value::Object(other)) => {
            one.len() == other.len()
                && one.iter().all(|(name, one)| other.get(name).is_some_and(|other| same(one, other)))
        }
        _ => one == other,
    }
}
