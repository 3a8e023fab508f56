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
    /// `Box`.
    #[derive(::serde::Deserialize, ::serde::Serialize, Clone, Debug, PartialEq)]
    #[derive(Eq, Hash, Ord, PartialOrd)]
    #[serde(transparent)]
    pub struct Box(pub ::std::string::String);

    impl ::std::ops::Deref for Box {
        type Target = ::std::string::String;
        fn deref(&self) -> &::std::string::String {
            &self.0
        }
    }

    impl ::std::convert::From<Box> for ::std::string::String {
        fn from(value: Box) -> Self {
            value.0
        }
    }

    impl ::std::convert::From<::std::string::String> for Box {
        fn from(value: ::std::string::String) -> Self {
            Self(value)
        }
    }

    impl ::std::fmt::Display for Box {
        fn fmt(&self, f: &mut ::std::fmt::Formatter<'_>) -> ::std::fmt::Result {
            ::std::fmt::Display::fmt(&self.0, f)
        }
    }

    impl ::std::str::FromStr for Box {
        type Err = <::std::string::String as ::std::str::FromStr>::Err;
        fn from_str(text: &str) -> ::std::result::Result<Self, Self::Err> {
            text.parse().map(Self)
        }
    }

    impl ::std::convert::From<&str> for Box {
        fn from(text: &str) -> Self {
            Self(text.to_owned())
        }
    }

    /// `Error`.
    #[derive(::serde::Deserialize, ::serde::Serialize, Clone, Debug, PartialEq)]
    #[serde(transparent)]
    pub struct Error(pub ::std::collections::BTreeMap<::std::string::String, ErrorValue>);

    impl ::std::ops::Deref for Error {
        type Target = ::std::collections::BTreeMap<::std::string::String, ErrorValue>;
        fn deref(&self) -> &::std::collections::BTreeMap<::std::string::String, ErrorValue> {
            &self.0
        }
    }

    impl ::std::convert::From<Error>
    for ::std::collections::BTreeMap<::std::string::String, ErrorValue> {
        fn from(value: Error) -> Self {
            value.0
        }
    }

    impl ::std::convert::From<
        ::std::collections::BTreeMap<::std::string::String, ErrorValue>,
    > for Error {
        fn from(
            value: ::std::collections::BTreeMap<::std::string::String, ErrorValue>,
        ) -> Self {
            Self(value)
        }
    }

    /// `ErrorValue`.
    #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
    pub struct ErrorValue(i8);

    ::circles_codegen_support::integer_newtype!(ErrorValue, i8, min = - 5, max = 5);

    /// `OkData`.
    #[derive(::serde::Serialize, Clone, Debug, Default, PartialEq)]
    pub struct OkData {
        /// `why`.
        #[serde(skip_serializing_if = "::std::option::Option::is_none")]
        pub why: ::std::option::Option<OkDataWhy>,
        /// Members that the document does not name.
        #[serde(flatten)]
        pub extra: ::serde_json::Map<::std::string::String, ::serde_json::Value>,
    }

    impl<'de> ::serde::Deserialize<'de> for OkData {
        fn deserialize<__D: ::serde::Deserializer<'de>>(
            deserializer: __D,
        ) -> ::std::result::Result<Self, __D::Error> {
            struct __Members;
            impl<'de> ::serde::de::Visitor<'de> for __Members {
                type Value = OkData;
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
                            "why" if member_0.is_none() => member_0 = Some(map.next_value()?),
                            "why" => return Err(::serde::de::Error::duplicate_field("why")),
                            _ => {
                                ::std::iter::Extend::extend(
                                    &mut extra,
                                    [(name.into_owned(), map.next_value()?)],
                                );
                            }
                        }
                    }
                    Ok(OkData { why: member_0, extra })
                }
            }
            ::serde::Deserializer::deserialize_map(deserializer, __Members)
        }
    }

    /// `OkDataWhy`.
    #[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
    pub struct OkDataWhy(::std::string::String);

    ::circles_codegen_support::text_newtype!(OkDataWhy, min_length = 1);

    /// `Option`.
    #[derive(::serde::Serialize, Clone, Debug, PartialEq)]
    pub struct Option {
        /// `camelCase`.
        #[serde(rename = "camelCase")]
        #[serde(skip_serializing_if = "::std::option::Option::is_none")]
        pub camel_case: ::std::option::Option<::circles_codegen_support::Integer>,
        /// `match`.
        pub r#match: ::std::option::Option<bool>,
        /// `type`.
        pub r#type: ::std::string::String,
        /// Members that the document does not name.
        #[serde(flatten)]
        pub extra: ::serde_json::Map<::std::string::String, ::serde_json::Value>,
    }

    impl<'de> ::serde::Deserialize<'de> for Option {
        fn deserialize<__D: ::serde::Deserializer<'de>>(
            deserializer: __D,
        ) -> ::std::result::Result<Self, __D::Error> {
            struct __Members;
            impl<'de> ::serde::de::Visitor<'de> for __Members {
                type Value = Option;
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
                            "camelCase" if member_0.is_none() => {
                                member_0 = Some(map.next_value()?);
                            }
                            "camelCase" => {
                                return Err(::serde::de::Error::duplicate_field("camelCase"));
                            }
                            "match" if member_1.is_none() => {
                                member_1 = Some(map.next_value()?);
                            }
                            "match" => {
                                return Err(::serde::de::Error::duplicate_field("match"));
                            }
                            "type" if member_2.is_none() => {
                                member_2 = Some(map.next_value()?);
                            }
                            "type" => return Err(::serde::de::Error::duplicate_field("type")),
                            _ => {
                                ::std::iter::Extend::extend(
                                    &mut extra,
                                    [(name.into_owned(), map.next_value()?)],
                                );
                            }
                        }
                    }
                    Ok(Option {
                        camel_case: member_0,
                        r#match: member_1
                            .ok_or_else(|| ::serde::de::Error::missing_field("match"))?,
                        r#type: member_2
                            .ok_or_else(|| ::serde::de::Error::missing_field("type"))?,
                        extra,
                    })
                }
            }
            ::serde::Deserializer::deserialize_map(deserializer, __Members)
        }
    }

    /// `Result`.
    #[derive(::serde::Serialize, Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
    pub enum Result {
        /// `none`
        #[serde(rename = "none")]
        None,
        /// `type`
        #[serde(rename = "type")]
        Type,
        /// `a b`
        #[serde(rename = "a b")]
        AB,
        /// `ok`
        #[serde(rename = "ok")]
        Ok,
    }

    impl Result {
        /// The text on the wire.
        pub const fn as_str(&self) -> &'static str {
            match self {
                Self::None => "none",
                Self::Type => "type",
                Self::AB => "a b",
                Self::Ok => "ok",
            }
        }
    }

    impl ::std::fmt::Display for Result {
        fn fmt(&self, f: &mut ::std::fmt::Formatter<'_>) -> ::std::fmt::Result {
            f.write_str(self.as_str())
        }
    }

    impl ::std::str::FromStr for Result {
        type Err = ::circles_codegen_support::InvalidValue;
        fn from_str(text: &str) -> ::std::result::Result<Self, Self::Err> {
            match text {
                "none" => Ok(Self::None),
                "type" => Ok(Self::Type),
                "a b" => Ok(Self::AB),
                "ok" => Ok(Self::Ok),
                _ => {
                    Err(
                        ::circles_codegen_support::InvalidValue::new(
                            "must be one of none, type, a b, ok",
                        ),
                    )
                }
            }
        }
    }

    impl<'de> ::serde::Deserialize<'de> for Result {
        fn deserialize<__D: ::serde::Deserializer<'de>>(
            deserializer: __D,
        ) -> ::std::result::Result<Self, __D::Error> {
            ::circles_codegen_support::one_of(deserializer, &["none", "type", "a b", "ok"])
        }
    }

    /// `SomeValue`.
    #[derive(::serde::Serialize, Clone, Debug, PartialEq)]
    pub struct SomeValue {
        /// `none`.
        pub none: Option,
        /// Members that the document does not name.
        #[serde(flatten)]
        pub extra: ::serde_json::Map<::std::string::String, ::serde_json::Value>,
    }

    impl<'de> ::serde::Deserialize<'de> for SomeValue {
        fn deserialize<__D: ::serde::Deserializer<'de>>(
            deserializer: __D,
        ) -> ::std::result::Result<Self, __D::Error> {
            struct __Members;
            impl<'de> ::serde::de::Visitor<'de> for __Members {
                type Value = SomeValue;
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
                            "none" if member_0.is_none() => {
                                member_0 = Some(map.next_value()?);
                            }
                            "none" => return Err(::serde::de::Error::duplicate_field("none")),
                            _ => {
                                ::std::iter::Extend::extend(
                                    &mut extra,
                                    [(name.into_owned(), map.next_value()?)],
                                );
                            }
                        }
                    }
                    Ok(SomeValue {
                        none: member_0
                            .ok_or_else(|| ::serde::de::Error::missing_field("none"))?,
                        extra,
                    })
                }
            }
            ::serde::Deserializer::deserialize_map(deserializer, __Members)
        }
    }

    /// `String`.
    #[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
    pub struct String(::std::string::String);

    ::circles_codegen_support::text_newtype!(String, max_length = 3);

    /// `Vec`.
    #[derive(::serde::Deserialize, ::serde::Serialize, Clone, Debug, PartialEq)]
    #[serde(transparent)]
    pub struct Vec(pub ::std::vec::Vec<VecItem>);

    impl ::std::ops::Deref for Vec {
        type Target = ::std::vec::Vec<VecItem>;
        fn deref(&self) -> &::std::vec::Vec<VecItem> {
            &self.0
        }
    }

    impl ::std::convert::From<Vec> for ::std::vec::Vec<VecItem> {
        fn from(value: Vec) -> Self {
            value.0
        }
    }

    impl ::std::convert::From<::std::vec::Vec<VecItem>> for Vec {
        fn from(value: ::std::vec::Vec<VecItem>) -> Self {
            Self(value)
        }
    }

    /// `VecItem`.
    #[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
    pub struct VecItem(::std::string::String);

    ::circles_codegen_support::text_newtype!(VecItem, pattern = "^[é\"\\\\]+$");
}

