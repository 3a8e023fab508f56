//! The definitions of the model as types of Rust.

use std::collections::{BTreeMap, BTreeSet};

use proc_macro2::TokenStream;
use quote::{ToTokens, quote};

use super::{docs, enumerations, objects::Reader, scalars};
use crate::{
    Settings,
    model::Model,
    names::ident,
    types::{Body, Content, Def, Field, Integer, Rest, Struct, TextVariant, Ty, Types},
};

/// Which parts of the support a document needs.
pub(super) struct Uses {
    pub(super) texts: bool,
    pub(super) patterns: bool,
}

fn is_patterned(body: &Struct) -> bool {
    matches!(body.rest, Rest::Patterned { .. })
}

impl Uses {
    pub(super) fn of(model: &Model) -> Self {
        let rules = || {
            model.types.defs.iter().filter_map(|def| match &def.body {
                Body::Text(rules) => Some(rules),
                _ => None,
            })
        };
        let named = model.types.defs.iter().any(|def| match &def.body {
            Body::Struct(body) => is_patterned(body),
            Body::Union(union) => union.variants.iter().any(|variant| match &variant.content {
                Content::Fields(body) => is_patterned(body),
                Content::Unit | Content::Ty(_) => false,
            }),
            _ => false,
        });
        let patterns = named || rules().any(|rules| rules.pattern.is_some());
        Self { texts: named || rules().next().is_some(), patterns }
    }
}

