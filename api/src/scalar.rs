//! Strings and integers with bounds, the difference between null and absence, and how generated types read.

use std::{borrow::Cow, fmt, marker::PhantomData};

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Deserializer};
use serde_json::{Map, Value};

/// Why a value is not one of its type: what its schema expects.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct InvalidValue(Cow<'static, str>);

impl InvalidValue {
    /// `expected` completes "it …": "must be at most 8 characters".
    pub fn new(expected: impl Into<Cow<'static, str>>) -> Self {
        Self(expected.into())
    }
}

impl fmt::Display for InvalidValue {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for InvalidValue {}

/// The rules of a string schema. Lengths count characters, as JSON Schema does.
#[doc(hidden)]
#[derive(Debug, Default)]
pub struct TextRules {
    min_length: Option<usize>,
    max_length: Option<usize>,
    pub pattern: Option<&'static str>,
}

impl TextRules {
    pub const fn new() -> Self {
        Self { min_length: None, max_length: None, pattern: None }
    }

    pub const fn min_length(mut self, least: usize) -> Self {
        self.min_length = Some(least);
        self
    }

    pub const fn max_length(mut self, most: usize) -> Self {
        self.max_length = Some(most);
        self
    }

    pub const fn pattern(mut self, pattern: &'static str) -> Self {
        self.pattern = Some(pattern);
        self
    }

    /// Checks a text; `matches` is asked last, so that no pattern meets a text of any length.
    pub fn check(&self, text: &str, matches: impl FnOnce(&str) -> bool) -> Result<(), InvalidValue> {
        // A character takes one to four bytes: most texts need no counting.
        let longer = |most: usize| text.len() > most && text.chars().count() > most;
        if let Some(most) = self.max_length
            && longer(most)
        {
            return Err(InvalidValue::new(format!("must be at most {most} {}", characters(most))));
        }
        if let Some(least) = self.min_length
            && text.chars().take(least).count() < least
        {
            return Err(InvalidValue::new(format!("must be at least {least} {}", characters(least))));
        }
        match self.pattern {
            Some(pattern) if !matches(text) => Err(InvalidValue::new(format!("must match {pattern}"))),
            _ => Ok(()),
        }
    }
}

fn characters(count: usize) -> &'static str {
    if count == 1 { "character" } else { "characters" }
}

/// Gives a newtype over `String` its checks and conversions.
#[doc(hidden)]
#[macro_export]
macro_rules! text_newtype {
    ($type:ident $(, $rule:ident = $value:literal)* $(,)?) => {
        impl $type {
            const RULES: $crate::TextRules = $crate::TextRules::new()$(.$rule($value))*;

            /// The text.
            pub fn as_str(&self) -> &str {
                &self.0
            }

            /// For texts that another type has checked already.
            #[allow(dead_code, reason = "few types have a twin")]
            pub(crate) fn assume_valid(text: ::std::string::String) -> Self {
                debug_assert_eq!(Self::check(&text), Ok(()));
                Self(text)
            }

            fn check(text: &str) -> ::std::result::Result<(), $crate::InvalidValue> {
                static PATTERN: ::std::sync::LazyLock<::std::option::Option<$crate::reexports::regress::Regex>> =
                    ::std::sync::LazyLock::new(|| {
                        let pattern = $type::RULES.pattern?;
                        $crate::reexports::regress::Regex::with_flags(pattern, "u").ok()
                    });
                let matches = |text: &str| PATTERN.as_ref().is_some_and(|regex| regex.find(text).is_some());
                Self::RULES.check(text, matches)
            }
        }

        impl ::std::ops::Deref for $type {
            type Target = str;

            fn deref(&self) -> &str {
                &self.0
            }
        }

        impl ::std::convert::AsRef<str> for $type {
            fn as_ref(&self) -> &str {
                &self.0
            }
        }

        impl ::std::fmt::Display for $type {
            fn fmt(&self, f: &mut ::std::fmt::Formatter<'_>) -> ::std::fmt::Result {
                f.write_str(&self.0)
            }
        }

        impl ::std::convert::From<$type> for ::std::string::String {
            fn from(text: $type) -> Self {
                text.0
            }
        }

        impl ::std::convert::TryFrom<::std::string::String> for $type {
            type Error = $crate::InvalidValue;

            fn try_from(text: ::std::string::String) -> ::std::result::Result<Self, Self::Error> {
                Self::check(&text).map(|()| Self(text))
            }
        }

        impl ::std::convert::TryFrom<&str> for $type {
            type Error = $crate::InvalidValue;

            fn try_from(text: &str) -> ::std::result::Result<Self, Self::Error> {
                Self::check(text).map(|()| Self(text.to_owned()))
            }
        }

        impl ::std::str::FromStr for $type {
            type Err = $crate::InvalidValue;

            fn from_str(text: &str) -> ::std::result::Result<Self, Self::Err> {
                Self::try_from(text)
            }
        }

        impl $crate::reexports::serde::Serialize for $type {
            fn serialize<S: $crate::reexports::serde::Serializer>(
                &self,
                serializer: S,
            ) -> ::std::result::Result<S::Ok, S::Error> {
                serializer.serialize_str(&self.0)
            }
        }

        impl<'de> $crate::reexports::serde::Deserialize<'de> for $type {
            fn deserialize<D: $crate::reexports::serde::Deserializer<'de>>(
                deserializer: D,
            ) -> ::std::result::Result<Self, D::Error> {
                let text = <::std::string::String as $crate::reexports::serde::Deserialize>::deserialize(deserializer)?;
                Self::try_from(text).map_err($crate::reexports::serde::de::Error::custom)
            }
        }
    };
}

