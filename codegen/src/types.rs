//! Schemas as types: a graph of named definitions, of which every target renders its own text.
//!
//! [`flat`] gathers everything that must hold of one value (`allOf` and references merged), [`lower`] makes a type of
//! it, [`union`] one of alternatives, and [`finish`] looks at the whole graph: types that include themselves, types
//! that must be boxed, the order of alternatives.

mod finish;
mod flat;
mod kinds;
mod leaf;
mod lower;
mod naming;
pub(crate) mod scalar;
mod union;

use std::{collections::BTreeMap, ops::Bound};

use serde_json::Value;

pub(crate) use self::lower::lower;
use self::scalar::{IntegerRules, NumberRules, TextRules};
use crate::resolve::Place;

/// The types of a document.
#[derive(Debug, Default)]
pub(crate) struct Types {
    pub(crate) defs: Vec<Def>,
    /// Each of `components.schemas`, and its definition.
    pub(crate) named: Vec<(String, DefId)>,
    /// The type of each schema outside of `components.schemas`.
    pub(crate) places: BTreeMap<Place, Ty>,
    pub(crate) report: Findings,
}

/// Differences between the schemas and their types.
#[derive(Debug, Default)]
pub(crate) struct Findings {
    /// Places with a type that lets any JSON value in, and why.
    pub(crate) fallbacks: BTreeMap<Place, &'static str>,
    /// Keywords that no type checks.
    pub(crate) unchecked: BTreeMap<Place, &'static str>,
    /// Places with a type that refuses values that its schema lets in by the letter, and why.
    pub(crate) narrowed: BTreeMap<Place, &'static str>,
}

impl Findings {
    /// Repeats the findings of a schema for the schemas that share its type.
    fn share(&mut self, shared: &[(Place, Place)]) {
        for (first, other) in shared {
            for remarks in [&mut self.fallbacks, &mut self.unchecked, &mut self.narrowed] {
                let start = Bound::Included(first.clone());
                let within = remarks.range((start, Bound::Unbounded)).map_while(|(place, what)| {
                    let rest =
                        place.pointer.strip_prefix(&first.pointer).filter(|_| place.file == first.file)?;
                    Some((rest.to_owned(), *what))
                });
                let within = within.filter(|(rest, _)| rest.is_empty() || rest.starts_with('/'));
                for (rest, what) in within.collect::<Vec<_>>() {
                    let place = Place { file: other.file, pointer: format!("{}{rest}", other.pointer) };
                    remarks.entry(place).or_insert(what);
                }
            }
        }
    }
}

impl Types {
    /// The type of the schema at a place; any JSON value if none is known there.
    pub(crate) fn at(&self, place: &Place) -> &Ty {
        self.places.get(place).unwrap_or(&Ty::Any)
    }

    pub(crate) fn def(&self, id: DefId) -> Option<&Def> {
        self.defs.get(id)
    }
}

/// The place of a definition in [`Types::defs`].
pub(crate) type DefId = usize;

/// A type as it is written where it is used.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Ty {
    /// Any JSON value.
    Any,
    Null,
    /// No value at all.
    Never,
    Bool,
    Integer(Integer),
    Number,
    Text,
    Uuid,
    List(Box<Ty>),
    /// A list of which only the first item is described.
    Led(Box<Ty>),
    /// Exactly these items.
    Tuple(Vec<Ty>),
    /// By strings.
    Map(Box<Ty>),
    /// Or null.
    Option(Box<Ty>),
    Def(DefId),
    /// A definition that holds the definition which uses it.
    Boxed(DefId),
}

impl Ty {
    /// The type, or null.
    pub(crate) fn or_null(self) -> Self {
        match self {
            Self::Any | Self::Null | Self::Option(_) => self,
            Self::Never => Self::Null,
            other => Self::Option(Box::new(other)),
        }
    }

    pub(crate) fn without_null(&self) -> &Self {
        if let Self::Option(inner) = self { inner } else { self }
    }
}

