/// The schemas of the document as types.
pub mod types {
    /// `Name`.
    #[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, ::schemars::JsonSchema)]
    pub struct Name(#[schemars(length(min = 1, max = 8))] ::std::string::String);

    crate::text_newtype!(Name, min_length = 1, max_length = 8);

    /// `Odd`.
    #[derive(::schemars::JsonSchema)]
    #[derive(::serde::Serialize, Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
    pub enum Odd {
        /// `+`
        #[serde(rename = "+")]
        Plus,
        /// `-`
        #[serde(rename = "-")]
        Minus,
    }

    impl Odd {
        /// The text on the wire.
        pub const fn as_str(&self) -> &'static str {
            match self {
                Self::Plus => "+",
                Self::Minus => "-",
            }
        }
    }

    impl ::std::fmt::Display for Odd {
        fn fmt(&self, f: &mut ::std::fmt::Formatter<'_>) -> ::std::fmt::Result {
            f.write_str(self.as_str())
        }
    }

    impl ::std::str::FromStr for Odd {
        type Err = ::std::string::String;
        fn from_str(text: &str) -> ::std::result::Result<Self, Self::Err> {
            match text {
                "+" => Ok(Self::Plus),
                "-" => Ok(Self::Minus),
                _ => Err("expected one of +, -".to_owned()),
            }
        }
    }

    impl<'de> ::serde::Deserialize<'de> for Odd {
        fn deserialize<__D: ::serde::Deserializer<'de>>(
            deserializer: __D,
        ) -> ::std::result::Result<Self, __D::Error> {
            crate::one_of(deserializer, &["+", "-"])
        }
    }

    /// `SelfValue`.
    #[derive(::serde::Deserialize, ::serde::Serialize, Clone, Debug, PartialEq)]
    #[derive(Eq, Hash, Ord, PartialOrd)]
    #[serde(transparent)]
    #[derive(::schemars::JsonSchema)]
    pub struct SelfValue(pub ::std::string::String);

    impl ::std::ops::Deref for SelfValue {
        type Target = ::std::string::String;
        fn deref(&self) -> &::std::string::String {
            &self.0
        }
    }

    impl ::std::convert::From<SelfValue> for ::std::string::String {
        fn from(value: SelfValue) -> Self {
            value.0
        }
    }

    impl ::std::convert::From<::std::string::String> for SelfValue {
        fn from(value: ::std::string::String) -> Self {
            Self(value)
        }
    }

    impl ::std::fmt::Display for SelfValue {
        fn fmt(&self, f: &mut ::std::fmt::Formatter<'_>) -> ::std::fmt::Result {
            ::std::fmt::Display::fmt(&self.0, f)
        }
    }

    impl ::std::str::FromStr for SelfValue {
        type Err = <::std::string::String as ::std::str::FromStr>::Err;
        fn from_str(text: &str) -> ::std::result::Result<Self, Self::Err> {
            text.parse().map(Self)
        }
    }

    impl ::std::convert::From<&str> for SelfValue {
        fn from(text: &str) -> Self {
            Self(text.to_owned())
        }
    }
}

/// Each schema of the document and the type that carries it.
pub static TYPES: &[crate::Type] = &[
    crate::Type::of::<types::Name>("Name"),
    crate::Type::of::<types::Odd>("Odd"),
    crate::Type::of::<types::SelfValue>("Self"),
];

/// The codes of the errors that the document declares.
pub mod codes {
    /// x
    pub const BANG: i32 = 2;

    /// busy
    pub const BUSY: i32 = 1;
}

/// An error that the document declares, with its data.
#[derive(Clone, Debug, PartialEq)]
pub enum Fault {
    /// x
    Bang,
    /// busy
    Busy,
}

impl Fault {
    /// Its code in the error object.
    pub const fn code(&self) -> i32 {
        match self {
            Self::Bang => codes::BANG,
            Self::Busy => codes::BUSY,
        }
    }
    /// Its name in the document.
    pub const fn name(&self) -> &'static str {
        match self {
            Self::Bang => "!",
            Self::Busy => "BUSY",
        }
    }
    /// The message that the document declares.
    pub const fn summary(&self) -> &'static str {
        match self {
            Self::Bang => "x",
            Self::Busy => "busy",
        }
    }
    /// The `data` of the error object.
    pub fn data(&self) -> Option<::serde_json::Value> {
        match self {
            Self::Bang | Self::Busy => None,
        }
    }
    /// The declared error of this code; `None` if there is none, or if the data is not as declared.
    pub fn from_parts(code: i32, data: Option<&::serde_json::Value>) -> Option<Self> {
        let _ = data;
        match code {
            codes::BANG => Some(Self::Bang),
            codes::BUSY => Some(Self::Busy),
            _ => None,
        }
    }
}

/// Params of `…`.
#[derive(Clone, Debug, PartialEq, ::serde::Serialize, ::schemars::JsonSchema)]
#[derive(::serde::Deserialize)]
#[serde(deny_unknown_fields)]
pub struct U2026Params {
    /// `who`.
    pub who: ::std::string::String,
}

impl U2026Params {
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

impl crate::Params for U2026Params {
    const PARAMS: &'static [crate::Param] = &[
        crate::Param {
            name: "who",
            required: true,
        },
    ];
}

/// 42.
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
pub trait N42 {
    /// Say hello.
    #[method(name = "…", param_kind = map, with_extensions)]
    async fn u2026(
        &self,
        who: ::std::string::String,
    ) -> Result<::std::string::String, crate::Error>;
}

/// Every method of the document, in its order.
pub static METHODS: &[crate::Method] = &[
    crate::Method {
        name: "…",
        auth: crate::Auth::Session,
        connection: false,
        params: <U2026Params as crate::Params>::PARAMS,
        errors: &[],
        check_params: crate::check_params::<U2026Params>,
    },
];

/// The method of this name.
pub fn method(name: &str) -> Option<&'static crate::Method> {
    match name {
        "…" => METHODS.first(),
        _ => None,
    }
}

/// The document itself, byte for byte.
pub const DOCUMENT: &str = include_str!(
    concat!(env!("CARGO_MANIFEST_DIR"), "/../openrpc.json")
);
