//! The definitions of the model as types of Rust.

use std::collections::{BTreeMap, BTreeSet};

use proc_macro2::TokenStream;
use quote::{ToTokens, quote};

use super::{docs, enumerations, scalars};
use crate::{
    Settings,
    model::Model,
    names::{self, ident},
    types::{Body, Content, Def, Field, Form, Rest, Struct, Ty, Types, Union, ValueVariant},
};

/// Which parts of the support a document needs.
pub(super) struct Uses {
    pub(super) texts: bool,
    pub(super) patterns: bool,
}

impl Uses {
    pub(super) fn of(model: &Model) -> Self {
        let rules = || {
            model.types.defs.iter().filter_map(|def| match &def.body {
                Body::Text(rules) => Some(rules),
                _ => None,
            })
        };
        Self { texts: rules().next().is_some(), patterns: rules().any(|rules| rules.pattern.is_some()) }
    }
}

/// A type where it is used; `path` leads to the module `types`.
pub(super) fn written(ty: &Ty, types: &Types, path: &TokenStream) -> TokenStream {
    let inner = |ty: &Ty| written(ty, types, path);
    match ty {
        Ty::Any => quote!(::serde_json::Value),
        Ty::Null | Ty::Never => quote!(()),
        Ty::Bool => quote!(bool),
        Ty::Integer(integer) => ident(integer.name()).to_token_stream(),
        Ty::Number => quote!(f64),
        Ty::Text => quote!(::std::string::String),
        Ty::Uuid => quote!(::uuid::Uuid),
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

/// The items of the module `types`, by name.
pub(super) fn items(model: &Model, settings: &Settings) -> TokenStream {
    let aliases = model.types.defs.iter().enumerate().filter(|(_, def)| matches!(def.body, Body::Any));
    let aliases = aliases.map(|(id, _)| Ty::Def(id)).collect();
    let renderer = Renderer { types: &model.types, aliases, settings };
    let mut items = BTreeMap::new();
    let plain = enumerations::by_typify(&model.types);
    for def in &model.types.defs {
        let tokens = match plain.as_ref().and_then(|plain| plain.items.get(&def.name)) {
            Some(tokens) => renderer.dressed(def, tokens),
            None => renderer.def(def),
        };
        items.insert(def.name.clone(), tokens);
    }
    let module = plain.map(|plain| plain.module).unwrap_or_default();
    items.into_values().chain([module]).collect()
}

/// Each schema of the document and its type, for a crate that looks at them.
pub(super) fn table(model: &Model, settings: &Settings) -> TokenStream {
    let support = settings.support_tokens();
    let entries = model.types.named.iter().filter_map(|(name, id)| {
        let ident = ident(&model.types.def(*id)?.name);
        Some(quote!(#support::Type::of::<types::#ident>(#name)))
    });
    quote! {
        #[doc = " Each schema of the document and the type that carries it."]
        pub static TYPES: &[#support::Type] = &[#(#entries),*];
    }
}

struct Renderer<'m> {
    types: &'m Types,
    /// Definitions that are other names of any JSON value.
    aliases: BTreeSet<Ty>,
    settings: &'m Settings,
}

impl Renderer<'_> {
    fn written(&self, ty: &Ty) -> TokenStream {
        written(ty, self.types, &TokenStream::new())
    }

    /// Whether types give schemas of themselves.
    fn schemas(&self) -> bool {
        self.settings.support.is_some()
    }

    fn support(&self, name: &str) -> String {
        match &self.settings.support {
            Some(path) => format!("{path}::{name}"),
            None => format!("super::support::{name}"),
        }
    }

    fn doc(&self, def: &Def) -> TokenStream {
        let mut doc = if def.doc.trim().is_empty() { format!("`{}`.", def.name) } else { def.doc.clone() };
        if def.deprecated {
            doc.push_str("\n\nDeprecated.");
        }
        docs(&doc)
    }

    fn schema_attributes(&self, def: &Def) -> TokenStream {
        if !self.schemas() {
            return TokenStream::new();
        }
        let inline = def.inline.then(|| quote!(#[schemars(inline)]));
        quote!(#[derive(::schemars::JsonSchema)] #inline)
    }

    /// An enumeration of typify's with what the document says of it.
    fn dressed(&self, def: &Def, tokens: &TokenStream) -> TokenStream {
        let (doc, schema) = (self.doc(def), self.schema_attributes(def));
        quote!(#doc #schema #[allow(missing_docs, reason = "the document says nothing of single values")] #tokens)
    }

    fn def(&self, def: &Def) -> TokenStream {
        let (doc, schema, name) = (self.doc(def), self.schema_attributes(def), ident(&def.name));
        match &def.body {
            Body::Pending | Body::Any => quote!(#doc pub type #name = ::serde_json::Value;),
            Body::Struct(body) => self.structure(def, body),
            Body::Text(rules) => scalars::text(&name, &doc, def.inline, rules, self.settings),
            Body::Integer(rules) => scalars::integer(&name, &doc, def.inline, rules, self.settings),
            Body::Number(rules) => scalars::number(&name, &doc, &schema, rules),
            Body::Texts(variants) => {
                let head = quote!(#doc #schema);
                enumerations::own(&name, &head, variants)
            }
            Body::Values(variants) => self.values(def, variants),
            Body::Union(union) => self.union(def, union),
            Body::Newtype(ty) => self.newtype(def, ty),
        }
    }

    fn derives(&self, default: bool) -> TokenStream {
        let default = default.then(|| quote!(Default,));
        quote!(#[derive(::serde::Deserialize, ::serde::Serialize, Clone, Debug, #default PartialEq)])
    }

    fn newtype(&self, def: &Def, ty: &Ty) -> TokenStream {
        let (doc, schema, name) = (self.doc(def), self.schema_attributes(def), ident(&def.name));
        let (derives, inner) = (self.derives(false), self.written(ty));
        let text = self.as_text(&name, ty);
        let order = (*ty == Ty::Text).then(|| quote!(#[derive(Eq, Hash, Ord, PartialOrd)]));
        quote! {
            #doc
            #derives
            #order
            #[serde(transparent)]
            #schema
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

    /// What is written and read as a text by itself is so under another name too.
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
        let (doc, schema, name) = (self.doc(def), self.schema_attributes(def), ident(&def.name));
        let derives = self.derives(body.fields.iter().all(|field| !field.required));
        let closed = (body.rest == Rest::Refused).then(|| quote!(#[serde(deny_unknown_fields)]));
        let fields = self.fields(body, &quote!(pub));
        quote! {
            #doc
            #derives
            #closed
            #schema
            pub struct #name { #(#fields),* }
        }
    }

    fn fields(&self, body: &Struct, visibility: &TokenStream) -> Vec<TokenStream> {
        let mut fields = body.fields.iter().map(|field| self.field(field, visibility)).collect::<Vec<_>>();
        let rest = match &body.rest {
            Rest::Typed(ty) => Some(Ty::Map(Box::new(ty.clone()))),
            Rest::Open if self.settings.keep_unknown && !self.schemas() => Some(Ty::Map(Box::new(Ty::Any))),
            Rest::Open | Rest::Refused => None,
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
        let (attributes, ty) = match (field.required, nullable) {
            (true, false) => (TokenStream::new(), inner),
            (true, true) => {
                let ty = quote!(::std::option::Option<#inner>);
                let with = format!("{}<{}>", self.support("Nullable"), spaceless(&inner));
                let schema = self.schemas().then(|| quote!(#[schemars(with = #with)]));
                let read = match self.schemas() {
                    true => "::std::option::Option::deserialize".to_owned(),
                    false => self.support("nullable"),
                };
                (quote!(#[serde(deserialize_with = #read)] #schema), ty)
            }
            (false, _) => self.optional(&field.ty, nullable, inner),
        };
        quote!(#doc #rename #attributes #visibility #name: #ty)
    }

    /// A field that may be absent. Where null is one of its values, that is not absence.
    fn optional(&self, ty: &Ty, nullable: bool, inner: TokenStream) -> (TokenStream, TokenStream) {
        let option = quote!(::std::option::Option<#inner>);
        let null_is_a_value = *ty == Ty::Any || self.aliases.contains(ty) || (nullable && !self.schemas());
        let option =
            if nullable && !self.schemas() { quote!(::std::option::Option<#option>) } else { option };
        let present = self.support("present");
        let read = null_is_a_value.then(|| quote!(#[serde(deserialize_with = #present)]));
        let with = spaceless(&inner);
        let schema = (self.schemas() && !nullable).then(|| quote!(#[schemars(with = #with)]));
        let attributes = quote! {
            #[serde(skip_serializing_if = "::std::option::Option::is_none")]
            #[serde(default)]
            #read
            #schema
        };
        (attributes, option)
    }

    fn union(&self, def: &Def, union: &Union) -> TokenStream {
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
            let described = match variant.doc.trim() {
                "" if variant.wire.is_empty() => TokenStream::new(),
                "" => TokenStream::new(),
                doc => docs(doc),
            };
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

    fn values(&self, def: &Def, variants: &[ValueVariant]) -> TokenStream {
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
                fn deserialize<D: ::serde::Deserializer<'de>>(deserializer: D) -> ::std::result::Result<Self, D::Error> {
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

/// Tokens as attributes quote them.
pub(super) fn spaceless(tokens: &TokenStream) -> String {
    tokens.to_string().replace(' ', "")
}
