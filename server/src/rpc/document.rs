use std::sync::LazyLock;

use circles_api::DOCUMENT;
use jsonrpsee::{RpcModule, core::server::ResponsePayload};
use serde_json::{Value, value::RawValue};

/// The method that answers with `openrpc.json`.
pub(crate) const DISCOVER: &str = "rpc.discover";

/// The document without whitespace.
static TEXT: LazyLock<Box<RawValue>> = LazyLock::new(|| {
    let document: Value = serde_json::from_str(DOCUMENT).unwrap_or_default();
    serde_json::value::to_raw_value(&document).unwrap_or_else(|_| RawValue::NULL.to_owned())
});

/// Registers [`DISCOVER`] with one text for all calls. Cloning and serializing the document as a value takes fifty
/// times as long, and callers need no login for it.
pub(crate) fn register_discover<T: Send + Sync + 'static>(module: &mut RpcModule<T>) {
    LazyLock::force(&TEXT);
    if module.remove_method(DISCOVER).is_some() {
        let text: &'static RawValue = &TEXT;
        // Registering fails only for a name that is taken.
        let _ = module.register_method(DISCOVER, move |_, _, _| ResponsePayload::success(text));
    }
}
