//! The model as text.

pub(crate) mod rust;

use proc_macro2::TokenStream;
use quote::quote;

/// Doc comments, a line for each line of a text.
pub(crate) fn docs(text: &str) -> TokenStream {
    let lines = text.lines().map(|line| if line.is_empty() { String::new() } else { format!(" {line}") });
    quote!(#(#[doc = #lines])*)
}
