/// The schemas of the document as types.
pub mod types {
    /// `Alias`.
    #[derive(::serde::Deserialize, ::serde::Serialize, Clone, Debug, PartialEq)]
    #[serde(transparent)]
    #[derive(::schemars::JsonSchema)]
    pub struct Alias(pub Count);

    impl ::std::ops::Deref for Alias {
        type Target = Count;
        fn deref(&self) -> &Count {
            &self.0
        }
    }

    impl ::std::convert::From<Alias> for Count {
        fn from(value: Alias) -> Self {
            value.0
        }
    }

    impl ::std::convert::From<Count> for Alias {
        fn from(value: Count) -> Self {
            Self(value)
        }
    }

    /// Anything.
    pub type Any = ::serde_json::Value;

    /// `Both`.
    #[derive(::serde::Serialize, Clone, Debug, PartialEq)]
    #[derive(::schemars::JsonSchema)]
    pub struct Both {
        /// `a`.
        pub a: ::std::string::String,
        /// `b`.
        #[serde(skip_serializing_if = "::std::option::Option::is_none")]
        #[serde(default)]
        #[schemars(with = "i64")]
        pub b: ::std::option::Option<i64>,
    }

    impl<'de> ::serde::Deserialize<'de> for Both {
        fn deserialize<__D: ::serde::Deserializer<'de>>(
            deserializer: __D,
        ) -> ::std::result::Result<Self, __D::Error> {
            struct __Members;
            impl<'de> ::serde::de::Visitor<'de> for __Members {
                type Value = Both;
                fn expecting(
                    &self,
                    f: &mut ::std::fmt::Formatter<'_>,
                ) -> ::std::fmt::Result {
                    f.write_str("an object")
                }
                fn visit_map<__A: ::serde::de::MapAccess<'de>>(
                    self,
                    mut map: __A,
                ) -> ::std::result::Result<Self::Value, __A::Error> {
                    let mut member_0 = None;
                    let mut member_1 = None;
                    while let Some(name) = map.next_key::<crate::Name<'de>>()? {
                        match name.as_str() {
                            "a" if member_0.is_none() => member_0 = Some(map.next_value()?),
                            "a" => return Err(::serde::de::Error::duplicate_field("a")),
                            "b" if member_1.is_none() => member_1 = Some(map.next_value()?),
                            "b" => return Err(::serde::de::Error::duplicate_field("b")),
                            _ => {
                                map.next_value::<::serde::de::IgnoredAny>()?;
                            }
                        }
                    }
                    Ok(Both {
                        a: member_0.ok_or_else(|| ::serde::de::Error::missing_field("a"))?,
                        b: member_1,
                    })
                }
            }
            ::serde::Deserializer::deserialize_map(deserializer, __Members)
        }
    }

    /// `Count`.
    #[derive(::serde::Deserialize, ::serde::Serialize, Clone, Debug, PartialEq)]
    #[serde(transparent)]
    #[derive(::schemars::JsonSchema)]
    pub struct Count(pub u64);

    impl ::std::ops::Deref for Count {
        type Target = u64;
        fn deref(&self) -> &u64 {
            &self.0
        }
    }

    impl ::std::convert::From<Count> for u64 {
        fn from(value: Count) -> Self {
            value.0
        }
    }

    impl ::std::convert::From<u64> for Count {
        fn from(value: u64) -> Self {
            Self(value)
        }
    }

    impl ::std::fmt::Display for Count {
        fn fmt(&self, f: &mut ::std::fmt::Formatter<'_>) -> ::std::fmt::Result {
            ::std::fmt::Display::fmt(&self.0, f)
        }
    }

    impl ::std::str::FromStr for Count {
        type Err = <u64 as ::std::str::FromStr>::Err;
        fn from_str(text: &str) -> ::std::result::Result<Self, Self::Err> {
            text.parse().map(Self)
        }
    }

    /// `Either`.
    #[derive(::serde::Deserialize, ::serde::Serialize, Clone, Debug, PartialEq)]
    #[serde(untagged)]
    #[derive(::schemars::JsonSchema)]
    #[allow(
        missing_docs,
        clippy::large_enum_variant,
        reason = "the document need say nothing of single variants, and decides what they hold"
    )]
    pub enum Either {
        N0(EitherN0),
        N1(EitherN1),
    }

    impl ::std::convert::From<EitherN0> for Either {
        fn from(value: EitherN0) -> Self {
            Self::N0(value)
        }
    }

    impl ::std::convert::From<EitherN1> for Either {
        fn from(value: EitherN1) -> Self {
            Self::N1(value)
        }
    }

    /// `EitherN0`.
    #[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, ::schemars::JsonSchema)]
    #[schemars(inline)]
    pub struct EitherN0(#[schemars(length(max = 5))] ::std::string::String);

    crate::text_newtype!(EitherN0, max_length = 5);

    /// `EitherN1`.
    #[derive(
        Clone,
        Copy,
        Debug,
        PartialEq,
        Eq,
        PartialOrd,
        Ord,
        Hash,
        ::schemars::JsonSchema
    )]
    #[schemars(inline)]
    pub struct EitherN1(
        #[schemars(with = "crate::Integer", range(min = 0_u8, max = 3_u8))]
        u8,
    );

    crate::integer_newtype!(EitherN1, u8, min = 0, max = 3);

    /// `Flag`.
    #[derive(::serde::Deserialize, ::serde::Serialize, Clone, Debug, PartialEq)]
    #[serde(transparent)]
    #[derive(::schemars::JsonSchema)]
    pub struct Flag(pub bool);

    impl ::std::ops::Deref for Flag {
        type Target = bool;
        fn deref(&self) -> &bool {
            &self.0
        }
    }

    impl ::std::convert::From<Flag> for bool {
        fn from(value: Flag) -> Self {
            value.0
        }
    }

    impl ::std::convert::From<bool> for Flag {
        fn from(value: bool) -> Self {
            Self(value)
        }
    }

    impl ::std::fmt::Display for Flag {
        fn fmt(&self, f: &mut ::std::fmt::Formatter<'_>) -> ::std::fmt::Result {
            ::std::fmt::Display::fmt(&self.0, f)
        }
    }

    impl ::std::str::FromStr for Flag {
        type Err = <bool as ::std::str::FromStr>::Err;
        fn from_str(text: &str) -> ::std::result::Result<Self, Self::Err> {
            text.parse().map(Self)
        }
    }

    /// `GreetInline`.
    #[derive(::serde::Serialize, Clone, Debug, Default, PartialEq)]
    #[derive(::schemars::JsonSchema)]
    #[schemars(inline)]
    pub struct GreetInline {
        /// `a`.
        #[serde(skip_serializing_if = "::std::option::Option::is_none")]
        #[serde(default)]
        #[schemars(with = "GreetInlineA")]
        pub a: ::std::option::Option<GreetInlineA>,
    }

    impl<'de> ::serde::Deserialize<'de> for GreetInline {
        fn deserialize<__D: ::serde::Deserializer<'de>>(
            deserializer: __D,
        ) -> ::std::result::Result<Self, __D::Error> {
            struct __Members;
            impl<'de> ::serde::de::Visitor<'de> for __Members {
                type Value = GreetInline;
                fn expecting(
                    &self,
                    f: &mut ::std::fmt::Formatter<'_>,
                ) -> ::std::fmt::Result {
                    f.write_str("an object")
                }
                fn visit_map<__A: ::serde::de::MapAccess<'de>>(
                    self,
                    mut map: __A,
                ) -> ::std::result::Result<Self::Value, __A::Error> {
                    let mut member_0 = None;
                    while let Some(name) = map.next_key::<crate::Name<'de>>()? {
                        match name.as_str() {
                            "a" if member_0.is_none() => member_0 = Some(map.next_value()?),
                            "a" => return Err(::serde::de::Error::duplicate_field("a")),
                            _ => {
                                map.next_value::<::serde::de::IgnoredAny>()?;
                            }
                        }
                    }
                    Ok(GreetInline { a: member_0 })
                }
            }
            ::serde::Deserializer::deserialize_map(deserializer, __Members)
        }
    }

    /// `GreetInlineA`.
    #[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, ::schemars::JsonSchema)]
    #[schemars(inline)]
    pub struct GreetInlineA(#[schemars(length(max = 2))] ::std::string::String);

    crate::text_newtype!(GreetInlineA, max_length = 2);

    /// `GreetMaybe`.
    #[derive(
        Clone,
        Copy,
        Debug,
        PartialEq,
        Eq,
        PartialOrd,
        Ord,
        Hash,
        ::schemars::JsonSchema
    )]
    #[schemars(inline)]
    pub struct GreetMaybe(#[schemars(with = "crate::Integer", range(min = 1_u64))] u64);

    crate::integer_newtype!(GreetMaybe, u64, min = 1, max = u64::MAX);

    /// `Huge`.
    #[derive(::serde::Deserialize, ::serde::Serialize, Clone, Debug, PartialEq)]
    #[serde(transparent)]
    #[derive(::schemars::JsonSchema)]
    pub struct Huge(pub u64);

    impl ::std::ops::Deref for Huge {
        type Target = u64;
        fn deref(&self) -> &u64 {
            &self.0
        }
    }

    impl ::std::convert::From<Huge> for u64 {
        fn from(value: Huge) -> Self {
            value.0
        }
    }

    impl ::std::convert::From<u64> for Huge {
        fn from(value: u64) -> Self {
            Self(value)
        }
    }

    impl ::std::fmt::Display for Huge {
        fn fmt(&self, f: &mut ::std::fmt::Formatter<'_>) -> ::std::fmt::Result {
            ::std::fmt::Display::fmt(&self.0, f)
        }
    }

    impl ::std::str::FromStr for Huge {
        type Err = <u64 as ::std::str::FromStr>::Err;
        fn from_str(text: &str) -> ::std::result::Result<Self, Self::Err> {
            text.parse().map(Self)
        }
    }

    /// `Id`.
    #[derive(::serde::Deserialize, ::serde::Serialize, Clone, Debug, PartialEq)]
    #[serde(transparent)]
    #[derive(::schemars::JsonSchema)]
    pub struct Id(pub ::uuid::Uuid);

    impl ::std::ops::Deref for Id {
        type Target = ::uuid::Uuid;
        fn deref(&self) -> &::uuid::Uuid {
            &self.0
        }
    }

    impl ::std::convert::From<Id> for ::uuid::Uuid {
        fn from(value: Id) -> Self {
            value.0
        }
    }

    impl ::std::convert::From<::uuid::Uuid> for Id {
        fn from(value: ::uuid::Uuid) -> Self {
            Self(value)
        }
    }

    impl ::std::fmt::Display for Id {
        fn fmt(&self, f: &mut ::std::fmt::Formatter<'_>) -> ::std::fmt::Result {
            ::std::fmt::Display::fmt(&self.0, f)
        }
    }

    impl ::std::str::FromStr for Id {
        type Err = <::uuid::Uuid as ::std::str::FromStr>::Err;
        fn from_str(text: &str) -> ::std::result::Result<Self, Self::Err> {
            text.parse().map(Self)
        }
    }

    impl ::std::convert::TryFrom<&str> for Id {
        type Error = <::uuid::Uuid as ::std::str::FromStr>::Err;
        fn try_from(text: &str) -> ::std::result::Result<Self, Self::Error> {
            text.parse()
        }
    }

    impl ::std::convert::TryFrom<::std::string::String> for Id {
        type Error = <::uuid::Uuid as ::std::str::FromStr>::Err;
        fn try_from(
            text: ::std::string::String,
        ) -> ::std::result::Result<Self, Self::Error> {
            text.parse()
        }
    }

    /// `Inner`.
    #[derive(::serde::Serialize, Clone, Debug, PartialEq)]
    #[serde(deny_unknown_fields)]
    #[derive(::schemars::JsonSchema)]
    pub struct Inner {
        /// `any`.
        #[serde(skip_serializing_if = "::std::option::Option::is_none")]
        #[serde(default)]
        #[schemars(with = "::serde_json::Value")]
        pub any: ::std::option::Option<::serde_json::Value>,
        /// `deep`.
        pub deep: InnerDeep,
        /// `list`.
        pub list: ::std::vec::Vec<InnerListItem>,
        /// `map`.
        #[serde(skip_serializing_if = "::std::option::Option::is_none")]
        #[serde(default)]
        #[schemars(
            with = "::std::collections::BTreeMap<::std::string::String,InnerMapValue>"
        )]
        pub map: ::std::option::Option<
            ::std::collections::BTreeMap<::std::string::String, InnerMapValue>,
        >,
        /// `maybe`.
        #[serde(skip_serializing_if = "::std::option::Option::is_none")]
        #[serde(default)]
        pub maybe: ::std::option::Option<InnerMaybe>,
        /// Anything.
        #[serde(rename = "refAny")]
        #[serde(skip_serializing_if = "::std::option::Option::is_none")]
        #[serde(default)]
        #[schemars(with = "Any")]
        pub ref_any: ::std::option::Option<Any>,
    }

    impl<'de> ::serde::Deserialize<'de> for Inner {
        fn deserialize<__D: ::serde::Deserializer<'de>>(
            deserializer: __D,
        ) -> ::std::result::Result<Self, __D::Error> {
            struct __Members;
            impl<'de> ::serde::de::Visitor<'de> for __Members {
                type Value = Inner;
                fn expecting(
                    &self,
                    f: &mut ::std::fmt::Formatter<'_>,
                ) -> ::std::fmt::Result {
                    f.write_str("an object")
                }
                fn visit_map<__A: ::serde::de::MapAccess<'de>>(
                    self,
                    mut map: __A,
                ) -> ::std::result::Result<Self::Value, __A::Error> {
                    let mut member_0 = None;
                    let mut member_1 = None;
                    let mut member_2 = None;
                    let mut member_3 = None;
                    let mut member_4 = None;
                    let mut member_5 = None;
                    while let Some(name) = map.next_key::<crate::Name<'de>>()? {
                        match name.as_str() {
                            "any" if member_0.is_none() => member_0 = Some(map.next_value()?),
                            "any" => return Err(::serde::de::Error::duplicate_field("any")),
                            "deep" if member_1.is_none() => {
                                member_1 = Some(map.next_value()?);
                            }
                            "deep" => return Err(::serde::de::Error::duplicate_field("deep")),
                            "list" if member_2.is_none() => {
                                member_2 = Some(map.next_value()?);
                            }
                            "list" => return Err(::serde::de::Error::duplicate_field("list")),
                            "map" if member_3.is_none() => member_3 = Some(map.next_value()?),
                            "map" => return Err(::serde::de::Error::duplicate_field("map")),
                            "maybe" if member_4.is_none() => {
                                member_4 = Some(map.next_value()?);
                            }
                            "maybe" => {
                                return Err(::serde::de::Error::duplicate_field("maybe"));
                            }
                            "refAny" if member_5.is_none() => {
                                member_5 = Some(map.next_value()?);
                            }
                            "refAny" => {
                                return Err(::serde::de::Error::duplicate_field("refAny"));
                            }
                            _ => {
                                return Err(
                                    ::serde::de::Error::unknown_field(
                                        name.as_str(),
                                        &["any", "deep", "list", "map", "maybe", "refAny"],
                                    ),
                                );
                            }
                        }
                    }
                    Ok(Inner {
                        any: member_0,
                        deep: member_1
                            .ok_or_else(|| ::serde::de::Error::missing_field("deep"))?,
                        list: member_2
                            .ok_or_else(|| ::serde::de::Error::missing_field("list"))?,
                        map: member_3,
                        maybe: ::std::option::Option::flatten(member_4),
                        ref_any: member_5,
                    })
                }
            }
            ::serde::Deserializer::deserialize_map(deserializer, __Members)
        }
    }

    /// `InnerDeep`.
    #[derive(::serde::Serialize, Clone, Debug, PartialEq)]
    #[derive(::schemars::JsonSchema)]
    #[schemars(inline)]
    pub struct InnerDeep {
        /// `deeper`.
        pub deeper: InnerDeepDeeper,
    }

    impl<'de> ::serde::Deserialize<'de> for InnerDeep {
        fn deserialize<__D: ::serde::Deserializer<'de>>(
            deserializer: __D,
        ) -> ::std::result::Result<Self, __D::Error> {
            struct __Members;
            impl<'de> ::serde::de::Visitor<'de> for __Members {
                type Value = InnerDeep;
                fn expecting(
                    &self,
                    f: &mut ::std::fmt::Formatter<'_>,
                ) -> ::std::fmt::Result {
                    f.write_str("an object")
                }
                fn visit_map<__A: ::serde::de::MapAccess<'de>>(
                    self,
                    mut map: __A,
                ) -> ::std::result::Result<Self::Value, __A::Error> {
                    let mut member_0 = None;
                    while let Some(name) = map.next_key::<crate::Name<'de>>()? {
                        match name.as_str() {
                            "deeper" if member_0.is_none() => {
                                member_0 = Some(map.next_value()?);
                            }
                            "deeper" => {
                                return Err(::serde::de::Error::duplicate_field("deeper"));
                            }
                            _ => {
                                map.next_value::<::serde::de::IgnoredAny>()?;
                            }
                        }
                    }
                    Ok(InnerDeep {
                        deeper: member_0
                            .ok_or_else(|| ::serde::de::Error::missing_field("deeper"))?,
                    })
                }
            }
            ::serde::Deserializer::deserialize_map(deserializer, __Members)
        }
    }

    /// `InnerDeepDeeper`.
    #[derive(::serde::Serialize, Clone, Debug, Default, PartialEq)]
    #[derive(::schemars::JsonSchema)]
    #[schemars(inline)]
    pub struct InnerDeepDeeper {
        /// `level`.
        #[serde(skip_serializing_if = "::std::option::Option::is_none")]
        #[serde(default)]
        #[schemars(with = "InnerDeepDeeperLevel")]
        pub level: ::std::option::Option<InnerDeepDeeperLevel>,
    }

    impl<'de> ::serde::Deserialize<'de> for InnerDeepDeeper {
        fn deserialize<__D: ::serde::Deserializer<'de>>(
            deserializer: __D,
        ) -> ::std::result::Result<Self, __D::Error> {
            struct __Members;
            impl<'de> ::serde::de::Visitor<'de> for __Members {
                type Value = InnerDeepDeeper;
                fn expecting(
                    &self,
                    f: &mut ::std::fmt::Formatter<'_>,
                ) -> ::std::fmt::Result {
                    f.write_str("an object")
                }
                fn visit_map<__A: ::serde::de::MapAccess<'de>>(
                    self,
                    mut map: __A,
                ) -> ::std::result::Result<Self::Value, __A::Error> {
                    let mut member_0 = None;
                    while let Some(name) = map.next_key::<crate::Name<'de>>()? {
                        match name.as_str() {
                            "level" if member_0.is_none() => {
                                member_0 = Some(map.next_value()?);
                            }
                            "level" => {
                                return Err(::serde::de::Error::duplicate_field("level"));
                            }
                            _ => {
                                map.next_value::<::serde::de::IgnoredAny>()?;
                            }
                        }
                    }
                    Ok(InnerDeepDeeper { level: member_0 })
                }
            }
            ::serde::Deserializer::deserialize_map(deserializer, __Members)
        }
    }

    /// `InnerDeepDeeperLevel`.
    #[derive(::schemars::JsonSchema)]
    #[schemars(inline)]
    #[allow(missing_docs, reason = "the document says nothing of single values")]
    #[derive(::serde::Serialize, Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
    pub enum InnerDeepDeeperLevel {
        #[serde(rename = "low")]
        Low,
        #[serde(rename = "high")]
        High,
    }

    impl ::std::fmt::Display for InnerDeepDeeperLevel {
        fn fmt(&self, f: &mut ::std::fmt::Formatter<'_>) -> ::std::fmt::Result {
            match *self {
                Self::Low => f.write_str("low"),
                Self::High => f.write_str("high"),
            }
        }
    }

    impl ::std::str::FromStr for InnerDeepDeeperLevel {
        type Err = self::error::ConversionError;
        fn from_str(
            value: &str,
        ) -> ::std::result::Result<Self, self::error::ConversionError> {
            match value {
                "low" => Ok(Self::Low),
                "high" => Ok(Self::High),
                _ => Err("invalid value".into()),
            }
        }
    }

    impl ::std::convert::TryFrom<&str> for InnerDeepDeeperLevel {
        type Error = self::error::ConversionError;
        fn try_from(
            value: &str,
        ) -> ::std::result::Result<Self, self::error::ConversionError> {
            value.parse()
        }
    }

    impl ::std::convert::TryFrom<::std::string::String> for InnerDeepDeeperLevel {
        type Error = self::error::ConversionError;
        fn try_from(
            value: ::std::string::String,
        ) -> ::std::result::Result<Self, self::error::ConversionError> {
            value.parse()
        }
    }

    impl<'de> ::serde::Deserialize<'de> for InnerDeepDeeperLevel {
        fn deserialize<__D: ::serde::Deserializer<'de>>(
            deserializer: __D,
        ) -> ::std::result::Result<Self, __D::Error> {
            crate::one_of(deserializer, &["low", "high"])
        }
    }

    /// `InnerListItem`.
    #[derive(::serde::Serialize, Clone, Debug, Default, PartialEq)]
    #[derive(::schemars::JsonSchema)]
    #[schemars(inline)]
    pub struct InnerListItem {
        /// `x`.
        #[serde(skip_serializing_if = "::std::option::Option::is_none")]
        #[serde(default)]
        #[schemars(with = "InnerListItemX")]
        pub x: ::std::option::Option<InnerListItemX>,
    }

    impl<'de> ::serde::Deserialize<'de> for InnerListItem {
        fn deserialize<__D: ::serde::Deserializer<'de>>(
            deserializer: __D,
        ) -> ::std::result::Result<Self, __D::Error> {
            struct __Members;
            impl<'de> ::serde::de::Visitor<'de> for __Members {
                type Value = InnerListItem;
                fn expecting(
                    &self,
                    f: &mut ::std::fmt::Formatter<'_>,
                ) -> ::std::fmt::Result {
                    f.write_str("an object")
                }
                fn visit_map<__A: ::serde::de::MapAccess<'de>>(
                    self,
                    mut map: __A,
                ) -> ::std::result::Result<Self::Value, __A::Error> {
                    let mut member_0 = None;
                    while let Some(name) = map.next_key::<crate::Name<'de>>()? {
                        match name.as_str() {
                            "x" if member_0.is_none() => member_0 = Some(map.next_value()?),
                            "x" => return Err(::serde::de::Error::duplicate_field("x")),
                            _ => {
                                map.next_value::<::serde::de::IgnoredAny>()?;
                            }
                        }
                    }
                    Ok(InnerListItem { x: member_0 })
                }
            }
            ::serde::Deserializer::deserialize_map(deserializer, __Members)
        }
    }

    /// `InnerListItemX`.
    #[derive(
        Clone,
        Copy,
        Debug,
        PartialEq,
        Eq,
        PartialOrd,
        Ord,
        Hash,
        ::schemars::JsonSchema
    )]
    #[schemars(inline)]
    pub struct InnerListItemX(
        #[schemars(with = "crate::Integer", range(min = 1_u8, max = 2_u8))]
        u8,
    );

    crate::integer_newtype!(InnerListItemX, u8, min = 1, max = 2);

    /// `InnerMapValue`.
    #[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, ::schemars::JsonSchema)]
    #[schemars(inline)]
    pub struct InnerMapValue(#[schemars(length(max = 2))] ::std::string::String);

    crate::text_newtype!(InnerMapValue, max_length = 2);

    /// `InnerMaybe`.
    #[derive(
        Clone,
        Copy,
        Debug,
        PartialEq,
        Eq,
        PartialOrd,
        Ord,
        Hash,
        ::schemars::JsonSchema
    )]
    #[schemars(inline)]
    pub struct InnerMaybe(
        #[schemars(with = "crate::Integer", range(min = 1_u8, max = 2_u8))]
        u8,
    );

    crate::integer_newtype!(InnerMaybe, u8, min = 1, max = 2);

    /// `Least`.
    #[derive(
        Clone,
        Copy,
        Debug,
        PartialEq,
        Eq,
        PartialOrd,
        Ord,
        Hash,
        ::schemars::JsonSchema
    )]
    pub struct Least(#[schemars(with = "crate::Integer", range(min = -200_i64))] i64);

    crate::integer_newtype!(Least, i64, min = - 200, max = i64::MAX);

    /// `MaybeText`.
    #[derive(::serde::Deserialize, ::serde::Serialize, Clone, Debug, PartialEq)]
    #[serde(transparent)]
    #[derive(::schemars::JsonSchema)]
    pub struct MaybeText(pub ::std::option::Option<MaybeText2>);

    impl ::std::ops::Deref for MaybeText {
        type Target = ::std::option::Option<MaybeText2>;
        fn deref(&self) -> &::std::option::Option<MaybeText2> {
            &self.0
        }
    }

    impl ::std::convert::From<MaybeText> for ::std::option::Option<MaybeText2> {
        fn from(value: MaybeText) -> Self {
            value.0
        }
    }

    impl ::std::convert::From<::std::option::Option<MaybeText2>> for MaybeText {
        fn from(value: ::std::option::Option<MaybeText2>) -> Self {
            Self(value)
        }
    }

    /// `MaybeText2`.
    #[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, ::schemars::JsonSchema)]
    #[schemars(inline)]
    pub struct MaybeText2(#[schemars(length(max = 4))] ::std::string::String);

    crate::text_newtype!(MaybeText2, max_length = 4);

    /// `Mixed`.
    #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
    pub enum Mixed {
        /// `1`
        N1,
        /// `"one"`
        One,
        /// `{"a":1.0}`
        A10,
    }

    impl Mixed {
        /// Every value, in the order of the document.
        pub const ALL: &'static [Self] = &[Self::N1, Self::One, Self::A10];
        /// The value as JSON text.
        pub const fn as_json(&self) -> &'static str {
            match self {
                Self::N1 => "1",
                Self::One => "\"one\"",
                Self::A10 => "{\"a\":1.0}",
            }
        }
    }

    impl ::serde::Serialize for Mixed {
        fn serialize<__S: ::serde::Serializer>(
            &self,
            serializer: __S,
        ) -> ::std::result::Result<__S::Ok, __S::Error> {
            let value = ::serde_json::from_str::<::serde_json::Value>(self.as_json());
            let value = value.map_err(::serde::ser::Error::custom)?;
            ::serde::Serialize::serialize(&value, serializer)
        }
    }

    impl<'de> ::serde::Deserialize<'de> for Mixed {
        fn deserialize<__D: ::serde::Deserializer<'de>>(
            deserializer: __D,
        ) -> ::std::result::Result<Self, __D::Error> {
            let value = <::serde_json::Value as ::serde::Deserialize>::deserialize(
                deserializer,
            )?;
            let same = |known: &&Self| {
                let known = ::serde_json::from_str::<::serde_json::Value>(known.as_json());
                known.is_ok_and(|known| crate::same(&known, &value))
            };
            let found = Self::ALL.iter().find(same).copied();
            found
                .ok_or_else(|| ::serde::de::Error::custom(
                    "expected one of 1, \"one\", {\"a\":1.0}",
                ))
        }
    }

    impl ::schemars::JsonSchema for Mixed {
        fn schema_name() -> ::std::borrow::Cow<'static, str> {
            "Mixed".into()
        }
        fn json_schema(_: &mut ::schemars::SchemaGenerator) -> ::schemars::Schema {
            ::serde_json::from_str("{\"enum\":[1, \"one\", {\"a\":1.0}]}")
                .unwrap_or_default()
        }
    }

    /// `Most`.
    #[derive(
        Clone,
        Copy,
        Debug,
        PartialEq,
        Eq,
        PartialOrd,
        Ord,
        Hash,
        ::schemars::JsonSchema
    )]
    pub struct Most(#[schemars(with = "crate::Integer", range(max = 9_i64))] i64);

    crate::integer_newtype!(Most, i64, min = i64::MIN, max = 9);

    /// `Nothing`.
    #[derive(::serde::Deserialize, ::serde::Serialize, Clone, Debug, PartialEq)]
    #[serde(transparent)]
    #[derive(::schemars::JsonSchema)]
    pub struct Nothing(pub ());

    impl ::std::ops::Deref for Nothing {
        type Target = ();
        fn deref(&self) -> &() {
            &self.0
        }
    }

    impl ::std::convert::From<Nothing> for () {
        fn from(value: Nothing) -> Self {
            value.0
        }
    }

    impl ::std::convert::From<()> for Nothing {
        fn from(value: ()) -> Self {
            Self(value)
        }
    }

    /// `Open`.
    #[derive(::serde::Serialize, Clone, Debug, Default, PartialEq)]
    #[derive(::schemars::JsonSchema)]
    pub struct Open {
        /// `known`.
        #[serde(skip_serializing_if = "::std::option::Option::is_none")]
        #[serde(default)]
        #[schemars(with = "bool")]
        pub known: ::std::option::Option<bool>,
        /// Members that the document does not name.
        #[serde(flatten)]
        pub extra: ::serde_json::Map<::std::string::String, ::serde_json::Value>,
    }

    impl<'de> ::serde::Deserialize<'de> for Open {
        fn deserialize<__D: ::serde::Deserializer<'de>>(
            deserializer: __D,
        ) -> ::std::result::Result<Self, __D::Error> {
            struct __Members;
            impl<'de> ::serde::de::Visitor<'de> for __Members {
                type Value = Open;
                fn expecting(
                    &self,
                    f: &mut ::std::fmt::Formatter<'_>,
                ) -> ::std::fmt::Result {
                    f.write_str("an object")
                }
                fn visit_map<__A: ::serde::de::MapAccess<'de>>(
                    self,
                    mut map: __A,
                ) -> ::std::result::Result<Self::Value, __A::Error> {
                    let mut member_0 = None;
                    let mut extra = ::std::default::Default::default();
                    while let Some(name) = map.next_key::<crate::Name<'de>>()? {
                        match name.as_str() {
                            "known" if member_0.is_none() => {
                                member_0 = Some(map.next_value()?);
                            }
                            "known" => {
                                return Err(::serde::de::Error::duplicate_field("known"));
                            }
                            _ => {
                                ::std::iter::Extend::extend(
                                    &mut extra,
                                    [(name.into_owned(), map.next_value()?)],
                                );
                            }
                        }
                    }
                    Ok(Open { known: member_0, extra })
                }
            }
            ::serde::Deserializer::deserialize_map(deserializer, __Members)
        }
    }

    /// `Plain`.
    #[derive(::serde::Deserialize, ::serde::Serialize, Clone, Debug, PartialEq)]
    #[serde(transparent)]
    #[derive(::schemars::JsonSchema)]
    pub struct Plain(pub i64);

    impl ::std::ops::Deref for Plain {
        type Target = i64;
        fn deref(&self) -> &i64 {
            &self.0
        }
    }

    impl ::std::convert::From<Plain> for i64 {
        fn from(value: Plain) -> Self {
            value.0
        }
    }

    impl ::std::convert::From<i64> for Plain {
        fn from(value: i64) -> Self {
            Self(value)
        }
    }

    impl ::std::fmt::Display for Plain {
        fn fmt(&self, f: &mut ::std::fmt::Formatter<'_>) -> ::std::fmt::Result {
            ::std::fmt::Display::fmt(&self.0, f)
        }
    }

    impl ::std::str::FromStr for Plain {
        type Err = <i64 as ::std::str::FromStr>::Err;
        fn from_str(text: &str) -> ::std::result::Result<Self, Self::Err> {
            text.parse().map(Self)
        }
    }

    /// `Real`.
    #[derive(::serde::Deserialize, ::serde::Serialize, Clone, Debug, PartialEq)]
    #[serde(transparent)]
    #[derive(::schemars::JsonSchema)]
    pub struct Real(pub f64);

    impl ::std::ops::Deref for Real {
        type Target = f64;
        fn deref(&self) -> &f64 {
            &self.0
        }
    }

    impl ::std::convert::From<Real> for f64 {
        fn from(value: Real) -> Self {
            value.0
        }
    }

    impl ::std::convert::From<f64> for Real {
        fn from(value: f64) -> Self {
            Self(value)
        }
    }

    impl ::std::fmt::Display for Real {
        fn fmt(&self, f: &mut ::std::fmt::Formatter<'_>) -> ::std::fmt::Result {
            ::std::fmt::Display::fmt(&self.0, f)
        }
    }

    impl ::std::str::FromStr for Real {
        type Err = <f64 as ::std::str::FromStr>::Err;
        fn from_str(text: &str) -> ::std::result::Result<Self, Self::Err> {
            text.parse().map(Self)
        }
    }

    /// `Shape`.
    #[derive(::serde::Serialize, Clone, Debug, PartialEq)]
    #[serde(tag = "kind")]
    #[derive(::schemars::JsonSchema)]
    #[allow(
        missing_docs,
        clippy::large_enum_variant,
        reason = "the document need say nothing of single variants, and decides what they hold"
    )]
    pub enum Shape {
        #[serde(rename = "circle")]
        Circle {
            /// `radius`.
            radius: f64,
        },
        #[serde(rename = "square")]
        Square {
            /// `side`.
            side: f64,
        },
    }

    impl<'de> ::serde::Deserialize<'de> for Shape {
        fn deserialize<__D: ::serde::Deserializer<'de>>(
            deserializer: __D,
        ) -> ::std::result::Result<Self, __D::Error> {
            let (tag, members) = crate::tagged(deserializer, "kind")?;
            match tag.as_str() {
                "circle" => {
                    let deserializer = members;
                    let read = {
                        struct __Members;
                        impl<'de> ::serde::de::Visitor<'de> for __Members {
                            type Value = Shape;
                            fn expecting(
                                &self,
                                f: &mut ::std::fmt::Formatter<'_>,
                            ) -> ::std::fmt::Result {
                                f.write_str("an object")
                            }
                            fn visit_map<__A: ::serde::de::MapAccess<'de>>(
                                self,
                                mut map: __A,
                            ) -> ::std::result::Result<Self::Value, __A::Error> {
                                let mut member_0 = None;
                                while let Some(name) = map.next_key::<crate::Name<'de>>()? {
                                    match name.as_str() {
                                        "radius" if member_0.is_none() => {
                                            member_0 = Some(map.next_value()?);
                                        }
                                        "radius" => {
                                            return Err(::serde::de::Error::duplicate_field("radius"));
                                        }
                                        _ => {
                                            map.next_value::<::serde::de::IgnoredAny>()?;
                                        }
                                    }
                                }
                                Ok(Shape::Circle {
                                    radius: member_0
                                        .ok_or_else(|| ::serde::de::Error::missing_field("radius"))?,
                                })
                            }
                        }
                        ::serde::Deserializer::deserialize_map(deserializer, __Members)
                    };
                    read.map_err(::serde::de::Error::custom)
                }
                "square" => {
                    let deserializer = members;
                    let read = {
                        struct __Members;
                        impl<'de> ::serde::de::Visitor<'de> for __Members {
                            type Value = Shape;
                            fn expecting(
                                &self,
                                f: &mut ::std::fmt::Formatter<'_>,
                            ) -> ::std::fmt::Result {
                                f.write_str("an object")
                            }
                            fn visit_map<__A: ::serde::de::MapAccess<'de>>(
                                self,
                                mut map: __A,
                            ) -> ::std::result::Result<Self::Value, __A::Error> {
                                let mut member_0 = None;
                                while let Some(name) = map.next_key::<crate::Name<'de>>()? {
                                    match name.as_str() {
                                        "side" if member_0.is_none() => {
                                            member_0 = Some(map.next_value()?);
                                        }
                                        "side" => {
                                            return Err(::serde::de::Error::duplicate_field("side"));
                                        }
                                        _ => {
                                            map.next_value::<::serde::de::IgnoredAny>()?;
                                        }
                                    }
                                }
                                Ok(Shape::Square {
                                    side: member_0
                                        .ok_or_else(|| ::serde::de::Error::missing_field("side"))?,
                                })
                            }
                        }
                        ::serde::Deserializer::deserialize_map(deserializer, __Members)
                    };
                    read.map_err(::serde::de::Error::custom)
                }
                other => {
                    Err(::serde::de::Error::unknown_variant(other, &["circle", "square"]))
                }
            }
        }
    }

    /// `Small`.
    #[derive(::serde::Deserialize, ::serde::Serialize, Clone, Debug, PartialEq)]
    #[serde(transparent)]
    #[derive(::schemars::JsonSchema)]
    pub struct Small(pub i8);

    impl ::std::ops::Deref for Small {
        type Target = i8;
        fn deref(&self) -> &i8 {
            &self.0
        }
    }

    impl ::std::convert::From<Small> for i8 {
        fn from(value: Small) -> Self {
            value.0
        }
    }

    impl ::std::convert::From<i8> for Small {
        fn from(value: i8) -> Self {
            Self(value)
        }
    }

    impl ::std::fmt::Display for Small {
        fn fmt(&self, f: &mut ::std::fmt::Formatter<'_>) -> ::std::fmt::Result {
            ::std::fmt::Display::fmt(&self.0, f)
        }
    }

    impl ::std::str::FromStr for Small {
        type Err = <i8 as ::std::str::FromStr>::Err;
        fn from_str(text: &str) -> ::std::result::Result<Self, Self::Err> {
            text.parse().map(Self)
        }
    }

    /// `Texts`.
    #[derive(::serde::Deserialize, ::serde::Serialize, Clone, Debug, PartialEq)]
    #[serde(transparent)]
    #[derive(::schemars::JsonSchema)]
    pub struct Texts(pub ::std::vec::Vec<TextsItem>);

    impl ::std::ops::Deref for Texts {
        type Target = ::std::vec::Vec<TextsItem>;
        fn deref(&self) -> &::std::vec::Vec<TextsItem> {
            &self.0
        }
    }

    impl ::std::convert::From<Texts> for ::std::vec::Vec<TextsItem> {
        fn from(value: Texts) -> Self {
            value.0
        }
    }

    impl ::std::convert::From<::std::vec::Vec<TextsItem>> for Texts {
        fn from(value: ::std::vec::Vec<TextsItem>) -> Self {
            Self(value)
        }
    }

    /// `TextsItem`.
    #[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, ::schemars::JsonSchema)]
    #[schemars(inline)]
    pub struct TextsItem(#[schemars(length(min = 1))] ::std::string::String);

    crate::text_newtype!(TextsItem, min_length = 1);

    /// A node that holds nodes.
    #[derive(::serde::Serialize, Clone, Debug, PartialEq)]
    #[derive(::schemars::JsonSchema)]
    pub struct Tree {
        /// `children`.
        pub children: ::std::vec::Vec<Tree>,
        /// `label`.
        #[serde(skip_serializing_if = "::std::option::Option::is_none")]
        #[serde(default)]
        pub label: ::std::option::Option<::std::string::String>,
        /// A node that holds nodes.
        #[serde(skip_serializing_if = "::std::option::Option::is_none")]
        #[serde(default)]
        #[schemars(with = "::std::boxed::Box<Tree>")]
        pub left: ::std::option::Option<::std::boxed::Box<Tree>>,
    }

    impl<'de> ::serde::Deserialize<'de> for Tree {
        fn deserialize<__D: ::serde::Deserializer<'de>>(
            deserializer: __D,
        ) -> ::std::result::Result<Self, __D::Error> {
            struct __Members;
            impl<'de> ::serde::de::Visitor<'de> for __Members {
                type Value = Tree;
                fn expecting(
                    &self,
                    f: &mut ::std::fmt::Formatter<'_>,
                ) -> ::std::fmt::Result {
                    f.write_str("an object")
                }
                fn visit_map<__A: ::serde::de::MapAccess<'de>>(
                    self,
                    mut map: __A,
                ) -> ::std::result::Result<Self::Value, __A::Error> {
                    let mut member_0 = None;
                    let mut member_1 = None;
                    let mut member_2 = None;
                    while let Some(name) = map.next_key::<crate::Name<'de>>()? {
                        match name.as_str() {
                            "children" if member_0.is_none() => {
                                member_0 = Some(map.next_value()?);
                            }
                            "children" => {
                                return Err(::serde::de::Error::duplicate_field("children"));
                            }
                            "label" if member_1.is_none() => {
                                member_1 = Some(map.next_value()?);
                            }
                            "label" => {
                                return Err(::serde::de::Error::duplicate_field("label"));
                            }
                            "left" if member_2.is_none() => {
                                member_2 = Some(map.next_value()?);
                            }
                            "left" => return Err(::serde::de::Error::duplicate_field("left")),
                            _ => {
                                map.next_value::<::serde::de::IgnoredAny>()?;
                            }
                        }
                    }
                    Ok(Tree {
                        children: member_0
                            .ok_or_else(|| ::serde::de::Error::missing_field("children"))?,
                        label: ::std::option::Option::flatten(member_1),
                        left: member_2,
                    })
                }
            }
            ::serde::Deserializer::deserialize_map(deserializer, __Members)
        }
    }

    /// `When`.
    #[derive(::serde::Deserialize, ::serde::Serialize, Clone, Debug, PartialEq)]
    #[derive(Eq, Hash, Ord, PartialOrd)]
    #[serde(transparent)]
    #[derive(::schemars::JsonSchema)]
    pub struct When(pub ::std::string::String);

    impl ::std::ops::Deref for When {
        type Target = ::std::string::String;
        fn deref(&self) -> &::std::string::String {
            &self.0
        }
    }

    impl ::std::convert::From<When> for ::std::string::String {
        fn from(value: When) -> Self {
            value.0
        }
    }

    impl ::std::convert::From<::std::string::String> for When {
        fn from(value: ::std::string::String) -> Self {
            Self(value)
        }
    }

    impl ::std::fmt::Display for When {
        fn fmt(&self, f: &mut ::std::fmt::Formatter<'_>) -> ::std::fmt::Result {
            ::std::fmt::Display::fmt(&self.0, f)
        }
    }

    impl ::std::str::FromStr for When {
        type Err = <::std::string::String as ::std::str::FromStr>::Err;
        fn from_str(text: &str) -> ::std::result::Result<Self, Self::Err> {
            text.parse().map(Self)
        }
    }

    impl ::std::convert::From<&str> for When {
        fn from(text: &str) -> Self {
            Self(text.to_owned())
        }
    }

    /// Error types.
    pub mod error {
        /// Error from a `TryFrom` or `FromStr` implementation.
        pub struct ConversionError(::std::borrow::Cow<'static, str>);

        impl ::std::error::Error for ConversionError {}

        impl ::std::fmt::Display for ConversionError {
            fn fmt(&self, f: &mut ::std::fmt::Formatter<'_>) -> Result<(), ::std::fmt::Error> {
                ::std::fmt::Display::fmt(&self.0, f)
            }
        }

        impl ::std::fmt::Debug for ConversionError {
            fn fmt(&self, f: &mut ::std::fmt::Formatter<'_>) -> Result<(), ::std::fmt::Error> {
                ::std::fmt::Debug::fmt(&self.0, f)
            }
        }

        impl From<&'static str> for ConversionError {
            fn from(value: &'static str) -> Self {
                Self(value.into())
            }
        }

        impl From<String> for ConversionError {
            fn from(value: String) -> Self {
                Self(value.into())
            }
        }
    }
}

