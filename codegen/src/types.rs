//! Schemas to Rust types: a pass of ours before [`typify`], typify, and a pass of ours over what it emits.
//!
//! typify turns objects, enumerations and compositions into types. It knows no bounds of integers, names inline
//! schemas by their titles, reads `null` in a list of types its own way, and speaks an older `schemars`. So before it
//! every inline schema that needs a type gets a name here, and bounded strings and integers become types of ours;
//! after it, [`finish`] gives the types their docs and makes serde and `schemars` say what the document says.

pub(crate) mod finish;
mod scalar;

use std::{
    collections::{BTreeMap, BTreeSet},
    panic::{AssertUnwindSafe, catch_unwind},
};

use proc_macro2::TokenStream;
use quote::ToTokens;
use schemars08::schema::Schema as TypifySchema;
use serde_json::{Map, Value, json};
use syn::visit_mut::VisitMut;
use typify::{TypeSpace, TypeSpaceImpl, TypeSpaceSettings};

use self::scalar::Scalar;
use crate::{
    Settings,
    document::{Document, Schema},
    error::{Error, Fault},
    names,
};

/// The types of a document.
pub(crate) struct Types {
    /// Everything that stands in the module `types`.
    pub(crate) items: Vec<syn::Item>,
    /// Each of `components.schemas`: its name in the document and in Rust.
    pub(crate) named: Vec<(String, syn::Ident)>,
    /// The type of each schema that stands elsewhere, by its pointer, as the parent of `types` writes it.
    places: BTreeMap<String, syn::Type>,
}

impl Types {
    /// The type of the schema at `pointer`; any JSON value if none is known there.
    pub(crate) fn at(&self, pointer: &str) -> syn::Type {
        self.places.get(pointer).cloned().unwrap_or_else(|| syn::parse_quote!(::serde_json::Value))
    }
}

/// A definition on its way to Rust, by its name in Rust.
#[derive(Debug, Default)]
struct Definitions {
    /// What typify makes into types.
    composed: BTreeMap<String, Map<String, Value>>,
    scalars: BTreeMap<String, Scalar>,
    /// Schemas that let any value in.
    any: BTreeSet<String>,
    /// What the document says of each, unchanged.
    sources: BTreeMap<String, Value>,
    /// Names that we gave to schemas which stand inline in the document.
    inline: BTreeSet<String>,
    /// Names in the document to names in Rust.
    names: BTreeMap<String, String>,
    taken: BTreeSet<String>,
}

/// Lowers every schema of a checked document.
pub(crate) fn lower(document: &Document, settings: &Settings) -> Result<Types, Error> {
    let mut definitions = Definitions::default();
    for named in &document.schemas {
        let rust = names::schema_type_name(&named.name).unwrap_or_else(|| named.name.clone());
        if is_any(&named.schema.value) {
            definitions.any.insert(rust.clone());
            definitions.sources.insert(rust.clone(), named.schema.value.clone());
        }
        definitions.taken.insert(rust.clone());
        definitions.names.insert(named.name.clone(), rust);
    }
    for named in &document.schemas {
        let rust = definitions.rust_name(&named.name);
        if !definitions.any.contains(&rust) {
            definitions.define(rust, &named.schema.value);
        }
    }
    let places = places(document)
        .into_iter()
        .map(|(schema, name)| (schema.pointer.clone(), definitions.child(&schema.value, &name)))
        .collect::<Vec<_>>();
    let (items, places) = definitions.through_typify(places)?;
    let named = definitions.names.iter().map(|(name, rust)| (name.clone(), names::ident(rust))).collect();
    Ok(Types { items: finish::finish(items, &definitions, settings)?, named, places })
}

/// Schemas outside `components.schemas`, each with a name for its type should it need one.
fn places(document: &Document) -> Vec<(&Schema, String)> {
    let mut places = Vec::new();
    for method in &document.methods {
        for param in &method.params {
            places.push((&param.schema, join(&method.name, &param.name)));
        }
        places.push((&method.result, join(&method.name, "result")));
        let item = method.subscription.as_ref().map(|subscription| &subscription.item);
        places.extend(item.map(|item| (item, join(&method.name, "item"))));
    }
    for error in &document.errors {
        places.extend(error.data.as_ref().map(|data| (data, join(&error.name, "data"))));
    }
    places
}

fn join(parent: &str, child: &str) -> String {
    names::schema_type_name(&format!("{parent}_{child}")).unwrap_or_else(|| parent.to_owned())
}

/// Where a schema stands: by itself, or as a branch of a composition.
#[derive(Clone, Copy, Debug)]
enum Place {
    Own,
    Branch,
}

