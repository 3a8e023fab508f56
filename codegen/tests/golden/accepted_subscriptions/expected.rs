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
    /// `CountItem`.
    #[derive(::serde::Serialize, Clone, Debug, PartialEq)]
    pub struct CountItem {
        /// `n`.
        pub n: CountItemN,
        /// Members that the document does not name.
        #[serde(flatten)]
        pub extra: ::serde_json::Map<::std::string::String, ::serde_json::Value>,
    }

    impl<'de> ::serde::Deserialize<'de> for CountItem {
        fn deserialize<__D: ::serde::Deserializer<'de>>(
            deserializer: __D,
        ) -> ::std::result::Result<Self, __D::Error> {
            struct __Members;
            impl<'de> ::serde::de::Visitor<'de> for __Members {
                type Value = CountItem;
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
                            "n" if member_0.is_none() => member_0 = Some(map.next_value()?),
                            "n" => return Err(::serde::de::Error::duplicate_field("n")),
                            _ => {
                                ::std::iter::Extend::extend(
                                    &mut extra,
                                    [(name.into_owned(), map.next_value()?)],
                                );
                            }
                        }
                    }
                    Ok(CountItem {
                        n: member_0.ok_or_else(|| ::serde::de::Error::missing_field("n"))?,
                        extra,
                    })
                }
            }
            ::serde::Deserializer::deserialize_map(deserializer, __Members)
        }
    }

    /// `CountItemN`.
    #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
    pub struct CountItemN(u8);

    ::circles_codegen_support::integer_newtype!(CountItemN, u8, min = 0, max = 9);

    /// `Id`.
    #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
    pub struct Id(u64);

    ::circles_codegen_support::integer_newtype!(Id, u64, min = 0, max = 9007199254740991);

    /// What there is to hear.
    #[derive(::serde::Serialize, Clone, Debug, PartialEq)]
    #[serde(tag = "kind")]
    #[allow(
        missing_docs,
        clippy::large_enum_variant,
        reason = "the document need say nothing of single variants, and decides what they hold"
    )]
    pub enum News {
        #[serde(rename = "rose")]
        Rose {
            /// `level`.
            level: ::std::option::Option<Id>,
        },
        #[serde(rename = "fell")]
        Fell {
            /// `why`.
            #[serde(skip_serializing_if = "::std::option::Option::is_none")]
            why: ::std::option::Option<::std::option::Option<NewsFellWhy>>,
        },
    }

    impl<'de> ::serde::Deserialize<'de> for News {
        fn deserialize<__D: ::serde::Deserializer<'de>>(
            deserializer: __D,
        ) -> ::std::result::Result<Self, __D::Error> {
            let (tag, members) = ::circles_codegen_support::tagged(deserializer, "kind")?;
            match tag.as_str() {
                "rose" => {
                    let deserializer = members;
                    let read = {
                        struct __Members;
                        impl<'de> ::serde::de::Visitor<'de> for __Members {
                            type Value = News;
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
                                            return Err(
                                                ::serde::de::Error::unknown_field(name.as_str(), &["level"]),
                                            );
                                        }
                                    }
                                }
                                Ok(News::Rose {
                                    level: member_0
                                        .ok_or_else(|| ::serde::de::Error::missing_field("level"))?,
                                })
                            }
                        }
                        ::serde::Deserializer::deserialize_map(deserializer, __Members)
                    };
                    read.map_err(::serde::de::Error::custom)
                }
                "fell" => {
                    let deserializer = members;
                    let read = {
                        struct __Members;
                        impl<'de> ::serde::de::Visitor<'de> for __Members {
                            type Value = News;
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
                                while let Some(name) = map
                                    .next_key::<::circles_codegen_support::Name<'de>>()?
                                {
                                    match name.as_str() {
                                        "why" if member_0.is_none() => {
                                            member_0 = Some(map.next_value()?);
                                        }
                                        "why" => {
                                            return Err(::serde::de::Error::duplicate_field("why"));
                                        }
                                        _ => {
                                            return Err(
                                                ::serde::de::Error::unknown_field(name.as_str(), &["why"]),
                                            );
                                        }
                                    }
                                }
                                Ok(News::Fell { why: member_0 })
                            }
                        }
                        ::serde::Deserializer::deserialize_map(deserializer, __Members)
                    };
                    read.map_err(::serde::de::Error::custom)
                }
                other => Err(::serde::de::Error::unknown_variant(other, &["rose", "fell"])),
            }
        }
    }

    /// `NewsFellWhy`.
    #[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
    pub struct NewsFellWhy(::std::string::String);

    ::circles_codegen_support::text_newtype!(NewsFellWhy, max_length = 8);
}