/// Each schema of the document and the type that carries it.
pub static TYPES: &[crate::Type] = &[
    crate::Type::of::<types::Alias>("Alias"),
    crate::Type::of::<types::Any>("Any"),
    crate::Type::of::<types::Both>("Both"),
    crate::Type::of::<types::Count>("Count"),
    crate::Type::of::<types::Either>("Either"),
    crate::Type::of::<types::Flag>("Flag"),
    crate::Type::of::<types::Huge>("Huge"),
    crate::Type::of::<types::Id>("Id"),
    crate::Type::of::<types::Inner>("Inner"),
    crate::Type::of::<types::Least>("Least"),
    crate::Type::of::<types::MaybeText>("MaybeText"),
    crate::Type::of::<types::Mixed>("Mixed"),
    crate::Type::of::<types::Most>("Most"),
    crate::Type::of::<types::Nothing>("Nothing"),
    crate::Type::of::<types::Open>("Open"),
    crate::Type::of::<types::Plain>("Plain"),
    crate::Type::of::<types::Real>("Real"),
    crate::Type::of::<types::Shape>("Shape"),
    crate::Type::of::<types::Small>("Small"),
    crate::Type::of::<types::Texts>("Texts"),
    crate::Type::of::<types::Tree>("Tree"),
    crate::Type::of::<types::When>("When"),
];

