//! The rules of strings, integers and numbers.

use super::Integer;

/// The rules of a string.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct TextRules {
    pub(crate) pattern: Option<String>,
    pub(crate) least: Option<u64>,
    pub(crate) most: Option<u64>,
}

impl TextRules {
    /// Tells whether every string keeps them.
    pub(crate) fn is_free(&self) -> bool {
        self.pattern.is_none() && self.least.is_none() && self.most.is_none()
    }
}

/// The rules of an integer; both ends belong to the range.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct IntegerRules {
    pub(crate) least: Option<i128>,
    pub(crate) most: Option<i128>,
    /// The integer type that holds it.
    pub(crate) integer: Integer,
}

/// The rules of a number.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct NumberRules {
    pub(crate) least: Option<Bound>,
    pub(crate) most: Option<Bound>,
}

/// One end of a range of numbers.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Bound {
    pub(crate) value: f64,
    /// The exact value, if it is an integer.
    pub(crate) exact: Option<i128>,
    pub(crate) exclusive: bool,
}

impl Integer {
    /// Its name in Rust.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::I8 => "i8",
            Self::U8 => "u8",
            Self::I16 => "i16",
            Self::U16 => "u16",
            Self::I32 => "i32",
            Self::U32 => "u32",
            Self::I64 => "i64",
            Self::U64 => "u64",
            Self::I128 | Self::Any | Self::Natural => "i128",
        }
    }

    /// Tells whether it is of any size.
    pub(crate) fn is_open(self) -> bool {
        matches!(self, Self::Any | Self::Natural)
    }

    /// The integer type that a `format` names.
    pub(crate) fn of_format(format: &str) -> Option<Self> {
        let all = [Self::I8, Self::U8, Self::I16, Self::U16, Self::I32, Self::U32, Self::I64, Self::U64];
        let name = format.strip_prefix("uint").map(|bits| format!("u{bits}"));
        let name = name.or_else(|| format.strip_prefix("int").map(|bits| format!("i{bits}")));
        let name = name.unwrap_or_else(|| format.to_owned());
        if name == "u" || name == "usize" {
            return Some(Self::U64);
        }
        all.into_iter().find(|integer| integer.name() == name)
    }

    /// The least and the greatest value, as far as 128 bits go.
    pub(crate) fn range(self) -> (i128, i128) {
        match self {
            Self::I8 => (i8::MIN.into(), i8::MAX.into()),
            Self::U8 => (0, u8::MAX.into()),
            Self::I16 => (i16::MIN.into(), i16::MAX.into()),
            Self::U16 => (0, u16::MAX.into()),
            Self::I32 => (i32::MIN.into(), i32::MAX.into()),
            Self::U32 => (0, u32::MAX.into()),
            Self::I64 => (i64::MIN.into(), i64::MAX.into()),
            Self::U64 => (0, u64::MAX.into()),
            Self::I128 | Self::Any => (i128::MIN, i128::MAX),
            Self::Natural => (0, i128::MAX),
        }
    }

    /// The smallest type that holds a range; for an open range, that of every integer of JSON.
    pub(crate) fn smallest(least: Option<i128>, most: Option<i128>) -> Self {
        let (Some(least), Some(most)) = (least, most) else { return Self::Any };
        let among = match least >= 0 {
            true => [Self::U8, Self::U16, Self::U32, Self::U64],
            false => [Self::I8, Self::I16, Self::I32, Self::I64],
        };
        let fits = |integer: &Self| {
            let (low, high) = integer.range();
            (low..=high).contains(&least) && (low..=high).contains(&most)
        };
        among.into_iter().find(fits).unwrap_or(Self::I128)
    }
}

/// Compiles a pattern of ECMA-262: by code points, or by code units if it is no pattern of code points.
pub(crate) fn regex(pattern: &str) -> Result<regress::Regex, regress::Error> {
    regress::Regex::with_flags(pattern, "u").or_else(|error| regress::Regex::new(pattern).map_err(|_| error))
}
