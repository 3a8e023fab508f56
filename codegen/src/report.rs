//! The report on a document: what was generated, and what types cannot say.

use std::{collections::BTreeMap, fmt};

use crate::{
    document::Document,
    error::{Fault, Faults, sorted},
    resolve::Place,
    types::Types,
    vectors::Vectors,
};

/// A remark about a place of the document.
pub type Remark = Fault;

/// The report on a document: what was generated, and what types cannot say.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Report {
    /// The number of methods.
    pub methods: usize,
    /// The number of types with a name.
    pub types: usize,
    /// Places with a type that lets any JSON value in, and why.
    pub fallbacks: Vec<Remark>,
    /// Rules of the schemas that no type checks.
    pub unchecked: Vec<Remark>,
    /// Places with a type that refuses values that its schema lets in by the letter, and why.
    pub narrowed: Vec<Remark>,
    /// The number of example values that are valid by their own schemas.
    pub examples: usize,
    /// Example values that their own schemas refuse.
    pub invalid_examples: Vec<Remark>,
    /// Faults and doubtful parts of the document that were passed over.
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