impl Definitions {
    fn rust_name(&self, name: &str) -> String {
        self.names.get(name).cloned().unwrap_or_else(|| name.to_owned())
    }

    fn define(&mut self, name: String, schema: &Value) {
        self.sources.insert(name.clone(), schema.clone());
        if let Some(scalar) = Scalar::of(schema) {
            self.scalars.insert(name, scalar);
            return;
        }
        let composed = self.composed(schema, &name, Place::Own);
        self.composed.insert(name, composed);
    }

    /// A schema as it stands inside another: a reference wherever it needs a type of its own.
    fn child(&mut self, schema: &Value, name: &str) -> Value {
        if is_any(schema) {
            return json!(true);
        }
        if schema.get("$ref").is_none() && nullable(schema).is_none() && needs_type(schema) {
            return self.hoist(schema, name);
        }
        Value::Object(self.composed(schema, name, Place::Own))
    }

    fn hoist(&mut self, schema: &Value, name: &str) -> Value {
        let mut free = name.to_owned();
        let mut count = 2;
        while !self.taken.insert(free.clone()) {
            free = format!("{name}{count}");
            count += 1;
        }
        self.inline.insert(free.clone());
        self.define(free.clone(), schema);
        json!({ "$ref": format!("#/definitions/{free}") })
    }

    /// A schema for typify: what stands inside it lowered, what typify would misread left out.
    fn composed(&mut self, schema: &Value, name: &str, place: Place) -> Map<String, Value> {
        let mut lowered = Map::new();
        if let Some(rest) = nullable(schema) {
            lowered.insert("oneOf".to_owned(), json!([{ "type": "null" }, self.child(&rest, name)]));
            return lowered;
        }
        let Some(schema) = schema.as_object() else { return lowered };
        if let Some(target) = schema.get("$ref").and_then(Value::as_str) {
            return self.reference(target);
        }
        for (key, value) in schema {
            let value = match key.as_str() {
                "properties" => self.properties(value, name, place),
                "items" => self.child(value, &join(name, "item")),
                "additionalProperties" if !value.is_boolean() => self.child(value, &join(name, "value")),
                "oneOf" | "anyOf" | "allOf" => self.branches(value, name),
                "type" | "enum" | "const" | "required" | "additionalProperties" => value.clone(),
                "format" if has_type_of_its_own(schema) => value.clone(),
                _ => continue,
            };
            lowered.insert(key.clone(), value);
        }
        lowered
    }

    fn reference(&mut self, target: &str) -> Map<String, Value> {
        let name = target.rsplit('/').next().unwrap_or(target).replace("~1", "/").replace("~0", "~");
        let rust = self.rust_name(&name);
        let mut lowered = Map::new();
        if !self.any.contains(&rust) {
            lowered.insert("$ref".to_owned(), json!(format!("#/definitions/{rust}")));
        }
        lowered
    }

    fn properties(&mut self, properties: &Value, name: &str, place: Place) -> Value {
        let properties = properties.as_object().into_iter().flatten();
        let lowered = properties.map(|(key, property)| {
            let tag = matches!(place, Place::Branch) && is_one_text(property);
            let name = join(name, key);
            let lowered =
                if tag { self.composed(property, &name, place).into() } else { self.child(property, &name) };
            (key.clone(), lowered)
        });
        lowered.collect::<Map<_, _>>().into()
    }

    /// Branches keep objects and their tags inline, since typify tells variants apart by what stands in them.
    fn branches(&mut self, branches: &Value, name: &str) -> Value {
        let branches = branches.as_array().into_iter().flatten().enumerate();
        let lowered = branches.map(|(index, branch)| {
            let name = join(name, &index.to_string());
            if Scalar::of(branch).is_some() {
                self.hoist(branch, &name)
            } else {
                Value::Object(self.composed(branch, &name, Place::Branch))
            }
        });
        lowered.collect()
    }

    /// Runs typify over the definitions, and asks it for the types of `places`.
    fn through_typify(
        &self,
        places: Vec<(String, Value)>,
    ) -> Result<(TokenStream, BTreeMap<String, syn::Type>), Error> {
        // The checks before leave typify nothing to panic over that we know of; a build script ends with a
        // message all the same.
        let result = catch_unwind(AssertUnwindSafe(|| self.typify(&places)));
        result
            .unwrap_or_else(|_| Err("typify cannot turn these schemas into types".to_owned()))
            .map_err(|problem| Fault { pointer: "/components/schemas".to_owned(), problem }.into())
    }

