//! JSON text to values, with the pointers of duplicate keys, of which `serde_json` silently keeps the last.

use std::{cell::RefCell, fmt};

use serde::de::{DeserializeSeed, Deserializer, MapAccess, SeqAccess, Visitor};
use serde_json::{Map, Value};

use crate::error::Faults;

/// Reads a text and notes duplicate keys. `None`, with the fault noted, if it is not JSON.
pub(crate) fn read(file: &str, text: &str, faults: &mut Faults) -> Option<Value> {
    let repeated = RefCell::new(Vec::new());
    let mut deserializer = serde_json::Deserializer::from_str(text);
    let value = Strict { pointer: String::new(), repeated: &repeated }
        .deserialize(&mut deserializer)
        .and_then(|value| deserializer.end().map(|()| value));
    for pointer in repeated.into_inner() {
        faults.add(file, pointer, "duplicate key in this object");
    }
    value.map_err(|error| faults.fatal(file, "", format!("not JSON: {error}"))).ok()
}

/// Appends one step to a pointer, escaped.
pub(crate) fn step(pointer: &str, key: impl fmt::Display) -> String {
    format!("{pointer}/{}", key.to_string().replace('~', "~0").replace('/', "~1"))
}

struct Strict<'a> {
    pointer: String,
    repeated: &'a RefCell<Vec<String>>,
}

impl<'a> Strict<'a> {
    fn child(&self, key: impl fmt::Display) -> Strict<'a> {
        Strict { pointer: step(&self.pointer, key), repeated: self.repeated }
    }
}

impl<'de> DeserializeSeed<'de> for Strict<'_> {
    type Value = Value;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Value, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Strict<'_> {
    type Value = Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("JSON")
    }

    fn visit_unit<E>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_bool<E>(self, value: bool) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_i64<E>(self, value: i64) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_u64<E>(self, value: u64) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_f64<E>(self, value: f64) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_str<E>(self, value: &str) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut access: A) -> Result<Value, A::Error> {
        let mut items = Vec::new();
        while let Some(item) = access.next_element_seed(self.child(items.len()))? {
            items.push(item);
        }
        Ok(Value::Array(items))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut access: A) -> Result<Value, A::Error> {
        let mut entries = Map::new();
        while let Some(key) = access.next_key::<String>()? {
            let child = self.child(&key);
            let pointer = child.pointer.clone();
            let value = access.next_value_seed(child)?;
            if entries.insert(key, value).is_some() {
                self.repeated.borrow_mut().push(pointer);
            }
        }
        Ok(Value::Object(entries))
    }
}