/// The codes of the errors that the document declares.
pub mod codes {
}

/// An error that the document declares, with its data.
#[derive(Clone, Debug, PartialEq)]
pub enum Fault {}

impl Fault {
    /// Its code in the error object.
    pub const fn code(&self) -> i32 {
        match *self {}
    }
    /// Its name in the document.
    pub const fn name(&self) -> &'static str {
        match *self {}
    }
    /// The message that the document declares.
    pub const fn summary(&self) -> &'static str {
        match *self {}
    }
    /// The `data` of the error object.
    pub const fn data(&self) -> Option<::serde_json::Value> {
        match *self {}
    }
    /// The declared error of this code: the document declares none.
    pub const fn from_parts(
        _code: i32,
        _data: Option<&::serde_json::Value>,
    ) -> Option<Self> {
        None
    }
}

/// Params of `hear`.
#[derive(Clone, Debug, PartialEq, ::serde::Serialize)]
#[derive(::serde::Deserialize)]
#[serde(deny_unknown_fields)]
pub struct HearParams {
    /// `of`.
    pub of: ::std::string::String,
}

impl HearParams {
    /// Returns the params by position. Absent ones at the end are left out, others are null.
    ///
    /// # Errors
    ///
    /// If a value cannot be written as JSON.
    pub fn into_positional(
        self,
    ) -> Result<Vec<::serde_json::Value>, ::serde_json::Error> {
        let positions = Vec::from([::serde_json::to_value(self.of)?]);
        Ok(positions)
    }
}

impl ::circles_codegen_support::Params for HearParams {
    const PARAMS: &'static [::circles_codegen_support::Param] = &[
        ::circles_codegen_support::Param {
            name: "of",
            required: true,
        },
    ];
}

impl ::jsonrpsee::core::traits::ToRpcParams for HearParams {
    fn to_rpc_params(
        self,
    ) -> Result<Option<Box<::serde_json::value::RawValue>>, ::serde_json::Error> {
        self.into_positional()
            .and_then(|positions| ::serde_json::value::to_raw_value(&positions))
            .map(Some)
    }
}

/// Params of `unhear`.
#[derive(Clone, Debug, PartialEq, ::serde::Serialize)]
#[derive(::serde::Deserialize)]
#[serde(deny_unknown_fields)]
pub struct UnhearParams {
    /// `id`.
    pub id: types::Id,
}

impl UnhearParams {
    /// Returns the params by position. Absent ones at the end are left out, others are null.
    ///
    /// # Errors
    ///
    /// If a value cannot be written as JSON.
    pub fn into_positional(
        self,
    ) -> Result<Vec<::serde_json::Value>, ::serde_json::Error> {
        let positions = Vec::from([::serde_json::to_value(self.id)?]);
        Ok(positions)
    }
}

impl ::circles_codegen_support::Params for UnhearParams {
    const PARAMS: &'static [::circles_codegen_support::Param] = &[
        ::circles_codegen_support::Param {
            name: "id",
            required: true,
        },
    ];
}

impl ::jsonrpsee::core::traits::ToRpcParams for UnhearParams {
    fn to_rpc_params(
        self,
    ) -> Result<Option<Box<::serde_json::value::RawValue>>, ::serde_json::Error> {
        self.into_positional()
            .and_then(|positions| ::serde_json::value::to_raw_value(&positions))
            .map(Some)
    }
}

