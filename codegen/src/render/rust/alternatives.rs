//! Alternatives and enumerations of any values as enums of Rust.

use std::collections::BTreeMap;

use proc_macro2::TokenStream;
use quote::quote;

use super::{docs, types::Renderer};
use crate::{
    names::{self, ident},
    types::{Content, Def, Form, Rest, Ty, Union, ValueVariant},
};

impl Renderer<'_> {
    pub(super) fn union(&self, def: &Def, union: &Union) -> TokenStream {
        let (doc, schema, name) = (self.doc(def), self.schema_attributes(def), ident(&def.name));
        let derives = self.derives(false);
        let open = self.settings.keep_unknown && !self.schemas();
        let closed = union.variants.iter().all(|variant| match &variant.content {
            Content::Fields(body) => body.rest == Rest::Refused,
            Content::Unit | Content::Ty(_) => true,
        });
        let form = match &union.form {
            Form::Untagged => quote!(#[serde(untagged)]),
            Form::Internal(tag) if closed => quote!(#[serde(tag = #tag, deny_unknown_fields)]),
            Form::Internal(tag) => quote!(#[serde(tag = #tag)]),
            Form::External => TokenStream::new(),
        };
        let variants = union.variants.iter().map(|variant| {
            let described = docs(&variant.doc);
            let rename = (union.form != Form::Untagged && variant.name != variant.wire).then(|| {
                let wire = &variant.wire;
                quote!(#[serde(rename = #wire)])
            });
            let name = ident(&variant.name);
            let content = match &variant.content {
                Content::Unit => TokenStream::new(),
                Content::Ty(ty) => {
                    let ty = self.written(ty);
                    quote!((#ty))
                }
                Content::Fields(body) if body.fields.is_empty() && (!open || body.rest == Rest::Refused) => {
                    TokenStream::new()
                }
                Content::Fields(body) => {
                    let fields = self.fields(body, &TokenStream::new());
                    quote!({ #(#fields),* })
                }
            };
            quote!(#described #rename #name #content)
        });
        let froms = self.froms(&name, union);
        quote! {
            #doc
            #derives
            #form
            #schema
            #[allow(
                missing_docs, clippy::large_enum_variant,
                reason = "the document need say nothing of single variants, and decides what they hold"
            )]
            pub enum #name { #(#variants),* }

            #froms
        }
    }

    /// `From` what each alternative holds, where that tells which one is meant.
    fn froms(&self, name: &proc_macro2::Ident, union: &Union) -> TokenStream {
        if union.form != Form::Untagged {
            return TokenStream::new();
        }
        let mut known = BTreeMap::new();
        for variant in &union.variants {
            if let Content::Ty(ty) = &variant.content {
                let inner = self.written(ty).to_string();
                // A type is named in one way only, but for what stands for any value.
                known.entry(inner).or_insert_with(Vec::new).push(variant);
            }
        }
        let variants = known.into_values().filter_map(|variants| match variants.as_slice() {
            [variant] => Some(*variant),
            _ => None,
        });
        let froms = variants.filter_map(|variant| {
            let Content::Ty(ty) = &variant.content else { return None };
            if self.aliases.contains(ty) || matches!(ty, Ty::Null | Ty::Never | Ty::Any | Ty::Boxed(_)) {
                return None;
            }
            let (inner, variant) = (self.written(ty), ident(&variant.name));
            Some(quote! {
                impl ::std::convert::From<#inner> for #name {
                    fn from(value: #inner) -> Self {
                        Self::#variant(value)
                    }
                }
            })
        });
        froms.collect()
    }

    pub(super) fn values(&self, def: &Def, variants: &[ValueVariant]) -> TokenStream {
        let (doc, name) = (self.doc(def), ident(&def.name));
        let idents = variants.iter().map(|variant| ident(&variant.name)).collect::<Vec<_>>();
        let lines = variants.iter().map(|variant| docs(&format!("`{}`", variant.value)));
        let texts = variants.iter().map(|variant| variant.value.to_string());
        let text_of = quote! {
            match self { #(Self::#idents => #texts),* }
        };
        let all = variants.iter().map(|variant| variant.value.to_string()).collect::<Vec<_>>().join(", ");
        let expected = format!("expected one of {all}");
        let schema = self.schemas().then(|| {
            let text = format!("{{\"enum\":[{all}]}}");
            let wire = names::type_name(&def.name);
            quote! {
                impl ::schemars::JsonSchema for #name {
                    fn schema_name() -> ::std::borrow::Cow<'static, str> {
                        #wire.into()
                    }

                    fn json_schema(_: &mut ::schemars::SchemaGenerator) -> ::schemars::Schema {
                        ::serde_json::from_str(#text).unwrap_or_default()
                    }
                }
            }
        });
        quote! {
            #doc
            #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
            pub enum #name { #(#lines #idents),* }

            impl #name {
                #[doc = " Every value, in the order of the document."]
                pub const ALL: &'static [Self] = &[#(Self::#idents),*];

                #[doc = " The value as JSON text."]
                pub const fn as_json(&self) -> &'static str {
                    #text_of
                }
            }

            impl ::serde::Serialize for #name {
                fn serialize<S: ::serde::Serializer>(&self, serializer: S) -> ::std::result::Result<S::Ok, S::Error> {
                    let value = ::serde_json::from_str::<::serde_json::Value>(self.as_json());
                    let value = value.map_err(::serde::ser::Error::custom)?;
                    ::serde::Serialize::serialize(&value, serializer)
                }
            }

            impl<'de> ::serde::Deserialize<'de> for #name {
                fn deserialize<D: ::serde::Deserializer<'de>>(
                    deserializer: D,
                ) -> ::std::result::Result<Self, D::Error> {
                    let value = <::serde_json::Value as ::serde::Deserialize>::deserialize(deserializer)?;
                    let same = |known: &&Self| {
                        let known = ::serde_json::from_str::<::serde_json::Value>(known.as_json());
                        // 1 and 1.0 are the same number.
                        known.is_ok_and(|known| {
                            known == value || (known.is_number() && known.as_f64() == value.as_f64())
                        })
                    };
                    let found = Self::ALL.iter().find(same).copied();
                    found.ok_or_else(|| ::serde::de::Error::custom(#expected))
                }
            }

            #schema
        }
    }
}
