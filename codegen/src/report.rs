//! What was made of a document, and what of it could not be said.

use std::{collections::BTreeMap, fmt};

use crate::{
    document::Document,
    error::{Fault, Faults, sorted},
    resolve::Place,
    types::Types,
    vectors::Vectors,
};

/// A place of the document and what is to be said of it.
pub type Remark = Fault;

/// What was made of a document, and what of it could not be said in types.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Report {
    /// How many methods.
    pub methods: usize,
    /// How many types with a name.
    pub types: usize,
    /// Where a type lets any JSON value in, and why.
    pub fallbacks: Vec<Remark>,
    /// What the schemas demand and no type checks.
    pub unchecked: Vec<Remark>,
    /// Where a type refuses values that its schema lets in by the letter, and why.
    pub narrowed: Vec<Remark>,
    /// How many example values are valid by their own schemas.
    pub examples: usize,
    /// Example values that their own schemas refuse.
    pub invalid_examples: Vec<Remark>,
    /// What is wrong with the document, or doubtful, and was passed over.
    pub passed_over: Vec<Remark>,
}

impl Report {
    pub(crate) fn new(document: &Document<'_>, types: &Types, vectors: &Vectors, faults: Faults) -> Self {
        let remarks = |places: &BTreeMap<Place, &'static str>| {
            let remarks = places.iter().map(|(place, why)| Remark {
                file: document.files_name(place.file).to_owned(),
                ..Remark::new(&place.pointer, *why)
            });
            sorted(remarks.collect())
        };
        Self {
            methods: document.methods.len(),
            types: types.defs.len(),
            fallbacks: remarks(&types.report.fallbacks),
            unchecked: remarks(&types.report.unchecked),
            narrowed: remarks(&types.report.narrowed),
            examples: vectors.valid.len(),
            invalid_examples: remarks(
                &vectors.invalid.iter().map(|place| (place.clone(), "its own schema refuses it")).collect(),
            ),
            passed_over: faults.into_passed(),
        }
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{} methods, {} types, {} valid examples", self.methods, self.types, self.examples)?;
        let lists = [
            ("let any JSON value in", &self.fallbacks),
            ("say more than any type checks", &self.unchecked),
            ("are read as less than they say", &self.narrowed),
            ("show a value that is not valid", &self.invalid_examples),
            ("were passed over", &self.passed_over),
        ];
        for (what, remarks) in lists.into_iter().filter(|(_, remarks)| !remarks.is_empty()) {
            writeln!(f, "{} places {what}:", remarks.len())?;
            remarks.iter().try_for_each(|remark| writeln!(f, "  {remark}"))?;
        }
        Ok(())
    }
}
