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
    /// A session that was opened.
    #[derive(::serde::Serialize, Clone, Debug, PartialEq)]
    pub struct Authenticated {
        /// Always true; a refusal is an error.
        pub authenticated: bool,
        /// A point in time, in seconds since 1970-01-01T00:00:00Z.
        pub expires_at: UnixSeconds,
    }

    impl<'de> ::serde::Deserialize<'de> for Authenticated {
        fn deserialize<__D: ::serde::Deserializer<'de>>(
            deserializer: __D,
        ) -> ::std::result::Result<Self, __D::Error> {
            struct __Members;
            impl<'de> ::serde::de::Visitor<'de> for __Members {
                type Value = Authenticated;
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
                            "authenticated" if member_0.is_none() => {
                                member_0 = Some(map.next_value()?);
                            }
                            "authenticated" => {
                                return Err(
                                    ::serde::de::Error::duplicate_field("authenticated"),
                                );
                            }
                            "expires_at" if member_1.is_none() => {
                                member_1 = Some(map.next_value()?);
                            }
                            "expires_at" => {
                                return Err(::serde::de::Error::duplicate_field("expires_at"));
                            }
                            _ => {
                                return Err(
                                    ::serde::de::Error::unknown_field(
                                        name.as_str(),
                                        &["authenticated", "expires_at"],
                                    ),
                                );
                            }
                        }
                    }
                    Ok(Authenticated {
                        authenticated: member_0
                            .ok_or_else(|| ::serde::de::Error::missing_field(
                                "authenticated",
                            ))?,
                        expires_at: member_1
                            .ok_or_else(|| ::serde::de::Error::missing_field("expires_at"))?,
                    })
                }
            }
            ::serde::Deserializer::deserialize_map(deserializer, __Members)
        }
    }

    /// The caller: a public key; `webhook:` and a provider's name; empty for an anonymous caller.
    #[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
    pub struct Caller(::std::string::String);

    ::circles_codegen_support::text_newtype!(
        Caller, pattern = "^(0[23][0-9a-f]{64}|webhook:[a-z]{1,32})?$", max_length = 66
    );

    /// The result of a cancellation.
    #[derive(::serde::Serialize, Clone, Debug, PartialEq)]
    pub struct Cancellation {
        /// Whether this call ended the task.
        pub cancelled: bool,
    }

    impl<'de> ::serde::Deserialize<'de> for Cancellation {
        fn deserialize<__D: ::serde::Deserializer<'de>>(
            deserializer: __D,
        ) -> ::std::result::Result<Self, __D::Error> {
            struct __Members;
            impl<'de> ::serde::de::Visitor<'de> for __Members {
                type Value = Cancellation;
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
                            "cancelled" if member_0.is_none() => {
                                member_0 = Some(map.next_value()?);
                            }
                            "cancelled" => {
                                return Err(::serde::de::Error::duplicate_field("cancelled"));
                            }
                            _ => {
                                return Err(
                                    ::serde::de::Error::unknown_field(
                                        name.as_str(),
                                        &["cancelled"],
                                    ),
                                );
                            }
                        }
                    }
                    Ok(Cancellation {
                        cancelled: member_0
                            .ok_or_else(|| ::serde::de::Error::missing_field("cancelled"))?,
                    })
                }
            }
            ::serde::Deserializer::deserialize_map(deserializer, __Members)
        }
    }

    /// Data of a cancelled play.
    #[derive(::serde::Serialize, Clone, Debug, Default, PartialEq)]
    pub struct CancelledData {
        /// The script's log lines, in order; absent if it logged nothing.
        #[serde(skip_serializing_if = "::std::option::Option::is_none")]
        pub logs: ::std::option::Option<::std::vec::Vec<LogLine>>,
    }

    impl<'de> ::serde::Deserialize<'de> for CancelledData {
        fn deserialize<__D: ::serde::Deserializer<'de>>(
            deserializer: __D,
        ) -> ::std::result::Result<Self, __D::Error> {
            struct __Members;
            impl<'de> ::serde::de::Visitor<'de> for __Members {
                type Value = CancelledData;
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
                            "logs" if member_0.is_none() => {
                                member_0 = Some(map.next_value()?);
                            }
                            "logs" => return Err(::serde::de::Error::duplicate_field("logs")),
                            _ => {
                                return Err(
                                    ::serde::de::Error::unknown_field(name.as_str(), &["logs"]),
                                );
                            }
                        }
                    }
                    Ok(CancelledData { logs: member_0 })
                }
            }
            ::serde::Deserializer::deserialize_map(deserializer, __Members)
        }
    }

    /// The text to sign, and its expiry.
    #[derive(::serde::Serialize, Clone, Debug, PartialEq)]
    pub struct Challenge {
        /// The exact text to sign: `circles-auth-v1` and the fields `circle`, `audience`, `pubkey`, `nonce` and `expires`, each `name:value`, joined by line feeds.
        pub challenge: ChallengeChallenge,
        /// A point in time, in seconds since 1970-01-01T00:00:00Z.
        pub expires_at: UnixSeconds,
        /// 32 random bytes, lower-case hex.
        pub nonce: Nonce,
    }

    impl<'de> ::serde::Deserialize<'de> for Challenge {
        fn deserialize<__D: ::serde::Deserializer<'de>>(
            deserializer: __D,
        ) -> ::std::result::Result<Self, __D::Error> {
            struct __Members;
            impl<'de> ::serde::de::Visitor<'de> for __Members {
                type Value = Challenge;
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
                    while let Some(name) = map
                        .next_key::<::circles_codegen_support::Name<'de>>()?
                    {
                        match name.as_str() {
                            "challenge" if member_0.is_none() => {
                                member_0 = Some(map.next_value()?);
                            }
                            "challenge" => {
                                return Err(::serde::de::Error::duplicate_field("challenge"));
                            }
                            "expires_at" if member_1.is_none() => {
                                member_1 = Some(map.next_value()?);
                            }
                            "expires_at" => {
                                return Err(::serde::de::Error::duplicate_field("expires_at"));
                            }
                            "nonce" if member_2.is_none() => {
                                member_2 = Some(map.next_value()?);
                            }
                            "nonce" => {
                                return Err(::serde::de::Error::duplicate_field("nonce"));
                            }
                            _ => {
                                return Err(
                                    ::serde::de::Error::unknown_field(
                                        name.as_str(),
                                        &["challenge", "expires_at", "nonce"],
                                    ),
                                );
                            }
                        }
                    }
                    Ok(Challenge {
                        challenge: member_0
                            .ok_or_else(|| ::serde::de::Error::missing_field("challenge"))?,
                        expires_at: member_1
                            .ok_or_else(|| ::serde::de::Error::missing_field("expires_at"))?,
                        nonce: member_2
                            .ok_or_else(|| ::serde::de::Error::missing_field("nonce"))?,
                    })
                }
            }
            ::serde::Deserializer::deserialize_map(deserializer, __Members)
        }
    }

    /// The exact text to sign: `circles-auth-v1` and the fields `circle`, `audience`, `pubkey`, `nonce` and `expires`, each `name:value`, joined by line feeds.
    #[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
    pub struct ChallengeChallenge(::std::string::String);

    ::circles_codegen_support::text_newtype!(
        ChallengeChallenge, min_length = 1, max_length = 1024
    );

    /// An OpenRPC document.
    #[derive(::serde::Deserialize, ::serde::Serialize, Clone, Debug, PartialEq)]
    #[serde(transparent)]
    pub struct Document(pub ::serde_json::Map<::std::string::String, ::serde_json::Value>);

    impl ::std::ops::Deref for Document {
        type Target = ::serde_json::Map<::std::string::String, ::serde_json::Value>;
        fn deref(&self) -> &::serde_json::Map<::std::string::String, ::serde_json::Value> {
            &self.0
        }
    }

    impl ::std::convert::From<Document>
    for ::serde_json::Map<::std::string::String, ::serde_json::Value> {
        fn from(value: Document) -> Self {
            value.0
        }
    }

    impl ::std::convert::From<::serde_json::Map<::std::string::String, ::serde_json::Value>>
    for Document {
        fn from(
            value: ::serde_json::Map<::std::string::String, ::serde_json::Value>,
        ) -> Self {
            Self(value)
        }
    }

    /// A name that the caller chose for one call: 1 to 128 printable ASCII characters.
    #[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
    pub struct IdempotencyKey(::std::string::String);

    ::circles_codegen_support::text_newtype!(
        IdempotencyKey, pattern = "^[!-~]{1,128}$", min_length = 1, max_length = 128
    );

    /// The circle and the caller of a connection.
    #[derive(::serde::Serialize, Clone, Debug, PartialEq)]
    pub struct Identity {
        /// Whether there is a session.
        pub authenticated: bool,
        /// The public key that this session proved; empty without a session.
        pub caller: IdentityCaller,
        /// A secp256k1 public key: 33 bytes compressed, lower-case hex.
        pub circle: PublicKey,
        /// When the session ends, in seconds since 1970-01-01T00:00:00Z; null without a session.
        pub expires_at: ::std::option::Option<IdentityExpiresAt>,
    }

    impl<'de> ::serde::Deserialize<'de> for Identity {
        fn deserialize<__D: ::serde::Deserializer<'de>>(
            deserializer: __D,
        ) -> ::std::result::Result<Self, __D::Error> {
            struct __Members;
            impl<'de> ::serde::de::Visitor<'de> for __Members {
                type Value = Identity;
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
                    let mut member_3 = None;
                    while let Some(name) = map
                        .next_key::<::circles_codegen_support::Name<'de>>()?
                    {
                        match name.as_str() {
                            "authenticated" if member_0.is_none() => {
                                member_0 = Some(map.next_value()?);
                            }
                            "authenticated" => {
                                return Err(
                                    ::serde::de::Error::duplicate_field("authenticated"),
                                );
                            }
                            "caller" if member_1.is_none() => {
                                member_1 = Some(map.next_value()?);
                            }
                            "caller" => {
                                return Err(::serde::de::Error::duplicate_field("caller"));
                            }
                            "circle" if member_2.is_none() => {
                                member_2 = Some(map.next_value()?);
                            }
                            "circle" => {
                                return Err(::serde::de::Error::duplicate_field("circle"));
                            }
                            "expires_at" if member_3.is_none() => {
                                member_3 = Some(map.next_value()?);
                            }
                            "expires_at" => {
                                return Err(::serde::de::Error::duplicate_field("expires_at"));
                            }
                            _ => {
                                return Err(
                                    ::serde::de::Error::unknown_field(
                                        name.as_str(),
                                        &["authenticated", "caller", "circle", "expires_at"],
                                    ),
                                );
                            }
                        }
                    }
                    Ok(Identity {
                        authenticated: member_0
                            .ok_or_else(|| ::serde::de::Error::missing_field(
                                "authenticated",
                            ))?,
                        caller: member_1
                            .ok_or_else(|| ::serde::de::Error::missing_field("caller"))?,
                        circle: member_2
                            .ok_or_else(|| ::serde::de::Error::missing_field("circle"))?,
                        expires_at: member_3
                            .ok_or_else(|| ::serde::de::Error::missing_field("expires_at"))?,
                    })
                }
            }
            ::serde::Deserializer::deserialize_map(deserializer, __Members)
        }
    }

    /// The public key that this session proved; empty without a session.
    #[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
    pub struct IdentityCaller(::std::string::String);

    ::circles_codegen_support::text_newtype!(
        IdentityCaller, pattern = "^(0[23][0-9a-f]{64})?$", max_length = 66
    );

    /// When the session ends, in seconds since 1970-01-01T00:00:00Z; null without a session.
    #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
    pub struct IdentityExpiresAt(u64);

    ::circles_codegen_support::integer_newtype!(
        IdentityExpiresAt, u64, min = 0, max = 253402300799
    );

    /// Any JSON value.
    pub type Json = ::serde_json::Value;

    /// The scripts that a circle holds.
    #[derive(::serde::Serialize, Clone, Debug, PartialEq)]
    pub struct Library {
        /// By name.
        pub scripts: ::std::vec::Vec<LibraryScript>,
    }

    impl<'de> ::serde::Deserialize<'de> for Library {
        fn deserialize<__D: ::serde::Deserializer<'de>>(
            deserializer: __D,
        ) -> ::std::result::Result<Self, __D::Error> {
            struct __Members;
            impl<'de> ::serde::de::Visitor<'de> for __Members {
                type Value = Library;
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
                            "scripts" if member_0.is_none() => {
                                member_0 = Some(map.next_value()?);
                            }
                            "scripts" => {
                                return Err(::serde::de::Error::duplicate_field("scripts"));
                            }
                            _ => {
                                return Err(
                                    ::serde::de::Error::unknown_field(
                                        name.as_str(),
                                        &["scripts"],
                                    ),
                                );
                            }
                        }
                    }
                    Ok(Library {
                        scripts: member_0
                            .ok_or_else(|| ::serde::de::Error::missing_field("scripts"))?,
                    })
                }
            }
            ::serde::Deserializer::deserialize_map(deserializer, __Members)
        }
    }

    /// A function that a script defines.
    #[derive(::serde::Serialize, Clone, Debug, PartialEq)]
    pub struct LibraryFunction {
        /// Its `///` comment; empty without one.
        pub description: ::std::string::String,
        /// The function's name.
        pub name: ::std::string::String,
        /// The names of its parameters.
        pub params: ::std::vec::Vec<::std::string::String>,
    }

    impl<'de> ::serde::Deserialize<'de> for LibraryFunction {
        fn deserialize<__D: ::serde::Deserializer<'de>>(
            deserializer: __D,
        ) -> ::std::result::Result<Self, __D::Error> {
            struct __Members;
            impl<'de> ::serde::de::Visitor<'de> for __Members {
                type Value = LibraryFunction;
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
                    while let Some(name) = map
                        .next_key::<::circles_codegen_support::Name<'de>>()?
                    {
                        match name.as_str() {
                            "description" if member_0.is_none() => {
                                member_0 = Some(map.next_value()?);
                            }
                            "description" => {
                                return Err(
                                    ::serde::de::Error::duplicate_field("description"),
                                );
                            }
                            "name" if member_1.is_none() => {
                                member_1 = Some(map.next_value()?);
                            }
                            "name" => return Err(::serde::de::Error::duplicate_field("name")),
                            "params" if member_2.is_none() => {
                                member_2 = Some(map.next_value()?);
                            }
                            "params" => {
                                return Err(::serde::de::Error::duplicate_field("params"));
                            }
                            _ => {
                                return Err(
                                    ::serde::de::Error::unknown_field(
                                        name.as_str(),
                                        &["description", "name", "params"],
                                    ),
                                );
                            }
                        }
                    }
                    Ok(LibraryFunction {
                        description: member_0
                            .ok_or_else(|| ::serde::de::Error::missing_field(
                                "description",
                            ))?,
                        name: member_1
                            .ok_or_else(|| ::serde::de::Error::missing_field("name"))?,
                        params: member_2
                            .ok_or_else(|| ::serde::de::Error::missing_field("params"))?,
                    })
                }
            }
            ::serde::Deserializer::deserialize_map(deserializer, __Members)
        }
    }

    /// A script of the library.
    #[derive(::serde::Serialize, Clone, Debug, PartialEq)]
    pub struct LibraryScript {
        /// Its `//!` comment; empty without one.
        pub description: ::std::string::String,
        /// Why it does not compile; null if it does.
        pub fault: ::std::option::Option<::std::string::String>,
        /// Its functions that are not private.
        pub functions: ::std::vec::Vec<LibraryFunction>,
        /// A script of a circle's library: its path below the library, with slashes, without `.rhai`.
        pub name: ScriptName,
    }

    impl<'de> ::serde::Deserialize<'de> for LibraryScript {
        fn deserialize<__D: ::serde::Deserializer<'de>>(
            deserializer: __D,
        ) -> ::std::result::Result<Self, __D::Error> {
            struct __Members;
            impl<'de> ::serde::de::Visitor<'de> for __Members {
                type Value = LibraryScript;
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
                    let mut member_3 = None;
                    while let Some(name) = map
                        .next_key::<::circles_codegen_support::Name<'de>>()?
                    {
                        match name.as_str() {
                            "description" if member_0.is_none() => {
                                member_0 = Some(map.next_value()?);
                            }
                            "description" => {
                                return Err(
                                    ::serde::de::Error::duplicate_field("description"),
                                );
                            }
                            "fault" if member_1.is_none() => {
                                member_1 = Some(map.next_value()?);
                            }
                            "fault" => {
                                return Err(::serde::de::Error::duplicate_field("fault"));
                            }
                            "functions" if member_2.is_none() => {
                                member_2 = Some(map.next_value()?);
                            }
                            "functions" => {
                                return Err(::serde::de::Error::duplicate_field("functions"));
                            }
                            "name" if member_3.is_none() => {
                                member_3 = Some(map.next_value()?);
                            }
                            "name" => return Err(::serde::de::Error::duplicate_field("name")),
                            _ => {
                                return Err(
                                    ::serde::de::Error::unknown_field(
                                        name.as_str(),
                                        &["description", "fault", "functions", "name"],
                                    ),
                                );
                            }
                        }
                    }
                    Ok(LibraryScript {
                        description: member_0
                            .ok_or_else(|| ::serde::de::Error::missing_field(
                                "description",
                            ))?,
                        fault: member_1
                            .ok_or_else(|| ::serde::de::Error::missing_field("fault"))?,
                        functions: member_2
                            .ok_or_else(|| ::serde::de::Error::missing_field("functions"))?,
                        name: member_3
                            .ok_or_else(|| ::serde::de::Error::missing_field("name"))?,
                    })
                }
            }
            ::serde::Deserializer::deserialize_map(deserializer, __Members)
        }
    }

    /// The limit that a script exceeded.
    #[derive(::serde::Serialize, Clone, Debug, PartialEq)]
    pub struct LimitData {
        /// Its name in circles.json; answer_bytes if result and log together do not fit into one answer.
        pub limit: LimitDataLimit,
        /// The script's log lines, in order; absent if it logged nothing.
        #[serde(skip_serializing_if = "::std::option::Option::is_none")]
        pub logs: ::std::option::Option<::std::vec::Vec<LogLine>>,
    }

    impl<'de> ::serde::Deserialize<'de> for LimitData {
        fn deserialize<__D: ::serde::Deserializer<'de>>(
            deserializer: __D,
        ) -> ::std::result::Result<Self, __D::Error> {
            struct __Members;
            impl<'de> ::serde::de::Visitor<'de> for __Members {
                type Value = LimitData;
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
                            "limit" if member_0.is_none() => {
                                member_0 = Some(map.next_value()?);
                            }
                            "limit" => {
                                return Err(::serde::de::Error::duplicate_field("limit"));
                            }
                            "logs" if member_1.is_none() => {
                                member_1 = Some(map.next_value()?);
                            }
                            "logs" => return Err(::serde::de::Error::duplicate_field("logs")),
                            _ => {
                                return Err(
                                    ::serde::de::Error::unknown_field(
                                        name.as_str(),
                                        &["limit", "logs"],
                                    ),
                                );
                            }
                        }
                    }
                    Ok(LimitData {
                        limit: member_0
                            .ok_or_else(|| ::serde::de::Error::missing_field("limit"))?,
                        logs: member_1,
                    })
                }
            }
            ::serde::Deserializer::deserialize_map(deserializer, __Members)
        }
    }

    /// Its name in circles.json; answer_bytes if result and log together do not fit into one answer.
    #[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
    pub struct LimitDataLimit(::std::string::String);

    ::circles_codegen_support::text_newtype!(
        LimitDataLimit, min_length = 1, max_length = 64
    );

    /// The level of a log line: `print` logs at `info`, `debug` at `debug`.
    #[derive(::serde::Serialize, Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
    pub enum LogLevel {
        /// `debug`
        #[serde(rename = "debug")]
        Debug,
        /// `info`
        #[serde(rename = "info")]
        Info,
        /// `warn`
        #[serde(rename = "warn")]
        Warn,
        /// `error`
        #[serde(rename = "error")]
        Error,
    }

    impl LogLevel {
        /// The text on the wire.
        pub const fn as_str(&self) -> &'static str {
            match self {
                Self::Debug => "debug",
                Self::Info => "info",
                Self::Warn => "warn",
                Self::Error => "error",
            }
        }
    }

    impl ::std::fmt::Display for LogLevel {
        fn fmt(&self, f: &mut ::std::fmt::Formatter<'_>) -> ::std::fmt::Result {
            f.write_str(self.as_str())
        }
    }

    impl ::std::str::FromStr for LogLevel {
        type Err = ::circles_codegen_support::InvalidValue;
        fn from_str(text: &str) -> ::std::result::Result<Self, Self::Err> {
            match text {
                "debug" => Ok(Self::Debug),
                "info" => Ok(Self::Info),
                "warn" => Ok(Self::Warn),
                "error" => Ok(Self::Error),
                _ => {
                    Err(
                        ::circles_codegen_support::InvalidValue::new(
                            "must be one of debug, info, warn, error",
                        ),
                    )
                }
            }
        }
    }

    impl<'de> ::serde::Deserialize<'de> for LogLevel {
        fn deserialize<__D: ::serde::Deserializer<'de>>(
            deserializer: __D,
        ) -> ::std::result::Result<Self, __D::Error> {
            ::circles_codegen_support::one_of(
                deserializer,
                &["debug", "info", "warn", "error"],
            )
        }
    }

    /// One line that a script logged.
    #[derive(::serde::Serialize, Clone, Debug, PartialEq)]
    pub struct LogLine {
        /// The level of a log line: `print` logs at `info`, `debug` at `debug`.
        pub level: LogLevel,
        /// The line, without its end.
        pub text: ::std::string::String,
    }

    impl<'de> ::serde::Deserialize<'de> for LogLine {
        fn deserialize<__D: ::serde::Deserializer<'de>>(
            deserializer: __D,
        ) -> ::std::result::Result<Self, __D::Error> {
            struct __Members;
            impl<'de> ::serde::de::Visitor<'de> for __Members {
                type Value = LogLine;
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
                            "level" if member_0.is_none() => {
                                member_0 = Some(map.next_value()?);
                            }
                            "level" => {
                                return Err(::serde::de::Error::duplicate_field("level"));
                            }
                            "text" if member_1.is_none() => {
                                member_1 = Some(map.next_value()?);
                            }
                            "text" => return Err(::serde::de::Error::duplicate_field("text")),
                            _ => {
                                return Err(
                                    ::serde::de::Error::unknown_field(
                                        name.as_str(),
                                        &["level", "text"],
                                    ),
                                );
                            }
                        }
                    }
                    Ok(LogLine {
                        level: member_0
                            .ok_or_else(|| ::serde::de::Error::missing_field("level"))?,
                        text: member_1
                            .ok_or_else(|| ::serde::de::Error::missing_field("text"))?,
                    })
                }
            }
            ::serde::Deserializer::deserialize_map(deserializer, __Members)
        }
    }

    /// A duration in microseconds.
    #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
    pub struct Microseconds(u64);

    ::circles_codegen_support::integer_newtype!(
        Microseconds, u64, min = 0, max = 9007199254740991
    );

    /// 32 random bytes, lower-case hex.
    #[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
    pub struct Nonce(::std::string::String);

    ::circles_codegen_support::text_newtype!(
        Nonce, pattern = "^[0-9a-f]{64}$", min_length = 64, max_length = 64
    );

    /// How many items a page may hold.
    #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
    pub struct PageLimit(u16);

    ::circles_codegen_support::integer_newtype!(PageLimit, u16, min = 1, max = 500);

    /// An event of a watched play.
    #[derive(::serde::Serialize, Clone, Debug, PartialEq)]
    #[serde(tag = "event")]
    #[allow(
        missing_docs,
        clippy::large_enum_variant,
        reason = "the document need say nothing of single variants, and decides what they hold"
    )]
    pub enum PlayEvent {
        /// The first event: which task it is.
        #[serde(rename = "accepted")]
        Accepted {
            /// The name of a task: a UUID of version 7, so that names sort by time.
            task_id: TaskId,
        },
        /// The script logged a line.
        #[serde(rename = "logged")]
        Logged {
            /// One line that a script logged.
            line: LogLine,
        },
        /// The script runs again from its beginning, after a conflict with another play or the loss of its worker. Its earlier log lines do not count.
        #[serde(rename = "restarted")]
        Restarted,
        /// The last event: the task in its final state.
        #[serde(rename = "ended")]
        Ended {
            /// A task with its state and its outcome.
            task: Task,
        },
    }

    impl<'de> ::serde::Deserialize<'de> for PlayEvent {
        fn deserialize<__D: ::serde::Deserializer<'de>>(
            deserializer: __D,
        ) -> ::std::result::Result<Self, __D::Error> {
            let (tag, members) = ::circles_codegen_support::tagged(deserializer, "event")?;
            match tag.as_str() {
                "accepted" => {
                    let deserializer = members;
                    let read = {
                        struct __Members;
                        impl<'de> ::serde::de::Visitor<'de> for __Members {
                            type Value = PlayEvent;
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
                                        "task_id" if member_0.is_none() => {
                                            member_0 = Some(map.next_value()?);
                                        }
                                        "task_id" => {
                                            return Err(::serde::de::Error::duplicate_field("task_id"));
                                        }
                                        _ => {
                                            return Err(
                                                ::serde::de::Error::unknown_field(
                                                    name.as_str(),
                                                    &["task_id"],
                                                ),
                                            );
                                        }
                                    }
                                }
                                Ok(PlayEvent::Accepted {
                                    task_id: member_0
                                        .ok_or_else(|| ::serde::de::Error::missing_field(
                                            "task_id",
                                        ))?,
                                })
                            }
                        }
                        ::serde::Deserializer::deserialize_map(deserializer, __Members)
                    };
                    read.map_err(::serde::de::Error::custom)
                }
                "logged" => {
                    let deserializer = members;
                    let read = {
                        struct __Members;
                        impl<'de> ::serde::de::Visitor<'de> for __Members {
                            type Value = PlayEvent;
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
                                        "line" if member_0.is_none() => {
                                            member_0 = Some(map.next_value()?);
                                        }
                                        "line" => {
                                            return Err(::serde::de::Error::duplicate_field("line"));
                                        }
                                        _ => {
                                            return Err(
                                                ::serde::de::Error::unknown_field(name.as_str(), &["line"]),
                                            );
                                        }
                                    }
                                }
                                Ok(PlayEvent::Logged {
                                    line: member_0
                                        .ok_or_else(|| ::serde::de::Error::missing_field("line"))?,
                                })
                            }
                        }
                        ::serde::Deserializer::deserialize_map(deserializer, __Members)
                    };
                    read.map_err(::serde::de::Error::custom)
                }
                "restarted" => {
                    let deserializer = members;
                    let read = {
                        struct __Members;
                        impl<'de> ::serde::de::Visitor<'de> for __Members {
                            type Value = PlayEvent;
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
                                if let Some(name) = map
                                    .next_key::<::circles_codegen_support::Name<'de>>()?
                                {
                                    return Err(
                                        ::serde::de::Error::unknown_field(name.as_str(), &[]),
                                    );
                                }
                                Ok(PlayEvent::Restarted {})
                            }
                        }
                        ::serde::Deserializer::deserialize_map(deserializer, __Members)
                    };
                    read.map_err(::serde::de::Error::custom)
                }
                "ended" => {
                    let deserializer = members;
                    let read = {
                        struct __Members;
                        impl<'de> ::serde::de::Visitor<'de> for __Members {
                            type Value = PlayEvent;
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
                                        "task" if member_0.is_none() => {
                                            member_0 = Some(map.next_value()?);
                                        }
                                        "task" => {
                                            return Err(::serde::de::Error::duplicate_field("task"));
                                        }
                                        _ => {
                                            return Err(
                                                ::serde::de::Error::unknown_field(name.as_str(), &["task"]),
                                            );
                                        }
                                    }
                                }
                                Ok(PlayEvent::Ended {
                                    task: member_0
                                        .ok_or_else(|| ::serde::de::Error::missing_field("task"))?,
                                })
                            }
                        }
                        ::serde::Deserializer::deserialize_map(deserializer, __Members)
                    };
                    read.map_err(::serde::de::Error::custom)
                }
                other => {
                    Err(
                        ::serde::de::Error::unknown_variant(
                            other,
                            &["accepted", "logged", "restarted", "ended"],
                        ),
                    )
                }
            }
        }
    }

    /// The result of a script that succeeded.
    #[derive(::serde::Serialize, Clone, Debug, PartialEq)]
    pub struct PlayResult {
        /// In the order in which they were logged.
        pub logs: ::std::vec::Vec<LogLine>,
        /// The script's value as Rhai prints it; empty for the unit value.
        pub output: ::std::string::String,
        /// The cost of a play.
        pub stats: PlayStats,
        /// The name of a task: a UUID of version 7, so that names sort by time.
        pub task_id: TaskId,
        /// Any JSON value.
        pub value: Json,
    }

    impl<'de> ::serde::Deserialize<'de> for PlayResult {
        fn deserialize<__D: ::serde::Deserializer<'de>>(
            deserializer: __D,
        ) -> ::std::result::Result<Self, __D::Error> {
            struct __Members;
            impl<'de> ::serde::de::Visitor<'de> for __Members {
                type Value = PlayResult;
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
                    let mut member_3 = None;
                    let mut member_4 = None;
                    while let Some(name) = map
                        .next_key::<::circles_codegen_support::Name<'de>>()?
                    {
                        match name.as_str() {
                            "logs" if member_0.is_none() => {
                                member_0 = Some(map.next_value()?);
                            }
                            "logs" => return Err(::serde::de::Error::duplicate_field("logs")),
                            "output" if member_1.is_none() => {
                                member_1 = Some(map.next_value()?);
                            }
                            "output" => {
                                return Err(::serde::de::Error::duplicate_field("output"));
                            }
                            "stats" if member_2.is_none() => {
                                member_2 = Some(map.next_value()?);
                            }
                            "stats" => {
                                return Err(::serde::de::Error::duplicate_field("stats"));
                            }
                            "task_id" if member_3.is_none() => {
                                member_3 = Some(map.next_value()?);
                            }
                            "task_id" => {
                                return Err(::serde::de::Error::duplicate_field("task_id"));
                            }
                            "value" if member_4.is_none() => {
                                member_4 = Some(map.next_value()?);
                            }
                            "value" => {
                                return Err(::serde::de::Error::duplicate_field("value"));
                            }
                            _ => {
                                return Err(
                                    ::serde::de::Error::unknown_field(
                                        name.as_str(),
                                        &["logs", "output", "stats", "task_id", "value"],
                                    ),
                                );
                            }
                        }
                    }
                    Ok(PlayResult {
                        logs: member_0
                            .ok_or_else(|| ::serde::de::Error::missing_field("logs"))?,
                        output: member_1
                            .ok_or_else(|| ::serde::de::Error::missing_field("output"))?,
                        stats: member_2
                            .ok_or_else(|| ::serde::de::Error::missing_field("stats"))?,
                        task_id: member_3
                            .ok_or_else(|| ::serde::de::Error::missing_field("task_id"))?,
                        value: member_4
                            .ok_or_else(|| ::serde::de::Error::missing_field("value"))?,
                    })
                }
            }
            ::serde::Deserializer::deserialize_map(deserializer, __Members)
        }
    }

    /// The cost of a play.
    #[derive(::serde::Serialize, Clone, Debug, PartialEq)]
    pub struct PlayStats {
        /// A duration in microseconds.
        pub elapsed_us: Microseconds,
        /// Rhai operations, as the operations limit counts them.
        pub operations: PlayStatsOperations,
        /// A duration in microseconds.
        pub queued_us: Microseconds,
    }

    impl<'de> ::serde::Deserialize<'de> for PlayStats {
        fn deserialize<__D: ::serde::Deserializer<'de>>(
            deserializer: __D,
        ) -> ::std::result::Result<Self, __D::Error> {
            struct __Members;
            impl<'de> ::serde::de::Visitor<'de> for __Members {
                type Value = PlayStats;
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
                    while let Some(name) = map
                        .next_key::<::circles_codegen_support::Name<'de>>()?
                    {
                        match name.as_str() {
                            "elapsed_us" if member_0.is_none() => {
                                member_0 = Some(map.next_value()?);
                            }
                            "elapsed_us" => {
                                return Err(::serde::de::Error::duplicate_field("elapsed_us"));
                            }
                            "operations" if member_1.is_none() => {
                                member_1 = Some(map.next_value()?);
                            }
                            "operations" => {
                                return Err(::serde::de::Error::duplicate_field("operations"));
                            }
                            "queued_us" if member_2.is_none() => {
                                member_2 = Some(map.next_value()?);
                            }
                            "queued_us" => {
                                return Err(::serde::de::Error::duplicate_field("queued_us"));
                            }
                            _ => {
                                return Err(
                                    ::serde::de::Error::unknown_field(
                                        name.as_str(),
                                        &["elapsed_us", "operations", "queued_us"],
                                    ),
                                );
                            }
                        }
                    }
                    Ok(PlayStats {
                        elapsed_us: member_0
                            .ok_or_else(|| ::serde::de::Error::missing_field("elapsed_us"))?,
                        operations: member_1
                            .ok_or_else(|| ::serde::de::Error::missing_field("operations"))?,
                        queued_us: member_2
                            .ok_or_else(|| ::serde::de::Error::missing_field("queued_us"))?,
                    })
                }
            }
            ::serde::Deserializer::deserialize_map(deserializer, __Members)
        }
    }

    /// Rhai operations, as the operations limit counts them.
    #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
    pub struct PlayStatsOperations(u64);

    ::circles_codegen_support::integer_newtype!(
        PlayStatsOperations, u64, min = 0, max = 9007199254740991
    );

    /// A secp256k1 public key: 33 bytes compressed, lower-case hex.
    #[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
    pub struct PublicKey(::std::string::String);

    ::circles_codegen_support::text_newtype!(
        PublicKey, pattern = "^0[23][0-9a-f]{64}$", min_length = 66, max_length = 66
    );

    /// One sealed record of a play.
    #[derive(::serde::Serialize, Clone, Debug, PartialEq)]
    pub struct Record {
        /// A point in time, in milliseconds since 1970-01-01T00:00:00Z.
        pub accepted_at: UnixMillis,
        /// The caller: a public key; `webhook:` and a provider's name; empty for an anonymous caller.
        pub caller: Caller,
        /// A point in time, in milliseconds since 1970-01-01T00:00:00Z.
        pub ended_at: UnixMillis,
        /// A SHA-256, lower-case hex.
        pub hash: Sha256,
        /// The place of a record in its circle's chain, counted from 1; 0 is before the first.
        pub number: RecordNumber,
        /// The state of a task; the last five are final.
        pub outcome: TaskState,
        /// A SHA-256, lower-case hex.
        pub previous: Sha256,
        /// The SHA-256 of the source that ran; null if none ran.
        pub script_sha256: ::std::option::Option<Sha256>,
        /// The name of a task: a UUID of version 7, so that names sort by time.
        pub task_id: TaskId,
        /// The play that made this call; absent if a client made it.
        #[serde(skip_serializing_if = "::std::option::Option::is_none")]
        pub via: ::std::option::Option<RecordVia>,
    }

    impl<'de> ::serde::Deserialize<'de> for Record {
        fn deserialize<__D: ::serde::Deserializer<'de>>(
            deserializer: __D,
        ) -> ::std::result::Result<Self, __D::Error> {
            struct __Members;
            impl<'de> ::serde::de::Visitor<'de> for __Members {
                type Value = Record;
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
                    let mut member_3 = None;
                    let mut member_4 = None;
                    let mut member_5 = None;
                    let mut member_6 = None;
                    let mut member_7 = None;
                    let mut member_8 = None;
                    let mut member_9 = None;
                    while let Some(name) = map
                        .next_key::<::circles_codegen_support::Name<'de>>()?
                    {
                        match name.as_str() {
                            "accepted_at" if member_0.is_none() => {
                                member_0 = Some(map.next_value()?);
                            }
                            "accepted_at" => {
                                return Err(
                                    ::serde::de::Error::duplicate_field("accepted_at"),
                                );
                            }
                            "caller" if member_1.is_none() => {
                                member_1 = Some(map.next_value()?);
                            }
                            "caller" => {
                                return Err(::serde::de::Error::duplicate_field("caller"));
                            }
                            "ended_at" if member_2.is_none() => {
                                member_2 = Some(map.next_value()?);
                            }
                            "ended_at" => {
                                return Err(::serde::de::Error::duplicate_field("ended_at"));
                            }
                            "hash" if member_3.is_none() => {
                                member_3 = Some(map.next_value()?);
                            }
                            "hash" => return Err(::serde::de::Error::duplicate_field("hash")),
                            "number" if member_4.is_none() => {
                                member_4 = Some(map.next_value()?);
                            }
                            "number" => {
                                return Err(::serde::de::Error::duplicate_field("number"));
                            }
                            "outcome" if member_5.is_none() => {
                                member_5 = Some(map.next_value()?);
                            }
                            "outcome" => {
                                return Err(::serde::de::Error::duplicate_field("outcome"));
                            }
                            "previous" if member_6.is_none() => {
                                member_6 = Some(map.next_value()?);
                            }
                            "previous" => {
                                return Err(::serde::de::Error::duplicate_field("previous"));
                            }
                            "script_sha256" if member_7.is_none() => {
                                member_7 = Some(map.next_value()?);
                            }
                            "script_sha256" => {
                                return Err(
                                    ::serde::de::Error::duplicate_field("script_sha256"),
                                );
                            }
                            "task_id" if member_8.is_none() => {
                                member_8 = Some(map.next_value()?);
                            }
                            "task_id" => {
                                return Err(::serde::de::Error::duplicate_field("task_id"));
                            }
                            "via" if member_9.is_none() => member_9 = Some(map.next_value()?),
                            "via" => return Err(::serde::de::Error::duplicate_field("via")),
                            _ => {
                                return Err(
                                    ::serde::de::Error::unknown_field(
                                        name.as_str(),
                                        &[
                                            "accepted_at",
                                            "caller",
                                            "ended_at",
                                            "hash",
                                            "number",
                                            "outcome",
                                            "previous",
                                            "script_sha256",
                                            "task_id",
                                            "via",
                                        ],
                                    ),
                                );
                            }
                        }
                    }
                    Ok(Record {
                        accepted_at: member_0
                            .ok_or_else(|| ::serde::de::Error::missing_field(
                                "accepted_at",
                            ))?,
                        caller: member_1
                            .ok_or_else(|| ::serde::de::Error::missing_field("caller"))?,
                        ended_at: member_2
                            .ok_or_else(|| ::serde::de::Error::missing_field("ended_at"))?,
                        hash: member_3
                            .ok_or_else(|| ::serde::de::Error::missing_field("hash"))?,
                        number: member_4
                            .ok_or_else(|| ::serde::de::Error::missing_field("number"))?,
                        outcome: member_5
                            .ok_or_else(|| ::serde::de::Error::missing_field("outcome"))?,
                        previous: member_6
                            .ok_or_else(|| ::serde::de::Error::missing_field("previous"))?,
                        script_sha256: member_7
                            .ok_or_else(|| ::serde::de::Error::missing_field(
                                "script_sha256",
                            ))?,
                        task_id: member_8
                            .ok_or_else(|| ::serde::de::Error::missing_field("task_id"))?,
                        via: member_9,
                    })
                }
            }
            ::serde::Deserializer::deserialize_map(deserializer, __Members)
        }
    }

    /// The newest record of a chain. A client that remembers it can tell whether the chain was cut.
    #[derive(::serde::Serialize, Clone, Debug, PartialEq)]
    pub struct RecordHead {
        /// A SHA-256, lower-case hex.
        pub hash: Sha256,
        /// The place of a record in its circle's chain, counted from 1; 0 is before the first.
        pub number: RecordNumber,
    }

    impl<'de> ::serde::Deserialize<'de> for RecordHead {
        fn deserialize<__D: ::serde::Deserializer<'de>>(
            deserializer: __D,
        ) -> ::std::result::Result<Self, __D::Error> {
            struct __Members;
            impl<'de> ::serde::de::Visitor<'de> for __Members {
                type Value = RecordHead;
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
                            "hash" if member_0.is_none() => {
                                member_0 = Some(map.next_value()?);
                            }
                            "hash" => return Err(::serde::de::Error::duplicate_field("hash")),
                            "number" if member_1.is_none() => {
                                member_1 = Some(map.next_value()?);
                            }
                            "number" => {
                                return Err(::serde::de::Error::duplicate_field("number"));
                            }
                            _ => {
                                return Err(
                                    ::serde::de::Error::unknown_field(
                                        name.as_str(),
                                        &["hash", "number"],
                                    ),
                                );
                            }
                        }
                    }
                    Ok(RecordHead {
                        hash: member_0
                            .ok_or_else(|| ::serde::de::Error::missing_field("hash"))?,
                        number: member_1
                            .ok_or_else(|| ::serde::de::Error::missing_field("number"))?,
                    })
                }
            }
            ::serde::Deserializer::deserialize_map(deserializer, __Members)
        }
    }

    /// The place of a record in its circle's chain, counted from 1; 0 is before the first.
    #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
    pub struct RecordNumber(u64);

    ::circles_codegen_support::integer_newtype!(
        RecordNumber, u64, min = 0, max = 9007199254740991
    );

    /// Some records, the oldest first.
    #[derive(::serde::Serialize, Clone, Debug, PartialEq)]
    pub struct RecordPage {
        /// The newest record of a chain. A client that remembers it can tell whether the chain was cut.
        pub head: RecordHead,
        /// At most the requested number.
        pub records: ::std::vec::Vec<Record>,
    }

    impl<'de> ::serde::Deserialize<'de> for RecordPage {
        fn deserialize<__D: ::serde::Deserializer<'de>>(
            deserializer: __D,
        ) -> ::std::result::Result<Self, __D::Error> {
            struct __Members;
            impl<'de> ::serde::de::Visitor<'de> for __Members {
                type Value = RecordPage;
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
                            "head" if member_0.is_none() => {
                                member_0 = Some(map.next_value()?);
                            }
                            "head" => return Err(::serde::de::Error::duplicate_field("head")),
                            "records" if member_1.is_none() => {
                                member_1 = Some(map.next_value()?);
                            }
                            "records" => {
                                return Err(::serde::de::Error::duplicate_field("records"));
                            }
                            _ => {
                                return Err(
                                    ::serde::de::Error::unknown_field(
                                        name.as_str(),
                                        &["head", "records"],
                                    ),
                                );
                            }
                        }
                    }
                    Ok(RecordPage {
                        head: member_0
                            .ok_or_else(|| ::serde::de::Error::missing_field("head"))?,
                        records: member_1
                            .ok_or_else(|| ::serde::de::Error::missing_field("records"))?,
                    })
                }
            }
            ::serde::Deserializer::deserialize_map(deserializer, __Members)
        }
    }

    /// The play that made this call; absent if a client made it.
    #[derive(::serde::Serialize, Clone, Debug, PartialEq)]
    pub struct RecordVia {
        /// The circle of the calling play.
        pub circle: PublicKey,
        /// The caller of the outermost play of the chain.
        pub origin: Caller,
        /// The calling play.
        pub task_id: TaskId,
    }

    impl<'de> ::serde::Deserialize<'de> for RecordVia {
        fn deserialize<__D: ::serde::Deserializer<'de>>(
            deserializer: __D,
        ) -> ::std::result::Result<Self, __D::Error> {
            struct __Members;
            impl<'de> ::serde::de::Visitor<'de> for __Members {
                type Value = RecordVia;
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
                    while let Some(name) = map
                        .next_key::<::circles_codegen_support::Name<'de>>()?
                    {
                        match name.as_str() {
                            "circle" if member_0.is_none() => {
                                member_0 = Some(map.next_value()?);
                            }
                            "circle" => {
                                return Err(::serde::de::Error::duplicate_field("circle"));
                            }
                            "origin" if member_1.is_none() => {
                                member_1 = Some(map.next_value()?);
                            }
                            "origin" => {
                                return Err(::serde::de::Error::duplicate_field("origin"));
                            }
                            "task_id" if member_2.is_none() => {
                                member_2 = Some(map.next_value()?);
                            }
                            "task_id" => {
                                return Err(::serde::de::Error::duplicate_field("task_id"));
                            }
                            _ => {
                                return Err(
                                    ::serde::de::Error::unknown_field(
                                        name.as_str(),
                                        &["circle", "origin", "task_id"],
                                    ),
                                );
                            }
                        }
                    }
                    Ok(RecordVia {
                        circle: member_0
                            .ok_or_else(|| ::serde::de::Error::missing_field("circle"))?,
                        origin: member_1
                            .ok_or_else(|| ::serde::de::Error::missing_field("origin"))?,
                        task_id: member_2
                            .ok_or_else(|| ::serde::de::Error::missing_field("task_id"))?,
                    })
                }
            }
            ::serde::Deserializer::deserialize_map(deserializer, __Members)
        }
    }

    /// How often a task may be run again although it may have had side effects.
    #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
    pub struct Retries(u8);

    ::circles_codegen_support::integer_newtype!(Retries, u8, min = 0, max = 10);

    /// The time to wait before a retry.
    #[derive(::serde::Serialize, Clone, Debug, PartialEq)]
    pub struct RetryData {
        /// The log lines of a play that ended with this error, in order; absent if it logged nothing.
        #[serde(skip_serializing_if = "::std::option::Option::is_none")]
        pub logs: ::std::option::Option<::std::vec::Vec<LogLine>>,
        /// Milliseconds to wait before a retry.
        pub retry_after_ms: RetryDataRetryAfterMs,
    }

    impl<'de> ::serde::Deserialize<'de> for RetryData {
        fn deserialize<__D: ::serde::Deserializer<'de>>(
            deserializer: __D,
        ) -> ::std::result::Result<Self, __D::Error> {
            struct __Members;
            impl<'de> ::serde::de::Visitor<'de> for __Members {
                type Value = RetryData;
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
                            "logs" if member_0.is_none() => {
                                member_0 = Some(map.next_value()?);
                            }
                            "logs" => return Err(::serde::de::Error::duplicate_field("logs")),
                            "retry_after_ms" if member_1.is_none() => {
                                member_1 = Some(map.next_value()?);
                            }
                            "retry_after_ms" => {
                                return Err(
                                    ::serde::de::Error::duplicate_field("retry_after_ms"),
                                );
                            }
                            _ => {
                                return Err(
                                    ::serde::de::Error::unknown_field(
                                        name.as_str(),
                                        &["logs", "retry_after_ms"],
                                    ),
                                );
                            }
                        }
                    }
                    Ok(RetryData {
                        logs: member_0,
                        retry_after_ms: member_1
                            .ok_or_else(|| ::serde::de::Error::missing_field(
                                "retry_after_ms",
                            ))?,
                    })
                }
            }
            ::serde::Deserializer::deserialize_map(deserializer, __Members)
        }
    }

    /// Milliseconds to wait before a retry.
    #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
    pub struct RetryDataRetryAfterMs(u32);

    ::circles_codegen_support::integer_newtype!(
        RetryDataRetryAfterMs, u32, min = 0, max = 86400000
    );

    /// Rhai source text, at most 1,048,576 characters. A circle takes scripts of `script_bytes` bytes, 262,144 unless its operator says otherwise; longer ones are LIMIT_EXCEEDED.
    #[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
    pub struct Script(::std::string::String);

    ::circles_codegen_support::text_newtype!(Script, max_length = 1048576);

    /// The position and the reason at which a script stopped.
    #[derive(::serde::Serialize, Clone, Debug, PartialEq)]
    pub struct ScriptErrorData {
        /// In characters, counted from 1; null if the position is unknown.
        pub column: ::std::option::Option<ScriptErrorDataColumn>,
        /// Whether the source did not compile or the script stopped while it ran.
        pub kind: ScriptErrorKind,
        /// Counted from 1; null if the position is unknown.
        pub line: ::std::option::Option<ScriptErrorDataLine>,
        /// The script's log lines, in order; absent if it logged nothing.
        #[serde(skip_serializing_if = "::std::option::Option::is_none")]
        pub logs: ::std::option::Option<::std::vec::Vec<LogLine>>,
        /// The value that the script threw, if it threw one. Absent otherwise.
        #[serde(skip_serializing_if = "::std::option::Option::is_none")]
        pub thrown: ::std::option::Option<::serde_json::Value>,
    }

    impl<'de> ::serde::Deserialize<'de> for ScriptErrorData {
        fn deserialize<__D: ::serde::Deserializer<'de>>(
            deserializer: __D,
        ) -> ::std::result::Result<Self, __D::Error> {
            struct __Members;
            impl<'de> ::serde::de::Visitor<'de> for __Members {
                type Value = ScriptErrorData;
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
                    let mut member_3 = None;
                    let mut member_4 = None;
                    while let Some(name) = map
                        .next_key::<::circles_codegen_support::Name<'de>>()?
                    {
                        match name.as_str() {
                            "column" if member_0.is_none() => {
                                member_0 = Some(map.next_value()?);
                            }
                            "column" => {
                                return Err(::serde::de::Error::duplicate_field("column"));
                            }
                            "kind" if member_1.is_none() => {
                                member_1 = Some(map.next_value()?);
                            }
                            "kind" => return Err(::serde::de::Error::duplicate_field("kind")),
                            "line" if member_2.is_none() => {
                                member_2 = Some(map.next_value()?);
                            }
                            "line" => return Err(::serde::de::Error::duplicate_field("line")),
                            "logs" if member_3.is_none() => {
                                member_3 = Some(map.next_value()?);
                            }
                            "logs" => return Err(::serde::de::Error::duplicate_field("logs")),
                            "thrown" if member_4.is_none() => {
                                member_4 = Some(map.next_value()?);
                            }
                            "thrown" => {
                                return Err(::serde::de::Error::duplicate_field("thrown"));
                            }
                            _ => {
                                return Err(
                                    ::serde::de::Error::unknown_field(
                                        name.as_str(),
                                        &["column", "kind", "line", "logs", "thrown"],
                                    ),
                                );
                            }
                        }
                    }
                    Ok(ScriptErrorData {
                        column: member_0
                            .ok_or_else(|| ::serde::de::Error::missing_field("column"))?,
                        kind: member_1
                            .ok_or_else(|| ::serde::de::Error::missing_field("kind"))?,
                        line: member_2
                            .ok_or_else(|| ::serde::de::Error::missing_field("line"))?,
                        logs: member_3,
                        thrown: member_4,
                    })
                }
            }
            ::serde::Deserializer::deserialize_map(deserializer, __Members)
        }
    }

    /// In characters, counted from 1; null if the position is unknown.
    #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
    pub struct ScriptErrorDataColumn(u32);

    ::circles_codegen_support::integer_newtype!(
        ScriptErrorDataColumn, u32, min = 1, max = 4294967295
    );

    /// Counted from 1; null if the position is unknown.
    #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
    pub struct ScriptErrorDataLine(u32);

    ::circles_codegen_support::integer_newtype!(
        ScriptErrorDataLine, u32, min = 1, max = 4294967295
    );

    /// Whether the source did not compile or the script stopped while it ran.
    #[derive(::serde::Serialize, Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
    pub enum ScriptErrorKind {
        /// `compile`
        #[serde(rename = "compile")]
        Compile,
        /// `runtime`
        #[serde(rename = "runtime")]
        Runtime,
    }

    impl ScriptErrorKind {
        /// The text on the wire.
        pub const fn as_str(&self) -> &'static str {
            match self {
                Self::Compile => "compile",
                Self::Runtime => "runtime",
            }
        }
    }

    impl ::std::fmt::Display for ScriptErrorKind {
        fn fmt(&self, f: &mut ::std::fmt::Formatter<'_>) -> ::std::fmt::Result {
            f.write_str(self.as_str())
        }
    }

    impl ::std::str::FromStr for ScriptErrorKind {
        type Err = ::circles_codegen_support::InvalidValue;
        fn from_str(text: &str) -> ::std::result::Result<Self, Self::Err> {
            match text {
                "compile" => Ok(Self::Compile),
                "runtime" => Ok(Self::Runtime),
                _ => {
                    Err(
                        ::circles_codegen_support::InvalidValue::new(
                            "must be one of compile, runtime",
                        ),
                    )
                }
            }
        }
    }

    impl<'de> ::serde::Deserialize<'de> for ScriptErrorKind {
        fn deserialize<__D: ::serde::Deserializer<'de>>(
            deserializer: __D,
        ) -> ::std::result::Result<Self, __D::Error> {
            ::circles_codegen_support::one_of(deserializer, &["compile", "runtime"])
        }
    }

    /// A script of a circle's library: its path below the library, with slashes, without `.rhai`.
    #[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
    pub struct ScriptName(::std::string::String);

    ::circles_codegen_support::text_newtype!(
        ScriptName, pattern = "^[A-Za-z0-9_][A-Za-z0-9_.-]*(/[A-Za-z0-9_][A-Za-z0-9_.-]*)*$",
        min_length = 1, max_length = 128
    );

    /// The time limit that passed.
    #[derive(::serde::Serialize, Clone, Debug, PartialEq)]
    pub struct ScriptTimeoutData {
        /// The script's log lines, in order; absent if it logged nothing.
        #[serde(skip_serializing_if = "::std::option::Option::is_none")]
        pub logs: ::std::option::Option<::std::vec::Vec<LogLine>>,
        /// A time limit in milliseconds, up to a day.
        pub timeout_ms: TimeoutMs,
    }

    impl<'de> ::serde::Deserialize<'de> for ScriptTimeoutData {
        fn deserialize<__D: ::serde::Deserializer<'de>>(
            deserializer: __D,
        ) -> ::std::result::Result<Self, __D::Error> {
            struct __Members;
            impl<'de> ::serde::de::Visitor<'de> for __Members {
                type Value = ScriptTimeoutData;
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
                            "logs" if member_0.is_none() => {
                                member_0 = Some(map.next_value()?);
                            }
                            "logs" => return Err(::serde::de::Error::duplicate_field("logs")),
                            "timeout_ms" if member_1.is_none() => {
                                member_1 = Some(map.next_value()?);
                            }
                            "timeout_ms" => {
                                return Err(::serde::de::Error::duplicate_field("timeout_ms"));
                            }
                            _ => {
                                return Err(
                                    ::serde::de::Error::unknown_field(
                                        name.as_str(),
                                        &["logs", "timeout_ms"],
                                    ),
                                );
                            }
                        }
                    }
                    Ok(ScriptTimeoutData {
                        logs: member_0,
                        timeout_ms: member_1
                            .ok_or_else(|| ::serde::de::Error::missing_field("timeout_ms"))?,
                    })
                }
            }
            ::serde::Deserializer::deserialize_map(deserializer, __Members)
        }
    }

    /// A SHA-256, lower-case hex.
    #[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
    pub struct Sha256(::std::string::String);

    ::circles_codegen_support::text_newtype!(
        Sha256, pattern = "^[0-9a-f]{64}$", min_length = 64, max_length = 64
    );

    /// An ECDSA signature: 64 bytes compact, low-S, lower-case hex.
    #[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
    pub struct Signature(::std::string::String);

    ::circles_codegen_support::text_newtype!(
        Signature, pattern = "^[0-9a-f]{128}$", min_length = 128, max_length = 128
    );

    /// A task that was accepted durably.
    #[derive(::serde::Serialize, Clone, Debug, PartialEq)]
    pub struct Submitted {
        /// The name of a task: a UUID of version 7, so that names sort by time.
        pub task_id: TaskId,
    }

    impl<'de> ::serde::Deserialize<'de> for Submitted {
        fn deserialize<__D: ::serde::Deserializer<'de>>(
            deserializer: __D,
        ) -> ::std::result::Result<Self, __D::Error> {
            struct __Members;
            impl<'de> ::serde::de::Visitor<'de> for __Members {
                type Value = Submitted;
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
                            "task_id" if member_0.is_none() => {
                                member_0 = Some(map.next_value()?);
                            }
                            "task_id" => {
                                return Err(::serde::de::Error::duplicate_field("task_id"));
                            }
                            _ => {
                                return Err(
                                    ::serde::de::Error::unknown_field(
                                        name.as_str(),
                                        &["task_id"],
                                    ),
                                );
                            }
                        }
                    }
                    Ok(Submitted {
                        task_id: member_0
                            .ok_or_else(|| ::serde::de::Error::missing_field("task_id"))?,
                    })
                }
            }
            ::serde::Deserializer::deserialize_map(deserializer, __Members)
        }
    }

    /// The name of a subscription on its connection.
    #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
    pub struct SubscriptionId(u64);

    ::circles_codegen_support::integer_newtype!(
        SubscriptionId, u64, min = 0, max = 9007199254740991
    );

    /// A task with its state and its outcome.
    #[derive(::serde::Serialize, Clone, Debug, PartialEq)]
    pub struct Task {
        /// The caller: a public key; `webhook:` and a provider's name; empty for an anonymous caller.
        pub caller: Caller,
        /// When it reached its final state; null before that.
        pub ended_at: ::std::option::Option<UnixMillis>,
        /// The error if it failed; null otherwise.
        pub error: ::std::option::Option<TaskError>,
        /// Its result if it succeeded; null otherwise, and in lists.
        pub result: ::std::option::Option<PlayResult>,
        /// The library script that it runs; null if the caller sent the source.
        pub script_name: ::std::option::Option<ScriptName>,
        /// When its last run started; null before that.
        pub started_at: ::std::option::Option<UnixMillis>,
        /// The state of a task; the last five are final.
        pub state: TaskState,
        /// A point in time, in milliseconds since 1970-01-01T00:00:00Z.
        pub submitted_at: UnixMillis,
        /// The name of a task: a UUID of version 7, so that names sort by time.
        pub task_id: TaskId,
    }

    impl<'de> ::serde::Deserialize<'de> for Task {
        fn deserialize<__D: ::serde::Deserializer<'de>>(
            deserializer: __D,
        ) -> ::std::result::Result<Self, __D::Error> {
            struct __Members;
            impl<'de> ::serde::de::Visitor<'de> for __Members {
                type Value = Task;
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
                    let mut member_3 = None;
                    let mut member_4 = None;
                    let mut member_5 = None;
                    let mut member_6 = None;
                    let mut member_7 = None;
                    let mut member_8 = None;
                    while let Some(name) = map
                        .next_key::<::circles_codegen_support::Name<'de>>()?
                    {
                        match name.as_str() {
                            "caller" if member_0.is_none() => {
                                member_0 = Some(map.next_value()?);
                            }
                            "caller" => {
                                return Err(::serde::de::Error::duplicate_field("caller"));
                            }
                            "ended_at" if member_1.is_none() => {
                                member_1 = Some(map.next_value()?);
                            }
                            "ended_at" => {
                                return Err(::serde::de::Error::duplicate_field("ended_at"));
                            }
                            "error" if member_2.is_none() => {
                                member_2 = Some(map.next_value()?);
                            }
                            "error" => {
                                return Err(::serde::de::Error::duplicate_field("error"));
                            }
                            "result" if member_3.is_none() => {
                                member_3 = Some(map.next_value()?);
                            }
                            "result" => {
                                return Err(::serde::de::Error::duplicate_field("result"));
                            }
                            "script_name" if member_4.is_none() => {
                                member_4 = Some(map.next_value()?);
                            }
                            "script_name" => {
                                return Err(
                                    ::serde::de::Error::duplicate_field("script_name"),
                                );
                            }
                            "started_at" if member_5.is_none() => {
                                member_5 = Some(map.next_value()?);
                            }
                            "started_at" => {
                                return Err(::serde::de::Error::duplicate_field("started_at"));
                            }
                            "state" if member_6.is_none() => {
                                member_6 = Some(map.next_value()?);
                            }
                            "state" => {
                                return Err(::serde::de::Error::duplicate_field("state"));
                            }
                            "submitted_at" if member_7.is_none() => {
                                member_7 = Some(map.next_value()?);
                            }
                            "submitted_at" => {
                                return Err(
                                    ::serde::de::Error::duplicate_field("submitted_at"),
                                );
                            }
                            "task_id" if member_8.is_none() => {
                                member_8 = Some(map.next_value()?);
                            }
                            "task_id" => {
                                return Err(::serde::de::Error::duplicate_field("task_id"));
                            }
                            _ => {
                                return Err(
                                    ::serde::de::Error::unknown_field(
                                        name.as_str(),
                                        &[
                                            "caller",
                                            "ended_at",
                                            "error",
                                            "result",
                                            "script_name",
                                            "started_at",
                                            "state",
                                            "submitted_at",
                                            "task_id",
                                        ],
                                    ),
                                );
                            }
                        }
                    }
                    Ok(Task {
                        caller: member_0
                            .ok_or_else(|| ::serde::de::Error::missing_field("caller"))?,
                        ended_at: member_1
                            .ok_or_else(|| ::serde::de::Error::missing_field("ended_at"))?,
                        error: member_2
                            .ok_or_else(|| ::serde::de::Error::missing_field("error"))?,
                        result: member_3
                            .ok_or_else(|| ::serde::de::Error::missing_field("result"))?,
                        script_name: member_4
                            .ok_or_else(|| ::serde::de::Error::missing_field(
                                "script_name",
                            ))?,
                        started_at: member_5
                            .ok_or_else(|| ::serde::de::Error::missing_field("started_at"))?,
                        state: member_6
                            .ok_or_else(|| ::serde::de::Error::missing_field("state"))?,
                        submitted_at: member_7
                            .ok_or_else(|| ::serde::de::Error::missing_field(
                                "submitted_at",
                            ))?,
                        task_id: member_8
                            .ok_or_else(|| ::serde::de::Error::missing_field("task_id"))?,
                    })
                }
            }
            ::serde::Deserializer::deserialize_map(deserializer, __Members)
        }
    }

    /// The task that the error is about.
    #[derive(::serde::Serialize, Clone, Debug, PartialEq)]
    pub struct TaskData {
        /// The script's log lines, in order; absent if it logged nothing.
        #[serde(skip_serializing_if = "::std::option::Option::is_none")]
        pub logs: ::std::option::Option<::std::vec::Vec<LogLine>>,
        /// The name of a task: a UUID of version 7, so that names sort by time.
        pub task_id: TaskId,
    }

    impl<'de> ::serde::Deserialize<'de> for TaskData {
        fn deserialize<__D: ::serde::Deserializer<'de>>(
            deserializer: __D,
        ) -> ::std::result::Result<Self, __D::Error> {
            struct __Members;
            impl<'de> ::serde::de::Visitor<'de> for __Members {
                type Value = TaskData;
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
                            "logs" if member_0.is_none() => {
                                member_0 = Some(map.next_value()?);
                            }
                            "logs" => return Err(::serde::de::Error::duplicate_field("logs")),
                            "task_id" if member_1.is_none() => {
                                member_1 = Some(map.next_value()?);
                            }
                            "task_id" => {
                                return Err(::serde::de::Error::duplicate_field("task_id"));
                            }
                            _ => {
                                return Err(
                                    ::serde::de::Error::unknown_field(
                                        name.as_str(),
                                        &["logs", "task_id"],
                                    ),
                                );
                            }
                        }
                    }
                    Ok(TaskData {
                        logs: member_0,
                        task_id: member_1
                            .ok_or_else(|| ::serde::de::Error::missing_field("task_id"))?,
                    })
                }
            }
            ::serde::Deserializer::deserialize_map(deserializer, __Members)
        }
    }

    /// The error object that a call of `play` would have been answered with.
    #[derive(::serde::Serialize, Clone, Debug, PartialEq)]
    pub struct TaskError {
        /// As in a JSON-RPC error object.
        pub code: TaskErrorCode,
        /// As in a JSON-RPC error object; absent if the error has none.
        #[serde(skip_serializing_if = "::std::option::Option::is_none")]
        pub data: ::std::option::Option<::serde_json::Value>,
        /// As in a JSON-RPC error object.
        pub message: ::std::string::String,
    }

    impl<'de> ::serde::Deserialize<'de> for TaskError {
        fn deserialize<__D: ::serde::Deserializer<'de>>(
            deserializer: __D,
        ) -> ::std::result::Result<Self, __D::Error> {
            struct __Members;
            impl<'de> ::serde::de::Visitor<'de> for __Members {
                type Value = TaskError;
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
                    while let Some(name) = map
                        .next_key::<::circles_codegen_support::Name<'de>>()?
                    {
                        match name.as_str() {
                            "code" if member_0.is_none() => {
                                member_0 = Some(map.next_value()?);
                            }
                            "code" => return Err(::serde::de::Error::duplicate_field("code")),
                            "data" if member_1.is_none() => {
                                member_1 = Some(map.next_value()?);
                            }
                            "data" => return Err(::serde::de::Error::duplicate_field("data")),
                            "message" if member_2.is_none() => {
                                member_2 = Some(map.next_value()?);
                            }
                            "message" => {
                                return Err(::serde::de::Error::duplicate_field("message"));
                            }
                            _ => {
                                return Err(
                                    ::serde::de::Error::unknown_field(
                                        name.as_str(),
                                        &["code", "data", "message"],
                                    ),
                                );
                            }
                        }
                    }
                    Ok(TaskError {
                        code: member_0
                            .ok_or_else(|| ::serde::de::Error::missing_field("code"))?,
                        data: member_1,
                        message: member_2
                            .ok_or_else(|| ::serde::de::Error::missing_field("message"))?,
                    })
                }
            }
            ::serde::Deserializer::deserialize_map(deserializer, __Members)
        }
    }

    /// As in a JSON-RPC error object.
    #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
    pub struct TaskErrorCode(i16);

    ::circles_codegen_support::integer_newtype!(
        TaskErrorCode, i16, min = - 32768, max = - 32000
    );

    /// The name of a task: a UUID of version 7, so that names sort by time.
    #[derive(::serde::Deserialize, ::serde::Serialize, Clone, Debug, PartialEq)]
    #[serde(transparent)]
    pub struct TaskId(pub ::circles_codegen_support::Uuid);

    impl ::std::ops::Deref for TaskId {
        type Target = ::circles_codegen_support::Uuid;
        fn deref(&self) -> &::circles_codegen_support::Uuid {
            &self.0
        }
    }

    impl ::std::convert::From<TaskId> for ::circles_codegen_support::Uuid {
        fn from(value: TaskId) -> Self {
            value.0
        }
    }

    impl ::std::convert::From<::circles_codegen_support::Uuid> for TaskId {
        fn from(value: ::circles_codegen_support::Uuid) -> Self {
            Self(value)
        }
    }

    impl ::std::fmt::Display for TaskId {
        fn fmt(&self, f: &mut ::std::fmt::Formatter<'_>) -> ::std::fmt::Result {
            ::std::fmt::Display::fmt(&self.0, f)
        }
    }

    impl ::std::str::FromStr for TaskId {
        type Err = <::circles_codegen_support::Uuid as ::std::str::FromStr>::Err;
        fn from_str(text: &str) -> ::std::result::Result<Self, Self::Err> {
            text.parse().map(Self)
        }
    }

    impl ::std::convert::TryFrom<&str> for TaskId {
        type Error = <::circles_codegen_support::Uuid as ::std::str::FromStr>::Err;
        fn try_from(text: &str) -> ::std::result::Result<Self, Self::Error> {
            text.parse()
        }
    }

    impl ::std::convert::TryFrom<::std::string::String> for TaskId {
        type Error = <::circles_codegen_support::Uuid as ::std::str::FromStr>::Err;
        fn try_from(
            text: ::std::string::String,
        ) -> ::std::result::Result<Self, Self::Error> {
            text.parse()
        }
    }

    /// Some tasks, the newest first.
    #[derive(::serde::Serialize, Clone, Debug, PartialEq)]
    pub struct TaskPage {
        /// The cursor of the next page; null on the last page.
        pub cursor: ::std::option::Option<TaskId>,
        /// At most the requested number.
        pub tasks: ::std::vec::Vec<Task>,
    }

    impl<'de> ::serde::Deserialize<'de> for TaskPage {
        fn deserialize<__D: ::serde::Deserializer<'de>>(
            deserializer: __D,
        ) -> ::std::result::Result<Self, __D::Error> {
            struct __Members;
            impl<'de> ::serde::de::Visitor<'de> for __Members {
                type Value = TaskPage;
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
                            "cursor" if member_0.is_none() => {
                                member_0 = Some(map.next_value()?);
                            }
                            "cursor" => {
                                return Err(::serde::de::Error::duplicate_field("cursor"));
                            }
                            "tasks" if member_1.is_none() => {
                                member_1 = Some(map.next_value()?);
                            }
                            "tasks" => {
                                return Err(::serde::de::Error::duplicate_field("tasks"));
                            }
                            _ => {
                                return Err(
                                    ::serde::de::Error::unknown_field(
                                        name.as_str(),
                                        &["cursor", "tasks"],
                                    ),
                                );
                            }
                        }
                    }
                    Ok(TaskPage {
                        cursor: member_0
                            .ok_or_else(|| ::serde::de::Error::missing_field("cursor"))?,
                        tasks: member_1
                            .ok_or_else(|| ::serde::de::Error::missing_field("tasks"))?,
                    })
                }
            }
            ::serde::Deserializer::deserialize_map(deserializer, __Members)
        }
    }

    /// The state of a task; the last five are final.
    #[derive(::serde::Serialize, Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
    pub enum TaskState {
        /// `queued`
        #[serde(rename = "queued")]
        Queued,
        /// `running`
        #[serde(rename = "running")]
        Running,
        /// `succeeded`
        #[serde(rename = "succeeded")]
        Succeeded,
        /// `failed`
        #[serde(rename = "failed")]
        Failed,
        /// `timed_out`
        #[serde(rename = "timed_out")]
        TimedOut,
        /// `cancelled`
        #[serde(rename = "cancelled")]
        Cancelled,
        /// `lost`
        #[serde(rename = "lost")]
        Lost,
    }

    impl TaskState {
        /// The text on the wire.
        pub const fn as_str(&self) -> &'static str {
            match self {
                Self::Queued => "queued",
                Self::Running => "running",
                Self::Succeeded => "succeeded",
                Self::Failed => "failed",
                Self::TimedOut => "timed_out",
                Self::Cancelled => "cancelled",
                Self::Lost => "lost",
            }
        }
    }

    impl ::std::fmt::Display for TaskState {
        fn fmt(&self, f: &mut ::std::fmt::Formatter<'_>) -> ::std::fmt::Result {
            f.write_str(self.as_str())
        }
    }

    impl ::std::str::FromStr for TaskState {
        type Err = ::circles_codegen_support::InvalidValue;
        fn from_str(text: &str) -> ::std::result::Result<Self, Self::Err> {
            match text {
                "queued" => Ok(Self::Queued),
                "running" => Ok(Self::Running),
                "succeeded" => Ok(Self::Succeeded),
                "failed" => Ok(Self::Failed),
                "timed_out" => Ok(Self::TimedOut),
                "cancelled" => Ok(Self::Cancelled),
                "lost" => Ok(Self::Lost),
                _ => {
                    Err(
                        ::circles_codegen_support::InvalidValue::new(
                            "must be one of queued, running, succeeded, failed, timed_out, cancelled, lost",
                        ),
                    )
                }
            }
        }
    }

    impl<'de> ::serde::Deserialize<'de> for TaskState {
        fn deserialize<__D: ::serde::Deserializer<'de>>(
            deserializer: __D,
        ) -> ::std::result::Result<Self, __D::Error> {
            ::circles_codegen_support::one_of(
                deserializer,
                &[
                    "queued",
                    "running",
                    "succeeded",
                    "failed",
                    "timed_out",
                    "cancelled",
                    "lost",
                ],
            )
        }
    }

    /// A time limit in milliseconds, up to a day.
    #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
    pub struct TimeoutMs(u32);

    ::circles_codegen_support::integer_newtype!(TimeoutMs, u32, min = 1, max = 86400000);

    /// A point in time, in milliseconds since 1970-01-01T00:00:00Z.
    #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
    pub struct UnixMillis(u64);

    ::circles_codegen_support::integer_newtype!(
        UnixMillis, u64, min = 0, max = 253402300799999
    );

    /// A point in time, in seconds since 1970-01-01T00:00:00Z.
    #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
    pub struct UnixSeconds(u64);

    ::circles_codegen_support::integer_newtype!(
        UnixSeconds, u64, min = 0, max = 253402300799
    );

    /// Milliseconds to wait, up to a minute.
    #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
    pub struct WaitMs(u16);

    ::circles_codegen_support::integer_newtype!(WaitMs, u16, min = 0, max = 60000);
}

