/// The schemas of the document as types.
pub mod types {
    /// `Name`.
    #[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, ::schemars::JsonSchema)]
    pub struct Name(#[schemars(length(min = 1, max = 8))] ::std::string::String);

    crate::text_newtype!(Name, min_length = 1, max_length = 8);
}

/// Each schema of the document and the type that carries it.
pub static TYPES: &[crate::Type] = &[crate::Type::of::<types::Name>("Name")];

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
    /// `language`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "::std::string::String")]
    pub language: Option<::std::string::String>,
    /// `who`.
    pub who: ::std::string::String,
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
        let positions = Vec::from([
            ::serde_json::to_value(self.language)?,
            ::serde_json::to_value(self.who)?,
        ]);
        Ok(positions)
    }
}

impl crate::Params for GreetParams {
    const PARAMS: &'static [crate::Param] = &[
        crate::Param {
            name: "language",
            required: false,
        },
        crate::Param {
            name: "who",
            required: true,
        },
    ];
}

/// Params of `by_name`.
#[derive(Clone, Debug, PartialEq, ::serde::Serialize, ::schemars::JsonSchema)]
#[derive(::serde::Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ByNameParams {
    /// `language`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "::std::string::String")]
    pub language: Option<::std::string::String>,
    /// `who`.
    pub who: ::std::string::String,
}

impl ByNameParams {
    /// The params by position; what is absent at the end is left out, what is absent before it is null.
    ///
    /// # Errors
    ///
    /// If a value cannot be written as JSON.
    pub fn into_positional(
        self,
    ) -> Result<Vec<::serde_json::Value>, ::serde_json::Error> {
        let positions = Vec::from([
            ::serde_json::to_value(self.language)?,
            ::serde_json::to_value(self.who)?,
        ]);
        Ok(positions)
    }
}

impl crate::Params for ByNameParams {
    const PARAMS: &'static [crate::Param] = &[
        crate::Param {
            name: "language",
            required: false,
        },
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
        language: Option<::std::string::String>,
        who: ::std::string::String,
    ) -> Result<::std::string::String, crate::Error>;
    /// Say hello.
    #[method(name = "by_name", param_kind = map, with_extensions)]
    async fn by_name(
        &self,
        language: Option<::std::string::String>,
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
        name: "by_name",
        auth: crate::Auth::Session,
        connection: false,
        params: <ByNameParams as crate::Params>::PARAMS,
        errors: &[],
        check_params: crate::check_params::<ByNameParams>,
    },
];

/// The method of this name.
pub fn method(name: &str) -> Option<&'static crate::Method> {
    match name {
        "greet" => METHODS.first(),
        "by_name" => METHODS.get(1),
        _ => None,
    }
}

/// The document itself, byte for byte.
pub const DOCUMENT: &str = include_str!(
    concat!(env!("CARGO_MANIFEST_DIR"), "/../openrpc.json")
);
