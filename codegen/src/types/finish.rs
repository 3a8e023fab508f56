//! Steps that need the whole graph: types that include themselves, the order of alternatives, docs of fields.

use super::{Body, Content, Def, DefId, Form, Rest, Struct, Ty, Types, Variant};
use crate::{document::Document, error::Faults};

pub(super) fn finish(types: &mut Types, document: &Document<'_>, faults: &mut Faults) {
    for def in &mut types.defs {
        if matches!(def.body, Body::Pending) {
            def.body = Body::Any;
        }
    }
    cut_inclusions(types, document, faults);
    order_alternatives(types);
    describe_fields(types);
    box_cycles(types);
}

/// Cuts types that include themselves before any step into the value: reading one would never end.
fn cut_inclusions(types: &mut Types, document: &Document<'_>, faults: &mut Faults) {
    cut_alternatives(types, document, faults);
    let groups = inclusions(types);
    for (id, def) in types.defs.iter_mut().enumerate() {
        if groups.get(id).copied().flatten().is_some() {
            let file = document.files_name(def.place.file);
            faults.add(file, &def.place.pointer, "this schema includes itself");
            def.body = Body::Any;
        }
    }
}

/// Drops an alternative that is the type itself: it adds no value as long as there is another alternative. A type that
/// is itself or null lets null in.
fn cut_alternatives(types: &mut Types, document: &Document<'_>, faults: &mut Faults) {
    let groups = inclusions(types);
    for (id, def) in types.defs.iter_mut().enumerate() {
        let Some(group) = groups.get(id).copied().flatten() else { continue };
        let Body::Union(union) = &mut def.body else { continue };
        let inside = |variant: &Variant| {
            let Content::Ty(ty) = &variant.content else { return false };
            let mut inside = false;
            visit_same(ty, &mut |other| inside |= groups.get(other).copied().flatten() == Some(group));
            inside
        };
        if union.variants.iter().all(inside) {
            continue;
        }
        let or_null = |variant: &Variant| matches!(variant.content, Content::Ty(Ty::Option(_)));
        let null = union.variants.iter().any(|variant| inside(variant) && or_null(variant));
        union.variants.retain(|variant| !inside(variant));
        let has_null = |variant: &Variant| matches!(variant.content, Content::Ty(Ty::Null));
        if null && !union.variants.iter().any(has_null) {
            union.variants.push(null_variant());
        }
        let file = document.files_name(def.place.file);
        faults.warn(file, &def.place.pointer, "this schema is one of its own alternatives");
    }
}

/// The definitions that include themselves before any step into the value.
fn inclusions(types: &Types) -> Vec<Option<usize>> {
    components(&types.defs, |def, visit| match &def.body {
        Body::Newtype(ty) => visit_same(ty, visit),
        Body::Union(union) if union.form == Form::Untagged => {
            for variant in &union.variants {
                if let Content::Ty(ty) = &variant.content {
                    visit_same(ty, visit);
                }
            }
        }
        _ => {}
    })
}

fn null_variant() -> Variant {
    let (name, wire, doc) = ("Null".to_owned(), String::new(), String::new());
    Variant { name, wire, doc, content: Content::Ty(Ty::Null) }
}

fn visit_same(ty: &Ty, visit: &mut dyn FnMut(DefId)) {
    match ty {
        Ty::Def(id) | Ty::Boxed(id) => visit(*id),
        Ty::Option(inner) => visit_same(inner, visit),
        _ => {}
    }
}