/// The codes of the errors that the document declares.
pub mod codes {
    /// the script passed its deadline
    pub const SCRIPT_TIMEOUT: i32 = -32002;

    /// not authenticated
    pub const UNAUTHENTICATED: i32 = -32020;

    /// invalid credentials
    pub const INVALID_CREDENTIALS: i32 = -32021;

    /// forbidden
    pub const FORBIDDEN: i32 = -32022;

    /// too many requests
    pub const RATE_LIMITED: i32 = -32023;

    /// the queue is full
    pub const OVERLOADED: i32 = -32024;

    /// the script failed
    pub const SCRIPT_ERROR: i32 = -32030;

    /// the script passed a limit
    pub const LIMIT_EXCEEDED: i32 = -32031;

    /// cancelled
    pub const CANCELLED: i32 = -32032;

    /// the worker was lost; the script may have had outside effects or ended two workers, so it was not run again
    pub const WORKER_LOST: i32 = -32033;

    /// in conflict with another task
    pub const CONFLICT: i32 = -32034;

    /// no such task
    pub const TASK_NOT_FOUND: i32 = -32040;

    /// no such script
    pub const SCRIPT_NOT_FOUND: i32 = -32041;

    /// the task queue is out of reach
    pub const BACKEND_UNAVAILABLE: i32 = -32050;
}

