/// The schemas of the document as types.
pub mod types {
}

/// Each schema of the document and the type that carries it.
pub static TYPES: &[crate::Type] = &[];

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

/// Minimal.
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
pub trait Minimal {
    /// `ping`.
    #[method(name = "ping", param_kind = map, with_extensions)]
    async fn ping(&self) -> Result<(), crate::Error>;
}

/// Every method of the document, in its order.
pub static METHODS: &[crate::Method] = &[
    crate::Method {
        name: "ping",
        auth: crate::Auth::Session,
        connection: false,
        params: <crate::NoParams as crate::Params>::PARAMS,
        errors: &[],
        check_params: crate::check_params::<crate::NoParams>,
    },
];

/// The method of this name.
pub fn method(name: &str) -> Option<&'static crate::Method> {
    match name {
        "ping" => METHODS.first(),
        _ => None,
    }
}

/// The document itself, byte for byte.
pub const DOCUMENT: &str = include_str!(
    concat!(env!("CARGO_MANIFEST_DIR"), "/../openrpc.json")
);
