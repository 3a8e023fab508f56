//! The numbers of JSON, of any size, and integers that an integer of Rust holds.

use std::{
    cmp::Ordering,
    fmt,
    hash::{Hash, Hasher},
    num::ParseFloatError,
    ops::Deref,
    str::FromStr,
};

use serde::{Deserialize, Deserializer, Serialize, Serializer, de, ser};

use crate::{InvalidValue, integer, write_integer};

/// A number of JSON: an integer to the last digit, or what a float holds.
#[derive(Clone, Copy, Debug)]
enum Digits {
    /// Within 64 bits, signed or not, where it comes from JSON.
    Whole(i128),
    /// Finite, and beyond 64 bits or with a fraction.
    Float(f64),
}

/// Whole floats below 2^53 are integers to the last digit.
const EXACT: f64 = 9_007_199_254_740_992.0;

impl Digits {
    fn of_float(number: f64) -> Self {
        if number.fract() == 0.0 && number.abs() < EXACT {
            Self::Whole(number as i128)
        } else {
            Self::Float(number)
        }
    }

    fn is_whole(self) -> bool {
        match self {
            Self::Whole(_) => true,
            Self::Float(number) => number.fract() == 0.0,
        }
    }

    fn as_i128(self) -> Option<i128> {
        match self {
            Self::Whole(number) => Some(number),
            Self::Float(number) if number.fract() == 0.0 && number.abs() < 1e38 => Some(number as i128),
            Self::Float(_) => None,
        }
    }

    fn as_f64(self) -> f64 {
        match self {
            Self::Whole(number) => number as f64,
            Self::Float(number) => number,
        }
    }

    fn order(self, other: Self) -> Ordering {
        match (self.as_i128(), other.as_i128()) {
            (Some(one), Some(other)) => one.cmp(&other),
            // Every number of JSON is finite.
            _ => self.as_f64().total_cmp(&other.as_f64()),
        }
    }

    fn write<S: Serializer>(self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Whole(number) => write_integer(number, serializer),
            Self::Float(number) if number.is_finite() => serializer.serialize_f64(number),
            Self::Float(number) => Err(ser::Error::custom(format!("{number} is no number of JSON"))),
        }
    }
}

impl fmt::Display for Digits {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Whole(number) => fmt::Display::fmt(number, f),
            Self::Float(number) => fmt::Display::fmt(number, f),
        }
    }
}

impl<'de> Deserialize<'de> for Digits {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Numbers;

        impl de::Visitor<'_> for Numbers {
            type Value = Digits;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a number")
            }

            fn visit_u64<E>(self, number: u64) -> Result<Digits, E> {
                Ok(Digits::Whole(number.into()))
            }

            fn visit_i64<E>(self, number: i64) -> Result<Digits, E> {
                Ok(Digits::Whole(number.into()))
            }

            fn visit_i128<E>(self, number: i128) -> Result<Digits, E> {
                Ok(Digits::Whole(number))
            }

            fn visit_f64<E>(self, number: f64) -> Result<Digits, E> {
                Ok(Digits::of_float(number))
            }
        }

        deserializer.deserialize_any(Numbers)
    }
}

/// Gives a number its conversions and its order.
macro_rules! number {
    ($type:ident) => {
        impl $type {
            /// Returns the number as a float, which is exact up to 53 bits.
            pub fn as_f64(self) -> f64 {
                self.0.as_f64()
            }

            /// Returns the number, if it is an integer that fits.
            pub fn as_i128(self) -> Option<i128> {
                self.0.as_i128()
            }

            /// Returns the number, if it is an integer that fits.
            pub fn as_i64(self) -> Option<i64> {
                self.0.as_i128().and_then(|number| number.try_into().ok())
            }

            /// Returns the number, if it is an integer that fits.
            pub fn as_u64(self) -> Option<u64> {
                self.0.as_i128().and_then(|number| number.try_into().ok())
            }
        }

        impl PartialEq for $type {
            fn eq(&self, other: &Self) -> bool {
                self.cmp(other).is_eq()
            }
        }

        impl Eq for $type {}

        impl PartialOrd for $type {
            fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
                Some(self.cmp(other))
            }
        }

        impl Ord for $type {
            fn cmp(&self, other: &Self) -> Ordering {
                self.0.order(other.0)
            }
        }

        impl Hash for $type {
            fn hash<H: Hasher>(&self, state: &mut H) {
                self.as_f64().to_bits().hash(state);
            }
        }

        impl Default for $type {
            fn default() -> Self {
                Self(Digits::Whole(0))
            }
        }

        impl fmt::Display for $type {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                fmt::Display::fmt(&self.0, f)
            }
        }

        impl Serialize for $type {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                self.0.write(serializer)
            }
        }
    };
}

