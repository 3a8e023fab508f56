/// Equality of JSON values, where 1 and 1.0 are one number.
#[allow(dead_code, reason = "few documents need it")]
fn same(one: &::serde_json::Value, other: &::serde_json::Value) -> bool {
    use ::serde_json::Value;
    match (one, other) {
        // Integers are compared to the last digit, which a float may not hold.
        (Value::Number(one), Value::Number(other)) => {
            one == other || ((one.is_f64() || other.is_f64()) && one.as_f64() == other.as_f64())
        }
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
