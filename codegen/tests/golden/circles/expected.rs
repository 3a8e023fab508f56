/// The schemas of the document as types.
pub mod types {
    /// A session that was opened.
    #[derive(::serde::Deserialize, ::serde::Serialize, Clone, Debug, PartialEq)]
    #[serde(deny_unknown_fields)]
    #[derive(::schemars::JsonSchema)]
    pub struct Authenticated {
        /// Always true; a refusal is an error.
        pub authenticated: bool,
        /// A point in time, in seconds since 1970-01-01T00:00:00Z.
        pub expires_at: UnixSeconds,
    }

    /// What to sign, and until when.
    #[derive(::serde::Deserialize, ::serde::Serialize, Clone, Debug, PartialEq)]
    #[serde(deny_unknown_fields)]
    #[derive(::schemars::JsonSchema)]
    pub struct Challenge {
        /// The exact text to sign: `circles-auth-v1` and the fields `circle`, `audience`, `pubkey`, `nonce` and `expires`, each `name:value`, joined by line feeds.
        pub challenge: ChallengeChallenge,
        /// A point in time, in seconds since 1970-01-01T00:00:00Z.
        pub expires_at: UnixSeconds,
        /// 32 random bytes, lower-case hex.
        pub nonce: Nonce,
    }

    /// The exact text to sign: `circles-auth-v1` and the fields `circle`, `audience`, `pubkey`, `nonce` and `expires`, each `name:value`, joined by line feeds.
    #[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, ::schemars::JsonSchema)]
    #[schemars(inline)]
    pub struct ChallengeChallenge(
        #[schemars(length(min = 1, max = 1024))]
        ::std::string::String,
    );

    crate::text_newtype!(ChallengeChallenge, min_length = 1, max_length = 1024);

    /// An OpenRPC document.
    #[derive(::serde::Deserialize, ::serde::Serialize, Clone, Debug, PartialEq)]
    #[serde(transparent)]
    #[derive(::schemars::JsonSchema)]
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
    #[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, ::schemars::JsonSchema)]
    pub struct IdempotencyKey(
        #[schemars(regex(pattern = "^[!-~]{1,128}$"), length(min = 1, max = 128))]
        ::std::string::String,
    );

    crate::text_newtype!(
        IdempotencyKey, pattern = "^[!-~]{1,128}$", min_length = 1, max_length = 128
    );

    /// Where a connection is, and as whom.
    #[derive(::serde::Deserialize, ::serde::Serialize, Clone, Debug, PartialEq)]
    #[serde(deny_unknown_fields)]
    #[derive(::schemars::JsonSchema)]
    pub struct Identity {
        /// Whether there is a session.
        pub authenticated: bool,
        /// The public key that this session proved; empty without a session.
        pub caller: IdentityCaller,
        /// A secp256k1 public key: 33 bytes compressed, lower-case hex.
        pub circle: PublicKey,
        /// When the session ends, in seconds since 1970-01-01T00:00:00Z; null without a session.
        #[serde(deserialize_with = "::std::option::Option::deserialize")]
        #[schemars(with = "crate::Nullable<IdentityExpiresAt>")]
        pub expires_at: ::std::option::Option<IdentityExpiresAt>,
    }

    /// The public key that this session proved; empty without a session.
    #[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, ::schemars::JsonSchema)]
    #[schemars(inline)]
    pub struct IdentityCaller(
        #[schemars(regex(pattern = "^(0[23][0-9a-f]{64})?$"), length(max = 66))]
        ::std::string::String,
    );

    crate::text_newtype!(
        IdentityCaller, pattern = "^(0[23][0-9a-f]{64})?$", max_length = 66
    );

    /// When the session ends, in seconds since 1970-01-01T00:00:00Z; null without a session.
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
    pub struct IdentityExpiresAt(
        #[schemars(with = "crate::Integer", range(min = 0_u64, max = 253402300799_u64))]
        u64,
    );

    crate::integer_newtype!(IdentityExpiresAt, u64, min = 0, max = 253402300799);

