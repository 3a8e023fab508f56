//! The changes between two documents, and the sides that they break.

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt,
};

use crate::{
    model::{ErrorObject, Method, Model, Param},
    types::{Body, Content, DefId, Form, Rest, Struct, Ty, Types, Union},
};

/// One change between two documents.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Change {
    /// The method, and the param or member in it.
    pub place: String,
    /// The change.
    pub what: String,
    /// True if a client of the old document may fail with a server of the new one.
    pub breaks_clients: bool,
    /// True if a client of the new document may fail with a server of the old one.
    pub breaks_servers: bool,
}

impl fmt::Display for Change {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let whom = match (self.breaks_clients, self.breaks_servers) {
            (true, true) => "breaks clients and servers",
            (true, false) => "breaks clients",
            (false, true) => "breaks servers",
            (false, false) => "breaks neither",
        };
        write!(f, "{}: {} ({whom})", self.place, self.what)
    }
}

/// Every change, in the order of their places.
pub(crate) fn changes(old: &Model, new: &Model) -> Vec<Change> {
    let mut differ = Differ { old, new, changes: BTreeSet::new(), seen: BTreeSet::new(), sent: true };
    let by_name = |model: &'_ Model| -> BTreeMap<String, usize> {
        model.methods.iter().enumerate().map(|(index, method)| (method.wire.clone(), index)).collect()
    };
    let (before, after) = (by_name(old), by_name(new));
    for (name, index) in &before {
        let method = after.get(name).and_then(|other| new.methods.get(*other));
        match (old.methods.get(*index), method) {
            (Some(old), Some(new)) => differ.method(old, new),
            _ => differ.note(name, "the method is gone", true, false),
        }
    }
    for name in after.keys().filter(|name| !before.contains_key(*name)) {
        differ.note(name, "a new method", false, true);
    }
    differ.changes.into_iter().collect()
}

struct Differ<'m> {
    old: &'m Model,
    new: &'m Model,
    changes: BTreeSet<Change>,
    seen: BTreeSet<(DefId, DefId, bool)>,
    /// True while the values are those that clients send.
    sent: bool,
}

impl<'m> Differ<'m> {
    fn note(&mut self, place: &str, what: impl Into<String>, breaks_clients: bool, breaks_servers: bool) {
        let change = Change { place: place.to_owned(), what: what.into(), breaks_clients, breaks_servers };
        self.changes.insert(change);
    }

    /// Notes a change of the values at a place: `lost` if some are no longer let in, `gained` if new ones are.
    fn values(&mut self, place: &str, what: impl Into<String>, lost: bool, gained: bool) {
        // Senders fail when a value is no longer read; readers fail when they get a value of a new kind.
        let (clients, servers) = if self.sent { (lost, gained) } else { (gained, lost) };
        self.note(place, what, clients, servers);
    }

    fn method(&mut self, old: &'m Method, new: &'m Method) {
        let name = &old.wire;
        if old.structure.accepts() != new.structure.accepts() {
            self.note(name, "params are given in another form", true, true);
        }
        if new.deprecated && !old.deprecated {
            self.note(name, "deprecated", false, false);
        }
        if old.doc() != new.doc() {
            self.note(name, "described differently", false, false);
        }
        self.sent = true;
        self.params(old, new);
        self.sent = false;
        match (&old.result, &new.result) {
            (Some(before), Some(after)) => self.ty(&format!("{name} result"), before, after),
            (None, Some(_)) => self.note(name, "answers now", true, true),
            (Some(_), None) => self.note(name, "answers no longer", true, true),
            (None, None) => {}
        }
        self.errors(old, new);
    }

