//! A document's schemas as one schema of draft 2020-12, with the origin of each part.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use serde_json::{Map, Value, json};

/// How a schema that names no type is read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum UntypedSchemas {
    /// By the letter: values of every type are valid.
    Free,
    /// As one of the types that its keywords are about.
    Implies,
}

/// Schemas that refer to each other, as members of `$defs`.
#[derive(Debug, Default)]
pub(crate) struct Bundle {
    pub(crate) defs: Map<String, Value>,
    /// The place of each schema in the document, by its pointer in the bundle.
    pub(crate) origins: BTreeMap<String, (usize, String)>,
    /// References without a target.
    pub(crate) lost: Vec<String>,
    keys: BTreeMap<(usize, String), String>,
    queue: VecDeque<(usize, String)>,
}

pub(crate) struct Files {
    files: Vec<(&'static str, Value)>,
}

impl Files {
    pub(crate) fn read(files: &[(&'static str, &str)]) -> Result<Self, String> {
        let files = files.iter().map(|(name, text)| {
            let value = serde_json::from_str(text).map_err(|error| format!("{name}: {error}"))?;
            Ok::<_, String>((*name, value))
        });
        Ok(Self { files: files.collect::<Result<_, _>>()? })
    }

    pub(crate) fn index(&self, name: &str) -> Option<usize> {
        self.files.iter().position(|(known, _)| *known == name)
    }

    pub(crate) fn name(&self, index: usize) -> &'static str {
        self.files.get(index).map_or("", |(name, _)| name)
    }

    fn at(&self, file: usize, pointer: &str) -> Option<&Value> {
        self.files.get(file)?.1.pointer(pointer)
    }

    /// The target of a reference in a schema.
    fn target(&self, file: usize, pointer: &str, reference: &str) -> Option<(usize, String)> {
        let (link, fragment) = reference.split_once('#').unwrap_or((reference, ""));
        let index = match link.trim_start_matches("./") {
            "" => file,
            link => {
                let link = link.trim_start_matches("../");
                self.files.iter().position(|(name, _)| name.ends_with(link))?
            }
        };
        let fragment = decoded(fragment);
        if self.at(index, &fragment).is_some() {
            return Some((index, fragment));
        }
        // Definitions of a schema around this one.
        let mut around = pointer;
        while let Some((parent, _)) = around.rsplit_once('/') {
            let whole = format!("{parent}{fragment}");
            if self.at(index, &whole).is_some() {
                return Some((index, whole));
            }
            around = parent;
        }
        None
    }
}

fn decoded(text: &str) -> String {
    let mut bytes = Vec::new();
    let mut rest = text.bytes();
    while let Some(byte) = rest.next() {
        let pair = (byte == b'%').then(|| [rest.next().unwrap_or(b'0'), rest.next().unwrap_or(b'0')]);
        let pair = pair.and_then(|pair| u8::from_str_radix(std::str::from_utf8(&pair).ok()?, 16).ok());
        bytes.push(pair.unwrap_or(byte));
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

pub(crate) fn step(pointer: &str, key: impl std::fmt::Display) -> String {
    format!("{pointer}/{}", key.to_string().replace('~', "~0").replace('/', "~1"))
}

impl Bundle {
    /// The key in `$defs` of the schema at a place; everything that it refers to is bundled as well.
    pub(crate) fn add(
        &mut self,
        files: &Files,
        file: usize,
        pointer: &str,
        untyped: UntypedSchemas,
    ) -> String {
        let key = self.key(file, pointer.to_owned());
        while let Some((file, pointer)) = self.queue.pop_front() {
            let Some(key) = self.keys.get(&(file, pointer.clone())).cloned() else { continue };
            let value = files.at(file, &pointer).unwrap_or(&Value::Null);
            let at = format!("/$defs/{key}");
            let translation = Translation { files, file, untyped };
            let schema = translation.schema(self, value, &pointer, &at);
            self.defs.insert(key, schema);
        }
        key
    }

    /// Tells whether a schema, or one that it reaches, includes itself before any step into the value. JSON Schema does
    /// not define which values are valid then.
    pub(crate) fn is_circular(&self, key: &str) -> bool {
        let mut reached = BTreeSet::from([key.to_owned()]);
        let mut queue = vec![key.to_owned()];
        while let Some(key) = queue.pop() {
            let (mut here, mut anywhere) = (BTreeSet::new(), BTreeSet::new());
            self.references(&key, &mut here, &mut anywhere);
            if here.contains(&key) {
                return true;
            }
            queue.extend(anywhere.into_iter().filter(|next| reached.insert(next.clone())));
        }
        false
    }

    /// The schemas that a schema refers to, and those that hold for the same value, be it through others.
    fn references(&self, key: &str, here: &mut BTreeSet<String>, anywhere: &mut BTreeSet<String>) {
        const SAME: [&str; 8] = ["allOf", "anyOf", "oneOf", "not", "if", "then", "else", "dependentSchemas"];
        let mut parts = self.defs.get(key).map(|schema| (schema, true)).into_iter().collect::<Vec<_>>();
        while let Some((part, same)) = parts.pop() {
            match part {
                Value::Array(items) => parts.extend(items.iter().map(|item| (item, same))),
                Value::Object(members) => {
                    if let Some(target) = members.get("$ref").and_then(Value::as_str) {
                        let target = target.trim_start_matches("#/$defs/").to_owned();
                        anywhere.insert(target.clone());
                        if same && here.insert(target.clone()) {
                            self.references(&target, here, &mut BTreeSet::new());
                        }
                    }
                    parts.extend(
                        members.iter().map(|(key, member)| (member, same && SAME.contains(&key.as_str()))),
                    );
                }
                _ => {}
            }
        }
    }

    /// The part of the bundle at a pointer.
    pub(crate) fn part(&self, at: &str) -> Option<&Value> {
        let (key, rest) = at.strip_prefix("/$defs/").map(|at| at.split_once('/').unwrap_or((at, "")))?;
        let schema = self.defs.get(key)?;
        if rest.is_empty() { Some(schema) } else { schema.pointer(&format!("/{rest}")) }
    }

    fn key(&mut self, file: usize, pointer: String) -> String {
        let next = format!("s{}", self.keys.len());
        let place = (file, pointer);
        if let Some(key) = self.keys.get(&place) {
            return key.clone();
        }
        self.queue.push_back(place.clone());
        self.keys.insert(place, next.clone());
        next
    }
}

#[derive(Clone, Copy)]
struct Translation<'f> {
    files: &'f Files,
    file: usize,
    untyped: UntypedSchemas,
}

impl Translation<'_> {
    fn schema(self, bundle: &mut Bundle, value: &Value, pointer: &str, at: &str) -> Value {
        let Some(schema) = value.as_object() else {
            bundle.origins.insert(at.to_owned(), (self.file, pointer.to_owned()));
            return Value::Bool(value != &Value::Bool(false));
        };
        let nullable = ["nullable", "x-nullable"].iter().any(|key| schema.get(*key) == Some(&json!(true)));
        let inner = if nullable { format!("{at}/anyOf/1") } else { at.to_owned() };
        bundle.origins.insert(at.to_owned(), (self.file, pointer.to_owned()));
        bundle.origins.insert(inner.clone(), (self.file, pointer.to_owned()));
        let mut out = Map::new();
        for (key, member) in schema {
            self.keyword(bundle, schema, (key, member), (pointer, &inner), &mut out);
        }
        self.bound_by_format(schema, &mut out);
        if self.untyped == UntypedSchemas::Implies
            && !["type", "enum", "const", "$ref"].iter().any(|key| out.contains_key(*key))
        {
            let kinds = implied(schema);
            if !kinds.is_empty() {
                out.insert("type".to_owned(), json!(kinds));
            }
        }
        if nullable { json!({ "anyOf": [{ "type": "null" }, out] }) } else { Value::Object(out) }
    }

    fn keyword(
        self,
        bundle: &mut Bundle,
        schema: &Map<String, Value>,
        (key, member): (&str, &Value),
        (pointer, at): (&str, &str),
        out: &mut Map<String, Value>,
    ) {
        let below = step(pointer, key);
        let listed = |key: &str| schema.get(key).is_some_and(Value::is_array);
        let mut put = |key: &str, value: Value| drop(out.insert(key.to_owned(), value));
        match key {
            "$ref" => match member.as_str().and_then(|text| self.files.target(self.file, pointer, text)) {
                Some((file, target)) => {
                    let key = bundle.key(file, target);
                    put("$ref", json!(format!("#/$defs/{key}")));
                }
                None => bundle.lost.push(format!("{}{below}: {member}", self.files.name(self.file))),
            },
            "items" if member.is_array() => {
                put("prefixItems", self.list(bundle, member, &below, at, "prefixItems"))
            }
            "additionalItems" if listed("items") => {
                put("items", self.schema(bundle, member, &below, &step(at, "items")))
            }
            "additionalItems" => {}
            "prefixItems" | "allOf" | "anyOf" | "oneOf" => {
                put(key, self.list(bundle, member, &below, at, key))
            }
            "properties" | "patternProperties" | "dependentSchemas" => {
                put(key, self.map(bundle, member, &below, at, key));
            }
            "dependencies" => {
                let (names, schemas): (Map<_, _>, Map<_, _>) = member
                    .as_object()
                    .into_iter()
                    .flatten()
                    .map(|(name, member)| (name.clone(), member.clone()))
                    .partition(|(_, member)| member.is_array());
                put("dependentRequired", Value::Object(names));
                put(
                    "dependentSchemas",
                    self.map(bundle, &Value::Object(schemas), &below, at, "dependentSchemas"),
                );
            }
            "items"
            | "additionalProperties"
            | "unevaluatedProperties"
            | "unevaluatedItems"
            | "contains"
            | "not"
            | "if"
            | "then"
            | "else"
            | "propertyNames" => put(key, self.schema(bundle, member, &below, &step(at, key))),
            "exclusiveMinimum" | "exclusiveMaximum" if member.is_boolean() => {
                let bound = if key == "exclusiveMinimum" { "minimum" } else { "maximum" };
                if let Some(bound) = schema.get(bound).filter(|_| member == &Value::Bool(true)) {
                    put(key, bound.clone());
                }
            }
            "type" | "enum" | "const" | "required" | "minimum" | "maximum" | "exclusiveMinimum"
            | "exclusiveMaximum" | "multipleOf" | "minLength" | "maxLength" | "pattern" | "minItems"
            | "maxItems" | "uniqueItems" | "minContains" | "maxContains" | "minProperties"
            | "maxProperties" | "dependentRequired" => put(key, member.clone()),
            _ => {}
        }
    }

    fn list(self, bundle: &mut Bundle, member: &Value, below: &str, at: &str, key: &str) -> Value {
        let at = step(at, key);
        let schemas = member.as_array().into_iter().flatten().enumerate();
        schemas
            .map(|(index, schema)| self.schema(bundle, schema, &step(below, index), &step(&at, index)))
            .collect()
    }

    fn map(self, bundle: &mut Bundle, member: &Value, below: &str, at: &str, key: &str) -> Value {
        let at = step(at, key);
        let schemas = member.as_object().into_iter().flatten();
        let schemas = schemas.map(|(name, schema)| {
            (name.clone(), self.schema(bundle, schema, &step(below, name), &step(&at, name)))
        });
        Value::Object(schemas.collect())
    }

    /// Integers of a format are within its range, unless the document's own bounds say otherwise.
    fn bound_by_format(self, schema: &Map<String, Value>, out: &mut Map<String, Value>) {
        let kinds = match schema.get("type") {
            Some(Value::Array(kinds)) => kinds.iter().filter_map(Value::as_str).collect::<Vec<_>>(),
            kind => kind.and_then(Value::as_str).into_iter().collect(),
        };
        if !kinds.contains(&"integer") {
            return;
        }
        let Some((low, high)) = schema.get("format").and_then(Value::as_str).and_then(range) else { return };
        let bound = |keys: [&str; 2]| keys.iter().find_map(|key| schema.get(*key).and_then(Value::as_f64));
        let (least, most) = (bound(["minimum", "exclusiveMinimum"]), bound(["maximum", "exclusiveMaximum"]));
        let float = |end: &Value| end.as_f64().unwrap_or_default();
        if least.is_some_and(|least| least < float(&low)) || most.is_some_and(|most| most > float(&high)) {
            return;
        }
        let only = json!({ "if": { "type": "integer" }, "then": { "minimum": low, "maximum": high } });
        let mut all = out.get("allOf").and_then(Value::as_array).cloned().unwrap_or_default();
        all.push(only);
        out.insert("allOf".to_owned(), Value::Array(all));
    }
}

/// The range of a format of integers.
fn range(format: &str) -> Option<(Value, Value)> {
    let range = match format {
        "int8" | "i8" => (json!(i8::MIN), json!(i8::MAX)),
        "int16" | "i16" => (json!(i16::MIN), json!(i16::MAX)),
        "int32" | "i32" => (json!(i32::MIN), json!(i32::MAX)),
        "int64" | "i64" => (json!(i64::MIN), json!(i64::MAX)),
        "uint8" | "u8" => (json!(0), json!(u8::MAX)),
        "uint16" | "u16" => (json!(0), json!(u16::MAX)),
        "uint32" | "u32" => (json!(0), json!(u32::MAX)),
        "uint64" | "u64" | "uint" | "u" | "usize" => (json!(0), json!(u64::MAX)),
        _ => return None,
    };
    Some(range)
}

/// The types that a schema's keywords speak of.
pub(crate) fn implied(schema: &Map<String, Value>) -> Vec<&'static str> {
    let families: [(&str, &[&str]); 4] = [
        (
            "object",
            &["properties", "required", "additionalProperties", "patternProperties", "unevaluatedProperties"],
        ),
        ("array", &["items", "prefixItems"]),
        ("number", &["minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum"]),
        ("string", &["pattern", "minLength", "maxLength"]),
    ];
    let spoken = families.iter().filter(|(_, keys)| keys.iter().any(|key| schema.contains_key(*key)));
    spoken.map(|(kind, _)| *kind).collect()
}
