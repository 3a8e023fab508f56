//! Alternatives: finding them, and choosing how to tell them apart.

use std::collections::BTreeSet;

use serde_json::Value;

use super::{
    Body, Content, Form, Integer, TextVariant, Ty, Union, Variant,
    flat::{Flat, Part},
    kinds,
    lower::{Lowerer, Work, pure_reference},
    naming::join,
};
use crate::{
    names::{self, Scope},
    resolve::{Node, Place},
    valid::same,
};

/// The number of combinations of several unions in one schema. Beyond it only the first union is resolved.
const MAX_UNION_COMBINATIONS: usize = 64;
/// The number of references to follow to find a schema that lets in only null.
const MAX_REFERENCES: usize = 8;

/// One alternative.
struct Branch<'a> {
    parts: Vec<Part<'a>>,
    flat: Flat<'a>,
    /// True if it refers to a type with a name.
    referred: bool,
}

impl<'a> Lowerer<'a, '_> {
    /// Tells whether null is one of the alternatives.
    pub(super) fn null_branch(&self, flat: &Flat<'a>) -> bool {
        flat.lets_null
            && (!flat.typed || flat.types & kinds::NULL != 0)
            && flat.unions.iter().any(|branches| branches.iter().any(is_null))
    }

    /// The parts of the only alternative, if there is no other.
    pub(super) fn single_branch(&mut self, flat: &Flat<'a>, parts: &[Part<'a>]) -> Option<Vec<Part<'a>>> {
        let mut branches = self.branches(flat, parts);
        if let [first, others @ ..] = branches.as_slice()
            && let [Part { node, .. }] = first.as_slice()
            && !others.is_empty()
        {
            // The same scalar under several descriptions is one type.
            let alike = others.iter().all(|other| {
                let [Part { node: other, .. }] = other.as_slice() else { return false };
                said(node) == said(other)
            });
            let kind = node.text("type").is_some_and(|kind| kind != "object" && kind != "array");
            if alike && kind {
                branches.truncate(1);
                self.note_one_of(flat);
            }
        }
        if branches.len() == 1 { branches.pop() } else { None }
    }

    /// Everything that must hold in each alternative except null: the alternative and the schema around it.
    fn branches(&mut self, flat: &Flat<'a>, parts: &[Part<'a>]) -> Vec<Vec<Part<'a>>> {
        let base = parts.iter().map(|part| Part { bare: true, ..part.clone() }).collect::<Vec<_>>();
        let around = self.flatten(&base);
        let mut combinations = vec![Vec::new()];
        for group in &flat.unions {
            let group = group.iter().filter(|branch| !is_null(branch)).collect::<Vec<_>>();
            if combinations.len().saturating_mul(group.len()) > MAX_UNION_COMBINATIONS
                && combinations.len() > 1
            {
                let place = group.first().map(|branch| branch.place());
                self.types
                    .report
                    .unchecked
                    .extend(place.map(|place| (place, "further alternatives of the same schema")));
                continue;
            }
            let longer = combinations.iter().flat_map(|nodes: &Vec<Node<'a>>| {
                group.iter().map(|branch| [nodes.as_slice(), &[(*branch).clone()]].concat())
            });
            combinations = longer.collect();
        }
        let combinations = combinations.into_iter().map(|nodes| {
            let parts = nodes.into_iter().map(Part::whole).collect::<Vec<_>>();
            let alone = around.is_plain() && (!around.typed || self.is_within(&parts, around.types));
            if alone { parts } else { parts.into_iter().chain(base.iter().cloned()).collect() }
        });
        combinations.collect()
    }

    /// Tells whether some parts let in only values of these types, apart from null.
    fn is_within(&mut self, parts: &[Part<'a>], types: u8) -> bool {
        let flat = self.flatten(parts);
        flat.typed && flat.types & !types & !kinds::NULL == 0
    }

    pub(super) fn union(&mut self, flat: &Flat<'a>, work: &Work<'a>, parts: &[Part<'a>]) -> Body {
        let branches = self.branches(flat, parts);
        let branches = branches.into_iter().map(|parts| {
            let flat = self.flatten(&parts);
            Branch { referred: pure_reference(&parts).is_some(), parts, flat }
        });
        let branches = branches.collect::<Vec<_>>();
        self.note_exclusive(flat, &branches);
        if let Some(body) = texts(&branches) {
            return body;
        }
        if let Some(tag) = self.tag(&branches) {
            return self.internal(tag, branches, work);
        }
        if is_external(&branches) {
            return self.external(branches, work);
        }
        let parts = branches.into_iter().map(|branch| (branch.parts, branch.flat.title));
        self.untagged(parts.collect(), work)
    }

    /// Notes where nothing checks that a value fits only one of the alternatives of a `oneOf`.
    fn note_exclusive(&mut self, flat: &Flat<'a>, branches: &[Branch<'a>]) {
        let apart = branches.iter().enumerate().all(|(index, one)| {
            branches.iter().skip(index + 1).all(|other| self.are_apart(&one.flat, &other.flat))
        });
        if !apart || flat.unions.len() > 1 {
            self.note_one_of(flat);
        }
    }

    fn note_one_of(&mut self, flat: &Flat<'a>) {
        for first in flat.unions.iter().filter_map(|group| group.first()) {
            let keyword = first.pointer.rsplit_once('/').map_or("", |(keyword, _)| keyword);
            if keyword.ends_with("/oneOf") {
                let place = Place { file: first.file, pointer: keyword.to_owned() };
                self.types.report.unchecked.insert(place, "oneOf: that no other alternative fits as well");
            }
        }
    }

    /// Tells whether no value can fit both of two alternatives.
    fn are_apart(&mut self, one: &Flat<'a>, other: &Flat<'a>) -> bool {
        if !one.unions.is_empty() || !other.unions.is_empty() {
            return false;
        }
        if let (Some(these), Some(those)) = (&one.values, &other.values) {
            return !these.iter().any(|this| those.iter().any(|that| same(this, that)));
        }
        let kinds = |flat: &Flat<'a>| match &flat.values {
            Some(values) => values.iter().fold(0, |set, value| set | kinds::of_value(value)),
            None if flat.typed => flat.types | if flat.or_null() { kinds::NULL } else { 0 },
            None => match flat.kinds() {
                0 => kinds::EVERY,
                implied => implied,
            },
        };
        let both = kinds(one) & kinds(other);
        let range = |flat: &Flat<'a>| {
            let (least, most) = (flat.number.least, flat.number.most);
            (
                least.map_or(f64::NEG_INFINITY, |bound| bound.value),
                most.map_or(f64::INFINITY, |bound| bound.value),
            )
        };
        let ((low, high), (other_low, other_high)) = (range(one), range(other));
        let numbers = high < other_low || other_high < low;
        let text = |flat: &Flat<'a>| (flat.text.least.unwrap_or(0), flat.text.most.unwrap_or(u64::MAX));
        let ((low, high), (other_low, other_high)) = (text(one), text(other));
        let texts = high < other_low || other_high < low;
        match both {
            0 => true,
            kinds::OBJECT => self.objects_apart(one, other),
            kinds::INTEGER | kinds::FRACTION | kinds::NUMBER => numbers,
            kinds::TEXT => texts,
            _ => false,
        }
    }

    fn objects_apart(&mut self, one: &Flat<'a>, other: &Flat<'a>) -> bool {
        let lacks = |closed: &Flat<'a>, open: &Flat<'a>| {
            closed.closed
                && closed.patterns.is_empty()
                && open.required.iter().any(|name| !closed.properties.contains_key(name))
        };
        if lacks(one, other) || lacks(other, one) {
            return true;
        }
        let shared = one.required.intersection(&other.required).cloned().collect::<Vec<_>>();
        shared.iter().any(|name| {
            let nodes = [one, other].map(|flat| flat.properties.get(name).cloned().unwrap_or_default());
            let [these, those] = nodes.map(|nodes| {
                let parts = nodes.into_iter().map(Part::whole).collect::<Vec<_>>();
                self.flatten(&parts).values
            });
            match (these, those) {
                (Some(these), Some(those)) => {
                    !these.iter().any(|this| those.iter().any(|that| same(this, that)))
                }
                _ => false,
            }
        })
    }

    /// One alternative for each type of JSON.
    pub(super) fn union_of_kinds(&mut self, set: u8, work: &Work<'a>, parts: &[Part<'a>]) -> Body {
        let branches = kinds::each(set).map(|kind| {
            let mut parts = parts.to_vec();
            if let Some(first) = parts.first_mut() {
                first.only = kind;
            }
            (parts, None)
        });
        self.untagged(branches.collect(), work)
    }

    /// The property whose text tells the alternatives apart.
    fn tag(&mut self, branches: &[Branch<'a>]) -> Option<String> {
        let objects = branches.iter().all(|branch| {
            !branch.referred
                && branch.flat.kinds() == kinds::OBJECT
                && branch.flat.unions.is_empty()
                && branch.flat.values.is_none()
        });
        if !objects || branches.len() < 2 {
            return None;
        }
        let candidates = branches.first()?.flat.properties.keys().cloned().collect::<Vec<_>>();
        candidates.into_iter().find(|tag| {
            let mut seen = BTreeSet::new();
            branches.iter().all(|branch| self.tag_text(branch, tag).is_some_and(|text| seen.insert(text)))
        })
    }

    fn tag_text(&mut self, branch: &Branch<'a>, tag: &str) -> Option<String> {
        let nodes = branch.flat.properties.get(tag).filter(|_| branch.flat.required.contains(tag))?;
        let parts = nodes.iter().cloned().map(Part::whole).collect::<Vec<_>>();
        match self.flatten(&parts).values?.as_slice() {
            [Value::String(text)] => Some(text.clone()),
            _ => None,
        }
    }

    fn internal(&mut self, tag: String, branches: Vec<Branch<'a>>, work: &Work<'a>) -> Body {
        let mut scope = Scope::default();
        let variants = branches.into_iter().map(|branch| {
            let wire = self.tag_text(&branch, &tag).unwrap_or_default();
            let name = scope.claim(names::type_name(&wire));
            let place = join(&work.name, &wire);
            let fields = self.fields(&branch.flat, &branch.parts, &place, Some(&tag));
            let doc = branch.flat.description.unwrap_or_default();
            Variant { name, wire, doc, content: Content::Fields(fields) }
        });
        let variants = variants.collect();
        Body::Union(Union { form: Form::Internal(tag), variants })
    }

    fn external(&mut self, branches: Vec<Branch<'a>>, work: &Work<'a>) -> Body {
        let mut scope = Scope::default();
        let mut variants = Vec::new();
        for branch in branches {
            let doc = branch.flat.description.unwrap_or_default();
            for text in branch.flat.values.iter().flatten().filter_map(Value::as_str) {
                let name = scope.claim(names::type_name(text));
                let (wire, doc) = (text.to_owned(), doc.clone());
                variants.push(Variant { name, wire, doc, content: Content::Unit });
            }
            for (wire, nodes) in &branch.flat.properties {
                let name = scope.claim(names::type_name(wire));
                let parts = nodes.iter().cloned().map(Part::whole).collect();
                let ty = self.ty(parts, &join(&work.name, wire));
                let content = Content::Ty(ty);
                variants.push(Variant { name, wire: wire.clone(), doc: doc.clone(), content });
            }
        }
        Body::Union(Union { form: Form::External, variants })
    }

    fn untagged(&mut self, branches: Vec<(Vec<Part<'a>>, Option<String>)>, work: &Work<'a>) -> Body {
        let mut scope = Scope::default();
        let mut variants = Vec::<Variant>::new();
        let mut known = BTreeSet::new();
        for (index, (parts, title)) in branches.into_iter().enumerate() {
            let named = title.filter(|title| title.len() <= 48 && !title.trim().is_empty());
            let place = join(&work.name, &named.clone().unwrap_or_else(|| index.to_string()));
            let doc = parts.first().and_then(|part| part.node.text("description")).unwrap_or_default();
            let doc = doc.to_owned();
            let ty = self.ty(parts, &place);
            if ty == Ty::Never || !known.insert(ty.clone()) {
                continue;
            }
            let name = named.unwrap_or_else(|| self.variant_name(&ty, &work.name));
            let name = scope.claim(names::type_name(&name));
            variants.push(Variant { name, wire: String::new(), doc, content: Content::Ty(ty) });
        }
        match variants.pop() {
            None => Body::Newtype(Ty::Never),
            Some(Variant { content: Content::Ty(ty), .. }) if variants.is_empty() => match ty {
                Ty::Any => Body::Any,
                ty => Body::Newtype(ty),
            },
            Some(last) => {
                variants.push(last);
                Body::Union(Union { form: Form::Untagged, variants })
            }
        }
    }

    fn variant_name(&self, ty: &Ty, parent: &str) -> String {
        match ty {
            Ty::Any => "Other".to_owned(),
            Ty::Null | Ty::Never => "Null".to_owned(),
            Ty::Bool => "Bool".to_owned(),
            Ty::Integer(Integer::I64 | Integer::Any | Integer::Natural) => "Integer".to_owned(),
            Ty::Integer(integer) => integer.name().to_owned(),
            Ty::Number => "Number".to_owned(),
            Ty::Text => "String".to_owned(),
            Ty::Uuid => "Uuid".to_owned(),
            Ty::List(inner) | Ty::Led(inner) => {
                format!("{}List", names::type_name(&self.variant_name(inner, parent)))
            }
            Ty::Map(_) => "Map".to_owned(),
            Ty::Tuple(_) => "Tuple".to_owned(),
            Ty::Option(inner) => self.variant_name(inner, parent),
            Ty::Def(id) | Ty::Boxed(id) => {
                let name = self.types.def(*id).map_or("", |def| def.name.as_str());
                let rest = name.strip_prefix(parent).filter(|rest| rest.starts_with(char::is_uppercase));
                rest.unwrap_or(name).to_owned()
            }
        }
    }
}

/// One enumeration for alternatives that are all strings.
fn texts(branches: &[Branch<'_>]) -> Option<Body> {
    let mut scope = Scope::default();
    let mut seen = BTreeSet::new();
    let mut variants = Vec::new();
    for branch in branches.iter() {
        let values = branch.flat.values.as_ref().filter(|_| !branch.referred)?;
        let texts = values.iter().map(|value| value.as_str()).collect::<Option<Vec<_>>>()?;
        let doc = branch.flat.description.as_ref().filter(|_| texts.len() == 1);
        for text in texts.into_iter().filter(|text| seen.insert((*text).to_owned())) {
            let doc = doc.cloned().unwrap_or_default();
            variants.push(TextVariant {
                name: scope.claim(names::type_name(text)),
                wire: text.to_owned(),
                doc,
            });
        }
    }
    Some(Body::Texts(variants)).filter(|_| !branches.is_empty())
}

/// Tells whether each alternative is a string, or an object with a single property that identifies it.
fn is_external(branches: &[Branch<'_>]) -> bool {
    let mut names = BTreeSet::new();
    let mut objects = 0;
    let fit = branches.iter().all(|branch| {
        let flat = &branch.flat;
        if branch.referred || !flat.unions.is_empty() {
            return false;
        }
        if let Some(values) = &flat.values {
            return values
                .iter()
                .all(|value| value.as_str().is_some_and(|text| names.insert(text.to_owned())));
        }
        objects += 1;
        let single = flat.properties.keys().next().filter(|_| flat.properties.len() == 1);
        flat.kinds() == kinds::OBJECT
            && flat.closed
            && flat.patterns.is_empty()
            && flat.required.len() == 1
            && single.is_some_and(|name| flat.required.contains(name) && names.insert(name.clone()))
    });
    fit && objects > 0 && branches.len() > 1
}

/// Tells whether a schema lets in only null, by reference too.
fn is_null(node: &Node<'_>) -> bool {
    let mut node = node.clone();
    for _ in 0..MAX_REFERENCES {
        let Some(reference) = pure_reference(&[Part::whole(node.clone())]) else { break };
        match reference.target(reference.reference().unwrap_or(&Value::Null)) {
            Ok(target) => node = target,
            Err(_) => return false,
        }
    }
    let null = |value: &Value| value == "null" || value.is_null();
    let Some(schema) = node.value.as_object() else { return false };
    match (schema.get("type"), schema.get("enum"), schema.get("const")) {
        (Some(Value::String(kind)), ..) => kind == "null",
        (Some(Value::Array(kinds)), ..) => !kinds.is_empty() && kinds.iter().all(null),
        (None, Some(Value::Array(values)), _) => !values.is_empty() && values.iter().all(Value::is_null),
        (None, None, Some(value)) => value.is_null(),
        _ => false,
    }
}

/// A schema without its annotations.
fn said(node: &Node<'_>) -> Option<serde_json::Map<String, Value>> {
    let mut said = node.value.as_object()?.clone();
    said.retain(|key, _| key == "format" || !crate::check::is_annotation(key));
    Some(said)
}