/// The codes of the errors that the document declares.
pub mod codes {
    /// only here
    pub const ONLY_HERE: i32 = 4;

    /// e
    pub const ERR: i32 = 3;

    /// x
    pub const OK: i32 = 2;

    /// a "quoted"
    /// message
    pub const NONE: i32 = 1;
}

/// An error that the document declares, with its data.
#[derive(Clone, Debug, PartialEq)]
pub enum Fault {
    /// only here
    OnlyHere,
    /// e
    Err(types::Vec),
    /// x
    Ok(types::OkData),
    /// a "quoted"
    /// message
    None,
}

impl Fault {
    /// Its code in the error object.
    pub const fn code(&self) -> i32 {
        match self {
            Self::OnlyHere => codes::ONLY_HERE,
            Self::Err(..) => codes::ERR,
            Self::Ok(..) => codes::OK,
            Self::None => codes::NONE,
        }
    }
    /// Its name in the document.
    pub const fn name(&self) -> &'static str {
        match self {
            Self::OnlyHere => "only here",
            Self::Err(..) => "Err",
            Self::Ok(..) => "Ok",
            Self::None => "None",
        }
    }
    /// The message that the document declares.
    pub const fn summary(&self) -> &'static str {
        match self {
            Self::OnlyHere => "only here",
            Self::Err(..) => "e",
            Self::Ok(..) => "x",
            Self::None => "a \"quoted\"\nmessage",
        }
    }
    /// The `data` of the error object.
    pub fn data(&self) -> Option<::serde_json::Value> {
        match self {
            Self::Err(data) => ::serde_json::to_value(data).ok(),
            Self::Ok(data) => ::serde_json::to_value(data).ok(),
            Self::OnlyHere | Self::None => None,
        }
    }
    /// The declared error of this code; `None` if there is none, or if the data is not as declared.
    pub fn from_parts(code: i32, data: Option<&::serde_json::Value>) -> Option<Self> {
        match code {
            codes::ONLY_HERE => Some(Self::OnlyHere),
            codes::ERR => ::serde::Deserialize::deserialize(data?).ok().map(Self::Err),
            codes::OK => ::serde::Deserialize::deserialize(data?).ok().map(Self::Ok),
            codes::NONE => Some(Self::None),
            _ => None,
        }
    }
}

