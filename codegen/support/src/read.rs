//! How generated types read JSON, beyond what serde derives.

use std::{borrow::Cow, fmt, str::FromStr};

use serde::{
    Deserialize, Deserializer,
    de::{DeserializeOwned, Error, Visitor},
};
use serde_json::{Map, Value};

/// The name of a member, borrowed where its text has no escapes.
#[derive(Debug)]
pub struct Name<'de>(Cow<'de, str>);

impl Name<'_> {
    /// Returns the name.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Returns the name as a string of its own.
    pub fn into_owned(self) -> String {
        self.0.into_owned()
    }
}

impl<'de> Deserialize<'de> for Name<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_str(NameVisitor)
    }
}

struct NameVisitor;

impl<'de> Visitor<'de> for NameVisitor {
    type Value = Name<'de>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a string")
    }

    fn visit_borrowed_str<E>(self, name: &'de str) -> Result<Name<'de>, E> {
        Ok(Name(Cow::Borrowed(name)))
    }

    fn visit_str<E>(self, name: &str) -> Result<Name<'de>, E> {
        Ok(Name(Cow::Owned(name.to_owned())))
    }

    fn visit_string<E>(self, name: String) -> Result<Name<'de>, E> {
        Ok(Name(Cow::Owned(name)))
    }
}

/// Reads one of `texts`.
pub fn one_of<'de, T: FromStr, D: Deserializer<'de>>(
    deserializer: D,
    texts: &'static [&'static str],
) -> Result<T, D::Error> {
    let text = Name::deserialize(deserializer)?;
    text.as_str().parse().map_err(|_| Error::unknown_variant(text.as_str(), texts))
}

/// Reads an object whose member `tag` is a string: that string, and the other members.
pub fn tagged<'de, D: Deserializer<'de>>(
    deserializer: D,
    tag: &'static str,
) -> Result<(String, Value), D::Error> {
    let mut members = Map::deserialize(deserializer)?;
    match members.remove(tag) {
        Some(Value::String(text)) => Ok((text, Value::Object(members))),
        Some(_) => Err(Error::custom(format_args!("`{tag}` must be a string"))),
        None => Err(Error::missing_field(tag)),
    }
}

/// Checks that a value is of a type.
pub fn is_a<T: DeserializeOwned, E: Error>(value: &Value) -> Result<(), E> {
    T::deserialize(value).map(drop).map_err(E::custom)
}

/// Compares JSON values, where 1 and 1.0 are one number.
pub fn same(one: &Value, other: &Value) -> bool {
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
