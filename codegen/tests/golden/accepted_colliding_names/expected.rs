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
    /// `Fields`.
    #[derive(::serde::Serialize, Clone, Debug, Default, PartialEq)]
    pub struct Fields {
        /// `a-b`.
        #[serde(rename = "a-b")]
        #[serde(skip_serializing_if = "::std::option::Option::is_none")]
        pub a_b: ::std::option::Option<::std::string::String>,
        /// `aB`.
        #[serde(rename = "aB")]
        #[serde(skip_serializing_if = "::std::option::Option::is_none")]
        pub a_b_2: ::std::option::Option<::std::string::String>,
        /// Members that the document does not name.
        #[serde(flatten)]
        pub extra: ::serde_json::Map<::std::string::String, ::serde_json::Value>,
    }

    impl<'de> ::serde::Deserialize<'de> for Fields {
        fn deserialize<__D: ::serde::Deserializer<'de>>(
            deserializer: __D,
        ) -> ::std::result::Result<Self, __D::Error> {
            struct __Members;
            impl<'de> ::serde::de::Visitor<'de> for __Members {
                type Value = Fields;
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
                            "a-b" if member_0.is_none() => member_0 = Some(map.next_value()?),
                            "a-b" => return Err(::serde::de::Error::duplicate_field("a-b")),
                            "aB" if member_1.is_none() => member_1 = Some(map.next_value()?),
                            "aB" => return Err(::serde::de::Error::duplicate_field("aB")),
                            _ => {
                                ::std::iter::Extend::extend(
                                    &mut extra,
                                    [(name.into_owned(), map.next_value()?)],
                                );
                            }
                        }
                    }
                    Ok(Fields {
                        a_b: member_0,
                        a_b_2: member_1,
                        extra,
                    })
                }
            }
            ::serde::Deserializer::deserialize_map(deserializer, __Members)
        }
    }

    /// `Name`.
    #[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
    pub struct Name(::std::string::String);

    ::circles_codegen_support::text_newtype!(Name, min_length = 1, max_length = 8);

    /// `Name2`.
    #[derive(::serde::Deserialize, ::serde::Serialize, Clone, Debug, PartialEq)]
    #[derive(Eq, Hash, Ord, PartialOrd)]
    #[serde(transparent)]
    pub struct Name2(pub ::std::string::String);

    impl ::std::ops::Deref for Name2 {
        type Target = ::std::string::String;
        fn deref(&self) -> &::std::string::String {
            &self.0
        }
    }

    impl ::std::convert::From<Name2> for ::std::string::String {
        fn from(value: Name2) -> Self {
            value.0
        }
    }

    impl ::std::convert::From<::std::string::String> for Name2 {
        fn from(value: ::std::string::String) -> Self {
            Self(value)
        }
    }

    impl ::std::fmt::Display for Name2 {
        fn fmt(&self, f: &mut ::std::fmt::Formatter<'_>) -> ::std::fmt::Result {
            ::std::fmt::Display::fmt(&self.0, f)
        }
    }

    impl ::std::str::FromStr for Name2 {
        type Err = <::std::string::String as ::std::str::FromStr>::Err;
        fn from_str(text: &str) -> ::std::result::Result<Self, Self::Err> {
            text.parse().map(Self)
        }
    }

    impl ::std::convert::From<&str> for Name2 {
        fn from(text: &str) -> Self {
            Self(text.to_owned())
        }
    }

    /// `Values`.
    #[derive(::serde::Serialize, Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
    pub enum Values {
        /// `on`
        #[serde(rename = "on")]
        On,
        /// `On`
        #[serde(rename = "On")]
        On2,
    }

    impl Values {
        /// The text on the wire.
        pub const fn as_str(&self) -> &'static str {
            match self {
                Self::On => "on",
                Self::On2 => "On",
            }
        }
    }

    impl ::std::fmt::Display for Values {
        fn fmt(&self, f: &mut ::std::fmt::Formatter<'_>) -> ::std::fmt::Result {
            f.write_str(self.as_str())
        }
    }

    impl ::std::str::FromStr for Values {
        type Err = ::circles_codegen_support::InvalidValue;
        fn from_str(text: &str) -> ::std::result::Result<Self, Self::Err> {
            match text {
                "on" => Ok(Self::On),
                "On" => Ok(Self::On2),
                _ => {
                    Err(
                        ::circles_codegen_support::InvalidValue::new("must be one of on, On"),
                    )
                }
            }
        }
    }

    impl<'de> ::serde::Deserialize<'de> for Values {
        fn deserialize<__D: ::serde::Deserializer<'de>>(
            deserializer: __D,
        ) -> ::std::result::Result<Self, __D::Error> {
            ::circles_codegen_support::one_of(deserializer, &["on", "On"])
        }
    }
}

/// The codes of the errors that the document declares.
pub mod codes {
    /// busy too
    pub const BUSY: i32 = 2;

    /// busy
    pub const BUSY_1: i32 = 1;
}

/// An error that the document declares, with its data.
#[derive(Clone, Debug, PartialEq)]
pub enum Fault {
    /// busy too
    Busy,
    /// busy
    Busy1,
}

