/// The schemas of the document as types.
pub mod types {
    /// `Box`.
    #[derive(::serde::Deserialize, ::serde::Serialize, Clone, Debug, PartialEq)]
    #[derive(Eq, Hash, Ord, PartialOrd)]
    #[serde(transparent)]
    #[derive(::schemars::JsonSchema)]
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
    #[derive(::schemars::JsonSchema)]
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
    pub struct ErrorValue(
        #[schemars(with = "crate::Integer", range(min = -5_i8, max = 5_i8))]
        i8,
    );

    crate::integer_newtype!(ErrorValue, i8, min = - 5, max = 5);

    /// `OkData`.
    #[derive(::serde::Serialize, Clone, Debug, Default, PartialEq)]
    #[derive(::schemars::JsonSchema)]
    #[schemars(inline)]
    pub struct OkData {
        /// `why`.
        #[serde(skip_serializing_if = "::std::option::Option::is_none")]
        #[serde(default)]
        #[schemars(with = "OkDataWhy")]
        pub why: ::std::option::Option<OkDataWhy>,
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
                    while let Some(name) = map.next_key::<crate::Name<'de>>()? {
                        match name.as_str() {
                            "why" if member_0.is_none() => member_0 = Some(map.next_value()?),
                            "why" => return Err(::serde::de::Error::duplicate_field("why")),
                            _ => {
                                map.next_value::<::serde::de::IgnoredAny>()?;
                            }
                        }
                    }
                    Ok(OkData { why: member_0 })
                }
            }
            ::serde::Deserializer::deserialize_map(deserializer, __Members)
        }
    }

    /// `OkDataWhy`.
    #[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, ::schemars::JsonSchema)]
    #[schemars(inline)]
    pub struct OkDataWhy(#[schemars(length(min = 1))] ::std::string::String);

    crate::text_newtype!(OkDataWhy, min_length = 1);

    /// `Option`.
    #[derive(::serde::Serialize, Clone, Debug, PartialEq)]
    #[derive(::schemars::JsonSchema)]
    pub struct Option {
        /// `camelCase`.
        #[serde(rename = "camelCase")]
        #[serde(skip_serializing_if = "::std::option::Option::is_none")]
        #[serde(default)]
        #[schemars(with = "i64")]
        pub camel_case: ::std::option::Option<i64>,
        /// `match`.
        #[schemars(with = "crate::Nullable<bool>")]
        pub r#match: ::std::option::Option<bool>,
        /// `type`.
        pub r#type: ::std::string::String,
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
                    while let Some(name) = map.next_key::<crate::Name<'de>>()? {
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
                                map.next_value::<::serde::de::IgnoredAny>()?;
                            }
                        }
                    }
                    Ok(Option {
                        camel_case: member_0,
                        r#match: member_1
                            .ok_or_else(|| ::serde::de::Error::missing_field("match"))?,
                        r#type: member_2
                            .ok_or_else(|| ::serde::de::Error::missing_field("type"))?,
                    })
                }
            }
            ::serde::Deserializer::deserialize_map(deserializer, __Members)
        }
    }

    /// `Result`.
    #[derive(::schemars::JsonSchema)]
    #[allow(missing_docs, reason = "the document says nothing of single values")]
    #[derive(::serde::Serialize, Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
    pub enum Result {
        #[serde(rename = "none")]
        None,
        #[serde(rename = "type")]
        Type,
        #[serde(rename = "a b")]
        AB,
        #[serde(rename = "ok")]
        Ok,
    }

    impl ::std::fmt::Display for Result {
        fn fmt(&self, f: &mut ::std::fmt::Formatter<'_>) -> ::std::fmt::Result {
            match *self {
                Self::None => f.write_str("none"),
                Self::Type => f.write_str("type"),
                Self::AB => f.write_str("a b"),
                Self::Ok => f.write_str("ok"),
            }
        }
    }

    impl ::std::str::FromStr for Result {
        type Err = self::error::ConversionError;
        fn from_str(
            value: &str,
        ) -> ::std::result::Result<Self, self::error::ConversionError> {
            match value {
                "none" => Ok(Self::None),
                "type" => Ok(Self::Type),
                "a b" => Ok(Self::AB),
                "ok" => Ok(Self::Ok),
                _ => Err("invalid value".into()),
            }
        }
    }

    impl ::std::convert::TryFrom<&str> for Result {
        type Error = self::error::ConversionError;
        fn try_from(
            value: &str,
        ) -> ::std::result::Result<Self, self::error::ConversionError> {
            value.parse()
        }
    }

    impl ::std::convert::TryFrom<::std::string::String> for Result {
        type Error = self::error::ConversionError;
        fn try_from(
            value: ::std::string::String,
        ) -> ::std::result::Result<Self, self::error::ConversionError> {
            value.parse()
        }
    }

    impl<'de> ::serde::Deserialize<'de> for Result {
        fn deserialize<__D: ::serde::Deserializer<'de>>(
            deserializer: __D,
        ) -> ::std::result::Result<Self, __D::Error> {
            crate::one_of(deserializer, &["none", "type", "a b", "ok"])
        }
    }

    /// `SomeValue`.
    #[derive(::serde::Serialize, Clone, Debug, PartialEq)]
    #[derive(::schemars::JsonSchema)]
    pub struct SomeValue {
        /// `none`.
        pub none: Option,
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
                    while let Some(name) = map.next_key::<crate::Name<'de>>()? {
                        match name.as_str() {
                            "none" if member_0.is_none() => {
                                member_0 = Some(map.next_value()?);
                            }
                            "none" => return Err(::serde::de::Error::duplicate_field("none")),
                            _ => {
                                map.next_value::<::serde::de::IgnoredAny>()?;
                            }
                        }
                    }
                    Ok(SomeValue {
                        none: member_0
                            .ok_or_else(|| ::serde::de::Error::missing_field("none"))?,
                    })
                }
            }
            ::serde::Deserializer::deserialize_map(deserializer, __Members)
        }
    }

    /// `String`.
    #[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, ::schemars::JsonSchema)]
    pub struct String(#[schemars(length(max = 3))] ::std::string::String);

    crate::text_newtype!(String, max_length = 3);

    /// `Vec`.
    #[derive(::serde::Deserialize, ::serde::Serialize, Clone, Debug, PartialEq)]
    #[serde(transparent)]
    #[derive(::schemars::JsonSchema)]
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
    #[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, ::schemars::JsonSchema)]
    #[schemars(inline)]
    pub struct VecItem(#[schemars(regex(pattern = "^[é\"\\\\]+$"))] ::std::string::String);

    crate::text_newtype!(VecItem, pattern = "^[é\"\\\\]+$");

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
    crate::Type::of::<types::Box>("Box"),
    crate::Type::of::<types::Error>("Error"),
    crate::Type::of::<types::Option>("Option"),
    crate::Type::of::<types::Result>("Result"),
    crate::Type::of::<types::SomeValue>("Some"),
    crate::Type::of::<types::String>("String"),
    crate::Type::of::<types::Vec>("Vec"),
];

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
#[derive(Clone, Debug, PartialEq, ::serde::Serialize, ::schemars::JsonSchema)]
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
    /// The params by position; what is absent at the end is left out, what is absent before it is null.
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

impl crate::Params for TypeParams {
    const PARAMS: &'static [crate::Param] = &[
        crate::Param {
            name: "type",
            required: true,
        },
        crate::Param {
            name: "self",
            required: true,
        },
        crate::Param {
            name: "params",
            required: true,
        },
        crate::Param {
            name: "ext",
            required: true,
        },
        crate::Param {
            name: "camelCase",
            required: true,
        },
        crate::Param {
            name: "kebab-case",
            required: true,
        },
    ];
}

