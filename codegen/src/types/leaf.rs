//! Types that hold no other: integers by their bounds, enumerations by their values.

use std::collections::BTreeSet;

use serde_json::Value;

use super::{
    Body, Integer, TextVariant, ValueVariant,
    flat::Flat,
    scalar::{Bound, IntegerRules},
};
use crate::{
    names::{self, Scope},
    valid::same,
};

/// The integer type that holds exactly what a schema lets in, if there is one.
pub(super) fn integer(flat: &Flat<'_>) -> Option<Integer> {
    let rules = integer_rules(flat);
    match (rules.least, rules.most) {
        (None, None) => Some(rules.integer),
        (Some(0), None) => match rules.integer {
            Integer::I64 => Some(Integer::U64),
            Integer::Any => Some(Integer::Natural),
            other => Some(other).filter(|integer| integer.range().0 == 0),
        },
        _ if rules.integer.is_open() => None,
        (least, most) => {
            let (low, high) = rules.integer.range();
            (least.is_none_or(|least| least == low) && most.is_none_or(|most| most == high))
                .then_some(rules.integer)
        }
    }
}

/// The bounds of an integer and the integer type that holds it.
pub(super) fn integer_rules(flat: &Flat<'_>) -> IntegerRules {
    let bound = |bound: Bound, outward: f64, step: i128| {
        let whole = bound
            .exact
            .unwrap_or(if outward > 0.0 { bound.value.floor() } else { bound.value.ceil() } as i128);
        if bound.exclusive && bound.exact.is_some() { whole.saturating_add(step) } else { whole }
    };
    // A bound beyond 128 bits holds for every 128-bit integer.
    let within = |bound: &Bound| bound.value.abs() < BEYOND_I128;
    let least = flat.number.least.filter(within).map(|least| bound(least, -1.0, 1));
    let most = flat.number.most.filter(within).map(|most| bound(most, 1.0, -1));
    let said = flat.format.as_deref().and_then(Integer::of_format);
    let holds = |integer: &Integer| {
        let (low, high) = integer.range();
        least.is_none_or(|least| least >= low) && most.is_none_or(|most| most <= high)
    };
    let integer = said.filter(holds).unwrap_or_else(|| Integer::smallest(least, most));
    IntegerRules { least, most, integer }
}

/// Tells whether a range has no integer.
pub(super) fn is_empty(rules: &IntegerRules) -> bool {
    matches!((rules.least, rules.most), (Some(least), Some(most)) if least > most)
}

/// Integers from here on are read as floats.
const BEYOND_I128: f64 = 1e36;

/// Values but null, each once.
pub(super) fn literals(values: &[Value]) -> Vec<Value> {
    let mut seen = BTreeSet::new();
    let mut literals = Vec::<Value>::new();
    for value in values.iter().filter(|value| !value.is_null()) {
        // 1 and 1.0 are one value. A set finds equal texts quickly: there may be thousands.
        let known = match value {
            Value::String(text) => !seen.insert(text),
            value => literals.iter().any(|known| same(known, value)),
        };
        if !known {
            literals.push(value.clone());
        }
    }
    literals
}

pub(super) fn enumeration(values: &[Value]) -> Body {
    let values = literals(values);
    let mut scope = Scope::default();
    if values.iter().all(Value::is_string) {
        let texts = values.iter().filter_map(Value::as_str);
        let variants = texts.map(|text| TextVariant {
            name: scope.claim(names::type_name(text)),
            wire: text.to_owned(),
            doc: String::new(),
        });
        return Body::Texts(variants.collect());
    }
    let variants = values.into_iter().map(|value| {
        let text = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
        ValueVariant { name: scope.claim(names::type_name(&text)), value }
    });
    Body::Values(variants.collect())
}