/// The codes of the errors that the document declares.
pub mod codes {
    /// busy
    pub const BUSY: i32 = 1;
}

/// An error that the document declares, with its data.
#[derive(Clone, Debug, PartialEq)]
pub enum Fault {
    /// busy
    Busy,
}

impl Fault {
    /// Its code in the error object.
    pub const fn code(&self) -> i32 {
        match self {
            Self::Busy => codes::BUSY,
        }
    }
    /// Its name in the document.
    pub const fn name(&self) -> &'static str {
        match self {
            Self::Busy => "BUSY",
        }
    }
    /// The message that the document declares.
    pub const fn summary(&self) -> &'static str {
        match self {
            Self::Busy => "busy",
        }
    }
    /// The `data` of the error object.
    pub fn data(&self) -> Option<::serde_json::Value> {
        match self {
            Self::Busy => None,
        }
    }
    /// The declared error of this code; `None` if there is none, or if the data is not as declared.
    pub fn from_parts(code: i32, data: Option<&::serde_json::Value>) -> Option<Self> {
        let _ = data;
        match code {
            codes::BUSY => Some(Self::Busy),
            _ => None,
        }
    }
}

/// Params of `greet`.
#[derive(Clone, Debug, PartialEq, ::serde::Serialize, ::schemars::JsonSchema)]
#[derive(::serde::Deserialize)]
#[serde(deny_unknown_fields)]
pub struct GreetParams {
    /// `inline`.
    pub inline: types::GreetInline,
    /// `list`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "::std::vec::Vec<types::Count>")]
    pub list: Option<::std::vec::Vec<types::Count>>,
    /// `maybe`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "::std::option::Option<types::GreetMaybe>")]
    pub maybe: Option<types::GreetMaybe>,
    /// `shared`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "types::Shape")]
    pub shared: Option<types::Shape>,
}