/// An error that the document declares, with its data.
#[derive(Clone, Debug, PartialEq)]
pub enum Fault {
    /// the script passed its deadline
    ScriptTimeout(types::ScriptTimeoutData),
    /// not authenticated
    Unauthenticated,
    /// invalid credentials
    InvalidCredentials,
    /// forbidden
    Forbidden,
    /// too many requests
    RateLimited(types::RetryData),
    /// the queue is full
    Overloaded(types::RetryData),
    /// the script failed
    ScriptError(types::ScriptErrorData),
    /// the script passed a limit
    LimitExceeded(types::LimitData),
    /// cancelled
    Cancelled(types::CancelledData),
    /// the worker was lost; the script may have had outside effects or ended two workers, so it was not run again
    WorkerLost(types::TaskData),
    /// in conflict with another task
    Conflict(types::TaskData),
    /// no such task
    TaskNotFound,
    /// no such script
    ScriptNotFound,
    /// the task queue is out of reach
    BackendUnavailable(types::RetryData),
}

impl Fault {
    /// Its code in the error object.
    pub const fn code(&self) -> i32 {
        match self {
            Self::ScriptTimeout(..) => codes::SCRIPT_TIMEOUT,
            Self::Unauthenticated => codes::UNAUTHENTICATED,
            Self::InvalidCredentials => codes::INVALID_CREDENTIALS,
            Self::Forbidden => codes::FORBIDDEN,
            Self::RateLimited(..) => codes::RATE_LIMITED,
            Self::Overloaded(..) => codes::OVERLOADED,
            Self::ScriptError(..) => codes::SCRIPT_ERROR,
            Self::LimitExceeded(..) => codes::LIMIT_EXCEEDED,
            Self::Cancelled(..) => codes::CANCELLED,
            Self::WorkerLost(..) => codes::WORKER_LOST,
            Self::Conflict(..) => codes::CONFLICT,
            Self::TaskNotFound => codes::TASK_NOT_FOUND,
            Self::ScriptNotFound => codes::SCRIPT_NOT_FOUND,
            Self::BackendUnavailable(..) => codes::BACKEND_UNAVAILABLE,
        }
    }
    /// Its name in the document.
    pub const fn name(&self) -> &'static str {
        match self {
            Self::ScriptTimeout(..) => "SCRIPT_TIMEOUT",
            Self::Unauthenticated => "UNAUTHENTICATED",
            Self::InvalidCredentials => "INVALID_CREDENTIALS",
            Self::Forbidden => "FORBIDDEN",
            Self::RateLimited(..) => "RATE_LIMITED",
            Self::Overloaded(..) => "OVERLOADED",
            Self::ScriptError(..) => "SCRIPT_ERROR",
            Self::LimitExceeded(..) => "LIMIT_EXCEEDED",
            Self::Cancelled(..) => "CANCELLED",
            Self::WorkerLost(..) => "WORKER_LOST",
            Self::Conflict(..) => "CONFLICT",
            Self::TaskNotFound => "TASK_NOT_FOUND",
            Self::ScriptNotFound => "SCRIPT_NOT_FOUND",
            Self::BackendUnavailable(..) => "BACKEND_UNAVAILABLE",
        }
    }
    /// The message that the document declares.
    pub const fn summary(&self) -> &'static str {
        match self {
            Self::ScriptTimeout(..) => "the script passed its deadline",
            Self::Unauthenticated => "not authenticated",
            Self::InvalidCredentials => "invalid credentials",
            Self::Forbidden => "forbidden",
            Self::RateLimited(..) => "too many requests",
            Self::Overloaded(..) => "the queue is full",
            Self::ScriptError(..) => "the script failed",
            Self::LimitExceeded(..) => "the script passed a limit",
            Self::Cancelled(..) => "cancelled",
            Self::WorkerLost(..) => {
                "the worker was lost; the script may have had outside effects or ended two workers, so it was not run again"
            }
            Self::Conflict(..) => "in conflict with another task",
            Self::TaskNotFound => "no such task",
            Self::ScriptNotFound => "no such script",
            Self::BackendUnavailable(..) => "the task queue is out of reach",
        }
    }
    /// The `data` of the error object.
    pub fn data(&self) -> Option<::serde_json::Value> {
        match self {
            Self::ScriptTimeout(data) => ::serde_json::to_value(data).ok(),
            Self::RateLimited(data) => ::serde_json::to_value(data).ok(),
            Self::Overloaded(data) => ::serde_json::to_value(data).ok(),
            Self::ScriptError(data) => ::serde_json::to_value(data).ok(),
            Self::LimitExceeded(data) => ::serde_json::to_value(data).ok(),
            Self::Cancelled(data) => ::serde_json::to_value(data).ok(),
            Self::WorkerLost(data) => ::serde_json::to_value(data).ok(),
            Self::Conflict(data) => ::serde_json::to_value(data).ok(),
            Self::BackendUnavailable(data) => ::serde_json::to_value(data).ok(),
            Self::Unauthenticated
            | Self::InvalidCredentials
            | Self::Forbidden
            | Self::TaskNotFound
            | Self::ScriptNotFound => None,
        }
    }
    /// The declared error of this code; `None` if there is none, or if the data is not as declared.
    pub fn from_parts(code: i32, data: Option<&::serde_json::Value>) -> Option<Self> {
        match code {
            codes::SCRIPT_TIMEOUT => {
                ::serde::Deserialize::deserialize(data?).ok().map(Self::ScriptTimeout)
            }
            codes::UNAUTHENTICATED => Some(Self::Unauthenticated),
            codes::INVALID_CREDENTIALS => Some(Self::InvalidCredentials),
            codes::FORBIDDEN => Some(Self::Forbidden),
            codes::RATE_LIMITED => {
                ::serde::Deserialize::deserialize(data?).ok().map(Self::RateLimited)
            }
            codes::OVERLOADED => {
                ::serde::Deserialize::deserialize(data?).ok().map(Self::Overloaded)
            }
            codes::SCRIPT_ERROR => {
                ::serde::Deserialize::deserialize(data?).ok().map(Self::ScriptError)
            }
            codes::LIMIT_EXCEEDED => {
                ::serde::Deserialize::deserialize(data?).ok().map(Self::LimitExceeded)
            }
            codes::CANCELLED => {
                ::serde::Deserialize::deserialize(data?).ok().map(Self::Cancelled)
            }
            codes::WORKER_LOST => {
                ::serde::Deserialize::deserialize(data?).ok().map(Self::WorkerLost)
            }
            codes::CONFLICT => {
                ::serde::Deserialize::deserialize(data?).ok().map(Self::Conflict)
            }
            codes::TASK_NOT_FOUND => Some(Self::TaskNotFound),
            codes::SCRIPT_NOT_FOUND => Some(Self::ScriptNotFound),
            codes::BACKEND_UNAVAILABLE => {
                ::serde::Deserialize::deserialize(data?)
                    .ok()
                    .map(Self::BackendUnavailable)
            }
            _ => None,
        }
    }
}

