//! Alternatives: which there are, and how they are told apart.

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
    resolve::Node,
};

/// Alternatives that stand beside alternatives multiply; beyond this only the first are told apart.
const MOST_COMBINATIONS: usize = 64;

/// One alternative.
struct Branch<'a> {
    parts: Vec<Part<'a>>,
    flat: Flat<'a>,
    /// Whether it is a type that has a name already.
    referred: bool,
}

impl<'a> Lowerer<'a, '_> {
    /// Whether null is one of the alternatives.
    pub(super) fn null_branch(&self, flat: &Flat<'a>) -> bool {
        (!flat.typed || flat.types & kinds::NULL != 0)
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
            let same = others.iter().all(|other| {
                let [Part { node: other, .. }] = other.as_slice() else { return false };
                said(node) == said(other)
            });
            let kind = node.text("type").is_some_and(|kind| kind != "object" && kind != "array");
            if same && kind {
                branches.truncate(1);
            }
        }
        if branches.len() == 1 { branches.pop() } else { None }
    }

    /// What must hold in each alternative, null aside: the alternative and all that stands around it.
    fn branches(&mut self, flat: &Flat<'a>, parts: &[Part<'a>]) -> Vec<Vec<Part<'a>>> {
        let base = parts.iter().map(|part| Part { bare: true, ..part.clone() }).collect::<Vec<_>>();
        let around = self.flatten(&base);
        let mut combinations = vec![Vec::new()];
        for group in &flat.unions {
            let group = group.iter().filter(|branch| !is_null(branch)).collect::<Vec<_>>();
            if combinations.len().saturating_mul(group.len()) > MOST_COMBINATIONS && combinations.len() > 1 {
                let place = group.first().map(|branch| branch.place());
                self.types
                    .report
                    .unchecked
                    .extend(place.map(|place| (place, "alternatives beside alternatives")));
                continue;
            }
            let longer = combinations.iter().flat_map(|nodes: &Vec<Node<'a>>| {
                group.iter().map(|branch| [nodes.as_slice(), &[(*branch).clone()]].concat())
            });
            combinations = longer.collect();
        }
        let combinations = combinations.into_iter().map(|nodes| {
            let typed =
                nodes.iter().any(|node| ["$ref", "type", "allOf"].iter().any(|key| node.get(key).is_some()));
            let alone = around.is_plain() && (typed || !around.typed);
            let nodes = nodes.into_iter().map(Part::whole);
            if alone { nodes.collect() } else { nodes.chain(base.iter().cloned()).collect() }
        });
        combinations.collect()
    }

    pub(super) fn union(&mut self, flat: &Flat<'a>, work: &Work<'a>, parts: &[Part<'a>]) -> Body {
        let branches = self.branches(flat, parts);
        let branches = branches.into_iter().map(|parts| {
            let flat = self.flatten(&parts);
            Branch { referred: pure_reference(&parts).is_some(), parts, flat }
        });
        let branches = branches.collect::<Vec<_>>();
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
            Ty::Integer(Integer::I64) => "Integer".to_owned(),
            Ty::Integer(integer) => integer.name().to_owned(),
            Ty::Number => "Number".to_owned(),
            Ty::Text => "String".to_owned(),
            Ty::Uuid => "Uuid".to_owned(),
            Ty::List(inner) => format!("{}List", names::type_name(&self.variant_name(inner, parent))),
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

/// Alternatives that each let some strings in are one enumeration.
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

/// Whether each alternative is a string, or an object with a single property that tells it apart.
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

fn is_null(node: &Node<'_>) -> bool {
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

/// A schema without what it says to people.
fn said(node: &Node<'_>) -> Option<serde_json::Map<String, Value>> {
    let mut said = node.value.as_object()?.clone();
    said.retain(|key, _| key == "format" || !crate::check::is_annotation(key));
    Some(said)
}
