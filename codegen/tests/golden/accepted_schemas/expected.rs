#[doc(no_inline)]
#[allow(unused_imports, reason = "the caller of the interface may need none of it")]
pub use ::circles_codegen_support as support;

/// The schemas of the document as types.
#[allow(
    clippy::doc_lazy_continuation,
    clippy::doc_overindented_list_items,
    clippy::enum_variant_names,
    clippy::module_inception,
    clippy::new_ret_no_self,
    clippy::should_implement_trait,
    clippy::too_many_arguments,
    clippy::type_complexity,
    clippy::upper_case_acronyms,
    clippy::wrong_self_convention,
    rustdoc::all,
    reason = "the document chose names, numbers and prose"
)]
pub mod types {
    /// `Alias`.
    #[derive(::serde::Deserialize, ::serde::Serialize, Clone, Debug, PartialEq)]
    #[serde(transparent)]
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
    pub struct Both {
        /// `a`.
        pub a: ::std::string::String,
        /// `b`.
        #[serde(skip_serializing_if = "::std::option::Option::is_none")]
        pub b: ::std::option::Option<::circles_codegen_support::Integer>,
        /// Members that the document does not name.
        #[serde(flatten)]
        pub extra: ::serde_json::Map<::std::string::String, ::serde_json::Value>,
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
                    let mut extra = ::std::default::Default::default();
                    while let Some(name) = map
                        .next_key::<::circles_codegen_support::Name<'de>>()?
                    {
                        match name.as_str() {
                            "a" if member_0.is_none() => member_0 = Some(map.next_value()?),
                            "a" => return Err(::serde::de::Error::duplicate_field("a")),
                            "b" if member_1.is_none() => member_1 = Some(map.next_value()?),
                            "b" => return Err(::serde::de::Error::duplicate_field("b")),
                            _ => {
                                ::std::iter::Extend::extend(
                                    &mut extra,
                                    [(name.into_owned(), map.next_value()?)],
                                );
                            }
                        }
                    }
                    Ok(Both {
                        a: member_0.ok_or_else(|| ::serde::de::Error::missing_field("a"))?,
                        b: member_1,
                        extra,
                    })
                }
            }
            ::serde::Deserializer::deserialize_map(deserializer, __Members)
        }
    }

    /// `Count`.
    #[derive(::serde::Deserialize, ::serde::Serialize, Clone, Debug, PartialEq)]
    #[serde(transparent)]
    pub struct Count(pub ::circles_codegen_support::Natural);

    impl ::std::ops::Deref for Count {
        type Target = ::circles_codegen_support::Natural;
        fn deref(&self) -> &::circles_codegen_support::Natural {
            &self.0
        }
    }

    impl ::std::convert::From<Count> for ::circles_codegen_support::Natural {
        fn from(value: Count) -> Self {
            value.0
        }
    }

    impl ::std::convert::From<::circles_codegen_support::Natural> for Count {
        fn from(value: ::circles_codegen_support::Natural) -> Self {
            Self(value)
        }
    }

    impl ::std::fmt::Display for Count {
        fn fmt(&self, f: &mut ::std::fmt::Formatter<'_>) -> ::std::fmt::Result {
            ::std::fmt::Display::fmt(&self.0, f)
        }
    }

    impl ::std::str::FromStr for Count {
        type Err = <::circles_codegen_support::Natural as ::std::str::FromStr>::Err;
        fn from_str(text: &str) -> ::std::result::Result<Self, Self::Err> {
            text.parse().map(Self)
        }
    }

    /// `Either`.
    #[derive(::serde::Deserialize, ::serde::Serialize, Clone, Debug, PartialEq)]
    #[serde(untagged)]
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
    #[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
    pub struct EitherN0(::std::string::String);

    ::circles_codegen_support::text_newtype!(EitherN0, max_length = 5);

    /// `EitherN1`.
    #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
    pub struct EitherN1(u8);

    ::circles_codegen_support::integer_newtype!(EitherN1, u8, min = 0, max = 3);

    /// `Flag`.
    #[derive(::serde::Deserialize, ::serde::Serialize, Clone, Debug, PartialEq)]
    #[serde(transparent)]
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
    pub struct GreetInline {
        /// `a`.
        #[serde(skip_serializing_if = "::std::option::Option::is_none")]
        pub a: ::std::option::Option<GreetInlineA>,
        /// Members that the document does not name.
        #[serde(flatten)]
        pub extra: ::serde_json::Map<::std::string::String, ::serde_json::Value>,
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
                    let mut extra = ::std::default::Default::default();
                    while let Some(name) = map
                        .next_key::<::circles_codegen_support::Name<'de>>()?
                    {
                        match name.as_str() {
                            "a" if member_0.is_none() => member_0 = Some(map.next_value()?),
                            "a" => return Err(::serde::de::Error::duplicate_field("a")),
                            _ => {
                                ::std::iter::Extend::extend(
                                    &mut extra,
                                    [(name.into_owned(), map.next_value()?)],
                                );
                            }
                        }
                    }
                    Ok(GreetInline { a: member_0, extra })
                }
            }
            ::serde::Deserializer::deserialize_map(deserializer, __Members)
        }
    }

    /// `GreetInlineA`.
    #[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
    pub struct GreetInlineA(::std::string::String);

    ::circles_codegen_support::text_newtype!(GreetInlineA, max_length = 2);

    /// `GreetMaybe`.
    #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
    pub struct GreetMaybe(::circles_codegen_support::Integer);

    ::circles_codegen_support::open_integer_newtype!(GreetMaybe, min = 1);

    /// `Huge`.
    #[derive(::serde::Deserialize, ::serde::Serialize, Clone, Debug, PartialEq)]
    #[serde(transparent)]
    pub struct Huge(pub ::circles_codegen_support::Int<u64>);

    impl ::std::ops::Deref for Huge {
        type Target = ::circles_codegen_support::Int<u64>;
        fn deref(&self) -> &::circles_codegen_support::Int<u64> {
            &self.0
        }
    }

    impl ::std::convert::From<Huge> for ::circles_codegen_support::Int<u64> {
        fn from(value: Huge) -> Self {
            value.0
        }
    }

    impl ::std::convert::From<::circles_codegen_support::Int<u64>> for Huge {
        fn from(value: ::circles_codegen_support::Int<u64>) -> Self {
            Self(value)
        }
    }

    impl ::std::fmt::Display for Huge {
        fn fmt(&self, f: &mut ::std::fmt::Formatter<'_>) -> ::std::fmt::Result {
            ::std::fmt::Display::fmt(&self.0, f)
        }
    }

    impl ::std::str::FromStr for Huge {
        type Err = <::circles_codegen_support::Int<u64> as ::std::str::FromStr>::Err;
        fn from_str(text: &str) -> ::std::result::Result<Self, Self::Err> {
            text.parse().map(Self)
        }
    }

    /// `Id`.
    #[derive(::serde::Deserialize, ::serde::Serialize, Clone, Debug, PartialEq)]
    #[serde(transparent)]
    pub struct Id(pub ::circles_codegen_support::Uuid);

    impl ::std::ops::Deref for Id {
        type Target = ::circles_codegen_support::Uuid;
        fn deref(&self) -> &::circles_codegen_support::Uuid {
            &self.0
        }
    }

    impl ::std::convert::From<Id> for ::circles_codegen_support::Uuid {
        fn from(value: Id) -> Self {
            value.0
        }
    }

    impl ::std::convert::From<::circles_codegen_support::Uuid> for Id {
        fn from(value: ::circles_codegen_support::Uuid) -> Self {
            Self(value)
        }
    }

    impl ::std::fmt::Display for Id {
        fn fmt(&self, f: &mut ::std::fmt::Formatter<'_>) -> ::std::fmt::Result {
            ::std::fmt::Display::fmt(&self.0, f)
        }
    }

    impl ::std::str::FromStr for Id {
        type Err = <::circles_codegen_support::Uuid as ::std::str::FromStr>::Err;
        fn from_str(text: &str) -> ::std::result::Result<Self, Self::Err> {
            text.parse().map(Self)
        }
    }

    impl ::std::convert::TryFrom<&str> for Id {
        type Error = <::circles_codegen_support::Uuid as ::std::str::FromStr>::Err;
        fn try_from(text: &str) -> ::std::result::Result<Self, Self::Error> {
            text.parse()
        }
    }

    impl ::std::convert::TryFrom<::std::string::String> for Id {
        type Error = <::circles_codegen_support::Uuid as ::std::str::FromStr>::Err;
        fn try_from(
            text: ::std::string::String,
        ) -> ::std::result::Result<Self, Self::Error> {
            text.parse()
        }
    }

    /// `Inner`.
    #[derive(::serde::Serialize, Clone, Debug, PartialEq)]
    pub struct Inner {
        /// `any`.
        #[serde(skip_serializing_if = "::std::option::Option::is_none")]
        pub any: ::std::option::Option<::serde_json::Value>,
        /// `deep`.
        pub deep: InnerDeep,
        /// `list`.
        pub list: ::std::vec::Vec<InnerListItem>,
        /// `map`.
        #[serde(skip_serializing_if = "::std::option::Option::is_none")]
        pub map: ::std::option::Option<
            ::std::collections::BTreeMap<::std::string::String, InnerMapValue>,
        >,
        /// `maybe`.
        #[serde(skip_serializing_if = "::std::option::Option::is_none")]
        pub maybe: ::std::option::Option<::std::option::Option<InnerMaybe>>,
        /// Anything.
        #[serde(rename = "refAny")]
        #[serde(skip_serializing_if = "::std::option::Option::is_none")]
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
                    while let Some(name) = map
                        .next_key::<::circles_codegen_support::Name<'de>>()?
                    {
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
                        maybe: member_4,
                        ref_any: member_5,
                    })
                }
            }
            ::serde::Deserializer::deserialize_map(deserializer, __Members)
        }
    }

    /// `InnerDeep`.
    #[derive(::serde::Serialize, Clone, Debug, PartialEq)]
    pub struct InnerDeep {
        /// `deeper`.
        pub deeper: InnerDeepDeeper,
        /// Members that the document does not name.
        #[serde(flatten)]
        pub extra: ::serde_json::Map<::std::string::String, ::serde_json::Value>,
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
                    let mut extra = ::std::default::Default::default();
                    while let Some(name) = map
                        .next_key::<::circles_codegen_support::Name<'de>>()?
                    {
                        match name.as_str() {
                            "deeper" if member_0.is_none() => {
                                member_0 = Some(map.next_value()?);
                            }
                            "deeper" => {
                                return Err(::serde::de::Error::duplicate_field("deeper"));
                            }
                            _ => {
                                ::std::iter::Extend::extend(
                                    &mut extra,
                                    [(name.into_owned(), map.next_value()?)],
                                );
                            }
                        }
                    }
                    Ok(InnerDeep {
                        deeper: member_0
                            .ok_or_else(|| ::serde::de::Error::missing_field("deeper"))?,
                        extra,
                    })
                }
            }
            ::serde::Deserializer::deserialize_map(deserializer, __Members)
        }
    }

    /// `InnerDeepDeeper`.
    #[derive(::serde::Serialize, Clone, Debug, Default, PartialEq)]
    pub struct InnerDeepDeeper {
        /// `level`.
        #[serde(skip_serializing_if = "::std::option::Option::is_none")]
        pub level: ::std::option::Option<InnerDeepDeeperLevel>,
        /// Members that the document does not name.
        #[serde(flatten)]
        pub extra: ::serde_json::Map<::std::string::String, ::serde_json::Value>,
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
                    let mut extra = ::std::default::Default::default();
                    while let Some(name) = map
                        .next_key::<::circles_codegen_support::Name<'de>>()?
                    {
                        match name.as_str() {
                            "level" if member_0.is_none() => {
                                member_0 = Some(map.next_value()?);
                            }
                            "level" => {
                                return Err(::serde::de::Error::duplicate_field("level"));
                            }
                            _ => {
                                ::std::iter::Extend::extend(
                                    &mut extra,
                                    [(name.into_owned(), map.next_value()?)],
                                );
                            }
                        }
                    }
                    Ok(InnerDeepDeeper {
                        level: member_0,
                        extra,
                    })
                }
            }
            ::serde::Deserializer::deserialize_map(deserializer, __Members)
        }
    }

    /// `InnerDeepDeeperLevel`.
    #[derive(::serde::Serialize, Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
    pub enum InnerDeepDeeperLevel {
        /// `low`
        #[serde(rename = "low")]
        Low,
        /// `high`
        #[serde(rename = "high")]
        High,
    }

    impl InnerDeepDeeperLevel {
        /// The text on the wire.
        pub const fn as_str(&self) -> &'static str {
            match self {
                Self::Low => "low",
                Self::High => "high",
            }
        }
    }

    impl ::std::fmt::Display for InnerDeepDeeperLevel {
        fn fmt(&self, f: &mut ::std::fmt::Formatter<'_>) -> ::std::fmt::Result {
            f.write_str(self.as_str())
        }
    }

    impl ::std::str::FromStr for InnerDeepDeeperLevel {
        type Err = ::circles_codegen_support::InvalidValue;
        fn from_str(text: &str) -> ::std::result::Result<Self, Self::Err> {
            match text {
                "low" => Ok(Self::Low),
                "high" => Ok(Self::High),
                _ => {
                    Err(
                        ::circles_codegen_support::InvalidValue::new(
                            "must be one of low, high",
                        ),
                    )
                }
            }
        }
    }

    impl<'de> ::serde::Deserialize<'de> for InnerDeepDeeperLevel {
        fn deserialize<__D: ::serde::Deserializer<'de>>(
            deserializer: __D,
        ) -> ::std::result::Result<Self, __D::Error> {
            ::circles_codegen_support::one_of(deserializer, &["low", "high"])
        }
    }

    /// `InnerListItem`.
    #[derive(::serde::Serialize, Clone, Debug, Default, PartialEq)]
    pub struct InnerListItem {
        /// `x`.
        #[serde(skip_serializing_if = "::std::option::Option::is_none")]
        pub x: ::std::option::Option<InnerListItemX>,
        /// Members that the document does not name.
        #[serde(flatten)]
        pub extra: ::serde_json::Map<::std::string::String, ::serde_json::Value>,
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
                    let mut extra = ::std::default::Default::default();
                    while let Some(name) = map
                        .next_key::<::circles_codegen_support::Name<'de>>()?
                    {
                        match name.as_str() {
                            "x" if member_0.is_none() => member_0 = Some(map.next_value()?),
                            "x" => return Err(::serde::de::Error::duplicate_field("x")),
                            _ => {
                                ::std::iter::Extend::extend(
                                    &mut extra,
                                    [(name.into_owned(), map.next_value()?)],
                                );
                            }
                        }
                    }
                    Ok(InnerListItem {
                        x: member_0,
                        extra,
                    })
                }
            }
            ::serde::Deserializer::deserialize_map(deserializer, __Members)
        }
    }

    /// `InnerListItemX`.
    #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
    pub struct InnerListItemX(u8);

    ::circles_codegen_support::integer_newtype!(InnerListItemX, u8, min = 1, max = 2);

    /// `InnerMapValue`.
    #[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
    pub struct InnerMapValue(::std::string::String);

    ::circles_codegen_support::text_newtype!(InnerMapValue, max_length = 2);

    /// `InnerMaybe`.
    #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
    pub struct InnerMaybe(u8);

    ::circles_codegen_support::integer_newtype!(InnerMaybe, u8, min = 1, max = 2);

    /// `Least`.
    #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
    pub struct Least(::circles_codegen_support::Integer);

    ::circles_codegen_support::open_integer_newtype!(Least, min = - 200);

    /// `MaybeText`.
    #[derive(::serde::Deserialize, ::serde::Serialize, Clone, Debug, PartialEq)]
    #[serde(transparent)]
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
    #[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
    pub struct MaybeText2(::std::string::String);

    ::circles_codegen_support::text_newtype!(MaybeText2, max_length = 4);

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
                known.is_ok_and(|known| ::circles_codegen_support::same(&known, &value))
            };
            let found = Self::ALL.iter().find(same).copied();
            found
                .ok_or_else(|| ::serde::de::Error::custom(
                    "expected one of 1, \"one\", {\"a\":1.0}",
                ))
        }
    }

    /// `Most`.
    #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
    pub struct Most(::circles_codegen_support::Integer);

    ::circles_codegen_support::open_integer_newtype!(Most,, max = 9);

    /// `Nothing`.
    #[derive(::serde::Deserialize, ::serde::Serialize, Clone, Debug, PartialEq)]
    #[serde(transparent)]
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
    pub struct Open {
        /// `known`.
        #[serde(skip_serializing_if = "::std::option::Option::is_none")]
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
                    while let Some(name) = map
                        .next_key::<::circles_codegen_support::Name<'de>>()?
                    {
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
    pub struct Plain(pub ::circles_codegen_support::Integer);

    impl ::std::ops::Deref for Plain {
        type Target = ::circles_codegen_support::Integer;
        fn deref(&self) -> &::circles_codegen_support::Integer {
            &self.0
        }
    }

    impl ::std::convert::From<Plain> for ::circles_codegen_support::Integer {
        fn from(value: Plain) -> Self {
            value.0
        }
    }

    impl ::std::convert::From<::circles_codegen_support::Integer> for Plain {
        fn from(value: ::circles_codegen_support::Integer) -> Self {
            Self(value)
        }
    }

    impl ::std::fmt::Display for Plain {
        fn fmt(&self, f: &mut ::std::fmt::Formatter<'_>) -> ::std::fmt::Result {
            ::std::fmt::Display::fmt(&self.0, f)
        }
    }

    impl ::std::str::FromStr for Plain {
        type Err = <::circles_codegen_support::Integer as ::std::str::FromStr>::Err;
        fn from_str(text: &str) -> ::std::result::Result<Self, Self::Err> {
            text.parse().map(Self)
        }
    }

    /// `Real`.
    #[derive(::serde::Deserialize, ::serde::Serialize, Clone, Debug, PartialEq)]
    #[serde(transparent)]
    pub struct Real(pub ::circles_codegen_support::Number);

    impl ::std::ops::Deref for Real {
        type Target = ::circles_codegen_support::Number;
        fn deref(&self) -> &::circles_codegen_support::Number {
            &self.0
        }
    }

    impl ::std::convert::From<Real> for ::circles_codegen_support::Number {
        fn from(value: Real) -> Self {
            value.0
        }
    }

    impl ::std::convert::From<::circles_codegen_support::Number> for Real {
        fn from(value: ::circles_codegen_support::Number) -> Self {
            Self(value)
        }
    }

    impl ::std::fmt::Display for Real {
        fn fmt(&self, f: &mut ::std::fmt::Formatter<'_>) -> ::std::fmt::Result {
            ::std::fmt::Display::fmt(&self.0, f)
        }
    }

    impl ::std::str::FromStr for Real {
        type Err = <::circles_codegen_support::Number as ::std::str::FromStr>::Err;
        fn from_str(text: &str) -> ::std::result::Result<Self, Self::Err> {
            text.parse().map(Self)
        }
    }

    /// `Shape`.
    #[derive(::serde::Serialize, Clone, Debug, PartialEq)]
    #[serde(tag = "kind")]
    #[allow(
        missing_docs,
        clippy::large_enum_variant,
        reason = "the document need say nothing of single variants, and decides what they hold"
    )]
    pub enum Shape {
        #[serde(rename = "circle")]
        Circle {
            /// `radius`.
            radius: ::circles_codegen_support::Number,
            /// Members that the document does not name.
            #[serde(flatten)]
            extra: ::serde_json::Map<::std::string::String, ::serde_json::Value>,
        },
        #[serde(rename = "square")]
        Square {
            /// `side`.
            side: ::circles_codegen_support::Number,
            /// Members that the document does not name.
            #[serde(flatten)]
            extra: ::serde_json::Map<::std::string::String, ::serde_json::Value>,
        },
    }

    impl<'de> ::serde::Deserialize<'de> for Shape {
        fn deserialize<__D: ::serde::Deserializer<'de>>(
            deserializer: __D,
        ) -> ::std::result::Result<Self, __D::Error> {
            let (tag, members) = ::circles_codegen_support::tagged(deserializer, "kind")?;
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
                                let mut extra = ::std::default::Default::default();
                                while let Some(name) = map
                                    .next_key::<::circles_codegen_support::Name<'de>>()?
                                {
                                    match name.as_str() {
                                        "radius" if member_0.is_none() => {
                                            member_0 = Some(map.next_value()?);
                                        }
                                        "radius" => {
                                            return Err(::serde::de::Error::duplicate_field("radius"));
                                        }
                                        _ => {
                                            ::std::iter::Extend::extend(
                                                &mut extra,
                                                [(name.into_owned(), map.next_value()?)],
                                            );
                                        }
                                    }
                                }
                                Ok(Shape::Circle {
                                    radius: member_0
                                        .ok_or_else(|| ::serde::de::Error::missing_field(
                                            "radius",
                                        ))?,
                                    extra,
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
                                let mut extra = ::std::default::Default::default();
                                while let Some(name) = map
                                    .next_key::<::circles_codegen_support::Name<'de>>()?
                                {
                                    match name.as_str() {
                                        "side" if member_0.is_none() => {
                                            member_0 = Some(map.next_value()?);
                                        }
                                        "side" => {
                                            return Err(::serde::de::Error::duplicate_field("side"));
                                        }
                                        _ => {
                                            ::std::iter::Extend::extend(
                                                &mut extra,
                                                [(name.into_owned(), map.next_value()?)],
                                            );
                                        }
                                    }
                                }
                                Ok(Shape::Square {
                                    side: member_0
                                        .ok_or_else(|| ::serde::de::Error::missing_field("side"))?,
                                    extra,
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
    pub struct Small(pub ::circles_codegen_support::Int<i8>);

    impl ::std::ops::Deref for Small {
        type Target = ::circles_codegen_support::Int<i8>;
        fn deref(&self) -> &::circles_codegen_support::Int<i8> {
            &self.0
        }
    }

    impl ::std::convert::From<Small> for ::circles_codegen_support::Int<i8> {
        fn from(value: Small) -> Self {
            value.0
        }
    }

    impl ::std::convert::From<::circles_codegen_support::Int<i8>> for Small {
        fn from(value: ::circles_codegen_support::Int<i8>) -> Self {
            Self(value)
        }
    }

    impl ::std::fmt::Display for Small {
        fn fmt(&self, f: &mut ::std::fmt::Formatter<'_>) -> ::std::fmt::Result {
            ::std::fmt::Display::fmt(&self.0, f)
        }
    }

    impl ::std::str::FromStr for Small {
        type Err = <::circles_codegen_support::Int<i8> as ::std::str::FromStr>::Err;
        fn from_str(text: &str) -> ::std::result::Result<Self, Self::Err> {
            text.parse().map(Self)
        }
    }

    /// `Texts`.
    #[derive(::serde::Deserialize, ::serde::Serialize, Clone, Debug, PartialEq)]
    #[serde(transparent)]
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
    #[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
    pub struct TextsItem(::std::string::String);

    ::circles_codegen_support::text_newtype!(TextsItem, min_length = 1);

    /// A node that holds nodes.
    #[derive(::serde::Serialize, Clone, Debug, PartialEq)]
    pub struct Tree {
        /// `children`.
        pub children: ::std::vec::Vec<Tree>,
        /// `label`.
        #[serde(skip_serializing_if = "::std::option::Option::is_none")]
        pub label: ::std::option::Option<::std::option::Option<::std::string::String>>,
        /// A node that holds nodes.
        #[serde(skip_serializing_if = "::std::option::Option::is_none")]
        pub left: ::std::option::Option<::std::boxed::Box<Tree>>,
        /// Members that the document does not name.
        #[serde(flatten)]
        pub extra: ::serde_json::Map<::std::string::String, ::serde_json::Value>,
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
                    let mut extra = ::std::default::Default::default();
                    while let Some(name) = map
                        .next_key::<::circles_codegen_support::Name<'de>>()?
                    {
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
                                ::std::iter::Extend::extend(
                                    &mut extra,
                                    [(name.into_owned(), map.next_value()?)],
                                );
                            }
                        }
                    }
                    Ok(Tree {
                        children: member_0
                            .ok_or_else(|| ::serde::de::Error::missing_field("children"))?,
                        label: member_1,
                        left: member_2,
                        extra,
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
}

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
#[derive(Clone, Debug, PartialEq, ::serde::Serialize)]
#[derive(::serde::Deserialize)]
#[serde(deny_unknown_fields)]
pub struct GreetParams {
    /// `inline`.
    pub inline: types::GreetInline,
    /// `list`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub list: Option<::std::vec::Vec<types::Count>>,
    /// `maybe`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub maybe: Option<types::GreetMaybe>,
    /// `shared`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub shared: Option<types::Shape>,
}

impl GreetParams {
    /// Returns the params by position. Absent ones at the end are left out, others are null.
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

impl ::circles_codegen_support::Params for GreetParams {
    const PARAMS: &'static [::circles_codegen_support::Param] = &[
        ::circles_codegen_support::Param {
            name: "inline",
            required: true,
        },
        ::circles_codegen_support::Param {
            name: "list",
            required: false,
        },
        ::circles_codegen_support::Param {
            name: "maybe",
            required: false,
        },
        ::circles_codegen_support::Param {
            name: "shared",
            required: false,
        },
    ];
}

impl ::jsonrpsee::core::traits::ToRpcParams for GreetParams {
    fn to_rpc_params(
        self,
    ) -> Result<Option<Box<::serde_json::value::RawValue>>, ::serde_json::Error> {
        self.into_positional()
            .and_then(|positions| ::serde_json::value::to_raw_value(&positions))
            .map(Some)
    }
}

impl GreetParams {
    /// Takes the required params; the others are absent until they are set.
    #[allow(
        clippy::too_many_arguments,
        clippy::new_without_default,
        reason = "the document counts them"
    )]
    pub fn new(inline: types::GreetInline) -> Self {
        Self {
            inline,
            list: None,
            maybe: None,
            shared: None,
        }
    }
    /// `list`.
    #[must_use]
    pub fn list(mut self, list: ::std::vec::Vec<types::Count>) -> Self {
        self.list = Some(list);
        self
    }
    /// `maybe`.
    #[must_use]
    pub fn maybe(mut self, maybe: types::GreetMaybe) -> Self {
        self.maybe = Some(maybe);
        self
    }
    /// `shared`.
    #[must_use]
    pub fn shared(mut self, shared: types::Shape) -> Self {
        self.shared = Some(shared);
        self
    }
}

#[allow(
    clippy::doc_lazy_continuation,
    clippy::doc_overindented_list_items,
    clippy::enum_variant_names,
    clippy::module_inception,
    clippy::new_ret_no_self,
    clippy::should_implement_trait,
    clippy::too_many_arguments,
    clippy::type_complexity,
    clippy::upper_case_acronyms,
    clippy::wrong_self_convention,
    rustdoc::all,
    reason = "the document chose names, numbers and prose"
)]
mod interface {
    #[allow(unused_imports, reason = "few traits need all of it")]
    use super::*;

    /// Sample.
    #[allow(
        clippy::too_many_arguments,
        clippy::wrong_self_convention,
        clippy::needless_lifetimes,
        clippy::unit_arg,
        clippy::let_unit_value,
        clippy::ignored_unit_patterns,
        reason = "the document decides names and counts"
    )]
    #[::jsonrpsee::proc_macros::rpc(server, client)]
    pub trait Sample {
        /// Say hello.
        #[method(name = "greet", param_kind = array, with_extensions)]
        async fn greet(
            &self,
            inline: super::types::GreetInline,
            list: Option<::std::vec::Vec<super::types::Count>>,
            maybe: Option<super::types::GreetMaybe>,
            shared: Option<super::types::Shape>,
        ) -> Result<::std::vec::Vec<super::types::Tree>, crate::Error>;
    }
}

#[allow(unused_imports, reason = "few need both sides")]
pub use self::interface::SampleServer;

#[allow(unused_imports, reason = "few need both sides")]
pub use self::interface::SampleClient;

/// Every method of the document, in its order.
pub static METHODS: &[support::Method] = &[
    support::Method {
        name: "greet",
        summary: "Say hello.",
        deprecated: false,
        tags: &[],
        auth: support::Auth::Session,
        connection: false,
        params: <GreetParams as support::Params>::PARAMS,
        errors: &[],
        extensions: "{}",
        check_params: support::check_params::<GreetParams>,
    },
];

/// Returns the method of this name.
pub fn method(name: &str) -> Option<&'static support::Method> {
    match name {
        "greet" => METHODS.first(),
        _ => None,
    }
}

/// The document itself, byte for byte.
pub const DOCUMENT: &str = include_str!(
    concat!(env!("CARGO_MANIFEST_DIR"), "/../openrpc.json")
);