/// Puts narrow alternatives before wide ones, so that no value is read as a wider type than it has.
fn order_alternatives(types: &mut Types) {
    let orders = types.defs.iter().map(|def| match &def.body {
        Body::Union(union) if union.form == Form::Untagged => union
            .variants
            .iter()
            .map(|variant| match &variant.content {
                Content::Ty(ty) => rank(ty, types, 0),
                Content::Unit | Content::Fields(_) => (0, 0),
            })
            .collect(),
        _ => Vec::new(),
    });
    let orders: Vec<Vec<(u8, isize)>> = orders.collect();
    for (def, ranks) in types.defs.iter_mut().zip(orders) {
        if let Body::Union(union) = &mut def.body {
            let mut ranks = ranks.into_iter();
            union.variants.sort_by_cached_key(|_| ranks.next());
        }
    }
}

/// How much a type lets in.
fn rank(ty: &Ty, types: &Types, depth: usize) -> (u8, isize) {
    match ty {
        Ty::Never | Ty::Null | Ty::Bool => (0, 0),
        Ty::Uuid => (1, 0),
        Ty::Integer(_) => (3, 0),
        Ty::Number => (5, 0),
        Ty::Text => (6, 0),
        Ty::Tuple(items) => (7, -length(items.len())),
        Ty::List(inner) | Ty::Led(inner) => (8, rank(inner, types, depth + 1).0.into()),
        Ty::Map(inner) => (12, rank(inner, types, depth + 1).0.into()),
        Ty::Option(inner) => rank(inner, types, depth),
        Ty::Any => (20, 0),
        Ty::Def(id) | Ty::Boxed(id) => match types.def(*id).map(|def| &def.body) {
            Some(Body::Texts(_) | Body::Values(_)) => (1, 0),
            Some(Body::Text(_)) => (2, 0),
            Some(Body::Integer(_)) => (2, 1),
            Some(Body::Number(_)) => (4, 0),
            Some(Body::Struct(body)) => {
                let required = body.fields.iter().filter(|field| field.required).count();
                (if body.rest == Rest::Refused { 9 } else { 10 }, -length(required))
            }
            Some(Body::Sequence(_)) => (7, 0),
            Some(Body::Newtype(inner)) if depth < 16 => rank(inner, types, depth + 1),
            Some(Body::Union(_)) => (11, 0),
            _ => (20, 0),
        },
    }
}

fn length(length: usize) -> isize {
    isize::try_from(length).unwrap_or(isize::MAX)
}

/// Gives a field without a description that of its type.
fn describe_fields(types: &mut Types) {
    let docs = types.defs.iter().map(|def| def.doc.clone()).collect::<Vec<_>>();
    let describe = |body: &mut Struct| {
        for field in body.fields.iter_mut().filter(|field| field.doc.is_empty()) {
            if let Ty::Def(id) = field.ty.without_null() {
                field.doc = docs.get(*id).cloned().unwrap_or_default();
            }
        }
    };
    for def in &mut types.defs {
        match &mut def.body {
            Body::Struct(body) => describe(body),
            Body::Union(union) => {
                for variant in &mut union.variants {
                    if let Content::Fields(body) = &mut variant.content {
                        describe(body);
                    }
                }
            }
            _ => {}
        }
    }
}

/// Boxes a type where it holds itself.
fn box_cycles(types: &mut Types) {
    let groups = components(&types.defs, |def, visit| visit_held(&def.body, visit));
    for (id, def) in types.defs.iter_mut().enumerate() {
        let Some(group) = groups.get(id).copied().flatten() else { continue };
        let same = |other: DefId| groups.get(other).copied().flatten() == Some(group);
        match &mut def.body {
            Body::Newtype(ty) => box_held(ty, &same),
            Body::Struct(body) => body.fields.iter_mut().for_each(|field| box_held(&mut field.ty, &same)),
            Body::Sequence(body) => body.items.iter_mut().for_each(|item| box_held(item, &same)),
            Body::Union(union) => {
                for variant in &mut union.variants {
                    match &mut variant.content {
                        Content::Ty(ty) => box_held(ty, &same),
                        Content::Fields(body) => {
                            body.fields.iter_mut().for_each(|field| box_held(&mut field.ty, &same));
                        }
                        Content::Unit => {}
                    }
                }
            }
            _ => {}
        }
    }
}

