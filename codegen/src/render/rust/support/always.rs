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

/// Reads a field that must be there and may be null.
pub(crate) fn nullable<'de, T: ::serde::Deserialize<'de>, D: ::serde::Deserializer<'de>>(
    deserializer: D,
) -> Result<Option<T>, D::Error> {
    ::serde::Deserialize::deserialize(deserializer)
}

/// Reads an optional field of which null is a value: only absence is `None`.
pub(crate) fn present<'de, T: ::serde::Deserialize<'de>, D: ::serde::Deserializer<'de>>(
    deserializer: D,
) -> Result<Option<T>, D::Error> {
    T::deserialize(deserializer).map(Some)
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
                ::serde::Serialize::serialize(&self.0, serializer)
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
