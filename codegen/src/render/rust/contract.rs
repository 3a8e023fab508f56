//! Tests of a server: each plays an example pairing of the document and compares the answer.

use std::collections::BTreeSet;

use proc_macro2::TokenStream;
use quote::quote;

use super::{apart, types::written};
use crate::{
    document::{Document, Example},
    model::{Method, Model},
    names::{Scope, ident},
    types::Ty,
    vectors::Vectors,
};

/// A test for each pairing that is valid by its own schemas and has an answer. The tests belong in a module whose
/// parent has `types`, and `live`, which supplies the server.
pub(crate) fn contract(model: &Model, vectors: &Vectors, document: &Document<'_>) -> String {
    let mut scope = Scope::default();
    let (mut examples, mut tests) = (Vec::new(), Vec::new());
    let mut shown = Shown::default();
    for method in &model.methods {
        for example in method.examples.iter().filter(|example| vectors.plays(example)) {
            let Some(entry) = entry(example, method, model, document) else { continue };
            shown.note(method, example);
            let name = format!("{} {}", method.wire, example.name);
            tests.push(test(&scope.value(&name), examples.len()));
            examples.push(entry);
        }
    }
    let missing = shown.missing(model);
    let count = examples.len();
    let tokens = quote! {
        #[allow(unused_imports, reason = "few documents have no example")]
        pub use ::circles_codegen_support::{Example, Live};
        #[doc = " Methods and codes of errors that no example shows."]
        #[allow(dead_code, reason = "only a crate that wants an example of everything reads it")]
        pub const WITHOUT_EXAMPLE: &[&str] = &[#(#missing),*];
        #[doc = " The example pairings, each with a test."]
        #[allow(dead_code, reason = "few documents have no example")]
        pub static EXAMPLES: [Example; #count] = [#(#examples),*];
        #(#tests)*
    };
    syn::parse2::<syn::File>(tokens).map(|file| apart(file.items)).unwrap_or_default()
}

fn test(name: &str, index: usize) -> TokenStream {
    let name = ident(name);
    quote! {
        #[tokio::test]
        async fn #name() {
            let example = &EXAMPLES[#index];
            assert_eq!(example.hold(&mut super::live(example).await).await, Ok(()));
        }
    }
}

/// The entry of a pairing, if it has an answer.
fn entry(example: &Example, method: &Method, model: &Model, document: &Document<'_>) -> Option<TokenStream> {
    let (answer, ty) = match (&example.error, &example.result, &method.result) {
        (Some(error), _, Some(_)) => {
            let text = error.to_string();
            (quote!(Err(#text)), data_type(error.get("code")?.as_i64()?, method, model))
        }
        (None, Some(result), Some(ty)) => {
            let text = result.to_string();
            (quote!(Ok(#text)), Some(ty))
        }
        _ => return None,
    };
    let given = match &example.given {
        Some(given) => quote!(Some(#given)),
        None => quote!(None),
    };
    let ty = ty
        .map_or_else(|| quote!(::serde_json::Value), |ty| written(ty, &model.types, &quote!(super::types::)));
    let (wire, name, place) = (&method.wire, &example.name, document.short(&example.place));
    let (params, varies) = (method.example_params(example).to_string(), &example.varies);
    Some(quote! {
        Example {
            method: #wire,
            name: #name,
            place: #place,
            given: #given,
            params: #params,
            answer: #answer,
            varies: &[#(#varies),*],
            reads: ::circles_codegen_support::reads::<#ty>,
        }
    })
}

/// The type of an error's data, if the document has one.
fn data_type<'m>(code: i64, method: &Method, model: &'m Model) -> Option<&'m Ty> {
    let errors = model.errors_of(method);
    errors.filter(|error| i64::from(error.code) == code).find_map(|error| error.data.as_ref())
}

/// The methods and codes that examples show.
#[derive(Default)]
struct Shown<'m> {
    methods: BTreeSet<&'m str>,
    codes: BTreeSet<i64>,
}

impl<'m> Shown<'m> {
    fn note(&mut self, method: &'m Method, example: &Example) {
        match example.error.as_ref().and_then(|error| error.get("code")?.as_i64()) {
            Some(code) => drop(self.codes.insert(code)),
            None => drop(self.methods.insert(&method.wire)),
        }
    }

    fn missing(&self, model: &Model) -> Vec<String> {
        let answered = model.methods.iter().filter(|method| method.result.is_some());
        let methods = answered.filter(|method| !self.methods.contains(method.wire.as_str()));
        let errors = model.errors.iter().filter(|error| !self.codes.contains(&i64::from(error.code)));
        let errors = errors.map(|error| format!("{} {}", error.code, error.name));
        methods.map(|method| method.wire.clone()).chain(errors).collect()
    }
}
