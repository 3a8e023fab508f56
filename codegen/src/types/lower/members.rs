//! Types that hold others: lists, tuples, maps, and the fields of structs.

use std::collections::BTreeSet;

use super::{
    super::{
        Field, Rest, Sequence, Struct, Ty,
        flat::{Flat, Part},
        naming::join,
    },
    Lowerer,
};
use crate::{names::Scope, resolve::Node};

/// serde supports no longer tuples.
const MAX_TUPLE_ITEMS: usize = 16;
/// A type for the items of an array has at most this many fields.
const MAX_SEQUENCE_ITEMS: usize = 64;

impl<'a> Lowerer<'a, '_> {
    /// The type of an array as it is written where it is used; `None` if it needs a name.
    pub(super) fn list(&mut self, flat: &Flat<'a>, parts: &[Part<'a>], name: &str) -> Option<Ty> {
        let item = join(name, "item");
        match shape(flat) {
            Shape::Sequence => None,
            Shape::Tuple => Some(Ty::Tuple(self.prefix(flat, name))),
            Shape::List(nodes) if nodes.is_empty() => {
                self.count(flat, parts);
                Some(Ty::List(Box::new(self.any(parts, "its items are not described"))))
            }
            Shape::List(nodes) => {
                self.count(flat, parts);
                Some(Ty::List(Box::new(self.ty(wholes(&nodes), &item))))
            }
            Shape::Led(nodes) => {
                self.count(flat, parts);
                let what = "that the first items are as described; the others may be anything";
                let described = flat.prefix.iter().flatten().map(|node| (node.place(), what));
                self.types.report.unchecked.extend(described);
                Some(Ty::Led(Box::new(self.ty(wholes(&nodes), &item))))
            }
            Shape::Long => {
                self.count(flat, parts);
                Some(Ty::List(Box::new(self.any(parts, "a long list whose items differ"))))
            }
        }
    }

    /// Notes a list whose length no type checks.
    fn count(&mut self, flat: &Flat<'a>, parts: &[Part<'a>]) {
        if let Some(part) = parts.first().filter(|_| flat.least_items > 0 || flat.longest().is_some()) {
            self.types.report.unchecked.insert(part.node.place(), "minItems and maxItems");
        }
    }

    /// The types of the first items, as many as there may be.
    fn prefix(&mut self, flat: &Flat<'a>, name: &str) -> Vec<Ty> {
        let most = flat.longest().and_then(|most| usize::try_from(most).ok()).unwrap_or(usize::MAX);
        let nodes = flat.prefix.iter().take(most).enumerate();
        let nodes = nodes.map(|(index, nodes)| (index, [nodes.as_slice(), &flat.every].concat()));
        let nodes = nodes.collect::<Vec<_>>();
        nodes
            .into_iter()
            .map(|(index, nodes)| self.ty(wholes(&nodes), &join(name, &index.to_string())))
            .collect()
    }

    /// An array that is neither a list nor a tuple.
    pub(super) fn sequence(&mut self, flat: &Flat<'a>, parts: &[Part<'a>], name: &str) -> Sequence {
        let items = self.prefix(flat, name);
        let length = u64::try_from(items.len()).unwrap_or(u64::MAX);
        let most = flat.longest();
        let after = [flat.items.as_slice(), &flat.every].concat();
        let rest = most.is_none_or(|most| most > length).then(|| match after.is_empty() {
            true => self.any(parts, "its further items are not described"),
            false => self.ty(wholes(&after), &join(name, "item")),
        });
        Sequence { items, least: flat.least_items, most, rest }
    }

    pub(super) fn map(&mut self, flat: &Flat<'a>, parts: &[Part<'a>], name: &str) -> Ty {
        let value = match self.rest(flat, parts, name) {
            Rest::Typed(ty) => ty,
            Rest::Open | Rest::Refused | Rest::Patterned { .. } => {
                self.any(parts, "its members are not described")
            }
        };
        Ty::Map(Box::new(value))
    }

    /// Members that no property describes.
    fn rest(&mut self, flat: &Flat<'a>, parts: &[Part<'a>], name: &str) -> Rest {
        let value = join(name, "value");
        let other = match flat.additional.as_slice() {
            _ if flat.closed => Rest::Refused,
            [] if flat.open && !flat.properties.is_empty() && flat.patterns.is_empty() => {
                Rest::Typed(self.any(parts, "further members of any kind are allowed"))
            }
            [] => Rest::Open,
            additional => Rest::Typed(self.ty(wholes(additional), &value)),
        };
        if flat.patterns.is_empty() {
            return other;
        }
        let patterns = flat.patterns.iter().map(|(pattern, node)| {
            let told = if flat.patterns.len() == 1 { "value".to_owned() } else { format!("value {pattern}") };
            (pattern.clone(), self.ty(vec![Part::whole(node.clone())], &join(name, &told)))
        });
        Rest::Patterned { patterns: patterns.collect(), other: Box::new(other) }
    }

    /// The properties of an object; `tag` is left out.
    pub(in crate::types) fn fields(
        &mut self,
        flat: &Flat<'a>,
        parts: &[Part<'a>],
        name: &str,
        tag: Option<&str>,
    ) -> Struct {
        let rest = self.rest(flat, parts, name);
        let mut scope = Scope::with(&["extra"]);
        let mut fields = Vec::new();
        let undescribed = flat.required.iter().filter(|name| !flat.properties.contains_key(*name));
        let undescribed = undescribed.map(|name| (name, None)).collect::<Vec<_>>();
        let described = flat.properties.iter().map(|(name, schemas)| (name, Some(schemas)));
        for (wire, schemas) in described.chain(undescribed).filter(|(wire, _)| Some(wire.as_str()) != tag) {
            let required = flat.required.contains(wire);
            let ty = match (schemas, &rest) {
                (Some(schemas), _) => self.ty(wholes(schemas), &join(name, wire)),
                (None, Rest::Typed(ty)) => ty.clone(),
                (None, _) => self.any(parts, "a property is required and not described"),
            };
            if ty == Ty::Never && !required {
                if let Some(node) =
                    schemas.and_then(|schemas| schemas.first()).filter(|_| rest != Rest::Refused)
                {
                    self.types.report.unchecked.insert(node.place(), "that this property is absent");
                }
                continue;
            }
            let nodes = schemas.map(Vec::as_slice).unwrap_or_default();
            let described = nodes.iter().find_map(|node| node.text("description"));
            let described = described.or_else(|| nodes.iter().find_map(|node| node.text("title")));
            let deprecated = nodes.iter().any(|node| node.is_true("deprecated"));
            fields.push(Field {
                name: scope.value(wire),
                wire: wire.clone(),
                doc: described.unwrap_or_default().to_owned(),
                deprecated,
                required,
                ty,
            });
        }
        Struct { fields, rest }
    }
}

