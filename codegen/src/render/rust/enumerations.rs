//! Enumerations of strings. typify makes those whose values are names already; where values collide once they are
//! names, or are no names at all, it has no answer, and they are made here.

use std::{
    collections::BTreeMap,
    panic::{AssertUnwindSafe, catch_unwind},
};

use proc_macro2::{Ident, TokenStream};
use quote::{ToTokens, quote};
use schemars08::schema::Schema;
use serde_json::json;
use syn::{Item, punctuated::Punctuated};
use typify::{TypeSpace, TypeSpaceSettings};

use super::docs;
use crate::{
    names::ident,
    types::{Body, TextVariant, Types},
};

/// What typify makes of plain enumerations.
pub(super) struct Plain {
    /// By name, without docs.
    pub(super) items: BTreeMap<String, TokenStream>,
    /// The module of their errors.
    pub(super) module: TokenStream,
}

/// Runs typify over the enumerations that it is right about; `None` if there are none, or it refuses.
pub(super) fn by_typify(types: &Types) -> Option<Plain> {
    let plain = types.defs.iter().filter_map(|def| match &def.body {
        Body::Texts(variants) if is_plain(variants) => {
            let texts = variants.iter().map(|variant| &variant.wire).collect::<Vec<_>>();
            Some((def.name.clone(), json!({ "type": "string", "enum": texts })))
        }
        _ => None,
    });
    let plain = plain.collect::<BTreeMap<_, _>>();
    if plain.is_empty() {
        return None;
    }
    let names = plain.keys().cloned().collect::<Vec<_>>();
    // A build script ends with types also where typify ends with a panic.
    catch_unwind(AssertUnwindSafe(|| run(plain))).ok().flatten().map(|file| sorted(file, &names))
}

/// Values that typify turns into the names that we give them.
fn is_plain(variants: &[TextVariant]) -> bool {
    variants.iter().all(|variant| {
        let name = variant.wire.starts_with(|first: char| first.is_ascii_alphabetic())
            && variant.wire.chars().all(|sign| sign.is_ascii_alphanumeric() || "_- ".contains(sign));
        // Docs of single values typify does not read.
        name && variant.doc.is_empty()
            && heck::ToPascalCase::to_pascal_case(variant.wire.as_str()) == variant.name
    })
}

fn run(plain: BTreeMap<String, serde_json::Value>) -> Option<syn::File> {
    let mut space = TypeSpace::new(&TypeSpaceSettings::default());
    let schemas =
        plain.into_iter().map(|(name, schema)| Some((name, serde_json::from_value::<Schema>(schema).ok()?)));
    space.add_ref_types(schemas.collect::<Option<Vec<_>>>()?).ok()?;
    syn::parse2(space.to_token_stream()).ok()
}

fn sorted(file: syn::File, names: &[String]) -> Plain {
    let mut plain = Plain { items: BTreeMap::new(), module: TokenStream::new() };
    let mut impls = Vec::new();
    for item in file.items {
        match item {
            Item::Enum(mut item) => {
                item.attrs.retain(|attr| !attr.path().is_ident("doc"));
                item.attrs.iter_mut().for_each(unread);
                plain.items.insert(item.ident.to_string(), item.into_token_stream());
            }
            Item::Mod(item) => plain.module.extend(item.into_token_stream()),
            Item::Impl(item) => impls.push(item),
            _ => {}
        }
    }
    for item in impls {
        // `Clone` says `From<&T>` already.
        let from_reference = item.trait_.as_ref().is_some_and(|(_, path, _)| {
            path.segments.last().is_some_and(|last| {
                last.ident == "From" && last.arguments.to_token_stream().to_string().contains('&')
            })
        });
        let owner = item.self_ty.to_token_stream().to_string();
        if let Some(tokens) = plain.items.get_mut(&owner).filter(|_| !from_reference) {
            item.to_tokens(tokens);
        }
    }
    plain.items.retain(|name, _| names.contains(name));
    plain
}

/// Takes `Deserialize` out of a list of derives: reading is ours.
fn unread(attr: &mut syn::Attribute) {
    if !attr.path().is_ident("derive") {
        return;
    }
    let paths = attr.parse_args_with(Punctuated::<syn::Path, syn::Token![,]>::parse_terminated);
    let Ok(paths) = paths else { return };
    let reads = |path: &&syn::Path| path.segments.last().is_some_and(|last| last.ident == "Deserialize");
    let kept = paths.iter().filter(|path| !reads(path));
    *attr = syn::parse_quote!(#[derive(#(#kept),*)]);
}

/// An enumeration of any strings.
pub(super) fn own(name: &Ident, head: &TokenStream, variants: &[TextVariant]) -> TokenStream {
    let idents = variants.iter().map(|variant| ident(&variant.name)).collect::<Vec<_>>();
    let texts = variants.iter().map(|variant| &variant.wire).collect::<Vec<_>>();
    let renamed = variants.iter().map(|variant| {
        let doc =
            if variant.doc.trim().is_empty() { format!("`{}`", variant.wire) } else { variant.doc.clone() };
        let doc = docs(&doc);
        let wire = &variant.wire;
        let rename = (variant.name != *wire).then(|| quote!(#[serde(rename = #wire)]));
        quote!(#doc #rename)
    });
    let expected =
        format!("expected one of {}", texts.iter().map(|text| text.as_str()).collect::<Vec<_>>().join(", "));
    quote! {
        #head
        #[derive(
            ::serde::Serialize, Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd
        )]
        pub enum #name { #(#renamed #idents),* }

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
            type Err = ::std::string::String;

            fn from_str(text: &str) -> ::std::result::Result<Self, Self::Err> {
                match text { #(#texts => Ok(Self::#idents),)* _ => Err(#expected.to_owned()) }
            }
        }
    }
}