/// Params of `fetch_nonce`.
#[derive(Clone, Debug, PartialEq, ::serde::Serialize)]
#[derive(::serde::Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FetchNonceParams {
    /// The key that will sign.
    pub pubkey: types::PublicKey,
}

impl FetchNonceParams {
    /// Returns the params by position. Absent ones at the end are left out, others are null.
    ///
    /// # Errors
    ///
    /// If a value cannot be written as JSON.
    pub fn into_positional(
        self,
    ) -> Result<Vec<::serde_json::Value>, ::serde_json::Error> {
        let positions = Vec::from([::serde_json::to_value(self.pubkey)?]);
        Ok(positions)
    }
}

impl ::circles_codegen_support::Params for FetchNonceParams {
    const PARAMS: &'static [::circles_codegen_support::Param] = &[
        ::circles_codegen_support::Param {
            name: "pubkey",
            required: true,
        },
    ];
}

impl ::jsonrpsee::core::traits::ToRpcParams for FetchNonceParams {
    fn to_rpc_params(
        self,
    ) -> Result<Option<Box<::serde_json::value::RawValue>>, ::serde_json::Error> {
        ::serde_json::value::to_raw_value(&self).map(Some)
    }
}

/// Params of `authenticate`.
#[derive(Clone, Debug, PartialEq, ::serde::Serialize)]
#[derive(::serde::Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AuthenticateParams {
    /// The key that signed.
    pub pubkey: types::PublicKey,
    /// The challenge, signed.
    pub signature: types::Signature,
}