fn wholes<'a>(nodes: &[Node<'a>]) -> Vec<Part<'a>> {
    let mut seen = BTreeSet::new();
    let nodes = nodes.iter().filter(|node| seen.insert(node.place()));
    let mut wholes: Vec<_> = nodes.cloned().map(Part::whole).collect();
    // Equal schemas count once.
    wholes.dedup_by(|one, other| one.node.value == other.node.value && one.node.file == other.node.file);
    wholes
}

/// The shape of an array.
enum Shape<'a> {
    /// All items are alike.
    List(Vec<Node<'a>>),
    /// Only the first item is described.
    Led(Vec<Node<'a>>),
    /// A fixed number of items, each described.
    Tuple,
    /// Described items, of which there may be more or fewer.
    Sequence,
    /// More items than a type can have fields.
    Long,
}

fn shape<'a>(flat: &Flat<'a>) -> Shape<'a> {
    let most = flat.longest();
    let length = u64::try_from(flat.prefix.len()).unwrap_or(u64::MAX);
    let [first, others @ ..] = flat.prefix.as_slice() else {
        return if most == Some(0) {
            Shape::Sequence
        } else {
            Shape::List([flat.items.as_slice(), &flat.every].concat())
        };
    };
    let said = |nodes: &[Node<'a>]| {
        let mut said = nodes.iter().map(|node| (node.file, node.value.to_string())).collect::<Vec<_>>();
        said.sort();
        said.dedup();
        said
    };
    let first_said = said(first);
    let alike = others.iter().all(|other| said(other) == first_said);
    let ended = most.is_some_and(|most| most <= length);
    let rest_alike = ended || (!flat.items.is_empty() && said(&flat.items) == first_said);
    let first = || [first.as_slice(), &flat.every].concat();
    let long = flat.prefix.len() > MAX_TUPLE_ITEMS;
    if most == Some(length) && flat.least_items >= length && !long {
        return Shape::Tuple;
    }
    let uniform = alike && (flat.prefix.len() == 1 || long);
    match (uniform, rest_alike) {
        (true, true) if !ended || long => Shape::List(first()),
        (true, false) if !ended && flat.items.is_empty() && flat.every.is_empty() => Shape::Led(first()),
        _ if flat.prefix.len() > MAX_SEQUENCE_ITEMS => Shape::Long,
        _ => Shape::Sequence,
    }
}

/// Tells whether an array needs a type of its own.
pub(super) fn is_sequence(flat: &Flat<'_>) -> bool {
    matches!(shape(flat), Shape::Sequence)
}
