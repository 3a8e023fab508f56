/// The schemas of the document as types.
pub mod types {
    /// `Fields`.
    #[derive(::serde::Serialize, Clone, Debug, Default, PartialEq)]
    #[derive(::schemars::JsonSchema)]
    pub struct Fields {
        /// `a-b`.
        #[serde(rename = "a-b")]
        #[serde(skip_serializing_if = "::std::option::Option::is_none")]
        #[serde(default)]
        #[schemars(with = "::std::string::String")]
        pub a_b: ::std::option::Option<::std::string::String>,
        /// `aB`.
        #[serde(rename = "aB")]
        #[serde(skip_serializing_if = "::std::option::Option::is_none")]
        #[serde(default)]
        #[schemars(with = "::std::string::String")]
        pub a_b_2: ::std::option::Option<::std::string::String>,
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
                    while let Some(name) = map.next_key::<crate::Name<'de>>()? {
                        match name.as_str() {
                            "a-b" if member_0.is_none() => member_0 = Some(map.next_value()?),
                            "a-b" => return Err(::serde::de::Error::duplicate_field("a-b")),
                            "aB" if member_1.is_none() => member_1 = Some(map.next_value()?),
                            "aB" => return Err(::serde::de::Error::duplicate_field("aB")),
                            _ => {
                                map.next_value::<::serde::de::IgnoredAny>()?;
                            }
                        }
                    }
                    Ok(Fields {
                        a_b: member_0,
                        a_b_2: member_1,
                    })
                }
            }
            ::serde::Deserializer::deserialize_map(deserializer, __Members)
        }
    }

    /// `Name`.
    #[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, ::schemars::JsonSchema)]
    pub struct Name(#[schemars(length(min = 1, max = 8))] ::std::string::String);

    crate::text_newtype!(Name, min_length = 1, max_length = 8);

    /// `Name2`.
    #[derive(::serde::Deserialize, ::serde::Serialize, Clone, Debug, PartialEq)]
    #[derive(Eq, Hash, Ord, PartialOrd)]
    #[serde(transparent)]
    #[derive(::schemars::JsonSchema)]
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
    #[derive(::schemars::JsonSchema)]
    #[derive(::serde::Serialize, Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
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
        type Err = ::std::string::String;
        fn from_str(text: &str) -> ::std::result::Result<Self, Self::Err> {
            match text {
                "on" => Ok(Self::On),
                "On" => Ok(Self::On2),
                _ => Err("expected one of on, On".to_owned()),
            }
        }
    }

    impl<'de> ::serde::Deserialize<'de> for Values {
        fn deserialize<__D: ::serde::Deserializer<'de>>(
            deserializer: __D,
        ) -> ::std::result::Result<Self, __D::Error> {
            crate::one_of(deserializer, &["on", "On"])
        }
    }
}

/// Each schema of the document and the type that carries it.
pub static TYPES: &[crate::Type] = &[
    crate::Type::of::<types::Fields>("Fields"),
    crate::Type::of::<types::Name>("Name"),
    crate::Type::of::<types::Values>("Values"),
    crate::Type::of::<types::Name2>("name"),
];

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
#[derive(Clone, Debug, PartialEq, ::serde::Serialize, ::schemars::JsonSchema)]
#[derive(::serde::Deserialize)]
#[serde(deny_unknown_fields)]
pub struct GreetParams {
    /// `who`.
    pub who: ::std::string::String,
    /// `Who`.
    #[serde(rename = "Who")]
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "::std::string::String")]
    pub who_2: Option<::std::string::String>,
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

impl crate::Params for GreetParams {
    const PARAMS: &'static [crate::Param] = &[
        crate::Param {
            name: "who",
            required: true,
        },
        crate::Param {
            name: "Who",
            required: false,
        },
    ];
}

/// Params of `rpc.discover`.
#[derive(Clone, Debug, PartialEq, ::serde::Serialize, ::schemars::JsonSchema)]
#[derive(::serde::Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RpcDiscoverParams {
    /// `who`.
    pub who: ::std::string::String,
}

impl RpcDiscoverParams {
    /// The params by position; what is absent at the end is left out, what is absent before it is null.
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

impl crate::Params for RpcDiscoverParams {
    const PARAMS: &'static [crate::Param] = &[
        crate::Param {
            name: "who",
            required: true,
        },
    ];
}

/// Params of `rpc_discover`.
#[derive(Clone, Debug, PartialEq, ::serde::Serialize, ::schemars::JsonSchema)]
#[derive(::serde::Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RpcDiscoverParams2 {
    /// `who`.
    pub who: ::std::string::String,
}

impl RpcDiscoverParams2 {
    /// The params by position; what is absent at the end is left out, what is absent before it is null.
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

impl crate::Params for RpcDiscoverParams2 {
    const PARAMS: &'static [crate::Param] = &[
        crate::Param {
            name: "who",
            required: true,
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
        who: ::std::string::String,
        #[argument(rename = "Who")]
        who_2: Option<::std::string::String>,
    ) -> Result<::std::string::String, crate::Error>;
    /// Say hello.
    #[method(name = "rpc.discover", param_kind = map, with_extensions)]
    async fn rpc_discover(
        &self,
        who: ::std::string::String,
    ) -> Result<::std::string::String, crate::Error>;
    /// Say hello.
    #[method(name = "rpc_discover", param_kind = map, with_extensions)]
    async fn rpc_discover_2(
        &self,
        who: ::std::string::String,
    ) -> Result<::std::string::String, crate::Error>;
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
    crate::Method {
        name: "rpc.discover",
        auth: crate::Auth::Session,
        connection: false,
        params: <RpcDiscoverParams as crate::Params>::PARAMS,
        errors: &[],
        check_params: crate::check_params::<RpcDiscoverParams>,
    },
    crate::Method {
        name: "rpc_discover",
        auth: crate::Auth::Session,
        connection: false,
        params: <RpcDiscoverParams2 as crate::Params>::PARAMS,
        errors: &[],
        check_params: crate::check_params::<RpcDiscoverParams2>,
    },
];

/// The method of this name.
pub fn method(name: &str) -> Option<&'static crate::Method> {
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
