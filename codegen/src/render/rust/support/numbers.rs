
/// A number of JSON: an integer to the last digit, or what a float holds.
#[derive(Clone, Copy, Debug)]
enum Digits {
    /// Within 64 bits, signed or not, where it comes from JSON.
    Whole(i128),
    /// Finite, and beyond 64 bits or with a fraction.
    Float(f64),
}

/// The whole floats below this are integers to the last digit.
const EXACT: f64 = 9_007_199_254_740_992.0;

impl Digits {
    fn of_float(number: f64) -> Self {
        if number.fract() == 0.0 && number.abs() < EXACT { Self::Whole(number as i128) } else { Self::Float(number) }
    }

    fn is_whole(self) -> bool {
        match self {
            Self::Whole(_) => true,
            Self::Float(number) => number.fract() == 0.0,
        }
    }

    fn as_i128(self) -> ::std::option::Option<i128> {
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

    fn order(self, other: Self) -> ::std::cmp::Ordering {
        match (self.as_i128(), other.as_i128()) {
            (Some(one), Some(other)) => one.cmp(&other),
            // No number of JSON is other than finite.
            _ => self.as_f64().total_cmp(&other.as_f64()),
        }
    }

    fn write<S: ::serde::Serializer>(self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Whole(number) => write_integer(number, serializer),
            Self::Float(number) if number.is_finite() => serializer.serialize_f64(number),
            Self::Float(number) => Err(::serde::ser::Error::custom(format!("{number} is no number of JSON"))),
        }
    }
}

impl ::std::fmt::Display for Digits {
    fn fmt(&self, f: &mut ::std::fmt::Formatter<'_>) -> ::std::fmt::Result {
        match self {
            Self::Whole(number) => ::std::fmt::Display::fmt(number, f),
            Self::Float(number) => ::std::fmt::Display::fmt(number, f),
        }
    }
}

impl<'de> ::serde::Deserialize<'de> for Digits {
    fn deserialize<D: ::serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Numbers;

        impl ::serde::de::Visitor<'_> for Numbers {
            type Value = Digits;

            fn expecting(&self, f: &mut ::std::fmt::Formatter<'_>) -> ::std::fmt::Result {
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

/// What the numbers here have in common.
macro_rules! number {
    ($type:ident) => {
        impl $type {
            /// The number as a float, which is exact up to 53 bits.
            pub fn as_f64(self) -> f64 {
                self.0.as_f64()
            }

            /// The number, if it is an integer that fits.
            pub fn as_i128(self) -> ::std::option::Option<i128> {
                self.0.as_i128()
            }

            /// The number, if it is an integer that fits.
            pub fn as_i64(self) -> ::std::option::Option<i64> {
                self.0.as_i128().and_then(|number| number.try_into().ok())
            }

            /// The number, if it is an integer that fits.
            pub fn as_u64(self) -> ::std::option::Option<u64> {
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
            fn partial_cmp(&self, other: &Self) -> ::std::option::Option<::std::cmp::Ordering> {
                Some(self.cmp(other))
            }
        }

        impl Ord for $type {
            fn cmp(&self, other: &Self) -> ::std::cmp::Ordering {
                self.0.order(other.0)
            }
        }

        impl ::std::hash::Hash for $type {
            fn hash<H: ::std::hash::Hasher>(&self, state: &mut H) {
                self.as_f64().to_bits().hash(state);
            }
        }

        impl Default for $type {
            fn default() -> Self {
                Self(Digits::Whole(0))
            }
        }

        impl ::std::fmt::Display for $type {
            fn fmt(&self, f: &mut ::std::fmt::Formatter<'_>) -> ::std::fmt::Result {
                ::std::fmt::Display::fmt(&self.0, f)
            }
        }

        impl ::serde::Serialize for $type {
            fn serialize<S: ::serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                self.0.write(serializer)
            }
        }
    };
}

macro_rules! number_from {
    ($type:ident: $($integer:ident),*) => {
        $(
            impl ::std::convert::From<$integer> for $type {
                fn from(number: $integer) -> Self {
                    Self(Digits::Whole(number.into()))
                }
            }

            impl ::std::cmp::PartialEq<$integer> for $type {
                fn eq(&self, other: &$integer) -> bool {
                    *self == Self::from(*other)
                }
            }
        )*
    };
}

/// A number of JSON, of any size: what came as 7 goes out as 7.
#[derive(Clone, Copy, Debug)]
pub struct Number(Digits);

number!(Number);
number_from!(Number: i8, i16, i32, i64, u8, u16, u32, u64);

impl ::std::convert::From<f64> for Number {
    /// What is not finite cannot be written.
    fn from(number: f64) -> Self {
        Self(Digits::of_float(number))
    }
}

impl ::std::cmp::PartialEq<f64> for Number {
    fn eq(&self, other: &f64) -> bool {
        self.as_f64() == *other
    }
}

impl ::std::convert::From<Number> for f64 {
    fn from(number: Number) -> Self {
        number.as_f64()
    }
}

impl ::std::str::FromStr for Number {
    type Err = ::std::num::ParseFloatError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text.parse::<i64>() {
            Ok(number) => Ok(number.into()),
            Err(_) => text.parse::<f64>().map(Self::from),
        }
    }
}

impl<'de> ::serde::Deserialize<'de> for Number {
    fn deserialize<D: ::serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        ::serde::Deserialize::deserialize(deserializer).map(Self)
    }
}