/// A type where it is used; `path` leads to the module `types`.
pub(super) fn written(ty: &Ty, types: &Types, path: &TokenStream) -> TokenStream {
    let inner = |ty: &Ty| written(ty, types, path);
    match ty {
        Ty::Any => quote!(::serde_json::Value),
        Ty::Null => quote!(()),
        Ty::Never if types.native => quote!(()),
        Ty::Never => shared(path, &quote!(Never)),
        Ty::Bool => quote!(bool),
        Ty::Integer(integer) if types.native => ident(integer.name()).to_token_stream(),
        Ty::Integer(Integer::Any) => shared(path, &quote!(Integer)),
        Ty::Integer(Integer::Natural) => shared(path, &quote!(Natural)),
        Ty::Integer(integer) => {
            let integer = ident(integer.name());
            shared(path, &quote!(Int<#integer>))
        }
        Ty::Number if types.native => quote!(f64),
        Ty::Number => shared(path, &quote!(Number)),
        Ty::Led(item) => {
            let item = inner(item);
            let item = shared(path, &quote!(Item<#item>));
            quote!(::std::vec::Vec<#item>)
        }
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

/// A type of the module `support`; `path` leads to the module `types` beside it.
fn shared(path: &TokenStream, name: &TokenStream) -> TokenStream {
    let steps = path.clone().into_iter().collect::<Vec<_>>();
    // `types::` is three tokens; inside of the module itself there are none.
    let up = match steps.len().checked_sub(3) {
        Some(up) => steps.into_iter().take(up).collect(),
        None => quote!(super::),
    };
    quote!(#up support::#name)
}

/// As [`written`], of what a method answers: where nothing is valid, nothing is said.
pub(super) fn answered(ty: &Ty, types: &Types, path: &TokenStream) -> TokenStream {
    if *ty == Ty::Never { quote!(()) } else { written(ty, types, path) }
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

    /// Whether types give schemas of themselves.
    pub(super) fn schemas(&self) -> bool {
        self.settings.support.is_some()
    }

    /// Whether structs keep members that their schema allows without naming them.
    pub(super) fn keeps_unknown(&self) -> bool {
        self.settings.keep_unknown && !self.schemas()
    }

    /// The path of the hand-written part, from the module of the types.
    pub(super) fn support_path(&self) -> TokenStream {
        match self.schemas() {
            true => self.settings.support_tokens(),
            false => quote!(super::support),
        }
    }

    fn support(&self, name: &str) -> String {
        match &self.settings.support {
            Some(path) => format!("{path}::{name}"),
            None => format!("super::support::{name}"),
        }
    }

    pub(super) fn doc(&self, def: &Def) -> TokenStream {
        let mut doc = if def.doc.trim().is_empty() { format!("`{}`.", def.name) } else { def.doc.clone() };
        if def.deprecated {
            doc.push_str("\n\nDeprecated.");
        }
        docs(&doc)
    }

    pub(super) fn schema_attributes(&self, def: &Def) -> TokenStream {
        if !self.schemas() {
            return TokenStream::new();
        }
        let inline = def.inline.then(|| quote!(#[schemars(inline)]));
        quote!(#[derive(::schemars::JsonSchema)] #inline)
    }

    /// An enumeration of typify's with what the document says of it.
    fn dressed(&self, def: &Def, tokens: &TokenStream) -> TokenStream {
        let (doc, schema) = (self.doc(def), self.schema_attributes(def));
        let read = match &def.body {
            Body::Texts(variants) => self.read_text(&ident(&def.name), variants),
            _ => TokenStream::new(),
        };
        quote! {
            #doc
            #schema
            #[allow(missing_docs, reason = "the document says nothing of single values")]
            #tokens
            #read
        }
    }

    /// How one of some strings is read: what serde derives for enums also reads objects.
    fn read_text(&self, name: &proc_macro2::Ident, variants: &[TextVariant]) -> TokenStream {
        let (support, texts) = (self.support_path(), variants.iter().map(|variant| &variant.wire));
        quote! {
            impl<'de> ::serde::Deserialize<'de> for #name {
                fn deserialize<__D: ::serde::Deserializer<'de>>(
                    deserializer: __D,
                ) -> ::std::result::Result<Self, __D::Error> {
                    #support::one_of(deserializer, &[#(#texts),*])
                }
            }
        }
    }

    fn def(&self, def: &Def) -> TokenStream {
        let (doc, schema, name) = (self.doc(def), self.schema_attributes(def), ident(&def.name));
        match &def.body {
            Body::Pending | Body::Any => quote!(#doc pub type #name = ::serde_json::Value;),
            Body::Struct(body) => self.structure(def, body),
            Body::Text(rules) => scalars::text(&name, &doc, def.inline, rules, self.settings),
            Body::Integer(rules) => scalars::integer(&name, &doc, def.inline, rules, self.settings),
            Body::Number(rules) => scalars::number(&name, &doc, &schema, rules, self.schemas()),
            Body::Texts(variants) => {
                let head = quote!(#doc #schema);
                let read = self.read_text(&name, variants);
                let own = enumerations::own(&name, &head, variants);
                quote!(#own #read)
            }
            Body::Sequence(body) => self.sequence(def, body),
            Body::Values(variants) => self.values(def, variants),
            Body::Union(union) => self.union(def, union),
            Body::Newtype(ty) => self.newtype(def, ty),
        }
    }

    /// What serde reads by itself.
    pub(super) fn derives(&self) -> TokenStream {
        quote!(#[derive(::serde::Deserialize, ::serde::Serialize, Clone, Debug, PartialEq)])
    }

    fn newtype(&self, def: &Def, ty: &Ty) -> TokenStream {
        let (doc, schema, name) = (self.doc(def), self.schema_attributes(def), ident(&def.name));
        let (derives, inner) = (self.derives(), self.written(ty));
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
        let default = body.fields.iter().all(|field| !field.required).then(|| quote!(Default,));
        let closed =
            (self.schemas() && body.rest == Rest::Refused).then(|| quote!(#[serde(deny_unknown_fields)]));
        let fields = self.fields(body, &quote!(pub));
        let (members, others) = self.members(body);
        let reader = Reader { name: &name, made: quote!(#name), support: self.support_path() };
        let read = reader.read(&members, &others);
        quote! {
            #doc
            #[derive(::serde::Serialize, Clone, Debug, #default PartialEq)]
            #closed
            #schema
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
            Rest::Open if !self.keeps_unknown() => None,
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
        let (attributes, ty) = match (field.required, nullable) {
            (true, false) => (TokenStream::new(), inner),
            (true, true) => {
                let ty = quote!(::std::option::Option<#inner>);
                let with = format!("{}<{}>", self.support("Nullable"), spaceless(&inner));
                let schema = self.schemas().then(|| quote!(#[schemars(with = #with)]));
                (quote!(#schema), ty)
            }
            (false, _) => self.optional(nullable, inner),
        };
        quote!(#doc #rename #attributes #visibility #name: #ty)
    }

    /// A field that may be absent. Where null is one of its values, that is not absence.
    fn optional(&self, nullable: bool, inner: TokenStream) -> (TokenStream, TokenStream) {
        let option = quote!(::std::option::Option<#inner>);
        let option =
            if nullable && !self.schemas() { quote!(::std::option::Option<#option>) } else { option };
        let with = spaceless(&inner);
        let schema = (self.schemas() && !nullable).then(|| quote!(#[schemars(with = #with)]));
        let default = self.schemas().then(|| quote!(#[serde(default)]));
        let attributes = quote! {
            #[serde(skip_serializing_if = "::std::option::Option::is_none")]
            #default
            #schema
        };
        (attributes, option)
    }
}

/// Tokens as attributes quote them.
pub(super) fn spaceless(tokens: &TokenStream) -> String {
    tokens.to_string().replace(' ', "")
}
