//! Alternatives and enumerations of any values as enums of Rust.

use std::collections::BTreeMap;

use proc_macro2::{Ident, TokenStream};
use quote::quote;

use super::{
    docs,
    objects::{ObjectReader, Others},
    types::Renderer,
};
use crate::{
    names::ident,
    types::{Content, Def, Form, Ty, Union, ValueVariant},
};

impl Renderer<'_> {
    pub(super) fn union(&self, def: &Def, union: &Union) -> TokenStream {
        let (doc, name) = (self.doc(def), ident(&def.name));
        let untagged = union.form == Form::Untagged;
        let derives = match untagged {
            true => self.derives(),
            false => quote!(#[derive(::serde::Serialize, Clone, Debug, PartialEq)]),
        };
        let form = match &union.form {
            Form::Untagged => quote!(#[serde(untagged)]),
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
                Content::Fields(body) => match self.fields(body, &TokenStream::new()) {
                    fields if fields.is_empty() => TokenStream::new(),
                    fields => quote!({ #(#fields),* }),
                },
            };
            quote!(#described #rename #name #content)
        });
        let froms = self.froms(&name, union);
        let read = match &union.form {
            Form::Untagged => None,
            Form::Internal(tag) => Some(self.read_tagged(&name, tag, union)),
            Form::External => Some(read_external(&name, union)),
        };
        let read = read.map(|read| {
            quote! {
                impl<'de> ::serde::Deserialize<'de> for #name {
                    fn deserialize<__D: ::serde::Deserializer<'de>>(
                        deserializer: __D,
                    ) -> ::std::result::Result<Self, __D::Error> {
                        #read
                    }
                }
            }
        });
        quote! {
            #doc
            #derives
            #form
            #[allow(
                missing_docs, clippy::large_enum_variant,
                reason = "the document need say nothing of single variants, and decides what they hold"
            )]
            pub enum #name { #(#variants),* }

            #read

            #froms
        }
    }

    /// Reads objects that a member tells apart.
    fn read_tagged(&self, name: &Ident, tag: &str, union: &Union) -> TokenStream {
        let arms = union.variants.iter().map(|variant| {
            let (wire, variant_name) = (&variant.wire, ident(&variant.name));
            let made = quote!(#name::#variant_name);
            let Content::Fields(body) = &variant.content else {
                return quote!(#wire => Ok(#made));
            };
            let (members, others) = self.members(body);
            if members.is_empty() && matches!(others, Others::Ignored) {
                return quote!(#wire => Ok(#made));
            }
            let read = ObjectReader { name, made }.read(&members, &others);
            quote!(#wire => {
                let deserializer = members;
                let read = { #read };
                read.map_err(::serde::de::Error::custom)
            })
        });
        let wires = union.variants.iter().map(|variant| &variant.wire);
        let members = union.variants.iter().any(|variant| match &variant.content {
            Content::Fields(body) => {
                let (members, others) = self.members(body);
                !members.is_empty() || !matches!(others, Others::Ignored)
            }
            Content::Unit | Content::Ty(_) => false,
        });
        let members = if members { quote!(members) } else { quote!(_) };
        quote! {
            let (tag, #members) = ::circles_codegen_support::tagged(deserializer, #tag)?;
            match tag.as_str() {
                #(#arms,)*
                other => Err(::serde::de::Error::unknown_variant(other, &[#(#wires),*])),
            }
        }
    }

    /// `From` the content of each alternative that no other alternative has.
    fn froms(&self, name: &Ident, union: &Union) -> TokenStream {
        if union.form != Form::Untagged {
            return TokenStream::new();
        }
        let mut known = BTreeMap::new();
        for variant in &union.variants {
            if let Content::Ty(ty) = &variant.content {
                let inner = self.written(ty).to_string();
                // Every type has one name, except any JSON value.
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
                fn serialize<__S: ::serde::Serializer>(
                    &self,
                    serializer: __S,
                ) -> ::std::result::Result<__S::Ok, __S::Error> {
                    let value = ::serde_json::from_str::<::serde_json::Value>(self.as_json());
                    let value = value.map_err(::serde::ser::Error::custom)?;
                    ::serde::Serialize::serialize(&value, serializer)
                }
            }

            impl<'de> ::serde::Deserialize<'de> for #name {
                fn deserialize<__D: ::serde::Deserializer<'de>>(
                    deserializer: __D,
                ) -> ::std::result::Result<Self, __D::Error> {
                    let value = <::serde_json::Value as ::serde::Deserialize>::deserialize(deserializer)?;
                    let same = |known: &&Self| {
                        let known = ::serde_json::from_str::<::serde_json::Value>(known.as_json());
                        known.is_ok_and(|known| ::circles_codegen_support::same(&known, &value))
                    };
                    let found = Self::ALL.iter().find(same).copied();
                    found.ok_or_else(|| ::serde::de::Error::custom(#expected))
                }
            }
        }
    }
}

/// Reads strings, and objects whose only member tells them apart.
fn read_external(name: &Ident, union: &Union) -> TokenStream {
    let of_content = |wanted: bool| {
        let variants =
            union.variants.iter().filter(move |variant| matches!(variant.content, Content::Ty(_)) == wanted);
        variants.map(|variant| (&variant.wire, ident(&variant.name))).unzip::<_, _, Vec<_>, Vec<_>>()
    };
    let ((units, unit_names), (members, member_names)) = (of_content(false), of_content(true));
    let texts = (!units.is_empty()).then(|| {
        quote! {
            fn visit_str<__E: ::serde::de::Error>(self, text: &str) -> ::std::result::Result<Self::Value, __E> {
                match text {
                    #(#units => Ok(#name::#unit_names),)*
                    other => Err(::serde::de::Error::unknown_variant(other, &[#(#units),*])),
                }
            }
        }
    });
    quote! {
        struct __Alternatives;

        impl<'de> ::serde::de::Visitor<'de> for __Alternatives {
            type Value = #name;

            fn expecting(&self, f: &mut ::std::fmt::Formatter<'_>) -> ::std::fmt::Result {
                f.write_str("a known string, or an object with one known member")
            }

            #texts

            fn visit_map<__A: ::serde::de::MapAccess<'de>>(
                self,
                mut map: __A,
            ) -> ::std::result::Result<Self::Value, __A::Error> {
                let Some(name) = map.next_key::<::circles_codegen_support::Name<'de>>()? else {
                    return Err(::serde::de::Error::invalid_length(0, &self));
                };
                let value = match name.as_str() {
                    #(#members => #name::#member_names(map.next_value()?),)*
                    other => return Err(::serde::de::Error::unknown_field(other, &[#(#members),*])),
                };
                match map.next_key::<::serde::de::IgnoredAny>()? {
                    Some(_) => Err(::serde::de::Error::invalid_length(2, &self)),
                    None => Ok(value),
                }
            }
        }

        deserializer.deserialize_any(__Alternatives)
    }
}