impl Fault {
    /// Its code in the error object.
    pub const fn code(&self) -> i32 {
        match self {
            Self::Busy => codes::BUSY,
            Self::Busy1 => codes::BUSY_1,
        }
    }
    /// Its name in the document.
    pub const fn name(&self) -> &'static str {
        match self {
            Self::Busy => "busy",
            Self::Busy1 => "BUSY",
        }
    }
    /// The message that the document declares.
    pub const fn summary(&self) -> &'static str {
        match self {
            Self::Busy => "busy too",
            Self::Busy1 => "busy",
        }
    }
    /// The `data` of the error object.
    pub fn data(&self) -> Option<::serde_json::Value> {
        match self {
            Self::Busy | Self::Busy1 => None,
        }
    }
    /// The declared error of this code; `None` if there is none, or if the data is not as declared.
    pub fn from_parts(code: i32, data: Option<&::serde_json::Value>) -> Option<Self> {
        let _ = data;
        match code {
            codes::BUSY => Some(Self::Busy),
            codes::BUSY_1 => Some(Self::Busy1),
            _ => None,
        }
    }
}

/// Params of `greet`.
#[derive(Clone, Debug, PartialEq, ::serde::Serialize)]
#[derive(::serde::Deserialize)]
#[serde(deny_unknown_fields)]
pub struct GreetParams {
    /// `who`.
    pub who: ::std::string::String,
    /// `Who`.
    #[serde(rename = "Who")]
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub who_2: Option<::std::string::String>,
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
            ::serde_json::to_value(self.who)?,
            ::serde_json::to_value(self.who_2)?,
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
            name: "who",
            required: true,
        },
        ::circles_codegen_support::Param {
            name: "Who",
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

/// Params of `rpc.discover`.
#[derive(Clone, Debug, PartialEq, ::serde::Serialize)]
#[derive(::serde::Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RpcDiscoverParams {
    /// `who`.
    pub who: ::std::string::String,
}

impl RpcDiscoverParams {
    /// Returns the params by position. Absent ones at the end are left out, others are null.
    ///
    /// # Errors
    ///
    /// If a value cannot be written as JSON.
    pub fn into_positional(
        self,
    ) -> Result<Vec<::serde_json::Value>, ::serde_json::Error> {
        let positions = Vec::from([::serde_json::to_value(self.who)?]);
        Ok(positions)
    }
}

impl ::circles_codegen_support::Params for RpcDiscoverParams {
    const PARAMS: &'static [::circles_codegen_support::Param] = &[
        ::circles_codegen_support::Param {
            name: "who",
            required: true,
        },
    ];
}

impl ::jsonrpsee::core::traits::ToRpcParams for RpcDiscoverParams {
    fn to_rpc_params(
        self,
    ) -> Result<Option<Box<::serde_json::value::RawValue>>, ::serde_json::Error> {
        self.into_positional()
            .and_then(|positions| ::serde_json::value::to_raw_value(&positions))
            .map(Some)
    }
}

/// Params of `rpc_discover`.
#[derive(Clone, Debug, PartialEq, ::serde::Serialize)]
#[derive(::serde::Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RpcDiscoverParams2 {
    /// `who`.
    pub who: ::std::string::String,
}

impl RpcDiscoverParams2 {
    /// Returns the params by position. Absent ones at the end are left out, others are null.
    ///
    /// # Errors
    ///
    /// If a value cannot be written as JSON.
    pub fn into_positional(
        self,
    ) -> Result<Vec<::serde_json::Value>, ::serde_json::Error> {
        let positions = Vec::from([::serde_json::to_value(self.who)?]);
        Ok(positions)
    }
}

impl ::circles_codegen_support::Params for RpcDiscoverParams2 {
    const PARAMS: &'static [::circles_codegen_support::Param] = &[
        ::circles_codegen_support::Param {
            name: "who",
            required: true,
        },
    ];
}

impl ::jsonrpsee::core::traits::ToRpcParams for RpcDiscoverParams2 {
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
            who: ::std::string::String,
            #[argument(rename = "Who")]
            who_2: Option<::std::string::String>,
        ) -> Result<::std::string::String, crate::Error>;
        /// Say hello.
        #[method(name = "rpc.discover", param_kind = array, with_extensions)]
        async fn rpc_discover(
            &self,
            who: ::std::string::String,
        ) -> Result<::std::string::String, crate::Error>;
        /// Say hello.
        #[method(name = "rpc_discover", param_kind = array, with_extensions)]
        async fn rpc_discover_2(
            &self,
            who: ::std::string::String,
        ) -> Result<::std::string::String, crate::Error>;
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
    support::Method {
        name: "rpc.discover",
        summary: "Say hello.",
        deprecated: false,
        tags: &[],
        auth: support::Auth::Session,
        connection: false,
        params: <RpcDiscoverParams as support::Params>::PARAMS,
        errors: &[],
        extensions: "{}",
        check_params: support::check_params::<RpcDiscoverParams>,
    },
    support::Method {
        name: "rpc_discover",
        summary: "Say hello.",
        deprecated: false,
        tags: &[],
        auth: support::Auth::Session,
        connection: false,
        params: <RpcDiscoverParams2 as support::Params>::PARAMS,
        errors: &[],
        extensions: "{}",
        check_params: support::check_params::<RpcDiscoverParams2>,
    },
];

/// Returns the method of this name.
pub fn method(name: &str) -> Option<&'static support::Method> {
    match name {
        "greet" => METHODS.first(),
        "rpc.discover" => METHODS.get(1),
        "rpc_discover" => METHODS.get(2),
        _ => None,
    }
}

/// The document itself, byte for byte.
pub const DOCUMENT: &str = include_str!(
    concat!(env!("CARGO_MANIFEST_DIR"), "/../openrpc.json")
);
