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

    /// Minimal.
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
    pub trait Minimal {
        /// `ping`.
        #[method(name = "ping", param_kind = array, with_extensions)]
        async fn ping(&self) -> Result<(), crate::Error>;
    }
}

#[allow(unused_imports, reason = "few need both sides")]
pub use self::interface::MinimalServer;

#[allow(unused_imports, reason = "few need both sides")]
pub use self::interface::MinimalClient;

/// Every method of the document, in its order.
pub static METHODS: &[support::Method] = &[
    support::Method {
        name: "ping",
        summary: "",
        deprecated: false,
        tags: &[],
        auth: support::Auth::Session,
        connection: false,
        params: <support::NoParams as support::Params>::PARAMS,
        errors: &[],
        extensions: "{}",
        check_params: support::check_params::<support::NoParams>,
    },
];

/// Returns the method of this name.
pub fn method(name: &str) -> Option<&'static support::Method> {
    match name {
        "ping" => METHODS.first(),
        _ => None,
    }
}

/// The document itself, byte for byte.
pub const DOCUMENT: &str = include_str!(
    concat!(env!("CARGO_MANIFEST_DIR"), "/../openrpc.json")
);