/// Params of `type`.
#[derive(Clone, Debug, PartialEq, ::serde::Serialize)]
#[derive(::serde::Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TypeParams {
    /// `type`.
    pub r#type: ::std::string::String,
    /// `self`.
    #[serde(rename = "self")]
    pub self_: ::std::string::String,
    /// `params`.
    pub params: ::std::string::String,
    /// `ext`.
    pub ext: ::std::string::String,
    /// `camelCase`.
    #[serde(rename = "camelCase")]
    pub camel_case: ::std::string::String,
    /// `kebab-case`.
    #[serde(rename = "kebab-case")]
    pub kebab_case: ::std::string::String,
}

impl TypeParams {
    /// Returns the params by position. Absent ones at the end are left out, others are null.
    ///
    /// # Errors
    ///
    /// If a value cannot be written as JSON.
    pub fn into_positional(
        self,
    ) -> Result<Vec<::serde_json::Value>, ::serde_json::Error> {
        let positions = Vec::from([
            ::serde_json::to_value(self.r#type)?,
            ::serde_json::to_value(self.self_)?,
            ::serde_json::to_value(self.params)?,
            ::serde_json::to_value(self.ext)?,
            ::serde_json::to_value(self.camel_case)?,
            ::serde_json::to_value(self.kebab_case)?,
        ]);
        Ok(positions)
    }
}

impl ::circles_codegen_support::Params for TypeParams {
    const PARAMS: &'static [::circles_codegen_support::Param] = &[
        ::circles_codegen_support::Param {
            name: "type",
            required: true,
        },
        ::circles_codegen_support::Param {
            name: "self",
            required: true,
        },
        ::circles_codegen_support::Param {
            name: "params",
            required: true,
        },
        ::circles_codegen_support::Param {
            name: "ext",
            required: true,
        },
        ::circles_codegen_support::Param {
            name: "camelCase",
            required: true,
        },
        ::circles_codegen_support::Param {
            name: "kebab-case",
            required: true,
        },
    ];
}

