//! Values that are not of their type, and types for what a schema leaves open or forbids.

use std::{borrow::Cow, error::Error, fmt};

use serde::{Deserialize, Deserializer, Serialize, Serializer, de::Error as _};
use serde_json::Value;

/// Why a value is not one of its type: what its schema expects.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct InvalidValue(Cow<'static, str>);

impl InvalidValue {
    /// Takes the end of a sentence about the value: "must be at most 8 characters".
    pub fn new(expected: impl Into<Cow<'static, str>>) -> Self {
        Self(expected.into())
    }
}

impl fmt::Display for InvalidValue {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl Error for InvalidValue {}

/// The type of a schema that lets no value in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Never {}

impl Serialize for Never {
    fn serialize<S: Serializer>(&self, _: S) -> Result<S::Ok, S::Error> {
        match *self {}
    }
}

impl<'de> Deserialize<'de> for Never {
    fn deserialize<D: Deserializer<'de>>(_: D) -> Result<Self, D::Error> {
        Err(D::Error::custom("no value is valid here"))
    }
}

/// An item of a list of which the document describes only the first item.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum Item<T> {
    /// An item like the first.
    Known(T),
    /// Any other item.
    Other(Value),
}

impl<T> Item<T> {
    /// Returns the item, if it is one like the first.
    pub fn known(self) -> Option<T> {
        match self {
            Self::Known(item) => Some(item),
            Self::Other(_) => None,
        }
    }
}

impl<T> From<T> for Item<T> {
    fn from(item: T) -> Self {
        Self::Known(item)
    }
}