    /// Any JSON value.
    pub type Json = ::serde_json::Value;

    /// The limit that a script passed.
    #[derive(::serde::Deserialize, ::serde::Serialize, Clone, Debug, PartialEq)]
    #[serde(deny_unknown_fields)]
    #[derive(::schemars::JsonSchema)]
    pub struct LimitData {
        /// Its name, as circles.json spells it.
        pub limit: LimitDataLimit,
    }

    /// Its name, as circles.json spells it.
    #[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, ::schemars::JsonSchema)]
    #[schemars(inline)]
    pub struct LimitDataLimit(#[schemars(length(min = 1, max = 64))] ::std::string::String);

    crate::text_newtype!(LimitDataLimit, min_length = 1, max_length = 64);

    /// How a script rated a line; `print` makes `info`, `debug` makes `debug`.
    #[derive(
        ::serde::Deserialize,
        ::serde::Serialize,
        Clone,
        Copy,
        Debug,
        Eq,
        Hash,
        Ord,
        PartialEq,
        PartialOrd
    )]
    #[derive(::schemars::JsonSchema)]
    #[allow(missing_docs, reason = "the document says nothing of single variants")]
    pub enum LogLevel {
        #[serde(rename = "debug")]
        Debug,
        #[serde(rename = "info")]
        Info,
        #[serde(rename = "warn")]
        Warn,
        #[serde(rename = "error")]
        Error,
    }

    impl ::std::fmt::Display for LogLevel {
        fn fmt(&self, f: &mut ::std::fmt::Formatter<'_>) -> ::std::fmt::Result {
            match *self {
                Self::Debug => f.write_str("debug"),
                Self::Info => f.write_str("info"),
                Self::Warn => f.write_str("warn"),
                Self::Error => f.write_str("error"),
            }
        }
    }

    impl ::std::str::FromStr for LogLevel {
        type Err = self::error::ConversionError;
        fn from_str(
            value: &str,
        ) -> ::std::result::Result<Self, self::error::ConversionError> {
            match value {
                "debug" => Ok(Self::Debug),
                "info" => Ok(Self::Info),
                "warn" => Ok(Self::Warn),
                "error" => Ok(Self::Error),
                _ => Err("invalid value".into()),
            }
        }
    }

    impl ::std::convert::TryFrom<&str> for LogLevel {
        type Error = self::error::ConversionError;
        fn try_from(
            value: &str,
        ) -> ::std::result::Result<Self, self::error::ConversionError> {
            value.parse()
        }
    }

    impl ::std::convert::TryFrom<::std::string::String> for LogLevel {
        type Error = self::error::ConversionError;
        fn try_from(
            value: ::std::string::String,
        ) -> ::std::result::Result<Self, self::error::ConversionError> {
            value.parse()
        }
    }

    /// One line that a script logged.
    #[derive(::serde::Deserialize, ::serde::Serialize, Clone, Debug, PartialEq)]
    #[serde(deny_unknown_fields)]
    #[derive(::schemars::JsonSchema)]
    pub struct LogLine {
        /// How a script rated a line; `print` makes `info`, `debug` makes `debug`.
        pub level: LogLevel,
        /// The line, without its end.
        pub text: ::std::string::String,
    }

    /// A duration in microseconds.
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
    pub struct Microseconds(
        #[schemars(with = "crate::Integer", range(min = 0_u64, max = 9007199254740991_u64))]
        u64,
    );

    crate::integer_newtype!(Microseconds, u64, min = 0, max = 9007199254740991);

    /// 32 random bytes, lower-case hex.
    #[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, ::schemars::JsonSchema)]
    pub struct Nonce(
        #[schemars(regex(pattern = "^[0-9a-f]{64}$"), length(min = 64, max = 64))]
        ::std::string::String,
    );

    crate::text_newtype!(
        Nonce, pattern = "^[0-9a-f]{64}$", min_length = 64, max_length = 64
    );

    /// What a script that succeeded left.
    #[derive(::serde::Deserialize, ::serde::Serialize, Clone, Debug, PartialEq)]
    #[serde(deny_unknown_fields)]
    #[derive(::schemars::JsonSchema)]
    pub struct PlayResult {
        /// In the order in which they were logged.
        pub logs: ::std::vec::Vec<LogLine>,
        /// The script's value as Rhai prints it; empty for the unit value.
        pub output: ::std::string::String,
        /// What a play cost.
        pub stats: PlayStats,
        /// The name of a task: a UUID of version 7, so that names sort by time.
        pub task_id: TaskId,
        /// Any JSON value.
        pub value: ::serde_json::Value,
    }

    /// What a play cost.
    #[derive(::serde::Deserialize, ::serde::Serialize, Clone, Debug, PartialEq)]
    #[serde(deny_unknown_fields)]
    #[derive(::schemars::JsonSchema)]
    pub struct PlayStats {
        /// A duration in microseconds.
        pub elapsed_us: Microseconds,
        /// Rhai operations, as the operations limit counts them.
        pub operations: PlayStatsOperations,
        /// A duration in microseconds.
        pub queued_us: Microseconds,
    }

    /// Rhai operations, as the operations limit counts them.
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
    pub struct PlayStatsOperations(
        #[schemars(with = "crate::Integer", range(min = 0_u64, max = 9007199254740991_u64))]
        u64,
    );

    crate::integer_newtype!(PlayStatsOperations, u64, min = 0, max = 9007199254740991);

    /// A secp256k1 public key: 33 bytes compressed, lower-case hex.
    #[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, ::schemars::JsonSchema)]
    pub struct PublicKey(
        #[schemars(regex(pattern = "^0[23][0-9a-f]{64}$"), length(min = 66, max = 66))]
        ::std::string::String,
    );

    crate::text_newtype!(
        PublicKey, pattern = "^0[23][0-9a-f]{64}$", min_length = 66, max_length = 66
    );

    /// When to try again.
    #[derive(::serde::Deserialize, ::serde::Serialize, Clone, Debug, PartialEq)]
    #[serde(deny_unknown_fields)]
    #[derive(::schemars::JsonSchema)]
    pub struct RetryData {
        /// Milliseconds to wait first.
        pub retry_after_ms: RetryDataRetryAfterMs,
    }

    /// Milliseconds to wait first.
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
    pub struct RetryDataRetryAfterMs(
        #[schemars(with = "crate::Integer", range(min = 0_u32, max = 86400000_u32))]
        u32,
    );

    crate::integer_newtype!(RetryDataRetryAfterMs, u32, min = 0, max = 86400000);

    /// Rhai source text, at most 65,536 characters.
    #[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, ::schemars::JsonSchema)]
    pub struct Script(#[schemars(length(max = 65536))] ::std::string::String);

    crate::text_newtype!(Script, max_length = 65536);

    /// Where and why a script stopped.
    #[derive(::serde::Deserialize, ::serde::Serialize, Clone, Debug, PartialEq)]
    #[serde(deny_unknown_fields)]
    #[derive(::schemars::JsonSchema)]
    pub struct ScriptErrorData {
        /// In characters, counted from 1; null where the place is not known.
        #[serde(deserialize_with = "::std::option::Option::deserialize")]
        #[schemars(with = "crate::Nullable<ScriptErrorDataColumn>")]
        pub column: ::std::option::Option<ScriptErrorDataColumn>,
        /// Whether the source did not compile or the script stopped while it ran.
        pub kind: ScriptErrorKind,
        /// Counted from 1; null where the place is not known.
        #[serde(deserialize_with = "::std::option::Option::deserialize")]
        #[schemars(with = "crate::Nullable<ScriptErrorDataLine>")]
        pub line: ::std::option::Option<ScriptErrorDataLine>,
        /// The value that the script threw, if it threw one. Absent otherwise.
        #[serde(skip_serializing_if = "::std::option::Option::is_none")]
        #[serde(default)]
        #[serde(deserialize_with = "crate::present")]
        #[schemars(with = "::serde_json::Value")]
        pub thrown: ::std::option::Option<::serde_json::Value>,
    }

    /// In characters, counted from 1; null where the place is not known.
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
    pub struct ScriptErrorDataColumn(
        #[schemars(with = "crate::Integer", range(min = 1_u32, max = 4294967295_u32))]
        u32,
    );

    crate::integer_newtype!(ScriptErrorDataColumn, u32, min = 1, max = 4294967295);

    /// Counted from 1; null where the place is not known.
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
    pub struct ScriptErrorDataLine(
        #[schemars(with = "crate::Integer", range(min = 1_u32, max = 4294967295_u32))]
        u32,
    );

    crate::integer_newtype!(ScriptErrorDataLine, u32, min = 1, max = 4294967295);

    /// Whether the source did not compile or the script stopped while it ran.
    #[derive(
        ::serde::Deserialize,
        ::serde::Serialize,
        Clone,
        Copy,
        Debug,
        Eq,
        Hash,
        Ord,
        PartialEq,
        PartialOrd
    )]
    #[derive(::schemars::JsonSchema)]
    #[allow(missing_docs, reason = "the document says nothing of single variants")]
    pub enum ScriptErrorKind {
        #[serde(rename = "compile")]
        Compile,
        #[serde(rename = "runtime")]
        Runtime,
    }

    impl ::std::fmt::Display for ScriptErrorKind {
        fn fmt(&self, f: &mut ::std::fmt::Formatter<'_>) -> ::std::fmt::Result {
            match *self {
                Self::Compile => f.write_str("compile"),
                Self::Runtime => f.write_str("runtime"),
            }
        }
    }

    impl ::std::str::FromStr for ScriptErrorKind {
        type Err = self::error::ConversionError;
        fn from_str(
            value: &str,
        ) -> ::std::result::Result<Self, self::error::ConversionError> {
            match value {
                "compile" => Ok(Self::Compile),
                "runtime" => Ok(Self::Runtime),
                _ => Err("invalid value".into()),
            }
        }
    }

    impl ::std::convert::TryFrom<&str> for ScriptErrorKind {
        type Error = self::error::ConversionError;
        fn try_from(
            value: &str,
        ) -> ::std::result::Result<Self, self::error::ConversionError> {
            value.parse()
        }
    }

    impl ::std::convert::TryFrom<::std::string::String> for ScriptErrorKind {
        type Error = self::error::ConversionError;
        fn try_from(
            value: ::std::string::String,
        ) -> ::std::result::Result<Self, self::error::ConversionError> {
            value.parse()
        }
    }

    /// The time limit that passed.
    #[derive(::serde::Deserialize, ::serde::Serialize, Clone, Debug, PartialEq)]
    #[serde(deny_unknown_fields)]
    #[derive(::schemars::JsonSchema)]
    pub struct ScriptTimeoutData {
        /// A time limit in milliseconds, up to a day.
        pub timeout_ms: TimeoutMs,
    }

    /// An ECDSA signature: 64 bytes compact, low-S, lower-case hex.
    #[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, ::schemars::JsonSchema)]
    pub struct Signature(
        #[schemars(regex(pattern = "^[0-9a-f]{128}$"), length(min = 128, max = 128))]
        ::std::string::String,
    );

    crate::text_newtype!(
        Signature, pattern = "^[0-9a-f]{128}$", min_length = 128, max_length = 128
    );

    /// The task that the error is about.
    #[derive(::serde::Deserialize, ::serde::Serialize, Clone, Debug, PartialEq)]
    #[serde(deny_unknown_fields)]
    #[derive(::schemars::JsonSchema)]
    pub struct TaskData {
        /// The name of a task: a UUID of version 7, so that names sort by time.
        pub task_id: TaskId,
    }

    /// The name of a task: a UUID of version 7, so that names sort by time.
    #[derive(::serde::Deserialize, ::serde::Serialize, Clone, Debug, PartialEq)]
    #[serde(transparent)]
    #[derive(::schemars::JsonSchema)]
    pub struct TaskId(pub ::uuid::Uuid);

    impl ::std::ops::Deref for TaskId {
        type Target = ::uuid::Uuid;
        fn deref(&self) -> &::uuid::Uuid {
            &self.0
        }
    }

    impl ::std::convert::From<TaskId> for ::uuid::Uuid {
        fn from(value: TaskId) -> Self {
            value.0
        }
    }

    impl ::std::convert::From<::uuid::Uuid> for TaskId {
        fn from(value: ::uuid::Uuid) -> Self {
            Self(value)
        }
    }

    impl ::std::fmt::Display for TaskId {
        fn fmt(&self, f: &mut ::std::fmt::Formatter<'_>) -> ::std::fmt::Result {
            self.0.fmt(f)
        }
    }

    impl ::std::str::FromStr for TaskId {
        type Err = <::uuid::Uuid as ::std::str::FromStr>::Err;
        fn from_str(value: &str) -> ::std::result::Result<Self, Self::Err> {
            Ok(Self(value.parse()?))
        }
    }

    impl ::std::convert::TryFrom<&str> for TaskId {
        type Error = <::uuid::Uuid as ::std::str::FromStr>::Err;
        fn try_from(value: &str) -> ::std::result::Result<Self, Self::Error> {
            value.parse()
        }
    }

    impl ::std::convert::TryFrom<String> for TaskId {
        type Error = <::uuid::Uuid as ::std::str::FromStr>::Err;
        fn try_from(value: String) -> ::std::result::Result<Self, Self::Error> {
            value.parse()
        }
    }

    /// A time limit in milliseconds, up to a day.
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
    pub struct TimeoutMs(
        #[schemars(with = "crate::Integer", range(min = 1_u32, max = 86400000_u32))]
        u32,
    );

    crate::integer_newtype!(TimeoutMs, u32, min = 1, max = 86400000);

    /// A point in time, in seconds since 1970-01-01T00:00:00Z.
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
    pub struct UnixSeconds(
        #[schemars(with = "crate::Integer", range(min = 0_u64, max = 253402300799_u64))]
        u64,
    );

    crate::integer_newtype!(UnixSeconds, u64, min = 0, max = 253402300799);

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
    crate::Type::of::<types::Authenticated>("Authenticated"),
    crate::Type::of::<types::Challenge>("Challenge"),
    crate::Type::of::<types::Document>("Document"),
    crate::Type::of::<types::IdempotencyKey>("IdempotencyKey"),
    crate::Type::of::<types::Identity>("Identity"),
    crate::Type::of::<types::Json>("Json"),
    crate::Type::of::<types::LimitData>("LimitData"),
    crate::Type::of::<types::LogLevel>("LogLevel"),
    crate::Type::of::<types::LogLine>("LogLine"),
    crate::Type::of::<types::Microseconds>("Microseconds"),
    crate::Type::of::<types::Nonce>("Nonce"),
    crate::Type::of::<types::PlayResult>("PlayResult"),
    crate::Type::of::<types::PlayStats>("PlayStats"),
    crate::Type::of::<types::PublicKey>("PublicKey"),
    crate::Type::of::<types::RetryData>("RetryData"),
    crate::Type::of::<types::Script>("Script"),
    crate::Type::of::<types::ScriptErrorData>("ScriptErrorData"),
    crate::Type::of::<types::ScriptErrorKind>("ScriptErrorKind"),
    crate::Type::of::<types::ScriptTimeoutData>("ScriptTimeoutData"),
    crate::Type::of::<types::Signature>("Signature"),
    crate::Type::of::<types::TaskData>("TaskData"),
    crate::Type::of::<types::TaskId>("TaskId"),
    crate::Type::of::<types::TimeoutMs>("TimeoutMs"),
    crate::Type::of::<types::UnixSeconds>("UnixSeconds"),
];

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

    /// the worker was lost; the script may have had outside effects, so it was not run again
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
    Cancelled,
    /// the worker was lost; the script may have had outside effects, so it was not run again
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
            Self::Cancelled => codes::CANCELLED,
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
            Self::Cancelled => "CANCELLED",
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
            Self::Cancelled => "cancelled",
            Self::WorkerLost(..) => {
                "the worker was lost; the script may have had outside effects, so it was not run again"
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
            Self::WorkerLost(data) => ::serde_json::to_value(data).ok(),
            Self::Conflict(data) => ::serde_json::to_value(data).ok(),
            Self::BackendUnavailable(data) => ::serde_json::to_value(data).ok(),
            Self::Unauthenticated
            | Self::InvalidCredentials
            | Self::Forbidden
            | Self::Cancelled
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
            codes::CANCELLED => Some(Self::Cancelled),
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
#[derive(
    Clone,
    Debug,
    PartialEq,
    ::serde::Serialize,
    ::serde::Deserialize,
    ::schemars::JsonSchema
)]
#[serde(deny_unknown_fields)]
pub struct FetchNonceParams {
    /// The key that will sign.
    pub pubkey: types::PublicKey,
}

