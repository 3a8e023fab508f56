//! The definitions of the model as types of Rust.

use std::collections::{BTreeMap, BTreeSet};

use proc_macro2::TokenStream;
use quote::quote;

use super::{docs, enumerations::enumeration, objects::ObjectReader, scalars};
use crate::{
    Settings,
    model::Model,
    names::ident,
    types::{Body, Def, Field, Integer, Rest, Struct, Ty, Types},
};

/// A type where it is used; `path` leads to the module `types`.
pub(super) fn written(ty: &Ty, types: &Types, path: &TokenStream) -> TokenStream {
    let inner = |ty: &Ty| written(ty, types, path);
    match ty {
        Ty::Any => quote!(::serde_json::Value),
        Ty::Null => quote!(()),
        Ty::Never => quote!(::circles_codegen_support::Never),
        Ty::Bool => quote!(bool),
        Ty::Integer(Integer::Any) => quote!(::circles_codegen_support::Integer),
        Ty::Integer(Integer::Natural) => quote!(::circles_codegen_support::Natural),
        Ty::Integer(integer) => {
            let integer = ident(integer.name());
            quote!(::circles_codegen_support::Int<#integer>)
        }
        Ty::Number => quote!(::circles_codegen_support::Number),
        Ty::Led(item) => {
            let item = inner(item);
            quote!(::std::vec::Vec<::circles_codegen_support::Item<#item>>)
        }
        Ty::Text => quote!(::std::string::String),
        Ty::Uuid => quote!(::circles_codegen_support::Uuid),
        Ty::List(item) => {
            let item = inner(item);
            quote!(::std::vec::Vec<#item>)
        }
        Ty::Tuple(items) => {
            let items = items.iter().map(inner);
            quote!((#(#items,)*))
        }
        Ty::Map(value) => match &**value {
            Ty::Any => quote!(::serde_json::Map<::std::string::String, ::serde_json::Value>),
            value => {
                let value = inner(value);
                quote!(::std::collections::BTreeMap<::std::string::String, #value>)
            }
        },
        Ty::Option(some) => {
            let some = inner(some);
            quote!(::std::option::Option<#some>)
        }
        Ty::Def(id) | Ty::Boxed(id) => {
            let name = types.def(*id).map_or_else(|| ident("Unknown"), |def| ident(&def.name));
            let name = quote!(#path #name);
            if matches!(ty, Ty::Boxed(_)) { quote!(::std::boxed::Box<#name>) } else { name }
        }
    }
}

/// A type as the result of a method; unit if no value is valid.
pub(super) fn answered(ty: &Ty, types: &Types, path: &TokenStream) -> TokenStream {
    if *ty == Ty::Never { quote!(()) } else { written(ty, types, path) }
}

/// The items of the module `types`, by name.
pub(super) fn items(model: &Model, settings: &Settings) -> TokenStream {
    let aliases = model.types.defs.iter().enumerate().filter(|(_, def)| matches!(def.body, Body::Any));
    let aliases = aliases.map(|(id, _)| Ty::Def(id)).collect();
    let renderer = Renderer { types: &model.types, aliases, settings };
    let items = model.types.defs.iter().map(|def| (&def.name, renderer.def(def))).collect::<BTreeMap<_, _>>();
    items.into_values().collect()
}

pub(super) struct Renderer<'m> {
    types: &'m Types,
    /// Definitions that are other names of any JSON value.
    pub(super) aliases: BTreeSet<Ty>,
    pub(super) settings: &'m Settings,
}

impl Renderer<'_> {
    pub(super) fn written(&self, ty: &Ty) -> TokenStream {
        written(ty, self.types, &TokenStream::new())
    }

    pub(super) fn doc(&self, def: &Def) -> TokenStream {
        let mut doc = if def.doc.trim().is_empty() { format!("`{}`.", def.name) } else { def.doc.clone() };
        if def.deprecated {
            doc.push_str("\n\nDeprecated.");
        }
        docs(&doc)
    }

    fn def(&self, def: &Def) -> TokenStream {
        let (doc, name) = (self.doc(def), ident(&def.name));
        match &def.body {
            Body::Pending | Body::Any => quote!(#doc pub type #name = ::serde_json::Value;),
            Body::Struct(body) => self.structure(def, body),
            Body::Text(rules) => scalars::text(&name, &doc, rules),
            Body::Integer(rules) => scalars::integer(&name, &doc, rules),
            Body::Number(rules) => scalars::number(&name, &doc, rules),
            Body::Texts(variants) => enumeration(&name, &doc, variants),
            Body::Sequence(body) => self.sequence(def, body),
            Body::Values(variants) => self.values(def, variants),
            Body::Union(union) => self.union(def, union),
            Body::Newtype(ty) => self.newtype(def, ty),
        }
    }

    /// The derives of a type that serde can read by itself.
    pub(super) fn derives(&self) -> TokenStream {
        quote!(#[derive(::serde::Deserialize, ::serde::Serialize, Clone, Debug, PartialEq)])
    }

    fn newtype(&self, def: &Def, ty: &Ty) -> TokenStream {
        let (doc, name) = (self.doc(def), ident(&def.name));
        let (derives, inner) = (self.derives(), self.written(ty));
        let text = self.as_text(&name, ty);
        let order = (*ty == Ty::Text).then(|| quote!(#[derive(Eq, Hash, Ord, PartialOrd)]));
        quote! {
            #doc
            #derives
            #order
            #[serde(transparent)]
            pub struct #name(pub #inner);

            impl ::std::ops::Deref for #name {
                type Target = #inner;

                fn deref(&self) -> &#inner {
                    &self.0
                }
            }

            impl ::std::convert::From<#name> for #inner {
                fn from(value: #name) -> Self {
                    value.0
                }
            }

            impl ::std::convert::From<#inner> for #name {
                fn from(value: #inner) -> Self {
                    Self(value)
                }
            }

            #text
        }
    }

    /// A newtype over what has a text form has one too.
    fn as_text(&self, name: &proc_macro2::Ident, ty: &Ty) -> TokenStream {
        if !matches!(ty, Ty::Text | Ty::Uuid | Ty::Bool | Ty::Integer(_) | Ty::Number) {
            return TokenStream::new();
        }
        let inner = self.written(ty);
        let text = (*ty == Ty::Text).then(|| {
            quote! {
                impl ::std::convert::From<&str> for #name {
                    fn from(text: &str) -> Self {
                        Self(text.to_owned())
                    }
                }
            }
        });
        let uuid = (*ty == Ty::Uuid).then(|| {
            let from = |source: TokenStream| {
                quote! {
                    impl ::std::convert::TryFrom<#source> for #name {
                        type Error = <#inner as ::std::str::FromStr>::Err;

                        fn try_from(text: #source) -> ::std::result::Result<Self, Self::Error> {
                            text.parse()
                        }
                    }
                }
            };
            [from(quote!(&str)), from(quote!(::std::string::String))].into_iter().collect::<TokenStream>()
        });
        quote! {
            impl ::std::fmt::Display for #name {
                fn fmt(&self, f: &mut ::std::fmt::Formatter<'_>) -> ::std::fmt::Result {
                    ::std::fmt::Display::fmt(&self.0, f)
                }
            }

            impl ::std::str::FromStr for #name {
                type Err = <#inner as ::std::str::FromStr>::Err;

                fn from_str(text: &str) -> ::std::result::Result<Self, Self::Err> {
                    text.parse().map(Self)
                }
            }

            #text #uuid
        }
    }

    fn structure(&self, def: &Def, body: &Struct) -> TokenStream {
        let (doc, name) = (self.doc(def), ident(&def.name));
        let default = body.fields.iter().all(|field| !field.required).then(|| quote!(Default,));
        let fields = self.fields(body, &quote!(pub));
        let (members, others) = self.members(body);
        let reader = ObjectReader { name: &name, made: quote!(#name) };
        let read = reader.read(&members, &others);
        quote! {
            #doc
            #[derive(::serde::Serialize, Clone, Debug, #default PartialEq)]
            pub struct #name { #(#fields),* }

            impl<'de> ::serde::Deserialize<'de> for #name {
                fn deserialize<__D: ::serde::Deserializer<'de>>(
                    deserializer: __D,
                ) -> ::std::result::Result<Self, __D::Error> {
                    #read
                }
            }
        }
    }

    pub(super) fn fields(&self, body: &Struct, visibility: &TokenStream) -> Vec<TokenStream> {
        let mut fields = body.fields.iter().map(|field| self.field(field, visibility)).collect::<Vec<_>>();
        let rest = match &body.rest {
            Rest::Open if !self.settings.keep_unknown => None,
            rest => rest.value().map(|value| Ty::Map(Box::new(value))),
        };
        fields.extend(rest.map(|rest| {
            let rest = self.written(&rest);
            quote! {
                #[doc = " Members that the document does not name."]
                #[serde(flatten)]
                #visibility extra: #rest
            }
        }));
        fields
    }

    fn field(&self, field: &Field, visibility: &TokenStream) -> TokenStream {
        let mut doc = match field.doc.trim() {
            "" => format!("`{}`.", field.wire),
            doc => doc.to_owned(),
        };
        if field.deprecated {
            doc.push_str("\n\nDeprecated.");
        }
        let (doc, name, wire) = (docs(&doc), ident(&field.name), &field.wire);
        let rename = (field.name.trim_start_matches("r#") != wire).then(|| quote!(#[serde(rename = #wire)]));
        let inner = self.written(field.ty.without_null());
        let nullable = matches!(field.ty, Ty::Option(_));
        let option = |ty: TokenStream| quote!(::std::option::Option<#ty>);
        let ty = match (field.required, nullable) {
            (true, false) => inner,
            (true, true) | (false, false) => option(inner),
            // The outer one is absence, the inner one null.
            (false, true) => option(option(inner)),
        };
        let skip = (!field.required)
            .then(|| quote!(#[serde(skip_serializing_if = "::std::option::Option::is_none")]));
        quote!(#doc #rename #skip #visibility #name: #ty)
    }
}
