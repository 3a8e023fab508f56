//! Sets of the types of JSON.

pub(super) const NULL: u8 = 1;
pub(super) const BOOL: u8 = 1 << 1;
pub(super) const INTEGER: u8 = 1 << 2;
/// With a fraction; together with [`INTEGER`] it is a number.
pub(super) const FRACTION: u8 = 1 << 3;
pub(super) const NUMBER: u8 = INTEGER | FRACTION;
pub(super) const TEXT: u8 = 1 << 4;
pub(super) const LIST: u8 = 1 << 5;
pub(super) const OBJECT: u8 = 1 << 6;
pub(super) const EVERY: u8 = (1 << 7) - 1;

/// The types of a set, one by one; `number` is one.
pub(super) fn each(set: u8) -> impl Iterator<Item = u8> {
    let number = if set & FRACTION == 0 { INTEGER } else { NUMBER };
    [NULL, BOOL, number, TEXT, LIST, OBJECT].into_iter().filter(move |kind| set & kind != 0)
}

/// The type of a value; an integer may be written with a point.
pub(super) fn of_value(value: &serde_json::Value) -> u8 {
    use serde_json::Value;
    match value {
        Value::Null => NULL,
        Value::Bool(_) => BOOL,
        Value::Number(_) if crate::check::whole(value).is_some() => INTEGER,
        Value::Number(_) => FRACTION,
        Value::String(_) => TEXT,
        Value::Array(_) => LIST,
        Value::Object(_) => OBJECT,
    }
}

pub(super) fn of_name(name: &str) -> u8 {
    match name {
        "null" => NULL,
        "boolean" => BOOL,
        "integer" => INTEGER,
        "number" => NUMBER,
        "string" => TEXT,
        "array" => LIST,
        "object" => OBJECT,
        _ => 0,
    }
}
