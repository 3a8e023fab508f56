
/// The rules of a string. Lengths count characters, as JSON Schema does.
#[derive(Debug)]
pub(crate) struct Rules {
    pub(crate) min_length: Option<usize>,
    pub(crate) max_length: Option<usize>,
    pub(crate) pattern: Option<&'static str>,
}

impl Rules {
    pub(crate) const fn new() -> Self {
        Self { min_length: None, max_length: None, pattern: None }
    }

    pub(crate) const fn min_length(mut self, least: usize) -> Self {
        self.min_length = Some(least);
        self
    }

    pub(crate) const fn max_length(mut self, most: usize) -> Self {
        self.max_length = Some(most);
        self
    }

    // with patterns
    pub(crate) const fn pattern(mut self, pattern: &'static str) -> Self {
        self.pattern = Some(pattern);
        self
    }
    // end

    /// Checks a text; the pattern is asked last, so that none meets a text of any length.
    pub(crate) fn check(&self, text: &str, matches: impl FnOnce(&str) -> bool) -> Result<(), InvalidValue> {
        let count = text.chars().count();
        if let Some(most) = self.max_length.filter(|most| count > *most) {
            return Err(InvalidValue::new(format!("must be at most {most} characters")));
        }
        if let Some(least) = self.min_length.filter(|least| count < *least) {
            return Err(InvalidValue::new(format!("must be at least {least} characters")));
        }
        match self.pattern {
            Some(pattern) if !matches(text) => Err(InvalidValue::new(format!("must match {pattern}"))),
            _ => Ok(()),
        }
    }
}

// with patterns
pub(crate) use ::regress::Regex as Pattern;

/// A pattern as ECMA-262 means it: by code points, or where it is written for code units, by those.
pub(crate) fn regex(pattern: &str) -> Option<Pattern> {
    let units = || ::regress::Regex::new(pattern).ok();
    ::regress::Regex::with_flags(pattern, "u").ok().or_else(units)
}
// end

/// Gives a newtype over `String` its checks and conversions.
macro_rules! text_newtype {
    ($type:ident $(, $rule:ident = $value:literal)* $(,)?) => {
        impl $type {
            const RULES: super::support::Rules = super::support::Rules::new()$(.$rule($value))*;

            /// The text.
            pub fn as_str(&self) -> &str {
                &self.0
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
            type Error = super::support::InvalidValue;

            fn try_from(text: ::std::string::String) -> ::std::result::Result<Self, Self::Error> {
                // with patterns
                static PATTERN: ::std::sync::LazyLock<::std::option::Option<::regress::Regex>> =
                    ::std::sync::LazyLock::new(|| super::support::regex($type::RULES.pattern?));
                let matches = |text: &str| PATTERN.as_ref().is_some_and(|regex| regex.find(text).is_some());
                // end
                // without: let matches = |_: &str| true;
                Self::RULES.check(&text, matches).map(|()| Self(text))
            }
        }

        impl ::std::convert::TryFrom<&str> for $type {
            type Error = super::support::InvalidValue;

            fn try_from(text: &str) -> ::std::result::Result<Self, Self::Error> {
                Self::try_from(text.to_owned())
            }
        }

        impl ::std::str::FromStr for $type {
            type Err = super::support::InvalidValue;

            fn from_str(text: &str) -> ::std::result::Result<Self, Self::Err> {
                Self::try_from(text)
            }
        }

        impl ::serde::Serialize for $type {
            fn serialize<S: ::serde::Serializer>(
                &self,
                serializer: S,
            ) -> ::std::result::Result<S::Ok, S::Error> {
                serializer.serialize_str(&self.0)
            }
        }

        impl<'de> ::serde::Deserialize<'de> for $type {
            fn deserialize<D: ::serde::Deserializer<'de>>(
                deserializer: D,
            ) -> ::std::result::Result<Self, D::Error> {
                let text = <::std::string::String as ::serde::Deserialize>::deserialize(deserializer)?;
                Self::try_from(text).map_err(::serde::de::Error::custom)
            }
        }
    };
}

pub(crate) use text_newtype;
