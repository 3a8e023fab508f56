//! Everything that must hold of one value, gathered from a schema, its references and the branches of its `allOf`.

mod gather;

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

pub(super) use self::gather::flatten;
use super::{
    kinds,
    scalar::{NumberRules, TextRules},
};
use crate::resolve::{Node, Place};

/// A schema that must hold, or a part of it.
#[derive(Clone, Debug)]
pub(super) struct Part<'a> {
    pub(super) node: Node<'a>,
    /// True if its own `oneOf` and `anyOf` do not count, because other parts have them.
    pub(super) bare: bool,
    /// Only for values of these types.
    pub(super) only: u8,
}

/// The identity of a part.
pub(super) type PartKey = (Place, bool, u8);

impl<'a> Part<'a> {
    pub(super) fn whole(node: Node<'a>) -> Self {
        Self { node, bare: false, only: kinds::EVERY }
    }

    pub(super) fn key(&self) -> PartKey {
        (self.node.place(), self.bare, self.only)
    }
}

/// All that must hold of one value.
#[derive(Debug)]
pub(super) struct Flat<'a> {
    pub(super) types: u8,
    /// True if a keyword names the types of the value.
    pub(super) typed: bool,
    /// True if null is let in as well, as OpenAPI 3.0 spells it.
    pub(super) nullable: bool,
    /// False if a part refuses null.
    pub(super) lets_null: bool,
    pub(super) never: bool,
    pub(super) properties: BTreeMap<String, Vec<Node<'a>>>,
    pub(super) required: BTreeSet<String>,
    pub(super) closed: bool,
    /// True if the schema has `additionalProperties: true`.
    pub(super) open: bool,
    pub(super) additional: Vec<Node<'a>>,
    pub(super) patterns: Vec<(String, Node<'a>)>,
    /// The schemas of every item.
    pub(super) every: Vec<Node<'a>>,
    /// The schemas of the items after the first ones.
    pub(super) items: Vec<Node<'a>>,
    /// The schemas of the first items, one by one.
    pub(super) prefix: Vec<Vec<Node<'a>>>,
    /// The number of items after which there must be none.
    pub(super) ends: Option<usize>,
    /// True if no item may follow the described ones.
    pub(super) ends_there: bool,
    pub(super) least_items: u64,
    pub(super) most_items: Option<u64>,
    pub(super) values: Option<Vec<Value>>,
    pub(super) text: TextRules,
    pub(super) number: NumberRules,
    pub(super) format: Option<String>,
    pub(super) unions: Vec<Vec<Node<'a>>>,
    pub(super) title: Option<String>,
    pub(super) description: Option<String>,
    pub(super) deprecated: bool,
    /// True if a part is a URL.
    pub(super) remote: bool,
}

impl Flat<'_> {
    /// Tells whether nothing is known but the types of the value.
    pub(super) fn is_plain(&self) -> bool {
        self.values.is_none()
            && self.unions.is_empty()
            && self.text.is_free()
            && self.number == NumberRules::default()
            && self.properties.is_empty()
            && self.required.is_empty()
            && !self.closed
            && self.additional.is_empty()
            && self.patterns.is_empty()
            && self.items.is_empty()
            && self.every.is_empty()
            && self.prefix.is_empty()
            && self.ends.is_none()
    }

    /// The most items that an array may have.
    pub(super) fn longest(&self) -> Option<u64> {
        let ends = self.ends.map(|ends| u64::try_from(ends).unwrap_or(u64::MAX));
        let there = (self.ends_there && self.every.is_empty())
            .then(|| u64::try_from(self.prefix.len()).unwrap_or(u64::MAX));
        [ends, there, self.most_items].into_iter().flatten().min()
    }

    /// The types except null, as named or as the keywords imply.
    pub(super) fn kinds(&self) -> u8 {
        if self.typed {
            return self.types & !kinds::NULL;
        }
        let object = !self.properties.is_empty()
            || !self.required.is_empty()
            || self.closed
            || !self.additional.is_empty()
            || !self.patterns.is_empty();
        let list = !self.items.is_empty() || !self.every.is_empty() || !self.prefix.is_empty();
        let number = self.number != NumberRules::default();
        let implied = [
            (object, kinds::OBJECT),
            (list, kinds::LIST),
            (number, kinds::NUMBER),
            (!self.text.is_free(), kinds::TEXT),
        ];
        implied.iter().filter(|(implied, _)| *implied).fold(0, |set, (_, kind)| set | kind) & self.types
    }

    /// Tells whether null is let in, next to other values.
    pub(super) fn or_null(&self) -> bool {
        let listed = self.values.as_ref().is_some_and(|values| values.contains(&Value::Null));
        let alone = match &self.values {
            Some(values) => values.iter().all(Value::is_null),
            None => self.typed && self.types == kinds::NULL,
        };
        let typed = self.typed && self.types & kinds::NULL != 0 && self.values.is_none();
        !alone && self.lets_null && (self.nullable || listed || typed)
    }
}