/// Keywords, renames, names that the macro takes.
///
/// In two paragraphs.
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
    ///
    /// Deprecated.
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
    #[method(name = "subscribe", param_kind = map, with_extensions)]
    async fn subscribe_2(&self) -> Result<::serde_json::Value, crate::Error>;
    /// `into_rpc`.
    #[method(name = "into_rpc", param_kind = map, with_extensions)]
    async fn into_rpc_2(&self) -> Result<bool, crate::Error>;
}

/// Every method of the document, in its order.
pub static METHODS: &[crate::Method] = &[
    crate::Method {
        name: "type",
        auth: crate::Auth::Session,
        connection: false,
        params: <TypeParams as crate::Params>::PARAMS,
        errors: &[codes::ONLY_HERE, codes::NONE],
        check_params: crate::check_params::<TypeParams>,
    },
    crate::Method {
        name: "subscribe",
        auth: crate::Auth::Session,
        connection: false,
        params: <crate::NoParams as crate::Params>::PARAMS,
        errors: &[],
        check_params: crate::check_params::<crate::NoParams>,
    },
    crate::Method {
        name: "into_rpc",
        auth: crate::Auth::Session,
        connection: false,
        params: <crate::NoParams as crate::Params>::PARAMS,
        errors: &[],
        check_params: crate::check_params::<crate::NoParams>,
    },
];

/// The method of this name.
pub fn method(name: &str) -> Option<&'static crate::Method> {
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