impl FetchNonceParams {
    /// The params by position; what is absent at the end is left out, what is absent before it is null.
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

impl crate::Params for FetchNonceParams {
    const PARAMS: &'static [crate::Param] = &[
        crate::Param {
            name: "pubkey",
            required: true,
        },
    ];
}

/// Params of `authenticate`.
#[derive(
    Clone,
    Debug,
    PartialEq,
    ::serde::Serialize,
    ::serde::Deserialize,
    ::schemars::JsonSchema
)]
#[serde(deny_unknown_fields)]
pub struct AuthenticateParams {
    /// The key that signed.
    pub pubkey: types::PublicKey,
    /// The challenge, signed.
    pub signature: types::Signature,
}

impl AuthenticateParams {
    /// The params by position; what is absent at the end is left out, what is absent before it is null.
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

impl crate::Params for AuthenticateParams {
    const PARAMS: &'static [crate::Param] = &[
        crate::Param {
            name: "pubkey",
            required: true,
        },
        crate::Param {
            name: "signature",
            required: true,
        },
    ];
}

/// Params of `play`.
#[derive(
    Clone,
    Debug,
    PartialEq,
    ::serde::Serialize,
    ::serde::Deserialize,
    ::schemars::JsonSchema
)]
#[serde(deny_unknown_fields)]
pub struct PlayParams {
    /// The Rhai source.
    pub script: types::Script,
    /// Any JSON value: the script's constant `ARGS`; null when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "::serde_json::Value")]
    pub args: Option<::serde_json::Value>,
    /// Milliseconds from acceptance to the deadline.
    ///
    /// A value above the circle's own limit is lowered to it; that limit holds when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "types::TimeoutMs")]
    pub timeout_ms: Option<types::TimeoutMs>,
    /// The same key of the same caller in the same circle within 24 hours returns the first outcome and runs nothing.
    ///
    /// The same key with another script or other arguments is a CONFLICT.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "types::IdempotencyKey")]
    pub idempotency_key: Option<types::IdempotencyKey>,
}

