//! Integers with bounds, and how integers are read and written.

use std::fmt;

use serde::{
    Deserializer, Serializer,
    de::{Error, Unexpected, Visitor},
};

/// Reads an integer as JSON Schema defines it: `1.0` is one.
pub fn integer<'de, D: Deserializer<'de>>(deserializer: D) -> Result<i128, D::Error> {
    deserializer.deserialize_any(IntegerVisitor)
}

struct IntegerVisitor;

impl Visitor<'_> for IntegerVisitor {
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

    fn visit_i128<E>(self, number: i128) -> Result<i128, E> {
        Ok(number)
    }

    fn visit_f64<E: Error>(self, number: f64) -> Result<i128, E> {
        if number.fract() == 0.0 {
            // The cast saturates beyond i128, which no range holds.
            return Ok(number as i128);
        }
        Err(E::invalid_type(Unexpected::Float(number), &self))
    }
}

/// Writes an integer. One beyond 64 bits is written as a float, which is how JSON parsers read it.
pub fn write_integer<S: Serializer>(number: i128, serializer: S) -> Result<S::Ok, S::Error> {
    match (i64::try_from(number), u64::try_from(number)) {
        (Ok(number), _) => serializer.serialize_i64(number),
        (_, Ok(number)) => serializer.serialize_u64(number),
        _ => serializer.serialize_f64(number as f64),
    }
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
        }

        impl ::std::convert::TryFrom<i128> for $type {
            type Error = $crate::InvalidValue;

            fn try_from(number: i128) -> ::std::result::Result<Self, Self::Error> {
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

        // A literal without a type is an `i32`.
        $crate::integer_newtype!(from $type: i32, i64, u32, u64);

        impl ::std::fmt::Display for $type {
            fn fmt(&self, f: &mut ::std::fmt::Formatter<'_>) -> ::std::fmt::Result {
                ::std::fmt::Display::fmt(&self.0, f)
            }
        }

        impl ::std::str::FromStr for $type {
            type Err = $crate::InvalidValue;

            fn from_str(text: &str) -> ::std::result::Result<Self, Self::Err> {
                // A text that is no number is refused as one that is out of range.
                Self::try_from(text.parse().unwrap_or(i128::MAX))
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
                $crate::write_integer(self.0.into(), serializer)
            }
        }

        impl<'de> $crate::reexports::serde::Deserialize<'de> for $type {
            fn deserialize<D: $crate::reexports::serde::Deserializer<'de>>(
                deserializer: D,
            ) -> ::std::result::Result<Self, D::Error> {
                let number = $crate::integer(deserializer)?;
                Self::try_from(number).map_err($crate::reexports::serde::de::Error::custom)
            }
        }
    };
    (from $type:ident: $($source:ident),*) => {
        $(
            impl ::std::convert::TryFrom<$source> for $type {
                type Error = $crate::InvalidValue;

                fn try_from(number: $source) -> ::std::result::Result<Self, Self::Error> {
                    Self::try_from(i128::from(number))
                }
            }
        )*
    };
}

/// Gives a newtype over an integer of any size its bounds and conversions.
#[doc(hidden)]
#[macro_export]
macro_rules! open_integer_newtype {
    ($type:ident, $(min = $min:expr)? $(, max = $max:expr)?) => {
        impl $type {
            /// The number.
            pub const fn get(self) -> $crate::Integer {
                self.0
            }
        }

        impl ::std::convert::TryFrom<$crate::Integer> for $type {
            type Error = $crate::InvalidValue;

            fn try_from(number: $crate::Integer) -> ::std::result::Result<Self, Self::Error> {
                $(
                    let min: i128 = $min;
                    if number < $crate::Integer::from(min) {
                        return Err($crate::InvalidValue::new(format!("must be an integer from {min}")));
                    }
                )?
                $(
                    let max: i128 = $max;
                    if number > $crate::Integer::from(max) {
                        return Err($crate::InvalidValue::new(format!("must be an integer up to {max}")));
                    }
                )?
                Ok(Self(number))
            }
        }

        impl ::std::convert::TryFrom<i128> for $type {
            type Error = $crate::InvalidValue;

            fn try_from(number: i128) -> ::std::result::Result<Self, Self::Error> {
                Self::try_from($crate::Integer::from(number))
            }
        }

        $crate::integer_newtype!(from $type: i32, i64, u32, u64);

        impl ::std::convert::From<$type> for $crate::Integer {
            fn from(number: $type) -> Self {
                number.0
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
                text.parse::<$crate::Integer>().and_then(Self::try_from)
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
                let number = <$crate::Integer as $crate::reexports::serde::Deserialize>::deserialize(deserializer)?;
                Self::try_from(number).map_err($crate::reexports::serde::de::Error::custom)
            }
        }
    };
}