impl AuthenticateParams {
    /// Returns the params by position. Absent ones at the end are left out, others are null.
    ///
    /// # Errors
    ///
    /// If a value cannot be written as JSON.
    pub fn into_positional(
        self,
    ) -> Result<Vec<::serde_json::Value>, ::serde_json::Error> {
        let positions = Vec::from([
            ::serde_json::to_value(self.pubkey)?,
            ::serde_json::to_value(self.signature)?,
        ]);
        Ok(positions)
    }
}

impl ::circles_codegen_support::Params for AuthenticateParams {
    const PARAMS: &'static [::circles_codegen_support::Param] = &[
        ::circles_codegen_support::Param {
            name: "pubkey",
            required: true,
        },
        ::circles_codegen_support::Param {
            name: "signature",
            required: true,
        },
    ];
}

impl ::jsonrpsee::core::traits::ToRpcParams for AuthenticateParams {
    fn to_rpc_params(
        self,
    ) -> Result<Option<Box<::serde_json::value::RawValue>>, ::serde_json::Error> {
        ::serde_json::value::to_raw_value(&self).map(Some)
    }
}

/// Params of `play`.
#[derive(Clone, Debug, PartialEq, ::serde::Serialize)]
#[derive(::serde::Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PlayParams {
    /// The Rhai source.
    pub script: types::Script,
    /// Any JSON value: the script's constant `ARGS`; null when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub args: Option<types::Json>,
    /// Milliseconds from acceptance to the deadline.
    ///
    /// A value above the circle's own limit is lowered to it; that limit holds when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub timeout_ms: Option<types::TimeoutMs>,
    /// The same key of the same caller in the same circle within 24 hours returns the first outcome and runs nothing.
    ///
    /// The same key with another script or other arguments is a CONFLICT.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub idempotency_key: Option<types::IdempotencyKey>,
}