impl PlayParams {
    /// The params by position; what is absent at the end is left out, what is absent before it is null.
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

impl crate::Params for PlayParams {
    const PARAMS: &'static [crate::Param] = &[
        crate::Param {
            name: "script",
            required: true,
        },
        crate::Param {
            name: "args",
            required: false,
        },
        crate::Param {
            name: "timeout_ms",
            required: false,
        },
        crate::Param {
            name: "idempotency_key",
            required: false,
        },
    ];
}

/// Play Rhai scripts inside a peer's circle. Connect by WebSocket to `/{circle public key}`, prove who you are by signing a challenge, and play.
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
pub trait Circles {
    /// Ask for a challenge to sign.
    ///
    /// The nonce is 32 random bytes, valid for 60 seconds, bound to this connection, circle and public key, and spent by the first `authenticate` that follows for that key, right or wrong. At most 8 may be outstanding on a connection. Before signing, check that the challenge names the circle, the audience and the key you meant.
    #[method(name = "fetch_nonce", param_kind = map, with_extensions)]
    async fn fetch_nonce(
        &self,
        pubkey: types::PublicKey,
    ) -> Result<types::Challenge, crate::Error>;
    /// Open a session by signing the challenge.
    ///
    /// The signature is ECDSA over the SHA-256 of the challenge's bytes, in the 64-byte compact form, low-S, as lower-case hex. It is checked against every outstanding nonce of that key on this connection, newest first; all of them are spent. The session belongs to this connection and ends with it or when it expires. Five failures close the connection.
    #[method(name = "authenticate", param_kind = map, with_extensions)]
    async fn authenticate(
        &self,
        pubkey: types::PublicKey,
        signature: types::Signature,
    ) -> Result<types::Authenticated, crate::Error>;
    /// Say in which circle this connection is, and as whom.
    ///
    /// Answers before and after a login, also over plain HTTP POST.
    #[method(name = "whoami", param_kind = map, with_extensions)]
    async fn whoami(&self) -> Result<types::Identity, crate::Error>;
    /// Run a Rhai script in this circle and wait for its result.
    ///
    /// The script runs in the circle that the connection names, never in the caller's; the caller's verified key is its constant `CALLER`. A play is a transaction: nothing it wrote stays unless it succeeds. The deadline counts from acceptance and covers the queue. Disconnecting cancels a running play, unless it carries an idempotency key.
    #[method(name = "play", param_kind = map, with_extensions)]
    async fn play(
        &self,
        script: types::Script,
        args: Option<::serde_json::Value>,
        timeout_ms: Option<types::TimeoutMs>,
        idempotency_key: Option<types::IdempotencyKey>,
    ) -> Result<types::PlayResult, crate::Error>;
    /// This document.
    ///
    /// Also served as `GET /openrpc.json`.
    #[method(name = "rpc.discover", param_kind = map, with_extensions)]
    async fn rpc_discover(&self) -> Result<types::Document, crate::Error>;
}

