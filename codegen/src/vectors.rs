//! Example values of a document that are valid by their own schemas, with the types that must read them.

use std::collections::BTreeSet;

use serde_json::Value;

use crate::{
    document::{Document, DocumentMethod, Example},
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

/// The examples of a document.
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
                let names = method.params.iter().map(|param| param.name.as_str());
                let param = method.params.get(given.place_among(names, position));
                if let (Some(param), Some(value)) = (param, &given.value) {
                    vectors.add(given.place.clone(), &param.schema, types.at(&param.schema.place()), value);
                }
            }
            if let (Some(result), Some(value)) = (&method.result, &example.result) {
                vectors.add(example.place.clone(), result, types.at(&result.place()), value);
            }
            vectors.add_error(example, method, document, types);
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
    /// Tells whether an example can be played against a server: it is complete, and valid by its own schemas.
    pub(crate) fn plays(&self, example: &Example) -> bool {
        let said =
            example.params.iter().all(|param| param.value.is_some() && !self.invalid.contains(&param.place));
        said && !self.invalid.contains(&example.place)
    }

    fn add_error(
        &mut self,
        example: &Example,
        method: &DocumentMethod<'_>,
        document: &Document<'_>,
        types: &Types,
    ) {
        let Some(error) = &example.error else { return };
        let code = error.get("code").and_then(Value::as_i64);
        let declared = document
            .errors
            .iter()
            .filter(|declared| Some(declared.code) == code && method.errors.contains(&declared.node.place()));
        for data in declared.filter_map(|declared| declared.data.as_ref()) {
            let value = error.get("data").unwrap_or(&Value::Null);
            self.add(example.place.clone(), data, types.at(&data.place()), value);
        }
    }

    fn add(&mut self, place: Place, schema: &Node<'_>, ty: &Ty, value: &Value) {
        if is_valid(schema, value) {
            self.valid.push(Vector { place, ty: ty.clone(), value: value.clone() });
        } else {
            self.invalid.insert(place);
        }
    }
}
