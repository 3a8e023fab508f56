//! Schemas to types: types that are written where they are used, and definitions with a name.

mod members;

use std::collections::{HashMap, VecDeque};

use serde_json::Value;

use self::members::is_sequence;
use super::{
    Body, Def, DefId, Ty, Types,
    finish::finish,
    flat::{Flat, Part, PartKey, flatten},
    kinds,
    leaf::{enumeration, integer, integer_rules, is_empty, literals},
    naming::{is_name, join, pointed_name},
    scalar::NumberRules,
};
use crate::{
    check::is_annotation,
    document::Document,
    error::Faults,
    names::{self, Scope},
    resolve::{Node, Place, Unresolved},
};

/// The most types of one document. Only a document that is meant to exhaust the generator asks for more.
const MAX_TYPES: usize = 40_000;
/// The deepest nesting of lists and the like in one schema.
const MAX_TYPE_DEPTH: usize = 100;

/// Lowers every schema of a checked document. With `uuids`, strings in the format of UUIDs become UUIDs.
pub(crate) fn lower(document: &Document<'_>, uuids: bool, faults: &mut Faults) -> Types {
    let mut lowerer = Lowerer {
        uuids,
        types: Types::default(),
        names: Scope::default(),
        by_parts: HashMap::new(),
        by_text: HashMap::new(),
        shared: Vec::new(),
        queue: VecDeque::new(),
        depth: 0,
        full: false,
        faults,
    };
    for named in &document.schemas {
        let name = lowerer.names.claim(names::schema_type_name(&named.name));
        let parts = vec![Part::whole(named.schema.clone())];
        let id = lowerer.add(parts, name, false);
        lowerer.types.named.push((named.name.clone(), id));
    }
    for (schema, name) in places(document) {
        let ty = lowerer.ty(vec![Part::whole(schema.clone())], &name);
        lowerer.types.places.insert(schema.place(), ty);
    }
    for result in document.methods.iter().filter_map(|method| method.result.as_ref()) {
        if *lowerer.types.at(&result.place()) == Ty::Never {
            lowerer.types.report.unchecked.insert(result.place(), "that no value is valid: null is read");
        }
    }
    while let Some(work) = lowerer.queue.pop_front() {
        let body = lowerer.body(&work);
        if let Some(def) = lowerer.types.defs.get_mut(work.id) {
            def.body = body;
        }
    }
    let shared = std::mem::take(&mut lowerer.shared);
    let mut types = lowerer.types;
    types.report.share(&shared);
    finish(&mut types, document, faults);
    types
}

/// Schemas outside `components.schemas`, each with a name for its type should it need one.
fn places<'d, 'a>(document: &'d Document<'a>) -> Vec<(&'d Node<'a>, String)> {
    let mut places = Vec::new();
    for method in &document.methods {
        let named = |part: &str| join(&names::type_name(&method.name), part);
        places.extend(method.params.iter().map(|param| (&param.schema, named(&param.name))));
        places.extend(method.result.iter().map(|result| (result, named("result"))));
        let item = method.subscription.as_ref().map(|subscription| &subscription.item);
        places.extend(item.map(|item| (item, named("item"))));
    }
    for error in &document.errors {
        let name = join(&names::type_name(&error.name), "data");
        places.extend(error.data.as_ref().map(|data| (data, name)));
    }
    places
}

/// A definition whose body is not known yet.
pub(super) struct Work<'a> {
    id: DefId,
    parts: Vec<Part<'a>>,
    /// True for a definition without null; its uses add the null.
    solid: bool,
    pub(super) name: String,
}

pub(super) struct Lowerer<'a, 'f> {
    uuids: bool,
    pub(super) types: Types,
    names: Scope,
    by_parts: HashMap<(Vec<PartKey>, bool), DefId>,
    /// Equal inline schemas share a definition.
    by_text: HashMap<(usize, String), DefId>,
    /// Places of schemas that share a type: the first one, and another.
    shared: Vec<(Place, Place)>,
    queue: VecDeque<Work<'a>>,
    depth: usize,
    full: bool,
    pub(super) faults: &'f mut Faults,
}

