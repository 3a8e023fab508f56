//! Types that hold others: lists, tuples, maps, and the fields of structs.

use std::collections::BTreeSet;

use super::{
    super::{
        Field, Rest, Struct, Ty,
        flat::{Flat, Part},
        naming::join,
    },
    Lowerer,
};
use crate::{names::Scope, resolve::Node};

/// serde knows no longer tuples.
const LONGEST_TUPLE: usize = 16;

impl<'a> Lowerer<'a, '_> {
    pub(super) fn list(&mut self, flat: &Flat<'a>, parts: &[Part<'a>], name: &str) -> Ty {
        let prefix = flat.prefix.len();
        let length = u64::try_from(prefix).unwrap_or(u64::MAX);
        let exact = flat.ends || flat.most_items.is_some_and(|most| most <= length);
        let item = join(name, "item");
        if prefix > 0 {
            let whole = prefix > 1 || exact || flat.least_items >= length;
            let types = flat
                .prefix
                .clone()
                .into_iter()
                .enumerate()
                .map(|(index, node)| self.ty(vec![Part::whole(node)], &join(name, &index.to_string())));
            let types = types.collect::<Vec<_>>();
            return match types.as_slice() {
                [one] if !whole => Ty::List(Box::new(one.clone())),
                _ if prefix <= LONGEST_TUPLE && (exact || flat.items.is_empty()) => Ty::Tuple(types),
                [one, others @ ..] if others.iter().all(|other| other == one) => {
                    Ty::List(Box::new(one.clone()))
                }
                _ => Ty::List(Box::new(self.any(parts, "a long list whose items differ"))),
            };
        }
        if (flat.least_items > 0 || flat.most_items.is_some())
            && let Some(part) = parts.first()
        {
            self.types.report.unchecked.insert(part.node.place(), "minItems and maxItems");
        }
        if flat.items.is_empty() {
            return Ty::List(Box::new(self.any(parts, "nothing is said of its items")));
        }
        Ty::List(Box::new(self.ty(wholes(&flat.items), &item)))
    }

    pub(super) fn map(&mut self, flat: &Flat<'a>, parts: &[Part<'a>], name: &str) -> Ty {
        let value = match self.rest(flat, parts, name) {
            Rest::Typed(ty) => ty,
            Rest::Open | Rest::Refused => self.any(parts, "nothing is said of its members"),
        };
        Ty::Map(Box::new(value))
    }

    /// Members that no property describes.
    fn rest(&mut self, flat: &Flat<'a>, parts: &[Part<'a>], name: &str) -> Rest {
        let value = join(name, "value");
        let described = match (flat.additional.as_slice(), flat.patterns.as_slice()) {
            ([], []) if flat.open && !flat.properties.is_empty() => {
                return Rest::Typed(self.any(parts, "further members of any kind are allowed"));
            }
            ([], []) => return if flat.closed { Rest::Refused } else { Rest::Open },
            (additional, []) => additional,
            ([], [_]) if flat.closed || flat.properties.is_empty() => flat.patterns.as_slice(),
            ([], [one, others @ ..]) if others.iter().all(|other| other.value == one.value) => {
                std::slice::from_ref(one)
            }
            _ => return Rest::Typed(self.any(parts, "its members differ by the pattern of their names")),
        };
        Rest::Typed(self.ty(wholes(described), &value))
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
    // What says the same twice says it once.
    wholes.dedup_by(|one, other| one.node.value == other.node.value && one.node.file == other.node.file);
    wholes
}