/// Rust's integers, and those of any size.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Integer {
    I8,
    U8,
    I16,
    U16,
    I32,
    U32,
    I64,
    U64,
    I128,
    /// Of any size.
    Any,
    /// Of any size, and not negative.
    Natural,
}

/// A type with a name.
#[derive(Debug)]
pub(crate) struct Def {
    /// In Rust and elsewhere.
    pub(crate) name: String,
    /// Its description; empty if the document has none.
    pub(crate) doc: String,
    pub(crate) deprecated: bool,
    /// True if its schema is written inline.
    pub(crate) inline: bool,
    /// The place of its schema.
    pub(crate) place: Place,
    pub(crate) body: Body,
}

#[derive(Debug)]
pub(crate) enum Body {
    /// Not known yet. The finished graph has none.
    Pending,
    /// The same as any JSON value.
    Any,
    Struct(Struct),
    Text(TextRules),
    Integer(IntegerRules),
    Number(NumberRules),
    /// One of some strings.
    Texts(Vec<TextVariant>),
    /// One of some values.
    Values(Vec<ValueVariant>),
    Union(Union),
    Sequence(Sequence),
    Newtype(Ty),
}

#[derive(Debug)]
pub(crate) struct Struct {
    pub(crate) fields: Vec<Field>,
    pub(crate) rest: Rest,
}

/// Members of an object that no property describes.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Rest {
    Refused,
    /// Allowed, because nothing forbids them.
    Open,
    /// Described.
    Typed(Ty),
    /// Described by the patterns that their names match; `other` if they match none.
    Patterned {
        patterns: Vec<(String, Ty)>,
        other: Box<Self>,
    },
}

impl Rest {
    /// The type of each of them, as one type.
    pub(crate) fn value(&self) -> Option<Ty> {
        match self {
            Self::Refused => None,
            Self::Open => Some(Ty::Any),
            Self::Typed(ty) => Some(ty.clone()),
            Self::Patterned { patterns, other } => match (patterns.as_slice(), &**other) {
                ([(_, one), others @ ..], Self::Refused) if others.iter().all(|(_, other)| other == one) => {
                    Some(one.clone())
                }
                _ => Some(Ty::Any),
            },
        }
    }
}

/// An array whose first items are described one by one, and that may be shorter or longer.
#[derive(Debug)]
pub(crate) struct Sequence {
    pub(crate) items: Vec<Ty>,
    /// The least number of items.
    pub(crate) least: u64,
    /// The greatest number of items.
    pub(crate) most: Option<u64>,
    /// The type of the items after the first ones; none if there cannot be any.
    pub(crate) rest: Option<Ty>,
}

#[derive(Debug)]
pub(crate) struct Field {
    /// In Rust; a keyword is escaped.
    pub(crate) name: String,
    pub(crate) wire: String,
    pub(crate) doc: String,
    pub(crate) deprecated: bool,
    pub(crate) required: bool,
    /// The type of the member when it is present.
    pub(crate) ty: Ty,
}

#[derive(Debug)]
pub(crate) struct TextVariant {
    pub(crate) name: String,
    pub(crate) wire: String,
    pub(crate) doc: String,
}

#[derive(Debug)]
pub(crate) struct ValueVariant {
    pub(crate) name: String,
    pub(crate) value: Value,
}

#[derive(Debug)]
pub(crate) struct Union {
    pub(crate) form: Form,
    pub(crate) variants: Vec<Variant>,
}

/// The way to tell alternatives apart.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Form {
    /// By their content.
    Untagged,
    /// By the text of one property that each has.
    Internal(String),
    /// By the name of the only property, or by a string alone.
    External,
}

#[derive(Debug)]
pub(crate) struct Variant {
    pub(crate) name: String,
    /// The value of the tag.
    pub(crate) wire: String,
    pub(crate) doc: String,
    pub(crate) content: Content,
}

#[derive(Debug)]
pub(crate) enum Content {
    Unit,
    Ty(Ty),
    Fields(Struct),
}
