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
    /// `Name`.
    #[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
    pub struct Name(::std::string::String);

    ::circles_codegen_support::text_newtype!(Name, min_length = 1, max_length = 8);

    /// `Odd`.
    #[derive(::serde::Serialize, Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
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
        type Err = ::circles_codegen_support::InvalidValue;
        fn from_str(text: &str) -> ::std::result::Result<Self, Self::Err> {
            match text {
                "+" => Ok(Self::Plus),
                "-" => Ok(Self::Minus),
                _ => Err(::circles_codegen_support::InvalidValue::new("must be one of +, -")),
            }
        }
    }

    impl<'de> ::serde::Deserialize<'de> for Odd {
        fn deserialize<__D: ::serde::Deserializer<'de>>(
            deserializer: __D,
        ) -> ::std::result::Result<Self, __D::Error> {
            ::circles_codegen_support::one_of(deserializer, &["+", "-"])
        }
    }

    /// `SelfValue`.
    #[derive(::serde::Deserialize, ::serde::Serialize, Clone, Debug, PartialEq)]
    #[derive(Eq, Hash, Ord, PartialOrd)]
    #[serde(transparent)]
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
#[derive(Clone, Debug, PartialEq, ::serde::Serialize)]
#[derive(::serde::Deserialize)]
#[serde(deny_unknown_fields)]
pub struct U2026Params {
    /// `who`.
    pub who: ::std::string::String,
}

impl U2026Params {
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

impl ::circles_codegen_support::Params for U2026Params {
    const PARAMS: &'static [::circles_codegen_support::Param] = &[
        ::circles_codegen_support::Param {
            name: "who",
            required: true,
        },
    ];
}

impl ::jsonrpsee::core::traits::ToRpcParams for U2026Params {
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

    /// 42.
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
    pub trait N42 {
        /// Say hello.
        #[method(name = "…", param_kind = array, with_extensions)]
        async fn u2026(
            &self,
            who: ::std::string::String,
        ) -> Result<::std::string::String, crate::Error>;
    }
}

#[allow(unused_imports, reason = "few need both sides")]
pub use self::interface::N42Server;

#[allow(unused_imports, reason = "few need both sides")]
pub use self::interface::N42Client;

/// Every method of the document, in its order.
pub static METHODS: &[support::Method] = &[
    support::Method {
        name: "…",
        summary: "Say hello.",
        deprecated: false,
        tags: &[],
        auth: support::Auth::Session,
        connection: false,
        params: <U2026Params as support::Params>::PARAMS,
        errors: &[],
        extensions: "{}",
        check_params: support::check_params::<U2026Params>,
    },
];

/// Returns the method of this name.
pub fn method(name: &str) -> Option<&'static support::Method> {
    match name {
        "…" => METHODS.first(),
        _ => None,
    }
}

/// The document itself, byte for byte.
pub const DOCUMENT: &str = include_str!(
    concat!(env!("CARGO_MANIFEST_DIR"), "/../openrpc.json")
);
