//! The errors of one method as a type of its own.

use std::collections::BTreeMap;

use proc_macro2::{Literal, TokenStream};
use quote::quote;

use super::{docs, types::written};
use crate::{
    Settings,
    model::{ErrorObject, Method, Model},
    names::{self, Scope, ident},
};

/// The error type of a method; nothing for a method that declares no errors.
pub(super) fn error(method: &Method, model: &Model, settings: &Settings, up: &TokenStream) -> TokenStream {
    let errors = model.errors_of(method).collect::<Vec<_>>();
    if errors.is_empty() {
        return TokenStream::new();
    }
    let mut scope = Scope::with(&["Other"]);
    // Only this method's errors count: other methods must not change the names here.
    let variants = errors.iter().map(|error| {
        let coded = names::coded(&error.name, error.code.into());
        ident(&scope.first(names::type_name(&error.name), names::type_name(&coded), ""))
    });
    let variants = variants.collect::<Vec<_>>();
    let data = errors.iter().map(|error| match &error.data {
        Some(ty) => written(ty, &model.types, &quote!(#up types::)),
        None => quote!(Option<::serde_json::Value>),
    });
    let name = ident(&method.error_type);
    let doc = docs(&format!("Why `{}` fails.", method.wire));
    let lines = method.errors.iter().zip(&errors).map(|(index, error)| {
        let mut doc = format!("{} ({})", error.message.trim(), error.code);
        if let Some(data) = method.error_data.get(index) {
            let data = serde_json::to_string_pretty(data).unwrap_or_default();
            doc.push_str(&format!("\n\nIts `data` in the document:\n\n```json\n{data}\n```"));
        }
        docs(&doc)
    });
    let codes = errors.iter().map(|error| ident(&error.constant)).collect::<Vec<_>>();
    let messages = errors.iter().map(|error| &error.message).collect::<Vec<_>>();
    let arms = arms(&errors, &variants);
    let client = settings.client.then(|| {
        quote! {
            impl TryFrom<::jsonrpsee::core::client::Error> for #name {
                type Error = ::jsonrpsee::core::client::Error;

                fn try_from(error: ::jsonrpsee::core::client::Error) -> Result<Self, Self::Error> {
                    match error {
                        ::jsonrpsee::core::client::Error::Call(object) => Ok(object.into()),
                        other => Err(other),
                    }
                }
            }
        }
    });
    quote! {
        #doc
        #[derive(Clone, Debug)]
        #[non_exhaustive]
        pub enum #name {
            #(#lines #variants(#data),)*
            #[doc = " An error that the document does not declare."]
            Other(::jsonrpsee::types::ErrorObjectOwned),
        }

        impl #name {
            #[doc = " Its code in the error object."]
            pub fn code(&self) -> i32 {
                match self {
                    #(Self::#variants(_) => #up codes::#codes,)*
                    Self::Other(error) => error.code(),
                }
            }

            #[doc = " Its message in the error object."]
            pub fn message(&self) -> &str {
                match self {
                    #(Self::#variants(_) => #messages,)*
                    Self::Other(error) => error.message(),
                }
            }
        }

        impl ::std::fmt::Display for #name {
            fn fmt(&self, f: &mut ::std::fmt::Formatter<'_>) -> ::std::fmt::Result {
                write!(f, "{} ({})", self.message(), self.code())
            }
        }

        impl ::std::error::Error for #name {}

        impl From<#name> for ::jsonrpsee::types::ErrorObjectOwned {
            fn from(error: #name) -> Self {
                let (code, message) = (error.code(), error.message().to_owned());
                let data = match error {
                    #(#name::#variants(data) => ::serde_json::to_value(data),)*
                    #name::Other(error) => return error,
                };
                // Null says nothing.
                let data = data.ok().filter(|data| !data.is_null());
                Self::owned(code, message, data)
            }
        }

        impl From<::jsonrpsee::types::ErrorObjectOwned> for #name {
            fn from(error: ::jsonrpsee::types::ErrorObjectOwned) -> Self {
                let data = || error.data().and_then(|data| ::serde_json::from_str(data.get()).ok());
                match error.code() {
                    #(#arms,)*
                    _ => Self::Other(error),
                }
            }
        }

        #client
    }
}

/// Match arms by code. If several errors share a code, the message decides; any other message is `Other`.
fn arms(errors: &[&ErrorObject], variants: &[proc_macro2::Ident]) -> Vec<TokenStream> {
    let mut by_code = BTreeMap::<i32, Vec<usize>>::new();
    for (index, error) in errors.iter().enumerate() {
        by_code.entry(error.code).or_default().push(index);
    }
    let arms = by_code.into_iter().flat_map(|(code, indices)| {
        let code = Literal::i32_unsuffixed(code);
        let alone = indices.len() == 1;
        let arms = indices.iter().filter_map(|index| {
            let (error, variant) = (errors.get(*index)?, variants.get(*index)?);
            let message = &error.message;
            let guard = (!alone).then(|| quote!(if error.message() == #message));
            let arm = match &error.data {
                None => quote!(#code #guard => Self::#variant(data())),
                Some(_) => quote! {
                    #code #guard => match ::serde_json::from_value(data().unwrap_or_default()) {
                        Ok(data) => Self::#variant(data),
                        Err(_) => Self::Other(error),
                    }
                },
            };
            Some(arm)
        });
        arms.collect::<Vec<_>>()
    });
    arms.collect()
}