impl GreetParams {
    /// The params by position; what is absent at the end is left out, what is absent before it is null.
    ///
    /// # Errors
    ///
    /// If a value cannot be written as JSON.
    pub fn into_positional(
        self,
    ) -> Result<Vec<::serde_json::Value>, ::serde_json::Error> {
        let mut positions = Vec::from([
            ::serde_json::to_value(self.inline)?,
            ::serde_json::to_value(self.list)?,
            ::serde_json::to_value(self.maybe)?,
            ::serde_json::to_value(self.shared)?,
        ]);
        while positions.len() > 1
            && positions.last().is_some_and(::serde_json::Value::is_null)
        {
            positions.pop();
        }
        Ok(positions)
    }
}

impl crate::Params for GreetParams {
    const PARAMS: &'static [crate::Param] = &[
        crate::Param {
            name: "inline",
            required: true,
        },
        crate::Param {
            name: "list",
            required: false,
        },
        crate::Param {
            name: "maybe",
            required: false,
        },
        crate::Param {
            name: "shared",
            required: false,
        },
    ];
}

/// Sample.
#[cfg(any(feature = "server", feature = "client"))]
#[cfg_attr(
    all(feature = "server", feature = "client"),
    ::jsonrpsee::proc_macros::rpc(server, client)
)]
#[cfg_attr(
    all(feature = "server", not(feature = "client")),
    ::jsonrpsee::proc_macros::rpc(server)
)]
#[cfg_attr(
    all(feature = "client", not(feature = "server")),
    ::jsonrpsee::proc_macros::rpc(client)
)]
pub trait Sample {
    /// Say hello.
    #[method(name = "greet", param_kind = map, with_extensions)]
    async fn greet(
        &self,
        inline: types::GreetInline,
        list: Option<::std::vec::Vec<types::Count>>,
        maybe: Option<types::GreetMaybe>,
        shared: Option<types::Shape>,
    ) -> Result<::std::vec::Vec<types::Tree>, crate::Error>;
}

/// Every method of the document, in its order.
pub static METHODS: &[crate::Method] = &[
    crate::Method {
        name: "greet",
        auth: crate::Auth::Session,
        connection: false,
        params: <GreetParams as crate::Params>::PARAMS,
        errors: &[],
        check_params: crate::check_params::<GreetParams>,
    },
];

/// The method of this name.
pub fn method(name: &str) -> Option<&'static crate::Method> {
    match name {
        "greet" => METHODS.first(),
        _ => None,
    }
}

/// The document itself, byte for byte.
pub const DOCUMENT: &str = include_str!(
    concat!(env!("CARGO_MANIFEST_DIR"), "/../openrpc.json")
);
