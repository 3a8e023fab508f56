//! Reads the limits of a circle: the defaults, replaced by the values in the file.

use serde_json::{Map, Value};

use crate::{
    fault::{Fault, Pointer},
    json::Strict,
    limits::Limits,
    object::{expected, unknown_field},
};

/// The multiple of its default that a limit may be set to. A higher value is more likely a mistake.
const MAX_FACTOR: u64 = 100;

/// The maximum of `script_bytes`: openrpc.json allows clients this many characters.
pub const MAX_SCRIPT_BYTES: u64 = 1 << 20;

/// Returns the maximum of a limit, given its name and its default. The minimum is 1: Rhai takes 0 for no limit.
///
/// Depths may only be lowered: the stacks of scripts are sized for the defaults, and a stack overflow ends the whole
/// process. Time limits may not exceed the longest timeout that callers may ask for.
pub fn max_for(name: &str, default: u64) -> u64 {
    match name {
        "script_bytes" => MAX_SCRIPT_BYTES,
        _ if name.ends_with("_depth") || name.ends_with("_timeout_ms") => default,
        _ => default.saturating_mul(MAX_FACTOR),
    }
}

/// The default limits by name.
fn defaults() -> Map<String, Value> {
    match serde_json::to_value(Limits::default()) {
        Ok(Value::Object(defaults)) => defaults,
        _ => Map::new(),
    }
}

/// Parses limits outside of a config, such as `{"operations": 1000000}`.
///
/// # Errors
///
/// Returns all faults in one line.
pub fn parse_limits(text: &str) -> Result<Limits, String> {
    let Strict(value) = serde_json::from_str(text).map_err(|error| error.to_string())?;
    let mut faults = Vec::new();
    let limits = read_limits(value, Pointer::default(), &mut faults);
    if faults.is_empty() {
        return Ok(limits);
    }
    Err(faults.iter().map(Fault::to_string).collect::<Vec<_>>().join("; "))
}

/// Reads the field `limits` of a circle.
pub(crate) fn read_limits(value: Value, at: Pointer, faults: &mut Vec<Fault>) -> Limits {
    let Value::Object(members) = value else {
        faults.push(expected(&at, "an object of limits by name", &value));
        return Limits::default();
    };
    let defaults = defaults();
    let mut limits = defaults.clone();
    for (name, value) in members {
        let at = at.child(&name);
        let Some(default) = defaults.get(&name) else {
            let known: Vec<_> = defaults.keys().map(String::as_str).collect();
            faults.push(unknown_field(&at, &known));
            continue;
        };
        // Limits of another type are checked when they are deserialized, below.
        if let Some(max) = default.as_u64().map(|default| max_for(&name, default))
            && !value.as_u64().is_some_and(|value| (1..=max).contains(&value))
        {
            faults.push(expected(&at, &format!("a whole number from 1 to {max}"), &value));
            continue;
        }
        limits.insert(name, value);
    }
    serde_json::from_value(Value::Object(limits)).unwrap_or_else(|error| {
        faults.push(at.fault(error.to_string()));
        Limits::default()
    })
}
