//! Tests of what the document shows: each example value is read as its type, and written it is the same.

use proc_macro2::TokenStream;
use quote::quote;

use super::{apart, types::written};
use crate::{document::Document, names::ident, types::Types, vectors::Vectors};

/// Tests that every example survives being read and written; they stand in a module beside `types`.
pub(crate) fn tests(vectors: &Vectors, document: &Document<'_>, types: &Types) -> String {
    let path = quote!(super::types::);
    let calls = vectors.valid.iter().map(|vector| {
        let ty = written(&vector.ty, types, &path);
        let (place, value) = (document.short(&vector.place), vector.value.to_string());
        quote!(survives::<#ty>(#place, #value, &mut faults);)
    });
    let calls = calls.collect::<Vec<_>>();
    // One function with thousands of calls takes the compiler long.
    let groups = calls.chunks(200).enumerate().map(|(index, calls)| {
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
    let [survives, same] = [include_str!("support/survives.rs"), include_str!("support/same.rs")].map(items);
    let items = syn::parse2::<syn::File>(quote!(#survives #same #(#groups)*));
    items.map(|file| apart(file.items)).unwrap_or_default()
}

/// The items of a file of this crate.
pub(super) fn items(text: &str) -> TokenStream {
    text.parse().unwrap_or_default()
}