/// Gives a newtype over an integer its checks and conversions.
#[doc(hidden)]
#[macro_export]
macro_rules! integer_newtype {
    ($type:ident, $integer:ident, min = $min:expr, max = $max:expr) => {
        impl $type {
            /// The least value.
            pub const MIN: Self = Self($min);
            /// The greatest value.
            pub const MAX: Self = Self($max);

            /// The number.
            pub const fn get(self) -> $integer {
                self.0
            }

            fn in_range(number: i128) -> ::std::result::Result<Self, $crate::InvalidValue> {
                match $integer::try_from(number) {
                    Ok(number) if (Self::MIN.0..=Self::MAX.0).contains(&number) => Ok(Self(number)),
                    _ => Err($crate::InvalidValue::new(format!(
                        "must be an integer from {} to {}",
                        Self::MIN,
                        Self::MAX
                    ))),
                }
            }
        }

        impl ::std::fmt::Display for $type {
            fn fmt(&self, f: &mut ::std::fmt::Formatter<'_>) -> ::std::fmt::Result {
                ::std::fmt::Display::fmt(&self.0, f)
            }
        }

        impl ::std::str::FromStr for $type {
            type Err = $crate::InvalidValue;

            fn from_str(text: &str) -> ::std::result::Result<Self, Self::Err> {
                // What is no number at all is out of every range.
                Self::in_range(text.parse().unwrap_or(i128::MAX))
            }
        }

        impl ::std::convert::TryFrom<u64> for $type {
            type Error = $crate::InvalidValue;

            fn try_from(number: u64) -> ::std::result::Result<Self, Self::Error> {
                Self::in_range(number.into())
            }
        }

        impl ::std::convert::TryFrom<i64> for $type {
            type Error = $crate::InvalidValue;

            fn try_from(number: i64) -> ::std::result::Result<Self, Self::Error> {
                Self::in_range(number.into())
            }
        }

        impl ::std::convert::From<$type> for $integer {
            fn from(number: $type) -> Self {
                number.0
            }
        }

        impl $crate::reexports::serde::Serialize for $type {
            fn serialize<S: $crate::reexports::serde::Serializer>(
                &self,
                serializer: S,
            ) -> ::std::result::Result<S::Ok, S::Error> {
                $crate::reexports::serde::Serialize::serialize(&self.0, serializer)
            }
        }

        impl<'de> $crate::reexports::serde::Deserialize<'de> for $type {
            fn deserialize<D: $crate::reexports::serde::Deserializer<'de>>(
                deserializer: D,
            ) -> ::std::result::Result<Self, D::Error> {
                let number = $crate::integer(deserializer)?;
                Self::in_range(number).map_err($crate::reexports::serde::de::Error::custom)
            }
        }
    };
}

/// Reads an integer as JSON Schema understands it: `1.0` is one.
#[doc(hidden)]
pub fn integer<'de, D: Deserializer<'de>>(deserializer: D) -> Result<i128, D::Error> {
    deserializer.deserialize_any(IntegerVisitor)
}

struct IntegerVisitor;

impl serde::de::Visitor<'_> for IntegerVisitor {
    type Value = i128;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an integer")
    }

    fn visit_u64<E>(self, number: u64) -> Result<i128, E> {
        Ok(number.into())
    }

    fn visit_i64<E>(self, number: i64) -> Result<i128, E> {
        Ok(number.into())
    }

    fn visit_f64<E: serde::de::Error>(self, number: f64) -> Result<i128, E> {
        // Saturates beyond i128, which no range holds.
        let whole = number as i128;
        if number.fract() == 0.0 {
            return Ok(whole);
        }
        Err(E::invalid_type(serde::de::Unexpected::Float(number), &self))
    }
}

/// The schema of an integer of any size; in `schemars(with = …)`, where the bounds are the newtype's.
#[derive(Debug)]
pub struct Integer;

impl JsonSchema for Integer {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> Cow<'static, str> {
        "integer".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({ "type": "integer" })
    }
}

/// The schema of a field that must be there and may be null; in `schemars(with = …)`, for an `Option`.
#[derive(Debug)]
pub struct Nullable<T>(PhantomData<T>);

impl<T: JsonSchema> JsonSchema for Nullable<T> {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> Cow<'static, str> {
        Option::<T>::schema_name()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        Option::<T>::json_schema(generator)
    }
}

/// The name of a member as it is read: without a copy where the text has no escapes.
#[doc(hidden)]
#[derive(Debug)]
pub struct Name<'de>(Cow<'de, str>);

impl Name<'_> {
    pub fn as_str(&self) -> &str {
        &self.0
    }

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

impl<'de> serde::de::Visitor<'de> for NameVisitor {
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

/// Reads one of some strings.
#[doc(hidden)]
pub fn one_of<'de, T: std::str::FromStr, D: Deserializer<'de>>(
    deserializer: D,
    texts: &'static [&'static str],
) -> Result<T, D::Error> {
    let text = Name::deserialize(deserializer)?;
    text.as_str().parse().map_err(|_| serde::de::Error::unknown_variant(text.as_str(), texts))
}

/// Reads an object whose member `tag` is a text: that, and the other members.
#[doc(hidden)]
pub fn tagged<'de, D: Deserializer<'de>>(
    deserializer: D,
    tag: &'static str,
) -> Result<(String, Value), D::Error> {
    let mut members = Map::deserialize(deserializer)?;
    match members.remove(tag) {
        Some(Value::String(text)) => Ok((text, Value::Object(members))),
        Some(_) => Err(serde::de::Error::custom(format_args!("`{tag}` must be a string"))),
        None => Err(serde::de::Error::missing_field(tag)),
    }
}

/// Equality of JSON values, where 1 and 1.0 are one number.
#[doc(hidden)]
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