/// Params of `uncount`.
#[derive(Clone, Debug, PartialEq, ::serde::Serialize)]
#[derive(::serde::Deserialize)]
#[serde(deny_unknown_fields)]
pub struct UncountParams {
    /// `id`.
    pub id: types::Id,
}

impl UncountParams {
    /// Returns the params by position. Absent ones at the end are left out, others are null.
    ///
    /// # Errors
    ///
    /// If a value cannot be written as JSON.
    pub fn into_positional(
        self,
    ) -> Result<Vec<::serde_json::Value>, ::serde_json::Error> {
        let positions = Vec::from([::serde_json::to_value(self.id)?]);
        Ok(positions)
    }
}

impl ::circles_codegen_support::Params for UncountParams {
    const PARAMS: &'static [::circles_codegen_support::Param] = &[
        ::circles_codegen_support::Param {
            name: "id",
            required: true,
        },
    ];
}

impl ::jsonrpsee::core::traits::ToRpcParams for UncountParams {
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
        /// `hear`.
        #[subscription(
            name = "hear" => "heard",
            unsubscribe = "unhear",
            item = super::types::News,
            param_kind = array,
            with_extensions
        )]
        async fn hear(
            &self,
            of: ::std::string::String,
        ) -> ::jsonrpsee::core::SubscriptionResult;
        /// `count`.
        #[subscription(
            name = "count" => "counted",
            unsubscribe = "uncount",
            item = super::types::CountItem,
            param_kind = array,
            with_extensions
        )]
        async fn count(&self) -> ::jsonrpsee::core::SubscriptionResult;
    }
}

#[allow(unused_imports, reason = "few need both sides")]
pub use self::interface::SampleServer;

#[allow(unused_imports, reason = "few need both sides")]
pub use self::interface::SampleClient;

/// Every method of the document, in its order.
pub static METHODS: &[support::Method] = &[
    support::Method {
        name: "hear",
        summary: "",
        deprecated: false,
        tags: &[],
        auth: support::Auth::Session,
        connection: true,
        params: <HearParams as support::Params>::PARAMS,
        errors: &[],
        extensions: "{\"x-connection\":true,\"x-subscription\":{\"item\":{\"$ref\":\"#/components/schemas/News\"},\"notification\":\"heard\",\"unsubscribe\":\"unhear\"}}",
        check_params: support::check_params::<HearParams>,
    },
    support::Method {
        name: "unhear",
        summary: "",
        deprecated: false,
        tags: &[],
        auth: support::Auth::Session,
        connection: true,
        params: <UnhearParams as support::Params>::PARAMS,
        errors: &[],
        extensions: "{\"x-connection\":true}",
        check_params: support::check_params::<UnhearParams>,
    },
    support::Method {
        name: "count",
        summary: "",
        deprecated: false,
        tags: &[],
        auth: support::Auth::None,
        connection: true,
        params: <support::NoParams as support::Params>::PARAMS,
        errors: &[],
        extensions: "{\"x-auth\":\"none\",\"x-connection\":true,\"x-subscription\":{\"item\":{\"properties\":{\"n\":{\"maximum\":9,\"minimum\":0,\"type\":\"integer\"}},\"required\":[\"n\"],\"type\":\"object\"},\"notification\":\"counted\",\"unsubscribe\":\"uncount\"}}",
        check_params: support::check_params::<support::NoParams>,
    },
    support::Method {
        name: "uncount",
        summary: "",
        deprecated: false,
        tags: &[],
        auth: support::Auth::Session,
        connection: true,
        params: <UncountParams as support::Params>::PARAMS,
        errors: &[],
        extensions: "{\"x-connection\":true}",
        check_params: support::check_params::<UncountParams>,
    },
];

/// Returns the method of this name.
pub fn method(name: &str) -> Option<&'static support::Method> {
    match name {
        "hear" => METHODS.first(),
        "unhear" => METHODS.get(1),
        "count" => METHODS.get(2),
        "uncount" => METHODS.get(3),
        _ => None,
    }
}

/// The document itself, byte for byte.
pub const DOCUMENT: &str = include_str!(
    concat!(env!("CARGO_MANIFEST_DIR"), "/../openrpc.json")
);
