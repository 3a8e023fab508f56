use ::serde::{Deserialize as _, Serialize as _};

/// Why a value is not one of its type: what its schema expects.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct InvalidValue(::std::string::String);

impl InvalidValue {
    pub(crate) fn new(expected: impl Into<::std::string::String>) -> Self {
        Self(expected.into())
    }
}

impl ::std::fmt::Display for InvalidValue {
    fn fmt(&self, f: &mut ::std::fmt::Formatter<'_>) -> ::std::fmt::Result {
        f.write_str(&self.0)
    }
}

impl ::std::error::Error for InvalidValue {}

/// The name of a member as it is read: without a copy where the text has no escapes.
pub(crate) struct Name<'de>(::std::borrow::Cow<'de, str>);

impl Name<'_> {
    pub(crate) fn as_str(&self) -> &str {
        &self.0
    }

    pub(crate) fn into_owned(self) -> ::std::string::String {
        self.0.into_owned()
    }
}

impl<'de> ::serde::Deserialize<'de> for Name<'de> {
    fn deserialize<D: ::serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Names;

        impl<'de> ::serde::de::Visitor<'de> for Names {
            type Value = Name<'de>;

            fn expecting(&self, f: &mut ::std::fmt::Formatter<'_>) -> ::std::fmt::Result {
                f.write_str("a name")
            }

            fn visit_borrowed_str<E>(self, name: &'de str) -> Result<Name<'de>, E> {
                Ok(Name(::std::borrow::Cow::Borrowed(name)))
            }

            fn visit_str<E>(self, name: &str) -> Result<Name<'de>, E> {
                Ok(Name(::std::borrow::Cow::Owned(name.to_owned())))
            }

            fn visit_string<E>(self, name: ::std::string::String) -> Result<Name<'de>, E> {
                Ok(Name(::std::borrow::Cow::Owned(name)))
            }
        }

        deserializer.deserialize_str(Names)
    }
}

/// Reads one of some strings.
pub(crate) fn one_of<'de, T: ::std::str::FromStr, D: ::serde::Deserializer<'de>>(
    deserializer: D,
    texts: &'static [&'static str],
) -> Result<T, D::Error> {
    let text = Name::deserialize(deserializer)?;
    text.as_str().parse().map_err(|_| ::serde::de::Error::unknown_variant(text.as_str(), texts))
}

/// Reads an object whose member `tag` is a text: that, and the other members.
pub(crate) fn tagged<'de, D: ::serde::Deserializer<'de>>(
    deserializer: D,
    tag: &'static str,
) -> Result<(::std::string::String, ::serde_json::Value), D::Error> {
    type Members = ::serde_json::Map<::std::string::String, ::serde_json::Value>;
    let mut members = <Members as ::serde::Deserialize>::deserialize(deserializer)?;
    match members.remove(tag) {
        Some(::serde_json::Value::String(text)) => Ok((text, ::serde_json::Value::Object(members))),
        Some(_) => Err(::serde::de::Error::custom(format!("`{tag}` must be a string"))),
        None => Err(::serde::de::Error::missing_field(tag)),
    }
}

/// Checks that a value is of a type.
pub(crate) fn is_a<T: ::serde::de::DeserializeOwned, E: ::serde::de::Error>(
    value: &::serde_json::Value,
) -> Result<(), E> {
    T::deserialize(value).map(drop).map_err(E::custom)
}

/// No value at all.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Never {}

impl ::serde::Serialize for Never {
    fn serialize<S: ::serde::Serializer>(&self, _: S) -> Result<S::Ok, S::Error> {
        match *self {}
    }
}

impl<'de> ::serde::Deserialize<'de> for Never {
    fn deserialize<D: ::serde::Deserializer<'de>>(_: D) -> Result<Self, D::Error> {
        Err(::serde::de::Error::custom("no value is valid here"))
    }
}

/// An item of a list of which the document describes the first item alone.
#[derive(Clone, Debug, PartialEq, ::serde::Serialize, ::serde::Deserialize)]
#[serde(untagged)]
pub enum Item<T> {
    /// One like the first.
    Known(T),
    /// Another one.
    Other(::serde_json::Value),
}

