//! Tests that every example value of the document survives being read as its type and written again.

use proc_macro2::TokenStream;
use quote::quote;

use super::{apart, types::written};
use crate::{document::Document, names::ident, types::Types, vectors::Vectors};

/// One function with thousands of calls takes the compiler long.
const CALLS_PER_TEST: usize = 200;

/// Tests for a module next to `types`.
pub(crate) fn tests(vectors: &Vectors, document: &Document<'_>, types: &Types) -> String {
    let path = quote!(super::types::);
    let calls = vectors.valid.iter().map(|vector| {
        let ty = written(&vector.ty, types, &path);
        let (place, value) = (document.short(&vector.place), vector.value.to_string());
        quote!(::circles_codegen_support::survives::<#ty>(#place, #value, &mut faults);)
    });
    let calls = calls.collect::<Vec<_>>();
    let tests = calls.chunks(CALLS_PER_TEST).enumerate().map(|(index, calls)| {
        let name = ident(&format!("examples_survive_{index}"));
        quote! {
            #[test]
            fn #name() {
                let mut faults = Vec::new();
                #(#calls)*
                assert!(faults.is_empty(), "{}", faults.join("\n"));
            }
        }
    });
    let items = syn::parse2::<syn::File>(tests.collect::<TokenStream>());
    items.map(|file| apart(file.items)).unwrap_or_default()
}
