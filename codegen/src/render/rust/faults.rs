//! The declared errors: their codes, and an enum of them all.

use proc_macro2::{Literal, TokenStream};
use quote::quote;

use super::{docs, types::written};
use crate::{model::ErrorObject, names::ident, types::Types};

/// The codes as constants.
pub(super) fn codes(faults: &[ErrorObject]) -> TokenStream {
    let constants = faults.iter().map(|fault| {
        let (constant, code) = (ident(&fault.constant), Literal::i32_unsuffixed(fault.code));
        let doc = docs(&fault.message);
        quote!(#doc pub const #constant: i32 = #code;)
    });
    quote! {
        #[doc = " The codes of the errors that the document declares."]
        pub mod codes {
            #(#constants)*
        }
    }
}

/// The enum of all declared errors, for a crate with one error type.
pub(super) fn faults(faults: &[ErrorObject], types: &Types) -> TokenStream {
    let variants = faults.iter().map(|fault| {
        let (doc, variant) = (docs(&fault.message), ident(&fault.variant));
        let data = fault.data.iter().map(|data| written(data, types, &quote!(types::)));
        quote!(#doc #variant #((#data))*)
    });
    let methods = if faults.is_empty() { no_fault() } else { fault_methods(faults) };
    quote! {
        #[doc = " An error that the document declares, with its data."]
        #[derive(Clone, Debug, PartialEq)]
        pub enum Fault {
            #(#variants),*
        }

        #methods
    }
}

fn fault_methods(faults: &[ErrorObject]) -> TokenStream {
    let patterns = faults.iter().map(|fault| {
        let (variant, rest) = (ident(&fault.variant), fault.data.iter().map(|_| quote!(..)));
        quote!(Self::#variant #((#rest))*)
    });
    let patterns = patterns.collect::<Vec<_>>();
    let constants = faults.iter().map(|fault| ident(&fault.constant)).collect::<Vec<_>>();
    let names = faults.iter().map(|fault| &fault.name);
    let messages = faults.iter().map(|fault| &fault.message);
    let data = data_arms(faults);
    let parts = faults.iter().map(|fault| {
        let (constant, variant) = (ident(&fault.constant), ident(&fault.variant));
        match fault.data {
            None => quote!(codes::#constant => Some(Self::#variant)),
            Some(_) => quote! {
                codes::#constant => ::serde::Deserialize::deserialize(data?).ok().map(Self::#variant)
            },
        }
    });
    let ignored = faults.iter().all(|fault| fault.data.is_none()).then(|| quote!(let _ = data;));
    quote! {
        impl Fault {
            #[doc = " Its code in the error object."]
            pub const fn code(&self) -> i32 {
                match self { #(#patterns => codes::#constants,)* }
            }

            #[doc = " Its name in the document."]
            pub const fn name(&self) -> &'static str {
                match self { #(#patterns => #names,)* }
            }

            #[doc = " The message that the document declares."]
            pub const fn summary(&self) -> &'static str {
                match self { #(#patterns => #messages,)* }
            }

            #[doc = " The `data` of the error object."]
            pub fn data(&self) -> Option<::serde_json::Value> {
                match self { #data }
            }

            #[doc = " The declared error of this code; `None` if there is none, or if the data is not as declared."]
            pub fn from_parts(code: i32, data: Option<&::serde_json::Value>) -> Option<Self> {
                #ignored
                match code { #(#parts,)* _ => None }
            }
        }
    }
}

fn data_arms(faults: &[ErrorObject]) -> TokenStream {
    let (with, without) = faults.iter().partition::<Vec<_>, _>(|fault| fault.data.is_some());
    let with = with.iter().map(|fault| ident(&fault.variant));
    let without = without.iter().map(|fault| ident(&fault.variant)).collect::<Vec<_>>();
    let none = (!without.is_empty()).then(|| quote!(#(Self::#without)|* => None,));
    quote!(#(Self::#with(data) => ::serde_json::to_value(data).ok(),)* #none)
}

fn no_fault() -> TokenStream {
    quote! {
        impl Fault {
            #[doc = " Its code in the error object."]
            pub const fn code(&self) -> i32 { match *self {} }

            #[doc = " Its name in the document."]
            pub const fn name(&self) -> &'static str { match *self {} }

            #[doc = " The message that the document declares."]
            pub const fn summary(&self) -> &'static str { match *self {} }

            #[doc = " The `data` of the error object."]
            pub const fn data(&self) -> Option<::serde_json::Value> { match *self {} }

            #[doc = " The declared error of this code: the document declares none."]
            pub const fn from_parts(_code: i32, _data: Option<&::serde_json::Value>) -> Option<Self> { None }
        }
    }
}