impl PlayParams {
    /// Returns the params by position. Absent ones at the end are left out, others are null.
    ///
    /// # Errors
    ///
    /// If a value cannot be written as JSON.
    pub fn into_positional(
        self,
    ) -> Result<Vec<::serde_json::Value>, ::serde_json::Error> {
        let mut positions = Vec::from([
            ::serde_json::to_value(self.script)?,
            ::serde_json::to_value(self.args)?,
            ::serde_json::to_value(self.timeout_ms)?,
            ::serde_json::to_value(self.idempotency_key)?,
        ]);
        while positions.len() > 1
            && positions.last().is_some_and(::serde_json::Value::is_null)
        {
            positions.pop();
        }
        Ok(positions)
    }
}

impl ::circles_codegen_support::Params for PlayParams {
    const PARAMS: &'static [::circles_codegen_support::Param] = &[
        ::circles_codegen_support::Param {
            name: "script",
            required: true,
        },
        ::circles_codegen_support::Param {
            name: "args",
            required: false,
        },
        ::circles_codegen_support::Param {
            name: "timeout_ms",
            required: false,
        },
        ::circles_codegen_support::Param {
            name: "idempotency_key",
            required: false,
        },
    ];
}

impl ::jsonrpsee::core::traits::ToRpcParams for PlayParams {
    fn to_rpc_params(
        self,
    ) -> Result<Option<Box<::serde_json::value::RawValue>>, ::serde_json::Error> {
        ::serde_json::value::to_raw_value(&self).map(Some)
    }
}

impl PlayParams {
    /// Takes the required params; the others are absent until they are set.
    #[allow(
        clippy::too_many_arguments,
        clippy::new_without_default,
        reason = "the document counts them"
    )]
    pub fn new(script: types::Script) -> Self {
        Self {
            script,
            args: None,
            timeout_ms: None,
            idempotency_key: None,
        }
    }
    /// Any JSON value: the script's constant `ARGS`; null when absent.
    #[must_use]
    pub fn args(mut self, args: types::Json) -> Self {
        self.args = Some(args);
        self
    }
    /// Milliseconds from acceptance to the deadline.
    ///
    /// A value above the circle's own limit is lowered to it; that limit holds when absent.
    #[must_use]
    pub fn timeout_ms(mut self, timeout_ms: types::TimeoutMs) -> Self {
        self.timeout_ms = Some(timeout_ms);
        self
    }
    /// The same key of the same caller in the same circle within 24 hours returns the first outcome and runs nothing.
    ///
    /// The same key with another script or other arguments is a CONFLICT.
    #[must_use]
    pub fn idempotency_key(mut self, idempotency_key: types::IdempotencyKey) -> Self {
        self.idempotency_key = Some(idempotency_key);
        self
    }
}

/// Params of `run`.
#[derive(Clone, Debug, PartialEq, ::serde::Serialize)]
#[derive(::serde::Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RunParams {
    /// The script's name.
    pub name: types::ScriptName,
    /// Any JSON value: the script's constant `ARGS`; null when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub args: Option<types::Json>,
    /// Milliseconds from acceptance to the deadline.
    ///
    /// A value above the circle's own limit is lowered to it; that limit holds when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub timeout_ms: Option<types::TimeoutMs>,
    /// The same key of the same caller in the same circle within 24 hours returns the first outcome and runs nothing.
    ///
    /// The same key with another script or other arguments is a CONFLICT.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub idempotency_key: Option<types::IdempotencyKey>,
}

impl RunParams {
    /// Returns the params by position. Absent ones at the end are left out, others are null.
    ///
    /// # Errors
    ///
    /// If a value cannot be written as JSON.
    pub fn into_positional(
        self,
    ) -> Result<Vec<::serde_json::Value>, ::serde_json::Error> {
        let mut positions = Vec::from([
            ::serde_json::to_value(self.name)?,
            ::serde_json::to_value(self.args)?,
            ::serde_json::to_value(self.timeout_ms)?,
            ::serde_json::to_value(self.idempotency_key)?,
        ]);
        while positions.len() > 1
            && positions.last().is_some_and(::serde_json::Value::is_null)
        {
            positions.pop();
        }
        Ok(positions)
    }
}

impl ::circles_codegen_support::Params for RunParams {
    const PARAMS: &'static [::circles_codegen_support::Param] = &[
        ::circles_codegen_support::Param {
            name: "name",
            required: true,
        },
        ::circles_codegen_support::Param {
            name: "args",
            required: false,
        },
        ::circles_codegen_support::Param {
            name: "timeout_ms",
            required: false,
        },
        ::circles_codegen_support::Param {
            name: "idempotency_key",
            required: false,
        },
    ];
}

impl ::jsonrpsee::core::traits::ToRpcParams for RunParams {
    fn to_rpc_params(
        self,
    ) -> Result<Option<Box<::serde_json::value::RawValue>>, ::serde_json::Error> {
        ::serde_json::value::to_raw_value(&self).map(Some)
    }
}

impl RunParams {
    /// Takes the required params; the others are absent until they are set.
    #[allow(
        clippy::too_many_arguments,
        clippy::new_without_default,
        reason = "the document counts them"
    )]
    pub fn new(name: types::ScriptName) -> Self {
        Self {
            name,
            args: None,
            timeout_ms: None,
            idempotency_key: None,
        }
    }
    /// Any JSON value: the script's constant `ARGS`; null when absent.
    #[must_use]
    pub fn args(mut self, args: types::Json) -> Self {
        self.args = Some(args);
        self
    }
    /// Milliseconds from acceptance to the deadline.
    ///
    /// A value above the circle's own limit is lowered to it; that limit holds when absent.
    #[must_use]
    pub fn timeout_ms(mut self, timeout_ms: types::TimeoutMs) -> Self {
        self.timeout_ms = Some(timeout_ms);
        self
    }
    /// The same key of the same caller in the same circle within 24 hours returns the first outcome and runs nothing.
    ///
    /// The same key with another script or other arguments is a CONFLICT.
    #[must_use]
    pub fn idempotency_key(mut self, idempotency_key: types::IdempotencyKey) -> Self {
        self.idempotency_key = Some(idempotency_key);
        self
    }
}

/// Params of `submit`.
#[derive(Clone, Debug, PartialEq, ::serde::Serialize)]
#[derive(::serde::Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SubmitParams {
    /// The Rhai source. Either this or `name`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub script: Option<types::Script>,
    /// A script of the circle's library. Either this or `script`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<types::ScriptName>,
    /// Any JSON value: the script's constant `ARGS`; null when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub args: Option<types::Json>,
    /// Milliseconds from acceptance to the deadline.
    ///
    /// A value above the circle's own limit for submitted tasks, mostly a day, is lowered to it; that limit holds when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub timeout_ms: Option<types::TimeoutMs>,
    /// The same key of the same caller in the same circle within 24 hours returns the first outcome and runs nothing.
    ///
    /// The same key with another script or other arguments is a CONFLICT.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub idempotency_key: Option<types::IdempotencyKey>,
    /// How often the task may be run again after a crash although it may have had side effects; 0 when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub retries: Option<types::Retries>,
}

impl SubmitParams {
    /// Returns the params by position. Absent ones at the end are left out, others are null.
    ///
    /// # Errors
    ///
    /// If a value cannot be written as JSON.
    pub fn into_positional(
        self,
    ) -> Result<Vec<::serde_json::Value>, ::serde_json::Error> {
        let mut positions = Vec::from([
            ::serde_json::to_value(self.script)?,
            ::serde_json::to_value(self.name)?,
            ::serde_json::to_value(self.args)?,
            ::serde_json::to_value(self.timeout_ms)?,
            ::serde_json::to_value(self.idempotency_key)?,
            ::serde_json::to_value(self.retries)?,
        ]);
        while positions.last().is_some_and(::serde_json::Value::is_null) {
            positions.pop();
        }
        Ok(positions)
    }
}

