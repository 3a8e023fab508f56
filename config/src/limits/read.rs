//! The limits of a circle: those of [`Limits`], each replaced if the file says so.

use serde_json::{Map, Value};

use crate::{
    Limits,
    fault::{Fault, Place},
    json::Strict,
    object::{expected, unknown},
};

/// How far above its default a limit may be set. What is wanted beyond is more likely a slip of the hand.
const FACTOR: u64 = 100;

/// The longest script that any circle may take: what openrpc.json lets clients send, in characters.
pub const SCRIPT_BYTES: u64 = 1 << 20;

/// The most that a limit may be set to, given its name and its default. The least is 1: scripts must be able
/// to do something, and to Rhai 0 means without limit.
///
/// Depths may only be lowered. The stacks that scripts run on are made for the defaults, and a stack that
/// overflows takes the whole process with it. Time limits are no longer than what callers may ask for.
pub fn most(name: &str, default: u64) -> u64 {
    match name {
        "script_bytes" => SCRIPT_BYTES,
        _ if name.ends_with("_depth") || name.ends_with("_timeout_ms") => default,
        _ => default.saturating_mul(FACTOR),
    }
}

/// The limits that hold unless said otherwise, by name.
pub fn defaults() -> Map<String, Value> {
    match serde_json::to_value(Limits::default()) {
        Ok(Value::Object(defaults)) => defaults,
        _ => Map::new(),
    }
}

/// Reads limits that stand for themselves, such as `{"operations": 1000000}`; an error is all that is wrong with
/// them.
pub fn parse(text: &str) -> Result<Limits, String> {
    let Strict(value) = serde_json::from_str(text).map_err(|error| error.to_string())?;
    let mut faults = Vec::new();
    let limits = read(value, Place::default(), &mut faults);
    if faults.is_empty() {
        return Ok(limits);
    }
    Err(faults.iter().map(Fault::to_string).collect::<Vec<_>>().join("; "))
}

/// Reads what stands at `limits`.
pub fn read(value: Value, at: Place, faults: &mut Vec<Fault>) -> Limits {
    let Value::Object(given) = value else {
        faults.push(expected(&at, "an object of limits by name", &value));
        return Limits::default();
    };
    let defaults = defaults();
    let mut limits = defaults.clone();
    for (name, value) in given {
        let at = at.child(&name);
        let Some(default) = defaults.get(&name) else {
            let known: Vec<_> = defaults.keys().map(String::as_str).collect();
            faults.push(unknown(&at, &known));
            continue;
        };
        // A limit that is no number says itself what it expects, below.
        if let Some(most) = default.as_u64().map(|default| most(&name, default))
            && !value.as_u64().is_some_and(|value| (1..=most).contains(&value))
        {
            faults.push(expected(&at, &format!("a whole number from 1 to {most}"), &value));
            continue;
        }
        limits.insert(name, value);
    }
    serde_json::from_value(Value::Object(limits)).unwrap_or_else(|error| {
        faults.push(at.fault(error.to_string()));
        Limits::default()
    })
}