/// An integer of JSON, of any size. `1.0` is one.
#[derive(Clone, Copy, Debug)]
pub struct Integer(Digits);

number!(Integer);
number_from!(Integer: i8, i16, i32, i64, u8, u16, u32, u64);

impl ::std::convert::From<i128> for Integer {
    /// What is beyond 64 bits is written as a float.
    fn from(number: i128) -> Self {
        Self(Digits::Whole(number))
    }
}

impl ::std::convert::TryFrom<Number> for Integer {
    type Error = InvalidValue;

    fn try_from(number: Number) -> Result<Self, Self::Error> {
        if number.0.is_whole() { Ok(Self(number.0)) } else { Err(InvalidValue::new("must be an integer")) }
    }
}

impl ::std::str::FromStr for Integer {
    type Err = InvalidValue;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let number = text.parse::<i128>();
        number.map(Self::from).map_err(|error| InvalidValue::new(error.to_string()))
    }
}

impl<'de> ::serde::Deserialize<'de> for Integer {
    fn deserialize<D: ::serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Self::try_from(Number::deserialize(deserializer)?).map_err(::serde::de::Error::custom)
    }
}

/// An integer of JSON that is not negative, of any size. `1.0` is one.
#[derive(Clone, Copy, Debug)]
pub struct Natural(Digits);

number!(Natural);
number_from!(Natural: u8, u16, u32, u64);

impl ::std::convert::TryFrom<Integer> for Natural {
    type Error = InvalidValue;

    fn try_from(number: Integer) -> Result<Self, Self::Error> {
        if number < Integer::from(0_u8) {
            return Err(InvalidValue::new("must be an integer that is not negative"));
        }
        Ok(Self(number.0))
    }
}

impl ::std::convert::From<Natural> for Integer {
    fn from(number: Natural) -> Self {
        Self(number.0)
    }
}

impl ::std::str::FromStr for Natural {
    type Err = InvalidValue;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        text.parse::<Integer>().and_then(Self::try_from)
    }
}

impl<'de> ::serde::Deserialize<'de> for Natural {
    fn deserialize<D: ::serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Self::try_from(Integer::deserialize(deserializer)?).map_err(::serde::de::Error::custom)
    }
}

/// An integer of JSON that an integer of Rust holds. `1.0` is one.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Int<T>(pub T);

impl<T> ::std::ops::Deref for Int<T> {
    type Target = T;

    fn deref(&self) -> &T {
        &self.0
    }
}

impl<T> ::std::convert::From<T> for Int<T> {
    fn from(number: T) -> Self {
        Self(number)
    }
}

impl<T: PartialEq> ::std::cmp::PartialEq<T> for Int<T> {
    fn eq(&self, other: &T) -> bool {
        self.0 == *other
    }
}

impl<T: ::std::fmt::Display> ::std::fmt::Display for Int<T> {
    fn fmt(&self, f: &mut ::std::fmt::Formatter<'_>) -> ::std::fmt::Result {
        ::std::fmt::Display::fmt(&self.0, f)
    }
}

impl<T: ::std::str::FromStr> ::std::str::FromStr for Int<T> {
    type Err = T::Err;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        text.parse().map(Self)
    }
}

impl<T: ::serde::Serialize> ::serde::Serialize for Int<T> {
    fn serialize<S: ::serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.0.serialize(serializer)
    }
}

impl<'de, T: TryFrom<i128>> ::serde::Deserialize<'de> for Int<T> {
    fn deserialize<D: ::serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let number = integer(deserializer)?;
        let fitted = T::try_from(number).map(Self);
        fitted.map_err(|_| ::serde::de::Error::custom(format!("the integer {number} does not fit")))
    }
}

/// Gives a newtype over an integer of any size its bounds and conversions.
macro_rules! open_integer_newtype {
    ($type:ident, $(min = $min:expr)? $(, max = $max:expr)?) => {
        impl $type {
            /// The number.
            pub const fn get(self) -> super::support::Integer {
                self.0
            }
        }

        impl ::std::convert::TryFrom<super::support::Integer> for $type {
            type Error = super::support::InvalidValue;

            fn try_from(number: super::support::Integer) -> ::std::result::Result<Self, Self::Error> {
                $(
                    let least: i128 = $min;
                    if number < super::support::Integer::from(least) {
                        let expected = format!("must be an integer from {least}");
                        return Err(super::support::InvalidValue::new(expected));
                    }
                )?
                $(
                    let most: i128 = $max;
                    if number > super::support::Integer::from(most) {
                        let expected = format!("must be an integer up to {most}");
                        return Err(super::support::InvalidValue::new(expected));
                    }
                )?
                Ok(Self(number))
            }
        }

        impl ::std::convert::TryFrom<i128> for $type {
            type Error = super::support::InvalidValue;

            fn try_from(number: i128) -> ::std::result::Result<Self, Self::Error> {
                Self::try_from(super::support::Integer::from(number))
            }
        }

        impl ::std::convert::From<$type> for super::support::Integer {
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
            type Err = super::support::InvalidValue;

            fn from_str(text: &str) -> ::std::result::Result<Self, Self::Err> {
                text.parse::<super::support::Integer>().and_then(Self::try_from)
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
                let number = <super::support::Integer as ::serde::Deserialize>::deserialize(deserializer)?;
                Self::try_from(number).map_err(::serde::de::Error::custom)
            }
        }
    };
}

pub(crate) use open_integer_newtype;
