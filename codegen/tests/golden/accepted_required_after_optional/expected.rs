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
    /// `language`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub language: Option<::std::string::String>,
    /// `who`.
    pub who: ::std::string::String,
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
        let positions = Vec::from([
            ::serde_json::to_value(self.language)?,
            ::serde_json::to_value(self.who)?,
        ]);
        Ok(positions)
    }
}

impl ::circles_codegen_support::Params for GreetParams {
    const PARAMS: &'static [::circles_codegen_support::Param] = &[
        ::circles_codegen_support::Param {
            name: "language",
            required: false,
        },
        ::circles_codegen_support::Param {
            name: "who",
            required: true,
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

/// Params of `by_name`.
#[derive(Clone, Debug, PartialEq, ::serde::Serialize)]
pub struct ByNameParams {
    /// `language`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub language: Option<::std::string::String>,
    /// `who`.
    pub who: ::std::string::String,
}

impl<'de> ::serde::Deserialize<'de> for ByNameParams {
    fn deserialize<__D: ::serde::Deserializer<'de>>(
        deserializer: __D,
    ) -> ::std::result::Result<Self, __D::Error> {
        struct __Members;
        impl<'de> ::serde::de::Visitor<'de> for __Members {
            type Value = ByNameParams;
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
                while let Some(name) = map
                    .next_key::<::circles_codegen_support::Name<'de>>()?
                {
                    match name.as_str() {
                        "language" if member_0.is_none() => {
                            member_0 = Some(map.next_value()?);
                        }
                        "language" => {
                            return Err(::serde::de::Error::duplicate_field("language"));
                        }
                        "who" if member_1.is_none() => member_1 = Some(map.next_value()?),
                        "who" => return Err(::serde::de::Error::duplicate_field("who")),
                        _ => {
                            return Err(
                                ::serde::de::Error::unknown_field(
                                    name.as_str(),
                                    &["language", "who"],
                                ),
                            );
                        }
                    }
                }
                Ok(ByNameParams {
                    language: ::std::option::Option::flatten(member_0),
                    who: member_1
                        .ok_or_else(|| ::serde::de::Error::missing_field("who"))?,
                })
            }
        }
        ::serde::Deserializer::deserialize_map(deserializer, __Members)
    }
}

impl ByNameParams {
    /// Returns the params by position. Absent ones at the end are left out, others are null.
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

impl ::circles_codegen_support::Params for ByNameParams {
    const PARAMS: &'static [::circles_codegen_support::Param] = &[
        ::circles_codegen_support::Param {
            name: "language",
            required: false,
        },
        ::circles_codegen_support::Param {
            name: "who",
            required: true,
        },
    ];
}

impl ::jsonrpsee::core::traits::ToRpcParams for ByNameParams {
    fn to_rpc_params(
        self,
    ) -> Result<Option<Box<::serde_json::value::RawValue>>, ::serde_json::Error> {
        ::serde_json::value::to_raw_value(&self).map(Some)
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
        name: "by_name",
        summary: "Say hello.",
        deprecated: false,
        tags: &[],
        auth: support::Auth::Session,
        connection: false,
        params: <ByNameParams as support::Params>::PARAMS,
        errors: &[],
        extensions: "{}",
        check_params: support::check_params::<ByNameParams>,
    },
];

/// Returns the method of this name.
pub fn method(name: &str) -> Option<&'static support::Method> {
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