impl<'a> Lowerer<'a, '_> {
    pub(super) fn flatten(&mut self, parts: &[Part<'a>]) -> Flat<'a> {
        flatten(parts, &mut self.types.report, self.faults)
    }

    /// The type of schemas that must hold together, as it is written where it is used.
    pub(super) fn ty(&mut self, parts: Vec<Part<'a>>, name: &str) -> Ty {
        if self.depth >= MAX_TYPE_DEPTH {
            return self.any(&parts, "nested too deep");
        }
        self.depth += 1;
        let ty = match pure_reference(&parts) {
            Some(node) => self.reference(&node, name),
            None => {
                let flat = self.flatten(&parts);
                let ty = self.solid(&flat, &parts, name);
                if flat.or_null() || self.null_branch(&flat) { ty.or_null() } else { ty }
            }
        };
        self.depth -= 1;
        ty
    }

    /// The type of a `$ref` without other keywords.
    fn reference(&mut self, node: &Node<'a>, name: &str) -> Ty {
        let target = match node.target(node.reference().unwrap_or(&Value::Null)) {
            Ok(target) => target,
            Err(Unresolved::Remote(_)) => return self.any_at(node.place(), "its reference is a URL"),
            Err(Unresolved::Dangling(_)) => return self.any_at(node.place(), "its reference has no target"),
        };
        let parts = vec![Part::whole(target.clone())];
        if let Some(id) = self.by_parts.get(&(keys(&parts), false)) {
            return Ty::Def(*id);
        }
        let named = pointed_name(&target.pointer);
        if !named.is_component {
            let flat = self.flatten(&parts);
            let plain = flat.is_plain() && !flat.or_null() && pure_reference(&parts).is_none();
            if plain && flat.kinds().count_ones() <= 1 && flat.kinds() & (kinds::LIST | kinds::OBJECT) == 0 {
                return self.ty(parts, name);
            }
        }
        let wished =
            if named.name.is_empty() { name.to_owned() } else { names::schema_type_name(&named.name) };
        let rust = self.names.claim(wished);
        Ty::Def(self.add(parts, rust, false))
    }

    /// The type of a value that is not null.
    fn solid(&mut self, flat: &Flat<'a>, parts: &[Part<'a>], name: &str) -> Ty {
        if flat.never {
            return Ty::Never;
        }
        self.imply(flat, parts);
        if flat.remote && flat.is_plain() {
            return self.any(parts, "its reference is a URL");
        }
        if let Some(values) = &flat.values {
            return match literals(values).as_slice() {
                [] if values.is_empty() => Ty::Never,
                [] => Ty::Null,
                [Value::Bool(_), Value::Bool(_)] => Ty::Bool,
                _ => self.define(flat, parts, name),
            };
        }
        if !flat.unions.is_empty() {
            return match self.single_branch(flat, parts) {
                Some(parts) => self.ty(parts, name),
                None => self.define(flat, parts, name),
            };
        }
        let kinds = flat.kinds();
        match kinds {
            0 if flat.typed && flat.types == kinds::NULL => Ty::Null,
            0 if flat.typed => Ty::Never,
            0 => self.any(parts, "its schema says nothing"),
            _ if kinds == kinds::EVERY & !kinds::NULL => self.any(parts, "its schema names every type"),
            _ if kinds::each(kinds).nth(1).is_some() => self.define(flat, parts, name),
            kinds::BOOL => Ty::Bool,
            kinds::TEXT if !flat.text.is_free() => self.define(flat, parts, name),
            kinds::TEXT if self.uuids && flat.format.as_deref() == Some("uuid") => Ty::Uuid,
            kinds::TEXT => Ty::Text,
            kinds::INTEGER => match integer(flat) {
                Some(integer) => Ty::Integer(integer),
                None => self.define(flat, parts, name),
            },
            kinds::NUMBER if flat.number == NumberRules::default() => Ty::Number,
            kinds::LIST => match self.list(flat, parts, name) {
                Some(ty) => ty,
                None => self.define(flat, parts, name),
            },
            kinds::OBJECT if is_map(flat) => self.map(flat, parts, name),
            _ => self.define(flat, parts, name),
        }
    }

    /// A definition for a type that needs a name: its title, or its place.
    fn define(&mut self, flat: &Flat<'a>, parts: &[Part<'a>], name: &str) -> Ty {
        let key = (keys(parts), true);
        if let Some(id) = self.by_parts.get(&key) {
            return Ty::Def(*id);
        }
        let text = self.shared_text(flat, parts);
        if let Some(id) = text.as_ref().and_then(|text| self.by_text.get(text)) {
            let (id, place) = (*id, parts.first().map(|part| part.node.place()));
            let first = self.types.def(id).map(|def| def.place.clone());
            self.shared.extend(first.zip(place));
            return Ty::Def(id);
        }
        let titled = flat.title.as_deref().filter(|title| is_name(title)).map(names::schema_type_name);
        let titled = titled.filter(|titled| self.names.take(titled));
        let rust = titled.unwrap_or_else(|| self.names.claim(names::schema_type_name(name)));
        let id = self.add(parts.to_vec(), rust, true);
        if let Some(text) = text {
            self.by_text.insert(text, id);
        }
        Ty::Def(id)
    }

    /// The text of an inline schema, if equal schemas may share its type: those with a title, objects and alternatives.
    fn shared_text(&self, flat: &Flat<'a>, parts: &[Part<'a>]) -> Option<(usize, String)> {
        let [Part { node, bare: false, only: kinds::EVERY }] = parts else { return None };
        let composed = !flat.properties.is_empty() || !flat.unions.is_empty();
        if flat.title.is_none() && !composed {
            return None;
        }
        let mut said = node.value.as_object()?.clone();
        said.retain(|key, _| key == "title" || key == "format" || !is_annotation(key));
        Some((node.file, Value::Object(said).to_string()))
    }

    fn add(&mut self, parts: Vec<Part<'a>>, name: String, solid: bool) -> DefId {
        let id = self.types.defs.len();
        if id >= MAX_TYPES {
            if !self.full
                && let Some(part) = parts.first()
            {
                let problem = format!("the schemas need more than {MAX_TYPES} types");
                self.faults.fatal(part.node.file_name(), &part.node.pointer, problem);
            }
            self.full = true;
            return 0;
        }
        let place = parts.first().map(|part| part.node.place());
        self.by_parts.insert((keys(&parts), solid), id);
        self.types.defs.push(Def {
            name: name.clone(),
            doc: String::new(),
            deprecated: false,
            inline: solid,
            place: place.unwrap_or(Place { file: 0, pointer: String::new() }),
            body: Body::Pending,
        });
        self.queue.push_back(Work { id, parts, solid, name });
        id
    }

    fn body(&mut self, work: &Work<'a>) -> Body {
        if !work.solid
            && let Some(node) = pure_reference(&work.parts)
        {
            let doc = node.text("description").unwrap_or_default().to_owned();
            let ty = self.reference(&node, &work.name);
            self.describe(work.id, doc, false);
            return Body::Newtype(ty);
        }
        let flat = self.flatten(&work.parts);
        let doc = flat.description.clone().or_else(|| flat.title.clone()).unwrap_or_default();
        self.describe(work.id, doc, flat.deprecated);
        if !work.solid && (flat.or_null() || self.null_branch(&flat)) {
            return Body::Newtype(self.solid(&flat, &work.parts, &work.name).or_null());
        }
        let kinds = flat.kinds();
        if flat.never {
            return Body::Newtype(Ty::Never);
        }
        if let Some(values) = &flat.values {
            return match literals(values).as_slice() {
                [] if values.is_empty() => Body::Newtype(Ty::Never),
                [] => Body::Newtype(Ty::Null),
                [Value::Bool(_), Value::Bool(_)] => Body::Newtype(Ty::Bool),
                _ => enumeration(values),
            };
        }
        if !flat.unions.is_empty() {
            return match self.single_branch(&flat, &work.parts) {
                Some(parts) => Body::Newtype(self.ty(parts, &work.name)),
                None => self.union(&flat, work, &work.parts),
            };
        }
        if kinds::each(kinds).nth(1).is_some() && kinds != kinds::EVERY & !kinds::NULL {
            return self.union_of_kinds(kinds, work, &work.parts);
        }
        match kinds {
            kinds::TEXT if !flat.text.is_free() => Body::Text(flat.text),
            kinds::INTEGER if integer(&flat).is_none() => match integer_rules(&flat) {
                rules if is_empty(&rules) => Body::Newtype(Ty::Never),
                rules => Body::Integer(rules),
            },
            kinds::NUMBER if flat.number != NumberRules::default() => Body::Number(flat.number),
            kinds::LIST if is_sequence(&flat) => {
                Body::Sequence(self.sequence(&flat, &work.parts, &work.name))
            }
            kinds::OBJECT if !is_map(&flat) => {
                Body::Struct(self.fields(&flat, &work.parts, &work.name, None))
            }
            _ => match self.solid(&flat, &work.parts, &work.name) {
                Ty::Any => Body::Any,
                ty => Body::Newtype(ty),
            },
        }
    }

    /// Notes a schema that names no type and is read as one of the type that its keywords are about.
    fn imply(&mut self, flat: &Flat<'a>, parts: &[Part<'a>]) {
        let silent = !flat.typed && flat.values.is_none() && flat.unions.is_empty();
        if let Some(part) = parts.first().filter(|_| silent && flat.kinds() != 0) {
            let why = "it names no type, and is read as one of the type that its keywords are about";
            self.types.report.narrowed.insert(part.node.place(), why);
        }
    }

    fn describe(&mut self, id: DefId, doc: String, deprecated: bool) {
        if let Some(def) = self.types.defs.get_mut(id) {
            def.doc = doc;
            def.deprecated = deprecated;
        }
    }

    pub(super) fn any(&mut self, parts: &[Part<'a>], why: &'static str) -> Ty {
        match parts.first() {
            Some(part) => self.any_at(part.node.place(), why),
            None => Ty::Any,
        }
    }

    fn any_at(&mut self, place: Place, why: &'static str) -> Ty {
        self.types.report.fallbacks.insert(place, why);
        Ty::Any
    }
}