impl ::jsonrpsee::core::traits::ToRpcParams for TypeParams {
    fn to_rpc_params(
        self,
    ) -> Result<Option<Box<::serde_json::value::RawValue>>, ::serde_json::Error> {
        self.into_positional()
            .and_then(|positions| ::serde_json::value::to_raw_value(&positions))
            .map(Some)
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

    /// Keywords, renames, names that the macro takes.
    ///
    /// In two paragraphs.
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
        ///
        /// Deprecated.
        #[deprecated]
        #[method(name = "type", param_kind = array, with_extensions)]
        async fn r#type(
            &self,
            #[argument(rename = "type")]
            r#type: ::std::string::String,
            #[argument(rename = "self")]
            self_: ::std::string::String,
            #[argument(rename = "params")]
            params_2: ::std::string::String,
            #[argument(rename = "ext")]
            ext_2: ::std::string::String,
            #[argument(rename = "camelCase")]
            camel_case: ::std::string::String,
            #[argument(rename = "kebab-case")]
            kebab_case: ::std::string::String,
        ) -> Result<::std::string::String, crate::Error>;
        /// `subscribe`.
        #[method(name = "subscribe", param_kind = array, with_extensions)]
        async fn subscribe_2(&self) -> Result<::serde_json::Value, crate::Error>;
        /// `into_rpc`.
        #[method(name = "into_rpc", param_kind = array, with_extensions)]
        async fn into_rpc_2(&self) -> Result<bool, crate::Error>;
    }
}

#[allow(unused_imports, reason = "few need both sides")]
pub use self::interface::SampleServer;

#[allow(unused_imports, reason = "few need both sides")]
pub use self::interface::SampleClient;

/// Every method of the document, in its order.
pub static METHODS: &[support::Method] = &[
    support::Method {
        name: "type",
        summary: "Say hello.",
        deprecated: true,
        tags: &[],
        auth: support::Auth::Session,
        connection: false,
        params: <TypeParams as support::Params>::PARAMS,
        errors: &[codes::ONLY_HERE, codes::NONE],
        extensions: "{}",
        check_params: support::check_params::<TypeParams>,
    },
    support::Method {
        name: "subscribe",
        summary: "",
        deprecated: false,
        tags: &[],
        auth: support::Auth::Session,
        connection: false,
        params: <support::NoParams as support::Params>::PARAMS,
        errors: &[],
        extensions: "{}",
        check_params: support::check_params::<support::NoParams>,
    },
    support::Method {
        name: "into_rpc",
        summary: "",
        deprecated: false,
        tags: &[],
        auth: support::Auth::Session,
        connection: false,
        params: <support::NoParams as support::Params>::PARAMS,
        errors: &[],
        extensions: "{}",
        check_params: support::check_params::<support::NoParams>,
    },
];

/// Returns the method of this name.
pub fn method(name: &str) -> Option<&'static support::Method> {
    match name {
        "type" => METHODS.first(),
        "subscribe" => METHODS.get(1),
        "into_rpc" => METHODS.get(2),
        _ => None,
    }
}

/// The document itself, byte for byte.
pub const DOCUMENT: &str = include_str!(
    concat!(env!("CARGO_MANIFEST_DIR"), "/../openrpc.json")
);