/// Every method of the document, in its order.
pub static METHODS: &[crate::Method] = &[
    crate::Method {
        name: "fetch_nonce",
        auth: crate::Auth::None,
        connection: true,
        params: <FetchNonceParams as crate::Params>::PARAMS,
        errors: &[codes::RATE_LIMITED],
        check_params: crate::check_params::<FetchNonceParams>,
    },
    crate::Method {
        name: "authenticate",
        auth: crate::Auth::None,
        connection: true,
        params: <AuthenticateParams as crate::Params>::PARAMS,
        errors: &[codes::INVALID_CREDENTIALS],
        check_params: crate::check_params::<AuthenticateParams>,
    },
    crate::Method {
        name: "whoami",
        auth: crate::Auth::None,
        connection: false,
        params: <crate::NoParams as crate::Params>::PARAMS,
        errors: &[],
        check_params: crate::check_params::<crate::NoParams>,
    },
    crate::Method {
        name: "play",
        auth: crate::Auth::Session,
        connection: false,
        params: <PlayParams as crate::Params>::PARAMS,
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
        check_params: crate::check_params::<PlayParams>,
    },
    crate::Method {
        name: "rpc.discover",
        auth: crate::Auth::None,
        connection: false,
        params: <crate::NoParams as crate::Params>::PARAMS,
        errors: &[],
        check_params: crate::check_params::<crate::NoParams>,
    },
];

/// The method of this name.
pub fn method(name: &str) -> Option<&'static crate::Method> {
    match name {
        "fetch_nonce" => METHODS.first(),
        "authenticate" => METHODS.get(1),
        "whoami" => METHODS.get(2),
        "play" => METHODS.get(3),
        "rpc.discover" => METHODS.get(4),
        _ => None,
    }
}

/// The document itself, byte for byte.
pub const DOCUMENT: &str = include_str!(
    concat!(env!("CARGO_MANIFEST_DIR"), "/../openrpc.json")
);
