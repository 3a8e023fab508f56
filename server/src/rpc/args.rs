use serde_json::Value;

/// Checks that the integers in the arguments of a play fit into a script's: 64 bits with a sign. The JSON parser bounds
/// nesting.
///
/// # Errors
///
/// Names the place of an integer that does not fit.
pub(crate) fn check(args: &Value) -> Result<(), String> {
    let mut place = String::from("args");
    walk(args, &mut place)
}

fn walk(value: &Value, place: &mut String) -> Result<(), String> {
    let before = place.len();
    match value {
        Value::Number(number) if number.is_u64() && !number.is_i64() => {
            return Err(format!("{place}: {number} is above 2^63 - 1, the largest integer of a script"));
        }
        Value::Array(items) => {
            for (index, item) in items.iter().enumerate() {
                place.push_str(&format!("[{index}]"));
                walk(item, place)?;
                place.truncate(before);
            }
        }
        Value::Object(members) => {
            for (name, member) in members {
                place.push('.');
                place.push_str(name);
                walk(member, place)?;
                place.truncate(before);
            }
        }
        _ => {}
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn integer_above_script_range_is_refused_with_its_place() {
        assert_eq!(check(&json!([i64::MAX, i64::MIN, 1e300, { "a": [null] }])), Ok(()));
        let fault = check(&json!({ "a": [1, { "b": u64::MAX }] })).unwrap_err();
        assert!(fault.starts_with("args.a[1].b: 18446744073709551615"), "{fault}");
    }
}