fn visit_held(body: &Body, visit: &mut dyn FnMut(DefId)) {
    fn fields(body: &Struct, visit: &mut dyn FnMut(DefId)) {
        body.fields.iter().for_each(|field| held(&field.ty, visit));
    }
    fn held(ty: &Ty, visit: &mut dyn FnMut(DefId)) {
        match ty {
            Ty::Def(id) => visit(*id),
            Ty::Option(inner) => held(inner, visit),
            Ty::Tuple(items) => items.iter().for_each(|item| held(item, visit)),
            _ => {}
        }
    }
    match body {
        Body::Newtype(ty) => held(ty, visit),
        Body::Struct(body) => fields(body, visit),
        Body::Sequence(body) => body.items.iter().for_each(|item| held(item, visit)),
        Body::Union(union) => {
            for variant in &union.variants {
                match &variant.content {
                    Content::Ty(ty) => held(ty, visit),
                    Content::Fields(body) => fields(body, visit),
                    Content::Unit => {}
                }
            }
        }
        _ => {}
    }
}

fn box_held(ty: &mut Ty, same: &dyn Fn(DefId) -> bool) {
    match ty {
        Ty::Def(id) if same(*id) => *ty = Ty::Boxed(*id),
        Ty::Option(inner) => box_held(inner, same),
        Ty::Tuple(items) => items.iter_mut().for_each(|item| box_held(item, same)),
        _ => {}
    }
}

/// The strongly connected components that have a cycle (Tarjan, with a stack of its own): of each definition, which
/// one it belongs to.
fn components(defs: &[Def], edges: impl Fn(&Def, &mut dyn FnMut(DefId))) -> Vec<Option<usize>> {
    let targets = defs.iter().map(|def| {
        let mut targets = Vec::new();
        edges(def, &mut |target| targets.push(target));
        targets
    });
    let targets = targets.collect::<Vec<Vec<DefId>>>();
    let mut search = Search {
        index: vec![usize::MAX; defs.len()],
        low: vec![usize::MAX; defs.len()],
        group: vec![None; defs.len()],
        done: vec![false; defs.len()],
        ..Search::default()
    };
    for start in 0..defs.len() {
        if search.index.get(start) == Some(&usize::MAX) {
            search.run(start, &targets);
        }
    }
    search.group
}

#[derive(Default)]
struct Search {
    index: Vec<usize>,
    low: Vec<usize>,
    group: Vec<Option<usize>>,
    done: Vec<bool>,
    open: Vec<DefId>,
    next: usize,
}

#[allow(clippy::indexing_slicing, reason = "every index is a place in vectors of one length")]
impl Search {
    fn run(&mut self, start: DefId, targets: &[Vec<DefId>]) {
        let mut calls = vec![(start, 0)];
        while let Some((id, edge)) = calls.pop() {
            if edge == 0 {
                self.index[id] = self.next;
                self.low[id] = self.next;
                self.next += 1;
                self.open.push(id);
            }
            if let Some(&target) = targets[id].get(edge) {
                calls.push((id, edge + 1));
                if self.index[target] == usize::MAX {
                    calls.push((target, 0));
                } else if !self.done[target] {
                    self.low[id] = self.low[id].min(self.index[target]);
                }
                continue;
            }
            if self.low[id] == self.index[id] {
                self.close(id, &targets[id]);
            }
            if let Some((parent, _)) = calls.last() {
                self.low[*parent] = self.low[*parent].min(self.low[id]);
            }
        }
    }

    fn close(&mut self, root: DefId, targets: &[DefId]) {
        let at = self.open.iter().rposition(|id| *id == root).unwrap_or(0);
        let members = self.open.split_off(at);
        let cyclic = members.len() > 1 || targets.contains(&root);
        for member in members {
            self.done[member] = true;
            self.group[member] = cyclic.then_some(root);
        }
    }
}
