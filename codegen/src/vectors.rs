//! Example values of a document that are valid by their own schemas, with the types that must read them.

use std::collections::BTreeSet;

use serde_json::Value;

use crate::{
    document::Document,
    resolve::{Node, Place},
    types::{Ty, Types},
    valid::is_valid,
};

/// An example value and its type.
#[derive(Debug)]
pub(crate) struct Vector {
    pub(crate) place: Place,
    pub(crate) ty: Ty,
    pub(crate) value: Value,
}

/// What examples a document has.
#[derive(Debug, Default)]
pub(crate) struct Vectors {
    pub(crate) valid: Vec<Vector>,
    /// Those that their own schema refuses.
    pub(crate) invalid: BTreeSet<Place>,
}

/// Gathers the examples of methods and schemas.
pub(crate) fn gather(document: &Document<'_>, types: &Types) -> Vectors {
    let mut vectors = Vectors::default();
    for method in &document.methods {
        for example in &method.examples {
            for (position, given) in example.params.iter().enumerate() {
                let named = method.params.iter().find(|param| param.name == given.name);
                let param = named.or_else(|| method.params.get(position));
                if let (Some(param), Some(value)) = (param, &given.value) {
                    vectors.add(given.place.clone(), &param.schema, types.at(&param.schema.place()), value);
                }
            }
            if let (Some(result), Some(value)) = (&method.result, &example.result) {
                vectors.add(example.place.clone(), result, types.at(&result.place()), value);
            }
        }
    }
    for (id, def) in types.defs.iter().enumerate() {
        let Some(node) = document.node(&def.place) else { continue };
        // The definition of a part of the schema is another type than the schema's.
        if types.defs.iter().skip(id + 1).take(1).any(|next| next.place == def.place) {
            continue;
        }
        for example in node.get("examples").iter().flat_map(Node::elements) {
            vectors.add(example.place(), &node, &Ty::Def(id), example.value);
        }
        if let Some(example) = node.get("example") {
            vectors.add(example.place(), &node, &Ty::Def(id), example.value);
        }
    }
    vectors
}

impl Vectors {
    fn add(&mut self, place: Place, schema: &Node<'_>, ty: &Ty, value: &Value) {
        if is_valid(schema, value) {
            self.valid.push(Vector { place, ty: ty.clone(), value: value.clone() });
        } else {
            self.invalid.insert(place);
        }
    }
}
