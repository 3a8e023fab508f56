/// Notes an example that cannot be read, or that is another value when it is written again.
#[allow(dead_code, reason = "few documents have no example")]
fn survives<T: ::serde::Serialize + ::serde::de::DeserializeOwned>(
    place: &str,
    text: &str,
    faults: &mut Vec<String>,
) {
    let value = ::serde_json::from_str::<T>(text);
    let written = value.and_then(|value| ::serde_json::to_value(&value));
    let expected = ::serde_json::from_str::<::serde_json::Value>(text);
    match (written, expected) {
        (Ok(written), Ok(expected)) if same(&written, &expected) => {}
        (Ok(written), _) => faults.push(format!("{place}: {text} became {written}")),
        (Err(error), _) => faults.push(format!("{place}: {error}: {text}")),
    }
}

/// Equality of JSON values, where 1 and 1.0 are one number.
#[allow(dead_code, reason = "few documents have no example")]
fn same(one: &::serde_json::Value, other: &::serde_json::Value) -> bool {
    use ::serde_json::Value;
    match (one, other) {
        (Value::Number(one), Value::Number(other)) => one == other || one.as_f64() == other.as_f64(),
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
