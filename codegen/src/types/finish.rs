//! What typify emits, brought to what the document says: docs, `null` told from absence, schemas of `schemars` 1.x.

use std::collections::BTreeMap;

use proc_macro2::TokenStream;
use quote::ToTokens;
use serde_json::Value;
use syn::{Attribute, Field, Fields, GenericArgument, Item, PathArguments, Type, parse_quote};

use super::{Definitions, nullable, text};
use crate::{
    Settings,
    error::{Error, Fault},
    names,
    render::docs,
};

/// The items of the module `types`, in the order of their names.
pub(super) fn finish(
    tokens: TokenStream,
    definitions: &Definitions,
    settings: &Settings,
) -> Result<Vec<Item>, Error> {
    let unparsed = |error: syn::Error| {
        Error::from(Fault {
            pointer: "/components/schemas".to_owned(),
            problem: format!("these schemas became no Rust: {error}"),
        })
    };
    let finisher = Finisher { definitions, settings };
    let mut items = BTreeMap::<String, Vec<Item>>::new();
    for item in syn::parse2::<syn::File>(tokens).map_err(unparsed)?.items {
        if let Some((name, item)) = finisher.item(item) {
            items.entry(name).or_default().push(item);
        }
    }
    for (name, scalar) in &definitions.scalars {
        let doc = docs(&finisher.description(name));
        let inline = definitions.inline.contains(name);
        let tokens = scalar.render(&names::ident(name), &doc, inline, settings);
        items.insert(name.clone(), syn::parse2::<syn::File>(tokens).map_err(unparsed)?.items);
    }
    for name in &definitions.any {
        let (doc, ident) = (docs(&finisher.description(name)), names::ident(name));
        items.insert(name.clone(), vec![parse_quote!(#doc pub type #ident = ::serde_json::Value;)]);
    }
    Ok(items.into_values().flatten().collect())
}

struct Finisher<'a> {
    definitions: &'a Definitions,
    settings: &'a Settings,
}

impl Finisher<'_> {
    /// An item and the name to sort it by; `None` for what nobody needs.
    fn item(&self, item: Item) -> Option<(String, Item)> {
        match item {
            Item::Struct(mut item) => {
                let name = item.ident.to_string();
                self.derive(&name, &mut item.attrs);
                let source = self.definitions.sources.get(&name);
                if let (Fields::Named(fields), Some(source)) = (&mut item.fields, source) {
                    fields.named.iter_mut().for_each(|field| self.field(field, source));
                }
                Some((name, Item::Struct(item)))
            }
            Item::Enum(mut item) => {
                let name = item.ident.to_string();
                self.derive(&name, &mut item.attrs);
                item.attrs.push(parse_quote! {
                    #[allow(
                        missing_docs, clippy::large_enum_variant,
                        reason = "the document need say nothing of single variants, and decides what they hold"
                    )]
                });
                let source = self.definitions.sources.get(&name);
                let branches = source.and_then(|source| source.get("oneOf")).and_then(Value::as_array);
                // One variant for each branch, unless typify found another form for them.
                let branches = branches.filter(|branches| branches.len() == item.variants.len());
                for (index, variant) in item.variants.iter_mut().enumerate() {
                    strip_docs(&mut variant.attrs);
                    if let Some(branch) = branches.and_then(|branches| branches.get(index)) {
                        self.variant(variant, branch);
                    }
                }
                Some((name, Item::Enum(item)))
            }
            Item::Impl(item) => {
                let is_copy = is_from_reference(&item);
                (!is_copy).then(|| (self.owner(&item), Item::Impl(item)))
            }
            // `error` and `defaults`: after the types, whose names begin upper-case.
            Item::Mod(item) => Some((item.ident.to_string(), Item::Mod(item))),
            other => Some((String::new(), other)),
        }
    }

    /// The type of ours that an impl belongs to, be it at the end of a `From`.
    fn owner(&self, item: &syn::ItemImpl) -> String {
        let argument = item.trait_.as_ref().and_then(|(_, path, _)| first_argument(path));
        let names = [Some(&*item.self_ty), argument].into_iter().flatten().filter_map(last_segment);
        names.into_iter().find(|name| self.definitions.sources.contains_key(name)).unwrap_or_default()
    }

    fn derive(&self, name: &str, attrs: &mut Vec<Attribute>) {
        strip_docs(attrs);
        for (index, line) in doc_lines(&self.description(name)).into_iter().enumerate() {
            attrs.insert(index, parse_quote!(#[doc = #line]));
        }
        attrs.push(parse_quote!(#[derive(::schemars::JsonSchema)]));
        if self.definitions.inline.contains(name) {
            attrs.push(parse_quote!(#[schemars(inline)]));
        }
    }

    /// What the document says of a type; its name if it says nothing.
    fn description(&self, name: &str) -> String {
        let source = self.definitions.sources.get(name);
        let described =
            source.and_then(|source| text(source, "description").or_else(|| text(source, "title")));
        described.unwrap_or_else(|| format!("`{name}`."))
    }

    fn variant(&self, variant: &mut syn::Variant, branch: &Value) {
        let described = text(branch, "description").unwrap_or_default();
        for (index, line) in doc_lines(&described).into_iter().enumerate() {
            variant.attrs.insert(index, parse_quote!(#[doc = #line]));
        }
        if let Fields::Named(fields) = &mut variant.fields {
            fields.named.iter_mut().for_each(|field| self.field(field, branch));
        }
    }

    fn field(&self, field: &mut Field, source: &Value) {
        let wire = wire_name(field);
        // Of a composition's fields only typify knows where they come from.
        let known = source.get("properties").and_then(|properties| properties.get(&wire));
        let property = known.unwrap_or(&Value::Null);
        let required = source.get("required").and_then(Value::as_array).into_iter().flatten();
        let required = required.into_iter().any(|name| name.as_str() == Some(&wire));
        strip_docs(&mut field.attrs);
        let described =
            text(property, "description").or_else(|| Some(self.description(&self.target(property)?)));
        for (index, line) in
            doc_lines(&described.unwrap_or_else(|| format!("`{wire}`."))).into_iter().enumerate()
        {
            field.attrs.insert(index, parse_quote!(#[doc = #line]));
        }
        if let (Some(property), Some(inner)) = (known, option_of(&field.ty)) {
            let inner_text = inner.to_token_stream().to_string().replace(' ', "");
            let any = inner_text == "::serde_json::Value";
            let attrs = self.option_attributes(required, any, nullable(property).is_some(), &inner_text);
            field.attrs.extend(attrs);
        }
    }

    /// typify reads a required `Option` so that it must be there; what is optional it leaves to serde and `schemars`.
    fn option_attributes(&self, required: bool, any: bool, null: bool, inner: &str) -> Vec<Attribute> {
        if required {
            let with = format!("{}<{inner}>", self.settings.support_path("Nullable"));
            return vec![parse_quote!(#[schemars(with = #with)])];
        }
        let mut attrs = vec![parse_quote!(#[serde(default)])];
        if any {
            let read = self.settings.support_path("present");
            attrs.push(parse_quote!(#[serde(deserialize_with = #read)]));
        }
        if !null {
            attrs.push(parse_quote!(#[schemars(with = #inner)]));
        }
        attrs
    }

    /// The name in Rust of the type that a property refers to.
    fn target(&self, property: &Value) -> Option<String> {
        let name = property.get("$ref")?.as_str()?.rsplit('/').next()?;
        self.definitions.names.get(name).cloned()
    }
}

fn doc_lines(text: &str) -> Vec<String> {
    text.lines().map(|line| format!(" {line}")).collect()
}

fn strip_docs(attrs: &mut Vec<Attribute>) {
    attrs.retain(|attr| !attr.path().is_ident("doc"));
}

/// `impl From<&T> for T`, which `Clone` says already.
fn is_from_reference(item: &syn::ItemImpl) -> bool {
    match item.trait_.as_ref().and_then(|(_, path, _)| first_argument(path)) {
        Some(Type::Reference(from)) => {
            from.elem.to_token_stream().to_string() == item.self_ty.to_token_stream().to_string()
        }
        _ => false,
    }
}

/// The `T` of a path that ends in `<T>`.
fn first_argument(path: &syn::Path) -> Option<&Type> {
    let PathArguments::AngleBracketed(arguments) = &path.segments.last()?.arguments else { return None };
    match arguments.args.first()? {
        GenericArgument::Type(inner) => Some(inner),
        _ => None,
    }
}

fn last_segment(ty: &Type) -> Option<String> {
    match ty {
        Type::Path(path) => path.path.segments.last().map(|segment| segment.ident.to_string()),
        _ => None,
    }
}

/// The `T` of an `Option<T>`.
pub(crate) fn option_of(ty: &Type) -> Option<&Type> {
    let Type::Path(path) = ty else { return None };
    path.path.segments.last().filter(|segment| segment.ident == "Option")?;
    first_argument(&path.path)
}

/// How a field is spelt on the wire.
fn wire_name(field: &Field) -> String {
    let mut name = field.ident.as_ref().map(|ident| ident.to_string().trim_start_matches("r#").to_owned());
    for attr in field.attrs.iter().filter(|attr| attr.path().is_ident("serde")) {
        // An attribute without a rename, or one that is read no further after it, changes nothing.
        let _ = attr.parse_nested_meta(|meta| {
            if meta.path.is_ident("rename") {
                name = Some(meta.value()?.parse::<syn::LitStr>()?.value());
            } else if meta.input.peek(syn::Token![=]) {
                meta.value()?.parse::<syn::Expr>()?;
            }
            Ok(())
        });
    }
    name.unwrap_or_default()
}
