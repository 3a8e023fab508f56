use std::sync::LazyLock;

use circles_api::DOCUMENT;
use jsonrpsee::{RpcModule, core::server::ResponsePayload};
use serde_json::{Value, value::RawValue};

/// The method that answers with the document.
pub const DISCOVER: &str = "rpc.discover";

/// The document without blanks: a constant that is valid JSON.
static TEXT: LazyLock<Box<RawValue>> = LazyLock::new(|| {
    let document: Value = serde_json::from_str(DOCUMENT).unwrap_or_default();
    serde_json::value::to_raw_value(&document).unwrap_or_else(|_| RawValue::NULL.to_owned())
});

/// Has [`DISCOVER`] answered with one text for all. The document as values takes fifty times as long to copy and to
/// write, and strangers may ask for it.
pub fn share<T: Send + Sync + 'static>(module: &mut RpcModule<T>) {
    LazyLock::force(&TEXT);
    if module.remove_method(DISCOVER).is_some() {
        let text: &'static RawValue = &TEXT;
        // The name was freed just now.
        let _ = module.register_method(DISCOVER, move |_, _, _| ResponsePayload::success(text));
    }
}
