/// The schemas of the document as types.
pub mod types {
    /// `CountItem`.
    #[derive(::serde::Serialize, Clone, Debug, PartialEq)]
    #[derive(::schemars::JsonSchema)]
    #[schemars(inline)]
    pub struct CountItem {
        /// `n`.
        pub n: CountItemN,
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
                    while let Some(name) = map.next_key::<crate::Name<'de>>()? {
                        match name.as_str() {
                            "n" if member_0.is_none() => member_0 = Some(map.next_value()?),
                            "n" => return Err(::serde::de::Error::duplicate_field("n")),
                            _ => {
                                map.next_value::<::serde::de::IgnoredAny>()?;
                            }
                        }
                    }
                    Ok(CountItem {
                        n: member_0.ok_or_else(|| ::serde::de::Error::missing_field("n"))?,
                    })
                }
            }
            ::serde::Deserializer::deserialize_map(deserializer, __Members)
        }
    }

    /// `CountItemN`.
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
    pub struct CountItemN(
        #[schemars(with = "crate::Integer", range(min = 0_u8, max = 9_u8))]
        u8,
    );

    crate::integer_newtype!(CountItemN, u8, min = 0, max = 9);

    /// `Id`.
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
    pub struct Id(
        #[schemars(with = "crate::Integer", range(min = 0_u64, max = 9007199254740991_u64))]
        u64,
    );

    crate::integer_newtype!(Id, u64, min = 0, max = 9007199254740991);

    /// What there is to hear.
    #[derive(::serde::Serialize, Clone, Debug, PartialEq)]
    #[serde(tag = "kind", deny_unknown_fields)]
    #[derive(::schemars::JsonSchema)]
    #[allow(
        missing_docs,
        clippy::large_enum_variant,
        reason = "the document need say nothing of single variants, and decides what they hold"
    )]
    pub enum News {
        #[serde(rename = "rose")]
        Rose {
            /// `level`.
            #[schemars(with = "crate::Nullable<Id>")]
            level: ::std::option::Option<Id>,
        },
        #[serde(rename = "fell")]
        Fell {
            /// `why`.
            #[serde(skip_serializing_if = "::std::option::Option::is_none")]
            #[serde(default)]
            why: ::std::option::Option<NewsFellWhy>,
        },
    }

    impl<'de> ::serde::Deserialize<'de> for News {
        fn deserialize<__D: ::serde::Deserializer<'de>>(
            deserializer: __D,
        ) -> ::std::result::Result<Self, __D::Error> {
            let (tag, members) = crate::tagged(deserializer, "kind")?;
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
                                while let Some(name) = map.next_key::<crate::Name<'de>>()? {
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
                                while let Some(name) = map.next_key::<crate::Name<'de>>()? {
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
                                Ok(News::Fell {
                                    why: ::std::option::Option::flatten(member_0),
                                })
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
    #[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, ::schemars::JsonSchema)]
    #[schemars(inline)]
    pub struct NewsFellWhy(#[schemars(length(max = 8))] ::std::string::String);

    crate::text_newtype!(NewsFellWhy, max_length = 8);
}

/// Each schema of the document and the type that carries it.
pub static TYPES: &[crate::Type] = &[
    crate::Type::of::<types::Id>("Id"),
    crate::Type::of::<types::News>("News"),
];

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
#[derive(Clone, Debug, PartialEq, ::serde::Serialize, ::schemars::JsonSchema)]
#[derive(::serde::Deserialize)]
#[serde(deny_unknown_fields)]
pub struct HearParams {
    /// `of`.
    pub of: ::std::string::String,
}

impl HearParams {
    /// The params by position; what is absent at the end is left out, what is absent before it is null.
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

impl crate::Params for HearParams {
    const PARAMS: &'static [crate::Param] = &[
        crate::Param {
            name: "of",
            required: true,
        },
    ];
}

/// Params of `unhear`.
#[derive(Clone, Debug, PartialEq, ::serde::Serialize, ::schemars::JsonSchema)]
#[derive(::serde::Deserialize)]
#[serde(deny_unknown_fields)]
pub struct UnhearParams {
    /// `id`.
    pub id: types::Id,
}

impl UnhearParams {
    /// The params by position; what is absent at the end is left out, what is absent before it is null.
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

impl crate::Params for UnhearParams {
    const PARAMS: &'static [crate::Param] = &[
        crate::Param {
            name: "id",
            required: true,
        },
    ];
}

/// Params of `uncount`.
#[derive(Clone, Debug, PartialEq, ::serde::Serialize, ::schemars::JsonSchema)]
#[derive(::serde::Deserialize)]
#[serde(deny_unknown_fields)]
pub struct UncountParams {
    /// `id`.
    pub id: types::Id,
}

impl UncountParams {
    /// The params by position; what is absent at the end is left out, what is absent before it is null.
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

impl crate::Params for UncountParams {
    const PARAMS: &'static [crate::Param] = &[
        crate::Param {
            name: "id",
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
    /// `hear`.
    #[subscription(
        name = "hear" => "heard",
        unsubscribe = "unhear",
        item = types::News,
        param_kind = map,
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
        item = types::CountItem,
        param_kind = array,
        with_extensions
    )]
    async fn count(&self) -> ::jsonrpsee::core::SubscriptionResult;
}

/// Every method of the document, in its order.
pub static METHODS: &[crate::Method] = &[
    crate::Method {
        name: "hear",
        auth: crate::Auth::Session,
        connection: true,
        params: <HearParams as crate::Params>::PARAMS,
        errors: &[],
        check_params: crate::check_params::<HearParams>,
    },
    crate::Method {
        name: "unhear",
        auth: crate::Auth::Session,
        connection: true,
        params: <UnhearParams as crate::Params>::PARAMS,
        errors: &[],
        check_params: crate::check_params::<UnhearParams>,
    },
    crate::Method {
        name: "count",
        auth: crate::Auth::None,
        connection: true,
        params: <crate::NoParams as crate::Params>::PARAMS,
        errors: &[],
        check_params: crate::check_params::<crate::NoParams>,
    },
    crate::Method {
        name: "uncount",
        auth: crate::Auth::Session,
        connection: true,
        params: <UncountParams as crate::Params>::PARAMS,
        errors: &[],
        check_params: crate::check_params::<UncountParams>,
    },
];

/// The method of this name.
pub fn method(name: &str) -> Option<&'static crate::Method> {
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