impl ::circles_codegen_support::Params for SubmitParams {
    const PARAMS: &'static [::circles_codegen_support::Param] = &[
        ::circles_codegen_support::Param {
            name: "script",
            required: false,
        },
        ::circles_codegen_support::Param {
            name: "name",
            required: false,
        },
        ::circles_codegen_support::Param {
            name: "args",
            required: false,
        },
        ::circles_codegen_support::Param {
            name: "timeout_ms",
            required: false,
        },
        ::circles_codegen_support::Param {
            name: "idempotency_key",
            required: false,
        },
        ::circles_codegen_support::Param {
            name: "retries",
            required: false,
        },
    ];
}

impl ::jsonrpsee::core::traits::ToRpcParams for SubmitParams {
    fn to_rpc_params(
        self,
    ) -> Result<Option<Box<::serde_json::value::RawValue>>, ::serde_json::Error> {
        ::serde_json::value::to_raw_value(&self).map(Some)
    }
}

impl SubmitParams {
    /// Takes the required params; the others are absent until they are set.
    #[allow(
        clippy::too_many_arguments,
        clippy::new_without_default,
        reason = "the document counts them"
    )]
    pub fn new() -> Self {
        Self {
            script: None,
            name: None,
            args: None,
            timeout_ms: None,
            idempotency_key: None,
            retries: None,
        }
    }
    /// The Rhai source. Either this or `name`.
    #[must_use]
    pub fn script(mut self, script: types::Script) -> Self {
        self.script = Some(script);
        self
    }
    /// A script of the circle's library. Either this or `script`.
    #[must_use]
    pub fn name(mut self, name: types::ScriptName) -> Self {
        self.name = Some(name);
        self
    }
    /// Any JSON value: the script's constant `ARGS`; null when absent.
    #[must_use]
    pub fn args(mut self, args: types::Json) -> Self {
        self.args = Some(args);
        self
    }
    /// Milliseconds from acceptance to the deadline.
    ///
    /// A value above the circle's own limit for submitted tasks, mostly a day, is lowered to it; that limit holds when absent.
    #[must_use]
    pub fn timeout_ms(mut self, timeout_ms: types::TimeoutMs) -> Self {
        self.timeout_ms = Some(timeout_ms);
        self
    }
    /// The same key of the same caller in the same circle within 24 hours returns the first outcome and runs nothing.
    ///
    /// The same key with another script or other arguments is a CONFLICT.
    #[must_use]
    pub fn idempotency_key(mut self, idempotency_key: types::IdempotencyKey) -> Self {
        self.idempotency_key = Some(idempotency_key);
        self
    }
    /// How often the task may be run again after a crash although it may have had side effects; 0 when absent.
    #[must_use]
    pub fn retries(mut self, retries: types::Retries) -> Self {
        self.retries = Some(retries);
        self
    }
}

/// Params of `task`.
#[derive(Clone, Debug, PartialEq, ::serde::Serialize)]
#[derive(::serde::Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TaskParams {
    /// The task.
    pub task_id: types::TaskId,
    /// Milliseconds to wait for the end of the task; 0 when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub wait_ms: Option<types::WaitMs>,
}

impl TaskParams {
    /// Returns the params by position. Absent ones at the end are left out, others are null.
    ///
    /// # Errors
    ///
    /// If a value cannot be written as JSON.
    pub fn into_positional(
        self,
    ) -> Result<Vec<::serde_json::Value>, ::serde_json::Error> {
        let mut positions = Vec::from([
            ::serde_json::to_value(self.task_id)?,
            ::serde_json::to_value(self.wait_ms)?,
        ]);
        while positions.len() > 1
            && positions.last().is_some_and(::serde_json::Value::is_null)
        {
            positions.pop();
        }
        Ok(positions)
    }
}

impl ::circles_codegen_support::Params for TaskParams {
    const PARAMS: &'static [::circles_codegen_support::Param] = &[
        ::circles_codegen_support::Param {
            name: "task_id",
            required: true,
        },
        ::circles_codegen_support::Param {
            name: "wait_ms",
            required: false,
        },
    ];
}

impl ::jsonrpsee::core::traits::ToRpcParams for TaskParams {
    fn to_rpc_params(
        self,
    ) -> Result<Option<Box<::serde_json::value::RawValue>>, ::serde_json::Error> {
        ::serde_json::value::to_raw_value(&self).map(Some)
    }
}

/// Params of `tasks`.
#[derive(Clone, Debug, PartialEq, ::serde::Serialize)]
#[derive(::serde::Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TasksParams {
    /// Only tasks in this state.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub state: Option<types::TaskState>,
    /// The most items of the page; 50 when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub limit: Option<types::PageLimit>,
    /// Continue where the page with this cursor ended.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cursor: Option<types::TaskId>,
}

impl TasksParams {
    /// Returns the params by position. Absent ones at the end are left out, others are null.
    ///
    /// # Errors
    ///
    /// If a value cannot be written as JSON.
    pub fn into_positional(
        self,
    ) -> Result<Vec<::serde_json::Value>, ::serde_json::Error> {
        let mut positions = Vec::from([
            ::serde_json::to_value(self.state)?,
            ::serde_json::to_value(self.limit)?,
            ::serde_json::to_value(self.cursor)?,
        ]);
        while positions.last().is_some_and(::serde_json::Value::is_null) {
            positions.pop();
        }
        Ok(positions)
    }
}

impl ::circles_codegen_support::Params for TasksParams {
    const PARAMS: &'static [::circles_codegen_support::Param] = &[
        ::circles_codegen_support::Param {
            name: "state",
            required: false,
        },
        ::circles_codegen_support::Param {
            name: "limit",
            required: false,
        },
        ::circles_codegen_support::Param {
            name: "cursor",
            required: false,
        },
    ];
}

impl ::jsonrpsee::core::traits::ToRpcParams for TasksParams {
    fn to_rpc_params(
        self,
    ) -> Result<Option<Box<::serde_json::value::RawValue>>, ::serde_json::Error> {
        ::serde_json::value::to_raw_value(&self).map(Some)
    }
}

impl TasksParams {
    /// Takes the required params; the others are absent until they are set.
    #[allow(
        clippy::too_many_arguments,
        clippy::new_without_default,
        reason = "the document counts them"
    )]
    pub fn new() -> Self {
        Self {
            state: None,
            limit: None,
            cursor: None,
        }
    }
    /// Only tasks in this state.
    #[must_use]
    pub fn state(mut self, state: types::TaskState) -> Self {
        self.state = Some(state);
        self
    }
    /// The most items of the page; 50 when absent.
    #[must_use]
    pub fn limit(mut self, limit: types::PageLimit) -> Self {
        self.limit = Some(limit);
        self
    }
    /// Continue where the page with this cursor ended.
    #[must_use]
    pub fn cursor(mut self, cursor: types::TaskId) -> Self {
        self.cursor = Some(cursor);
        self
    }
}

/// Params of `cancel`.
#[derive(Clone, Debug, PartialEq, ::serde::Serialize)]
#[derive(::serde::Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CancelParams {
    /// The task.
    pub task_id: types::TaskId,
}

impl CancelParams {
    /// Returns the params by position. Absent ones at the end are left out, others are null.
    ///
    /// # Errors
    ///
    /// If a value cannot be written as JSON.
    pub fn into_positional(
        self,
    ) -> Result<Vec<::serde_json::Value>, ::serde_json::Error> {
        let positions = Vec::from([::serde_json::to_value(self.task_id)?]);
        Ok(positions)
    }
}

impl ::circles_codegen_support::Params for CancelParams {
    const PARAMS: &'static [::circles_codegen_support::Param] = &[
        ::circles_codegen_support::Param {
            name: "task_id",
            required: true,
        },
    ];
}

impl ::jsonrpsee::core::traits::ToRpcParams for CancelParams {
    fn to_rpc_params(
        self,
    ) -> Result<Option<Box<::serde_json::value::RawValue>>, ::serde_json::Error> {
        ::serde_json::value::to_raw_value(&self).map(Some)
    }
}

/// Params of `provenance`.
#[derive(Clone, Debug, PartialEq, ::serde::Serialize)]
#[derive(::serde::Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ProvenanceParams {
    /// Start after the record of this number; at the first when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub after: Option<types::RecordNumber>,
    /// The most items of the page; 50 when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub limit: Option<types::PageLimit>,
}

impl ProvenanceParams {
    /// Returns the params by position. Absent ones at the end are left out, others are null.
    ///
    /// # Errors
    ///
    /// If a value cannot be written as JSON.
    pub fn into_positional(
        self,
    ) -> Result<Vec<::serde_json::Value>, ::serde_json::Error> {
        let mut positions = Vec::from([
            ::serde_json::to_value(self.after)?,
            ::serde_json::to_value(self.limit)?,
        ]);
        while positions.last().is_some_and(::serde_json::Value::is_null) {
            positions.pop();
        }
        Ok(positions)
    }
}

impl ::circles_codegen_support::Params for ProvenanceParams {
    const PARAMS: &'static [::circles_codegen_support::Param] = &[
        ::circles_codegen_support::Param {
            name: "after",
            required: false,
        },
        ::circles_codegen_support::Param {
            name: "limit",
            required: false,
        },
    ];
}

impl ::jsonrpsee::core::traits::ToRpcParams for ProvenanceParams {
    fn to_rpc_params(
        self,
    ) -> Result<Option<Box<::serde_json::value::RawValue>>, ::serde_json::Error> {
        ::serde_json::value::to_raw_value(&self).map(Some)
    }
}

impl ProvenanceParams {
    /// Takes the required params; the others are absent until they are set.
    #[allow(
        clippy::too_many_arguments,
        clippy::new_without_default,
        reason = "the document counts them"
    )]
    pub fn new() -> Self {
        Self { after: None, limit: None }
    }
    /// Start after the record of this number; at the first when absent.
    #[must_use]
    pub fn after(mut self, after: types::RecordNumber) -> Self {
        self.after = Some(after);
        self
    }
    /// The most items of the page; 50 when absent.
    #[must_use]
    pub fn limit(mut self, limit: types::PageLimit) -> Self {
        self.limit = Some(limit);
        self
    }
}

/// Params of `watch_play`.
#[derive(Clone, Debug, PartialEq, ::serde::Serialize)]
#[derive(::serde::Deserialize)]
#[serde(deny_unknown_fields)]
pub struct WatchPlayParams {
    /// The Rhai source to play.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub script: Option<types::Script>,
    /// A script of the circle's library to run.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<types::ScriptName>,
    /// A running task to watch.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub task_id: Option<types::TaskId>,
    /// Any JSON value: the script's constant `ARGS`; null when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub args: Option<types::Json>,
    /// Milliseconds from acceptance to the deadline.
    ///
    /// A value above the circle's own limit is lowered to it; that limit holds when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub timeout_ms: Option<types::TimeoutMs>,
}

impl WatchPlayParams {
    /// Returns the params by position. Absent ones at the end are left out, others are null.
    ///
    /// # Errors
    ///
    /// If a value cannot be written as JSON.
    pub fn into_positional(
        self,
    ) -> Result<Vec<::serde_json::Value>, ::serde_json::Error> {
        let mut positions = Vec::from([
            ::serde_json::to_value(self.script)?,
            ::serde_json::to_value(self.name)?,
            ::serde_json::to_value(self.task_id)?,
            ::serde_json::to_value(self.args)?,
            ::serde_json::to_value(self.timeout_ms)?,
        ]);
        while positions.last().is_some_and(::serde_json::Value::is_null) {
            positions.pop();
        }
        Ok(positions)
    }
}

impl ::circles_codegen_support::Params for WatchPlayParams {
    const PARAMS: &'static [::circles_codegen_support::Param] = &[
        ::circles_codegen_support::Param {
            name: "script",
            required: false,
        },
        ::circles_codegen_support::Param {
            name: "name",
            required: false,
        },
        ::circles_codegen_support::Param {
            name: "task_id",
            required: false,
        },
        ::circles_codegen_support::Param {
            name: "args",
            required: false,
        },
        ::circles_codegen_support::Param {
            name: "timeout_ms",
            required: false,
        },
    ];
}

impl ::jsonrpsee::core::traits::ToRpcParams for WatchPlayParams {
    fn to_rpc_params(
        self,
    ) -> Result<Option<Box<::serde_json::value::RawValue>>, ::serde_json::Error> {
        ::serde_json::value::to_raw_value(&self).map(Some)
    }
}

impl WatchPlayParams {
    /// Takes the required params; the others are absent until they are set.
    #[allow(
        clippy::too_many_arguments,
        clippy::new_without_default,
        reason = "the document counts them"
    )]
    pub fn new() -> Self {
        Self {
            script: None,
            name: None,
            task_id: None,
            args: None,
            timeout_ms: None,
        }
    }
    /// The Rhai source to play.
    #[must_use]
    pub fn script(mut self, script: types::Script) -> Self {
        self.script = Some(script);
        self
    }
    /// A script of the circle's library to run.
    #[must_use]
    pub fn name(mut self, name: types::ScriptName) -> Self {
        self.name = Some(name);
        self
    }
    /// A running task to watch.
    #[must_use]
    pub fn task_id(mut self, task_id: types::TaskId) -> Self {
        self.task_id = Some(task_id);
        self
    }
    /// Any JSON value: the script's constant `ARGS`; null when absent.
    #[must_use]
    pub fn args(mut self, args: types::Json) -> Self {
        self.args = Some(args);
        self
    }
    /// Milliseconds from acceptance to the deadline.
    ///
    /// A value above the circle's own limit is lowered to it; that limit holds when absent.
    #[must_use]
    pub fn timeout_ms(mut self, timeout_ms: types::TimeoutMs) -> Self {
        self.timeout_ms = Some(timeout_ms);
        self
    }
}

/// Params of `unwatch_play`.
#[derive(Clone, Debug, PartialEq, ::serde::Serialize)]
#[derive(::serde::Deserialize)]
#[serde(deny_unknown_fields)]
pub struct UnwatchPlayParams {
    /// The subscription that `watch_play` returned.
    pub subscription: types::SubscriptionId,
}

impl UnwatchPlayParams {
    /// Returns the params by position. Absent ones at the end are left out, others are null.
    ///
    /// # Errors
    ///
    /// If a value cannot be written as JSON.
    pub fn into_positional(
        self,
    ) -> Result<Vec<::serde_json::Value>, ::serde_json::Error> {
        let positions = Vec::from([::serde_json::to_value(self.subscription)?]);
        Ok(positions)
    }
}

impl ::circles_codegen_support::Params for UnwatchPlayParams {
    const PARAMS: &'static [::circles_codegen_support::Param] = &[
        ::circles_codegen_support::Param {
            name: "subscription",
            required: true,
        },
    ];
}

impl ::jsonrpsee::core::traits::ToRpcParams for UnwatchPlayParams {
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

