//! Enumerations of strings.

use proc_macro2::{Ident, TokenStream};
use quote::quote;

use super::docs;
use crate::{names::ident, types::TextVariant};

pub(super) fn enumeration(name: &Ident, doc: &TokenStream, variants: &[TextVariant]) -> TokenStream {
    let idents = variants.iter().map(|variant| ident(&variant.name)).collect::<Vec<_>>();
    let texts = variants.iter().map(|variant| variant.wire.as_str()).collect::<Vec<_>>();
    let heads = variants.iter().map(|TextVariant { name, wire, doc }| {
        let doc = if doc.trim().is_empty() { docs(&format!("`{wire}`")) } else { docs(doc) };
        let rename = (name != wire).then(|| quote!(#[serde(rename = #wire)]));
        quote!(#doc #rename)
    });
    let expected = format!("must be one of {}", texts.join(", "));
    quote! {
        #doc
        #[derive(::serde::Serialize, Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum #name { #(#heads #idents),* }

        impl #name {
            #[doc = " The text on the wire."]
            pub const fn as_str(&self) -> &'static str {
                match self { #(Self::#idents => #texts),* }
            }
        }

        impl ::std::fmt::Display for #name {
            fn fmt(&self, f: &mut ::std::fmt::Formatter<'_>) -> ::std::fmt::Result {
                f.write_str(self.as_str())
            }
        }

        impl ::std::str::FromStr for #name {
            type Err = ::circles_codegen_support::InvalidValue;

            fn from_str(text: &str) -> ::std::result::Result<Self, Self::Err> {
                match text {
                    #(#texts => Ok(Self::#idents),)*
                    _ => Err(::circles_codegen_support::InvalidValue::new(#expected)),
                }
            }
        }

        // The reader that serde derives for enums accepts objects as well.
        impl<'de> ::serde::Deserialize<'de> for #name {
            fn deserialize<__D: ::serde::Deserializer<'de>>(
                deserializer: __D,
            ) -> ::std::result::Result<Self, __D::Error> {
                ::circles_codegen_support::one_of(deserializer, &[#(#texts),*])
            }
        }
    }
}