    fn typify(
        &self,
        places: &[(String, Value)],
    ) -> Result<(TokenStream, BTreeMap<String, syn::Type>), String> {
        let mut settings = TypeSpaceSettings::default();
        settings.with_derive("PartialEq".to_owned()).with_map_type("::std::collections::BTreeMap");
        for name in self.scalars.keys() {
            let impls = [TypeSpaceImpl::Display, TypeSpaceImpl::FromStr];
            settings.with_replacement(name, name, impls.into_iter());
        }
        let mut space = TypeSpace::new(&settings);
        let scalars = self.scalars.iter().map(|(name, scalar)| (name, typify_schema(scalar.outline())));
        let composed =
            self.composed.iter().map(|(name, schema)| (name, typify_schema(schema.clone().into())));
        let definitions = scalars.chain(composed).map(|(name, schema)| Ok((name, schema?)));
        let definitions = definitions.collect::<Result<Vec<_>, String>>()?;
        space.add_ref_types(definitions).map_err(|error| error.to_string())?;
        let mut types = BTreeMap::new();
        for (pointer, schema) in places {
            let id = space.add_type(&typify_schema(schema.clone())?).map_err(|error| error.to_string())?;
            let tokens = space.get_type(&id).map_err(|error| error.to_string())?.ident();
            let mut ty = syn::parse2(tokens).map_err(|error| error.to_string())?;
            InTypes.visit_type_mut(&mut ty);
            types.insert(pointer.clone(), ty);
        }
        Ok((space.to_token_stream(), types))
    }
}

fn typify_schema(schema: Value) -> Result<TypifySchema, String> {
    serde_json::from_value(schema).map_err(|error| error.to_string())
}

/// Prefixes the names of our types, as the parent of the module `types` must write them.
struct InTypes;

impl VisitMut for InTypes {
    fn visit_type_path_mut(&mut self, path: &mut syn::TypePath) {
        syn::visit_mut::visit_type_path_mut(self, path);
        let own = path.path.leading_colon.is_none() && path.path.segments.len() == 1;
        let primitive =
            path.path.get_ident().is_some_and(|ident| ident.to_string().starts_with(char::is_lowercase));
        if own && !primitive {
            let inner = path.path.clone();
            *path = syn::parse_quote!(types::#inner);
        }
    }
}

fn text(schema: &Value, key: &str) -> Option<String> {
    schema.get(key)?.as_str().map(str::to_owned)
}

/// Whether a schema lets every value in.
fn is_any(schema: &Value) -> bool {
    match schema {
        Value::Object(schema) => schema.keys().all(|key| crate::check::is_annotation(key)),
        _ => true,
    }
}

/// Whether a schema that stands inline is more than Rust's own types say.
fn needs_type(schema: &Value) -> bool {
    let has = |key| schema.get(key).is_some();
    let composed = ["enum", "const", "oneOf", "anyOf", "allOf"].into_iter().any(has);
    composed
        || has("properties")
        || schema.get("additionalProperties") == Some(&json!(false))
        || Scalar::of(schema).is_some()
}

/// A schema without null, if it allows null by a list of types or by a branch beside one other.
fn nullable(schema: &Value) -> Option<Value> {
    let schema = schema.as_object()?;
    if let Some([one, other]) = schema.get("type").and_then(Value::as_array).map(Vec::as_slice) {
        let mut rest = schema.clone();
        rest.insert("type".to_owned(), if one == "null" { other.clone() } else { one.clone() });
        return Some(rest.into());
    }
    // Beside other keywords it is more than an option.
    let mut keywords = schema.iter().filter(|(key, _)| !crate::check::is_annotation(key));
    let (key, branches) = keywords.next().filter(|_| keywords.next().is_none())?;
    let [one, other] = branches.as_array()?.as_slice() else { return None };
    let rest = match (is_null(one), is_null(other)) {
        (true, false) => other,
        (false, true) => one,
        _ => return None,
    };
    ["oneOf", "anyOf"].contains(&key.as_str()).then(|| rest.clone())
}

/// Whether a schema lets one text in alone.
fn is_one_text(schema: &Value) -> bool {
    schema.get("const").is_some()
        || schema.get("enum").and_then(Value::as_array).is_some_and(|texts| texts.len() == 1)
}

fn is_null(schema: &Value) -> bool {
    schema.get("type").is_some_and(|kind| kind == "null")
}

/// Whether the format of a schema has a type of its own in Rust; other formats are remarks.
fn has_type_of_its_own(schema: &Map<String, Value>) -> bool {
    let text = |key| schema.get(key).and_then(Value::as_str);
    match (text("type"), text("format")) {
        (Some("string"), Some(format)) => format == "uuid",
        (Some("integer"), Some(format)) => {
            ["int8", "uint8", "int16", "uint16", "int32", "uint32", "int64", "uint64"].contains(&format)
        }
        (Some("number"), Some(format)) => ["float", "double"].contains(&format),
        _ => false,
    }
}