    /// Play Rhai scripts inside a peer's circle. Connect by WebSocket to `/{circle public key}`, prove who you are by signing a challenge, and play.
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
    pub trait Circles {
        /// Ask for a challenge to sign.
        ///
        /// The nonce is 32 random bytes, valid for 60 seconds, bound to this connection, circle and public key, and spent by the first `authenticate` that follows for that key, right or wrong. At most 8 may be outstanding on a connection. Before signing, check that the challenge names the circle, the audience and the key you meant.
        #[method(name = "fetch_nonce", param_kind = map, with_extensions)]
        async fn fetch_nonce(
            &self,
            pubkey: super::types::PublicKey,
        ) -> Result<super::types::Challenge, crate::Error>;
        /// Open a session by signing the challenge.
        ///
        /// The signature is ECDSA over the SHA-256 of the challenge's bytes, in the 64-byte compact form, low-S, as lower-case hex. It is checked against every outstanding nonce of that key on this connection, newest first; all of them are spent. The session belongs to this connection and ends with it or when it expires. Five failures close the connection.
        #[method(name = "authenticate", param_kind = map, with_extensions)]
        async fn authenticate(
            &self,
            pubkey: super::types::PublicKey,
            signature: super::types::Signature,
        ) -> Result<super::types::Authenticated, crate::Error>;
        /// Return the circle of this connection and the caller that it proved.
        ///
        /// Answers before and after a login, also over plain HTTP POST.
        #[method(name = "whoami", param_kind = map, with_extensions)]
        async fn whoami(&self) -> Result<super::types::Identity, crate::Error>;
        /// Run a Rhai script in this circle and wait for its result.
        ///
        /// The script runs in the circle that the connection names, never in the caller's; the caller's verified key is its constant `CALLER`. A play is a transaction: nothing it wrote stays unless it succeeds. The deadline counts from acceptance and covers the queue. Disconnecting cancels a running play, unless it carries an idempotency key.
        #[method(name = "play", param_kind = map, with_extensions)]
        async fn play(
            &self,
            script: super::types::Script,
            args: Option<super::types::Json>,
            timeout_ms: Option<super::types::TimeoutMs>,
            idempotency_key: Option<super::types::IdempotencyKey>,
        ) -> Result<super::types::PlayResult, crate::Error>;
        /// Run a script of the circle's library and wait for its result.
        ///
        /// As `play`, with a script that the circle holds: `name` is its path below the library without `.rhai`. A caller with the permission `run` and not `play` can run the owner's scripts and nothing else.
        #[method(name = "run", param_kind = map, with_extensions)]
        async fn run(
            &self,
            name: super::types::ScriptName,
            args: Option<super::types::Json>,
            timeout_ms: Option<super::types::TimeoutMs>,
            idempotency_key: Option<super::types::IdempotencyKey>,
        ) -> Result<super::types::PlayResult, crate::Error>;
        /// Accept a script to run later, durably.
        ///
        /// Answers once the task is on disk, whether or not a worker is free: from then on it runs also if its caller goes away or the server is restarted. The circle's access list is asked now, its policy when the task runs: a task that the policy forbids ends as failed with FORBIDDEN, one of a script that is not there with SCRIPT_NOT_FOUND. A task that had a side effect before a crash is not run again but ends as `lost`, unless `retries` allows another run.
        #[method(name = "submit", param_kind = map, with_extensions)]
        async fn submit(
            &self,
            script: Option<super::types::Script>,
            name: Option<super::types::ScriptName>,
            args: Option<super::types::Json>,
            timeout_ms: Option<super::types::TimeoutMs>,
            idempotency_key: Option<super::types::IdempotencyKey>,
            retries: Option<super::types::Retries>,
        ) -> Result<super::types::Submitted, crate::Error>;
        /// Return the state of a task, or wait for its end.
        ///
        /// With `wait_ms` the answer comes when the task ends or the time is over, whichever is first. A caller sees its own tasks, the circle's owner all of them. Tasks that were submitted, and plays with an idempotency key, are remembered for a day after their end; other plays while they are under way.
        #[method(name = "task", param_kind = map, with_extensions)]
        async fn task(
            &self,
            task_id: super::types::TaskId,
            wait_ms: Option<super::types::WaitMs>,
        ) -> Result<super::types::Task, crate::Error>;
        /// List tasks, the newest first, a page at a time.
        ///
        /// A caller sees its own tasks, the circle's owner all of them. Results are left out: `task` returns them.
        #[method(name = "tasks", param_kind = map, with_extensions)]
        async fn tasks(
            &self,
            state: Option<super::types::TaskState>,
            limit: Option<super::types::PageLimit>,
            cursor: Option<super::types::TaskId>,
        ) -> Result<super::types::TaskPage, crate::Error>;
        /// End a task that has not ended yet.
        ///
        /// A queued task ends at once, a running one within 100 ms. Nothing it wrote stays. A caller may cancel its own tasks, the circle's owner all of them.
        #[method(name = "cancel", param_kind = map, with_extensions)]
        async fn cancel(
            &self,
            task_id: super::types::TaskId,
        ) -> Result<super::types::Cancellation, crate::Error>;
        /// List the scripts of the circle's library.
        ///
        /// The scripts that `run` and `import` accept, with their doc comments.
        #[method(name = "scripts", param_kind = map, with_extensions)]
        async fn scripts(&self) -> Result<super::types::Library, crate::Error>;
        /// The circle's sealed record of plays, oldest first, a page at a time.
        ///
        /// Plays that wrote, had side effects or were submitted leave one record each, chained by SHA-256 (docs/protocol.md gives the exact bytes). For the circle's owner alone.
        #[method(name = "provenance", param_kind = map, with_extensions)]
        async fn provenance(
            &self,
            after: Option<super::types::RecordNumber>,
            limit: Option<super::types::PageLimit>,
        ) -> Result<super::types::RecordPage, crate::Error>;
        /// Play a script, or watch a running task: its log lines as they are printed, then its end.
        ///
        /// Exactly one of `script`, `name` and `task_id`. A play that this call started is cancelled when the subscription ends before it, as a `play` is when its caller disconnects; a task that it only watches continues.
        #[subscription(
            name = "watch_play" => "play_event",
            unsubscribe = "unwatch_play",
            item = super::types::PlayEvent,
            param_kind = map,
            with_extensions
        )]
        async fn watch_play(
            &self,
            script: Option<super::types::Script>,
            name: Option<super::types::ScriptName>,
            task_id: Option<super::types::TaskId>,
            args: Option<super::types::Json>,
            timeout_ms: Option<super::types::TimeoutMs>,
        ) -> ::jsonrpsee::core::SubscriptionResult;
        /// This document.
        ///
        /// Also served as `GET /openrpc.json`.
        #[method(name = "rpc.discover", param_kind = map, with_extensions)]
        async fn rpc_discover(&self) -> Result<super::types::Document, crate::Error>;
    }
}

#[allow(unused_imports, reason = "few need both sides")]
pub use self::interface::CirclesServer;

#[allow(unused_imports, reason = "few need both sides")]
pub use self::interface::CirclesClient;

/// Every method of the document, in its order.
pub static METHODS: &[support::Method] = &[
    support::Method {
        name: "fetch_nonce",
        summary: "Ask for a challenge to sign.",
        deprecated: false,
        tags: &[],
        auth: support::Auth::None,
        connection: true,
        params: <FetchNonceParams as support::Params>::PARAMS,
        errors: &[codes::RATE_LIMITED],
        extensions: "{\"x-auth\":\"none\",\"x-connection\":true}",
        check_params: support::check_params::<FetchNonceParams>,
    },
    support::Method {
        name: "authenticate",
        summary: "Open a session by signing the challenge.",
        deprecated: false,
        tags: &[],
        auth: support::Auth::None,
        connection: true,
        params: <AuthenticateParams as support::Params>::PARAMS,
        errors: &[codes::INVALID_CREDENTIALS],
        extensions: "{\"x-auth\":\"none\",\"x-connection\":true}",
        check_params: support::check_params::<AuthenticateParams>,
    },
    support::Method {
        name: "whoami",
        summary: "Return the circle of this connection and the caller that it proved.",
        deprecated: false,
        tags: &[],
        auth: support::Auth::None,
        connection: false,
        params: <support::NoParams as support::Params>::PARAMS,
        errors: &[],
        extensions: "{\"x-auth\":\"none\"}",
        check_params: support::check_params::<support::NoParams>,
    },
    support::Method {
        name: "play",
        summary: "Run a Rhai script in this circle and wait for its result.",
        deprecated: false,
        tags: &[],
        auth: support::Auth::Session,
        connection: false,
        params: <PlayParams as support::Params>::PARAMS,
        errors: &[
            codes::SCRIPT_TIMEOUT,
            codes::UNAUTHENTICATED,
            codes::FORBIDDEN,
            codes::RATE_LIMITED,
            codes::OVERLOADED,
            codes::SCRIPT_ERROR,
            codes::LIMIT_EXCEEDED,
            codes::CANCELLED,
            codes::WORKER_LOST,
            codes::CONFLICT,
            codes::BACKEND_UNAVAILABLE,
        ],
        extensions: "{\"x-auth\":\"session\"}",
        check_params: support::check_params::<PlayParams>,
    },
    support::Method {
        name: "run",
        summary: "Run a script of the circle's library and wait for its result.",
        deprecated: false,
        tags: &[],
        auth: support::Auth::Session,
        connection: false,
        params: <RunParams as support::Params>::PARAMS,
        errors: &[
            codes::SCRIPT_TIMEOUT,
            codes::UNAUTHENTICATED,
            codes::FORBIDDEN,
            codes::RATE_LIMITED,
            codes::OVERLOADED,
            codes::SCRIPT_ERROR,
            codes::LIMIT_EXCEEDED,
            codes::CANCELLED,
            codes::WORKER_LOST,
            codes::CONFLICT,
            codes::SCRIPT_NOT_FOUND,
            codes::BACKEND_UNAVAILABLE,
        ],
        extensions: "{\"x-auth\":\"session\"}",
        check_params: support::check_params::<RunParams>,
    },
    support::Method {
        name: "submit",
        summary: "Accept a script to run later, durably.",
        deprecated: false,
        tags: &[],
        auth: support::Auth::Session,
        connection: false,
        params: <SubmitParams as support::Params>::PARAMS,
        errors: &[
            codes::UNAUTHENTICATED,
            codes::FORBIDDEN,
            codes::RATE_LIMITED,
            codes::OVERLOADED,
            codes::LIMIT_EXCEEDED,
            codes::CONFLICT,
            codes::BACKEND_UNAVAILABLE,
        ],
        extensions: "{\"x-auth\":\"session\"}",
        check_params: support::check_params::<SubmitParams>,
    },
    support::Method {
        name: "task",
        summary: "Return the state of a task, or wait for its end.",
        deprecated: false,
        tags: &[],
        auth: support::Auth::Session,
        connection: false,
        params: <TaskParams as support::Params>::PARAMS,
        errors: &[
            codes::UNAUTHENTICATED,
            codes::FORBIDDEN,
            codes::RATE_LIMITED,
            codes::TASK_NOT_FOUND,
            codes::BACKEND_UNAVAILABLE,
        ],
        extensions: "{\"x-auth\":\"session\"}",
        check_params: support::check_params::<TaskParams>,
    },
    support::Method {
        name: "tasks",
        summary: "List tasks, the newest first, a page at a time.",
        deprecated: false,
        tags: &[],
        auth: support::Auth::Session,
        connection: false,
        params: <TasksParams as support::Params>::PARAMS,
        errors: &[
            codes::UNAUTHENTICATED,
            codes::FORBIDDEN,
            codes::RATE_LIMITED,
            codes::BACKEND_UNAVAILABLE,
        ],
        extensions: "{\"x-auth\":\"session\"}",
        check_params: support::check_params::<TasksParams>,
    },
    support::Method {
        name: "cancel",
        summary: "End a task that has not ended yet.",
        deprecated: false,
        tags: &[],
        auth: support::Auth::Session,
        connection: false,
        params: <CancelParams as support::Params>::PARAMS,
        errors: &[
            codes::UNAUTHENTICATED,
            codes::FORBIDDEN,
            codes::RATE_LIMITED,
            codes::TASK_NOT_FOUND,
            codes::BACKEND_UNAVAILABLE,
        ],
        extensions: "{\"x-auth\":\"session\"}",
        check_params: support::check_params::<CancelParams>,
    },
    support::Method {
        name: "scripts",
        summary: "List the scripts of the circle's library.",
        deprecated: false,
        tags: &[],
        auth: support::Auth::Session,
        connection: false,
        params: <support::NoParams as support::Params>::PARAMS,
        errors: &[
            codes::UNAUTHENTICATED,
            codes::FORBIDDEN,
            codes::RATE_LIMITED,
            codes::OVERLOADED,
            codes::BACKEND_UNAVAILABLE,
        ],
        extensions: "{\"x-auth\":\"session\"}",
        check_params: support::check_params::<support::NoParams>,
    },
    support::Method {
        name: "provenance",
        summary: "The circle's sealed record of plays, oldest first, a page at a time.",
        deprecated: false,
        tags: &[],
        auth: support::Auth::Session,
        connection: false,
        params: <ProvenanceParams as support::Params>::PARAMS,
        errors: &[
            codes::UNAUTHENTICATED,
            codes::FORBIDDEN,
            codes::RATE_LIMITED,
            codes::BACKEND_UNAVAILABLE,
        ],
        extensions: "{\"x-auth\":\"session\"}",
        check_params: support::check_params::<ProvenanceParams>,
    },
    support::Method {
        name: "watch_play",
        summary: "Play a script, or watch a running task: its log lines as they are printed, then its end.",
        deprecated: false,
        tags: &[],
        auth: support::Auth::Session,
        connection: true,
        params: <WatchPlayParams as support::Params>::PARAMS,
        errors: &[
            codes::UNAUTHENTICATED,
            codes::FORBIDDEN,
            codes::RATE_LIMITED,
            codes::OVERLOADED,
            codes::TASK_NOT_FOUND,
            codes::BACKEND_UNAVAILABLE,
        ],
        extensions: "{\"x-auth\":\"session\",\"x-connection\":true,\"x-subscription\":{\"item\":{\"$ref\":\"#/components/schemas/PlayEvent\"},\"notification\":\"play_event\",\"unsubscribe\":\"unwatch_play\"}}",
        check_params: support::check_params::<WatchPlayParams>,
    },
    support::Method {
        name: "unwatch_play",
        summary: "End a subscription of `watch_play`.",
        deprecated: false,
        tags: &[],
        auth: support::Auth::Session,
        connection: true,
        params: <UnwatchPlayParams as support::Params>::PARAMS,
        errors: &[codes::UNAUTHENTICATED],
        extensions: "{\"x-auth\":\"session\",\"x-connection\":true}",
        check_params: support::check_params::<UnwatchPlayParams>,
    },
    support::Method {
        name: "rpc.discover",
        summary: "This document.",
        deprecated: false,
        tags: &[],
        auth: support::Auth::None,
        connection: false,
        params: <support::NoParams as support::Params>::PARAMS,
        errors: &[],
        extensions: "{\"x-auth\":\"none\"}",
        check_params: support::check_params::<support::NoParams>,
    },
];

/// Returns the method of this name.
pub fn method(name: &str) -> Option<&'static support::Method> {
    match name {
        "fetch_nonce" => METHODS.first(),
        "authenticate" => METHODS.get(1),
        "whoami" => METHODS.get(2),
        "play" => METHODS.get(3),
        "run" => METHODS.get(4),
        "submit" => METHODS.get(5),
        "task" => METHODS.get(6),
        "tasks" => METHODS.get(7),
        "cancel" => METHODS.get(8),
        "scripts" => METHODS.get(9),
        "provenance" => METHODS.get(10),
        "watch_play" => METHODS.get(11),
        "unwatch_play" => METHODS.get(12),
        "rpc.discover" => METHODS.get(13),
        _ => None,
    }
}

/// The document itself, byte for byte.
pub const DOCUMENT: &str = include_str!(
    concat!(env!("CARGO_MANIFEST_DIR"), "/../openrpc.json")
);
