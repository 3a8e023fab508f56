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