/// Makes a number of Rust's integers, and compares it with them.
macro_rules! number_from {
    ($type:ident: $($integer:ident),*) => {
        $(
            impl From<$integer> for $type {
                fn from(number: $integer) -> Self {
                    Self(Digits::Whole(number.into()))
                }
            }

            impl PartialEq<$integer> for $type {
                fn eq(&self, other: &$integer) -> bool {
                    *self == Self::from(*other)
                }
            }
        )*
    };
}

/// A number of JSON, of any size. It is written as it was read: 7 stays 7.
#[derive(Clone, Copy, Debug)]
pub struct Number(Digits);

number!(Number);
number_from!(Number: i8, i16, i32, i64, u8, u16, u32, u64);

impl From<f64> for Number {
    /// A number that is not finite can be held, but not written.
    fn from(number: f64) -> Self {
        Self(Digits::of_float(number))
    }
}

impl PartialEq<f64> for Number {
    fn eq(&self, other: &f64) -> bool {
        self.as_f64() == *other
    }
}

impl From<Number> for f64 {
    fn from(number: Number) -> Self {
        number.as_f64()
    }
}

impl FromStr for Number {
    type Err = ParseFloatError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text.parse::<i64>() {
            Ok(number) => Ok(number.into()),
            Err(_) => text.parse::<f64>().map(Self::from),
        }
    }
}

impl<'de> Deserialize<'de> for Number {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Deserialize::deserialize(deserializer).map(Self)
    }
}

/// An integer of JSON, of any size. `1.0` is one.
#[derive(Clone, Copy, Debug)]
pub struct Integer(Digits);

number!(Integer);
number_from!(Integer: i8, i16, i32, i64, u8, u16, u32, u64);

impl From<i128> for Integer {
    /// A number beyond 64 bits is written as a float.
    fn from(number: i128) -> Self {
        Self(Digits::Whole(number))
    }
}

impl TryFrom<Number> for Integer {
    type Error = InvalidValue;

    fn try_from(number: Number) -> Result<Self, Self::Error> {
        if number.0.is_whole() { Ok(Self(number.0)) } else { Err(InvalidValue::new("must be an integer")) }
    }
}

impl FromStr for Integer {
    type Err = InvalidValue;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let number = text.parse::<i128>();
        number.map(Self::from).map_err(|error| InvalidValue::new(error.to_string()))
    }
}

impl<'de> Deserialize<'de> for Integer {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Self::try_from(Number::deserialize(deserializer)?).map_err(de::Error::custom)
    }
}

/// An integer of JSON that is not negative, of any size. `1.0` is one.
#[derive(Clone, Copy, Debug)]
pub struct Natural(Digits);

number!(Natural);
number_from!(Natural: u8, u16, u32, u64);

impl TryFrom<Integer> for Natural {
    type Error = InvalidValue;

    fn try_from(number: Integer) -> Result<Self, Self::Error> {
        if number < Integer::from(0_u8) {
            return Err(InvalidValue::new("must be an integer that is not negative"));
        }
        Ok(Self(number.0))
    }
}

impl From<Natural> for Integer {
    fn from(number: Natural) -> Self {
        Self(number.0)
    }
}

impl FromStr for Natural {
    type Err = InvalidValue;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        text.parse::<Integer>().and_then(Self::try_from)
    }
}

impl<'de> Deserialize<'de> for Natural {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Self::try_from(Integer::deserialize(deserializer)?).map_err(de::Error::custom)
    }
}

/// An integer of JSON that an integer of Rust holds. `1.0` is one.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Int<T>(pub T);

impl<T> Deref for Int<T> {
    type Target = T;

    fn deref(&self) -> &T {
        &self.0
    }
}

impl<T> From<T> for Int<T> {
    fn from(number: T) -> Self {
        Self(number)
    }
}

impl<T: PartialEq> PartialEq<T> for Int<T> {
    fn eq(&self, other: &T) -> bool {
        self.0 == *other
    }
}

impl<T: fmt::Display> fmt::Display for Int<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.0, f)
    }
}

impl<T: FromStr> FromStr for Int<T> {
    type Err = T::Err;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        text.parse().map(Self)
    }
}

impl<T: Serialize> Serialize for Int<T> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.0.serialize(serializer)
    }
}

impl<'de, T: TryFrom<i128>> Deserialize<'de> for Int<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let number = integer(deserializer)?;
        let fitted = T::try_from(number).map(Self);
        fitted.map_err(|_| de::Error::custom(format!("the integer {number} does not fit")))
    }
}
