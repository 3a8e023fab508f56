//! Strings with bounds.

use crate::InvalidValue;

/// The rules of a string. Lengths count characters, as JSON Schema does.
#[derive(Debug, Default)]
pub struct TextRules {
    min_length: Option<usize>,
    max_length: Option<usize>,
    pattern: Option<&'static str>,
}

impl TextRules {
    /// Rules that every string keeps.
    pub const fn new() -> Self {
        Self { min_length: None, max_length: None, pattern: None }
    }

    /// Sets the least number of characters.
    #[must_use]
    pub const fn min_length(mut self, min: usize) -> Self {
        self.min_length = Some(min);
        self
    }

    /// Sets the greatest number of characters.
    #[must_use]
    pub const fn max_length(mut self, max: usize) -> Self {
        self.max_length = Some(max);
        self
    }

    /// Sets the pattern that must be found in the string.
    #[must_use]
    pub const fn pattern(mut self, pattern: &'static str) -> Self {
        self.pattern = Some(pattern);
        self
    }

    /// Compiles the pattern, if there is one.
    pub fn compiled(&self) -> Option<Pattern> {
        self.pattern.and_then(regex)
    }

    /// Checks a string. `matches` is called last, so that the pattern never meets a string that is too long.
    ///
    /// # Errors
    ///
    /// The first rule that the string breaks.
    pub fn check(&self, text: &str, matches: impl FnOnce(&str) -> bool) -> Result<(), InvalidValue> {
        // A character takes one to four bytes: most strings need no counting.
        let longer = |max: usize| text.len() > max && text.chars().count() > max;
        if let Some(max) = self.max_length
            && longer(max)
        {
            return Err(InvalidValue::new(format!("must be at most {max} {}", characters(max))));
        }
        if let Some(min) = self.min_length
            && text.chars().take(min).count() < min
        {
            return Err(InvalidValue::new(format!("must be at least {min} {}", characters(min))));
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

/// A compiled pattern.
pub use regress::Regex as Pattern;

/// Compiles a pattern of ECMA-262: by code points, or by code units where it is no pattern of code points.
pub fn regex(pattern: &str) -> Option<Pattern> {
    Pattern::with_flags(pattern, "u").or_else(|_| Pattern::new(pattern)).ok()
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

            /// Takes a text that another type has already checked by the same rules.
            #[allow(dead_code, reason = "few types share their rules with another")]
            pub(crate) fn assume_valid(text: ::std::string::String) -> Self {
                debug_assert_eq!(Self::check(&text), Ok(()));
                Self(text)
            }

            fn check(text: &str) -> ::std::result::Result<(), $crate::InvalidValue> {
                static PATTERN: ::std::sync::LazyLock<::std::option::Option<$crate::Pattern>> =
                    ::std::sync::LazyLock::new(|| $type::RULES.compiled());
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