    fn params(&mut self, old: &'m Method, new: &'m Method) {
        let find = |method: &'m Method, name: &str| -> Option<(usize, &'m Param)> {
            method.params.iter().enumerate().find(|(_, param)| param.wire == name)
        };
        for (position, param) in old.params.iter().enumerate() {
            let place = format!("{} param {}", old.wire, param.wire);
            let Some((now, other)) = find(new, &param.wire) else {
                self.note(&place, "the param is gone", true, false);
                continue;
            };
            if now != position {
                self.note(&place, "moved to another position", true, true);
            }
            match (param.required, other.required) {
                (false, true) => self.values(&place, "required now", true, false),
                (true, false) => self.values(&place, "optional now", false, true),
                _ => {}
            }
            self.ty(&place, &param.ty, &other.ty);
        }
        for param in new.params.iter().filter(|param| find(old, &param.wire).is_none()) {
            let place = format!("{} param {}", new.wire, param.wire);
            match param.required {
                true => self.note(&place, "a new param, required", true, true),
                false => self.note(&place, "a new param, optional", false, true),
            }
        }
    }

    fn errors(&mut self, old: &'m Method, new: &'m Method) {
        let codes = |method: &'m Method, model: &'m Model| -> BTreeMap<i32, &'m ErrorObject> {
            let errors = model.errors_of(method);
            errors.map(|error| (error.code, error)).collect()
        };
        let (before, after) = (codes(old, self.old), codes(new, self.new));
        for (code, error) in &before {
            let place = format!("{} error {code}", old.wire);
            match after.get(code) {
                None => self.note(&place, format!("{} is no longer declared", error.name), false, false),
                Some(other) => match (&error.data, &other.data) {
                    (Some(before), Some(after)) => self.ty(&place, before, after),
                    (None, None) => {}
                    _ => self.note(&place, "its data has another type", true, false),
                },
            }
        }
        for (code, error) in after.iter().filter(|(code, _)| !before.contains_key(code)) {
            let place = format!("{} error {code}", new.wire);
            self.note(&place, format!("{} is declared now", error.name), false, false);
        }
    }

    fn ty(&mut self, place: &str, old: &Ty, new: &Ty) {
        match (old, new) {
            (Ty::Def(a) | Ty::Boxed(a), Ty::Def(b) | Ty::Boxed(b)) => self.defs(place, *a, *b),
            (Ty::Option(a), Ty::Option(b))
            | (Ty::List(a), Ty::List(b))
            | (Ty::Led(a), Ty::Led(b))
            | (Ty::Map(a), Ty::Map(b)) => {
                self.ty(place, a, b);
            }
            (Ty::Tuple(a), Ty::Tuple(b)) if a.len() == b.len() => {
                a.iter().zip(b).for_each(|(a, b)| self.ty(place, a, b));
            }
            (Ty::Integer(a), Ty::Integer(b)) => self.range(place, a.range(), b.range()),
            (a, b) if a == b => {}
            (a, Ty::Option(b)) if !matches!(a, Ty::Option(_)) => {
                self.values(place, "may be null now", false, true);
                self.ty(place, a, b);
            }
            (Ty::Option(a), b) => {
                self.values(place, "is never null now", true, false);
                self.ty(place, a, b);
            }
            (_, Ty::Any) => self.values(place, "any JSON value now", false, true),
            (Ty::Any, _) => self.values(place, "no longer any JSON value", true, false),
            (Ty::Integer(_), Ty::Number) => self.values(place, "may have a fraction now", false, true),
            (Ty::Number, Ty::Integer(_)) => self.values(place, "has no fraction now", true, false),
            (a, b) => match (self.inner(a, self.old), self.inner(b, self.new)) {
                // A type under a name and the same without one are the same on the wire.
                (Some(a), Some(b)) if (&a, &b) != (old, new) => self.ty(place, &a, &b),
                _ => self.unlike(place, old, new),
            },
        }
    }

    /// The type behind a name for one other type, or for a string or an integer with rules.
    fn inner(&self, ty: &Ty, model: &Model) -> Option<Ty> {
        match ty {
            Ty::Def(id) | Ty::Boxed(id) => match &model.types.def(*id)?.body {
                Body::Newtype(inner) => Some(inner.clone()),
                Body::Any => Some(Ty::Any),
                _ => Some(ty.clone()),
            },
            other => Some(other.clone()),
        }
    }

    /// Types of which one may still be a narrower form of the other.
    fn unlike(&mut self, place: &str, old: &Ty, new: &Ty) {
        let ruled = |ty: &Ty, types: &Types| match ty {
            Ty::Def(id) | Ty::Boxed(id) => match types.def(*id).map(|def| &def.body) {
                Some(Body::Text(_) | Body::Texts(_)) => Some(Ty::Text),
                Some(Body::Integer(rules)) => Some(Ty::Integer(rules.integer)),
                Some(Body::Number(_)) => Some(Ty::Number),
                _ => None,
            },
            _ => None,
        };
        let same = |a: &Ty, b: &Ty| std::mem::discriminant(a) == std::mem::discriminant(b);
        match (ruled(old, &self.old.types), ruled(new, &self.new.types)) {
            (None, Some(bare)) if same(&bare, old) => self.values(place, "has rules now", true, false),
            (Some(bare), None) if same(&bare, new) => self.values(place, "has no rules now", false, true),
            _ => self.values(place, "another type", true, true),
        }
    }

    fn range(&mut self, place: &str, (old_low, old_high): (i128, i128), (new_low, new_high): (i128, i128)) {
        if (old_low, old_high) != (new_low, new_high) {
            let (lost, gained) =
                (new_low > old_low || new_high < old_high, new_low < old_low || new_high > old_high);
            self.values(place, format!("from {new_low} to {new_high} now"), lost, gained);
        }
    }

    fn defs(&mut self, place: &str, old: DefId, new: DefId) {
        if !self.seen.insert((old, new, self.sent)) {
            return;
        }
        let (Some(a), Some(b)) = (self.old.types.def(old), self.new.types.def(new)) else { return };
        match (&a.body, &b.body) {
            (Body::Struct(a), Body::Struct(b)) => self.members(place, a, b),
            (Body::Newtype(a), Body::Newtype(b)) => self.ty(place, a, b),
            (Body::Newtype(a), _) => self.ty(place, a, &Ty::Def(new)),
            (_, Body::Newtype(b)) => self.ty(place, &Ty::Def(old), b),
            (Body::Texts(a), Body::Texts(b)) => {
                let texts = |variants: &[crate::types::TextVariant]| -> BTreeSet<String> {
                    variants.iter().map(|variant| format!("{:?}", variant.wire)).collect()
                };
                self.sets(place, &texts(a), &texts(b));
            }
            (Body::Values(a), Body::Values(b)) => {
                let values = |variants: &[crate::types::ValueVariant]| -> BTreeSet<String> {
                    variants.iter().map(|variant| variant.value.to_string()).collect()
                };
                self.sets(place, &values(a), &values(b));
            }
            (Body::Integer(a), Body::Integer(b)) => {
                let range = |rules: &crate::types::scalar::IntegerRules| {
                    (rules.least.unwrap_or(i128::MIN), rules.most.unwrap_or(i128::MAX))
                };
                self.range(place, range(a), range(b));
            }
            (Body::Text(a), Body::Text(b)) if a != b => {
                let (least, most) =
                    (a.least.cmp(&b.least), a.most.unwrap_or(u64::MAX).cmp(&b.most.unwrap_or(u64::MAX)));
                let pattern = a.pattern != b.pattern;
                let lost = least.is_lt() || most.is_gt() || (pattern && b.pattern.is_some());
                let gained = least.is_gt() || most.is_lt() || (pattern && a.pattern.is_some());
                self.values(place, "other rules", lost, gained);
            }
            (Body::Number(a), Body::Number(b)) if a != b => self.values(place, "other bounds", true, true),
            (Body::Union(a), Body::Union(b)) => self.unions(place, a, b),
            (Body::Sequence(a), Body::Sequence(b)) if a.items.len() == b.items.len() => {
                a.items.iter().zip(&b.items).for_each(|(a, b)| self.ty(place, a, b));
                match (&a.rest, &b.rest) {
                    (Some(a), Some(b)) => self.ty(place, a, b),
                    (None, None) => {}
                    (gone, _) => self.values(place, "other items now", gone.is_some(), gone.is_none()),
                }
                if (a.least, a.most) != (b.least, b.most) {
                    self.values(place, "another count of items", true, true);
                }
            }
            (Body::Any | Body::Pending, Body::Any | Body::Pending)
            | (Body::Text(_), Body::Text(_))
            | (Body::Number(_), Body::Number(_)) => {}
            (Body::Texts(_), Body::Text(_)) => self.values(place, "any string by rules now", true, true),
            _ => self.unlike(place, &Ty::Def(old), &Ty::Def(new)),
        }
    }

    fn sets(&mut self, place: &str, old: &BTreeSet<String>, new: &BTreeSet<String>) {
        for gone in old.difference(new) {
            self.values(place, format!("{gone} is gone"), true, false);
        }
        for added in new.difference(old) {
            self.values(place, format!("{added} is new"), false, true);
        }
    }

    fn members(&mut self, place: &str, old: &Struct, new: &Struct) {
        for field in &old.fields {
            let place = format!("{place}.{}", field.wire);
            let Some(other) = new.fields.iter().find(|other| other.wire == field.wire) else {
                // A side that allows unnamed members still reads it; a side that requires the member misses it.
                let refused = new.rest == Rest::Refused;
                self.values(&place, "the member is gone", refused, field.required);
                continue;
            };
            match (field.required, other.required) {
                (false, true) => self.values(&place, "required now", true, false),
                (true, false) => self.values(&place, "optional now", false, true),
                _ => {}
            }
            self.ty(&place, &field.ty, &other.ty);
        }
        for field in new.fields.iter().filter(|field| old.fields.iter().all(|known| known.wire != field.wire))
        {
            let place = format!("{place}.{}", field.wire);
            let unknown = old.rest == Rest::Refused;
            let what = if field.required { "a new member, required" } else { "a new member, optional" };
            self.values(&place, what, field.required, unknown);
        }
        match (&old.rest, &new.rest) {
            (Rest::Typed(a), Rest::Typed(b)) => self.ty(place, a, b),
            (Rest::Refused, Rest::Refused) | (Rest::Open, Rest::Open) => {}
            (Rest::Refused, _) => self.values(place, "allows other members now", false, true),
            (_, Rest::Refused) => self.values(place, "refuses other members now", true, false),
            (Rest::Open, Rest::Typed(_)) => self.values(place, "describes other members now", true, false),
            (Rest::Patterned { patterns: a, other: x }, Rest::Patterned { patterns: b, other: y })
                if a.iter().map(|(pattern, _)| pattern).eq(b.iter().map(|(pattern, _)| pattern))
                    && (**x == Rest::Refused) == (**y == Rest::Refused) =>
            {
                a.iter().zip(b).for_each(|((_, a), (_, b))| self.ty(place, a, b));
            }
            (Rest::Patterned { .. }, _) | (_, Rest::Patterned { .. }) => {
                self.values(place, "describes other members differently now", true, true);
            }
            (Rest::Typed(_), Rest::Open) => self.values(place, "allows any other members now", false, true),
        }
    }

    fn unions(&mut self, place: &str, old: &Union, new: &Union) {
        if old.form != new.form {
            self.values(place, "alternatives have another form", true, true);
            return;
        }
        let key = |variant: &crate::types::Variant| match old.form {
            Form::Untagged => variant.name.clone(),
            Form::Internal(_) | Form::External => variant.wire.clone(),
        };
        let keys = |union: &Union| union.variants.iter().map(key).collect::<BTreeSet<_>>();
        let (before, after) = (keys(old), keys(new));
        let quoted =
            |keys: &BTreeSet<String>| keys.iter().map(|key| format!("the alternative {key}")).collect();
        self.sets(place, &quoted(&before), &quoted(&after));
        for variant in &old.variants {
            let Some(other) = new.variants.iter().find(|other| key(other) == key(variant)) else { continue };
            let place = format!("{place} {}", key(variant));
            match (&variant.content, &other.content) {
                (Content::Ty(a), Content::Ty(b)) => self.ty(&place, a, b),
                (Content::Fields(a), Content::Fields(b)) => self.members(&place, a, b),
                (Content::Unit, Content::Unit) => {}
                _ => self.values(&place, "holds something else", true, true),
            }
        }
    }
}