/// Tells whether an object is a map: all its members are alike.
fn is_map(flat: &Flat<'_>) -> bool {
    flat.properties.is_empty() && flat.required.is_empty() && !flat.closed && flat.patterns.is_empty()
}

fn keys(parts: &[Part<'_>]) -> Vec<PartKey> {
    let mut keys = parts.iter().map(Part::key).collect::<Vec<_>>();
    keys.sort();
    keys.dedup();
    keys
}

/// The schema that refers to another and has no other rule, even as the only branch of an `allOf`.
pub(super) fn pure_reference<'a>(parts: &[Part<'a>]) -> Option<Node<'a>> {
    let [Part { node, bare: _, only: kinds::EVERY }] = parts else { return None };
    let mut node = node.clone();
    loop {
        let says = |key: &str| !is_annotation(key) && key != "nullable" && key != "x-nullable";
        let mut keys = node.value.as_object()?.keys().filter(|key| says(key));
        let (key, None) = (keys.next()?, keys.next()) else { return None };
        if node.get("nullable").or_else(|| node.get("x-nullable")).is_some_and(|flag| flag.value == true) {
            return None;
        }
        match key.as_str() {
            "$ref" => return Some(node),
            "allOf" | "oneOf" | "anyOf" => {
                let branches = node.get(key)?;
                let mut branches = branches.elements();
                let (branch, None) = (branches.next()?, branches.next()) else { return None };
                node = branch;
            }
            _ => return None,
        }
    }
}