impl<T> Item<T> {
    /// The item, if it is one like the first.
    pub fn known(self) -> ::std::option::Option<T> {
        match self {
            Self::Known(item) => Some(item),
            Self::Other(_) => None,
        }
    }
}

impl<T> ::std::convert::From<T> for Item<T> {
    fn from(item: T) -> Self {
        Self::Known(item)
    }
}

/// A method of the document.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Method {
    /// Its name on the wire.
    pub name: &'static str,
    /// What it does, in a line; empty where the document does not say.
    pub summary: &'static str,
    /// Whether it should no longer be used.
    pub deprecated: bool,
    /// The tags it is found by.
    pub tags: &'static [&'static str],
    /// Its params, in the order of their positions.
    pub params: &'static [Param],
    /// The codes of the errors that it declares.
    pub errors: &'static [i32],
    /// The members of the method that begin with `x-`, as JSON text.
    pub extensions: &'static str,
}

/// A param of a method.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Param {
    /// Its name on the wire.
    pub name: &'static str,
    /// Whether a call must have it.
    pub required: bool,
}

/// Reads an integer as JSON Schema understands it: `1.0` is one.
pub(crate) fn integer<'de, D: ::serde::Deserializer<'de>>(deserializer: D) -> Result<i128, D::Error> {
    struct Whole;

    impl ::serde::de::Visitor<'_> for Whole {
        type Value = i128;

        fn expecting(&self, f: &mut ::std::fmt::Formatter<'_>) -> ::std::fmt::Result {
            f.write_str("an integer")
        }

        fn visit_u64<E>(self, number: u64) -> Result<i128, E> {
            Ok(number.into())
        }

        fn visit_i64<E>(self, number: i64) -> Result<i128, E> {
            Ok(number.into())
        }

        fn visit_i128<E>(self, number: i128) -> Result<i128, E> {
            Ok(number)
        }

        fn visit_f64<E: ::serde::de::Error>(self, number: f64) -> Result<i128, E> {
            if number.fract() == 0.0 {
                return Ok(number as i128);
            }
            Err(E::invalid_type(::serde::de::Unexpected::Float(number), &self))
        }
    }

    deserializer.deserialize_any(Whole)
}

/// Writes an integer; beyond 64 bits as a float, which is how JSON is read.
pub(crate) fn write_integer<S: ::serde::Serializer>(number: i128, serializer: S) -> Result<S::Ok, S::Error> {
    match (i64::try_from(number), u64::try_from(number)) {
        (Ok(number), _) => serializer.serialize_i64(number),
        (_, Ok(number)) => serializer.serialize_u64(number),
        _ => serializer.serialize_f64(number as f64),
    }
}

/// Gives a newtype over an integer its checks and conversions.
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
        }

        impl ::std::convert::TryFrom<i128> for $type {
            type Error = super::support::InvalidValue;

            fn try_from(number: i128) -> ::std::result::Result<Self, Self::Error> {
                match $integer::try_from(number) {
                    Ok(number) if (Self::MIN.0..=Self::MAX.0).contains(&number) => Ok(Self(number)),
                    _ => Err(super::support::InvalidValue::new(format!(
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
            type Err = super::support::InvalidValue;

            fn from_str(text: &str) -> ::std::result::Result<Self, Self::Err> {
                let number = text.parse::<i128>();
                number.map_err(|error| super::support::InvalidValue::new(error.to_string())).and_then(Self::try_from)
            }
        }

        impl ::std::convert::From<$type> for $integer {
            fn from(number: $type) -> Self {
                number.0
            }
        }

        impl ::serde::Serialize for $type {
            fn serialize<S: ::serde::Serializer>(
                &self,
                serializer: S,
            ) -> ::std::result::Result<S::Ok, S::Error> {
                super::support::write_integer(self.0.into(), serializer)
            }
        }

        impl<'de> ::serde::Deserialize<'de> for $type {
            fn deserialize<D: ::serde::Deserializer<'de>>(
                deserializer: D,
            ) -> ::std::result::Result<Self, D::Error> {
                let number = super::support::integer(deserializer)?;
                Self::try_from(number).map_err(::serde::de::Error::custom)
            }
        }
    };
}

pub(crate) use integer_newtype;
