//! Holds generated types against an independent validator of JSON Schema, value by value.
//!
//! [`run`] makes values for each schema of a document, valid ones and ones with a flaw, has the crate `jsonschema`
//! judge them by the document itself, and has the generated type read and write them. What is valid must be read and
//! come out as it went in; what is not must be refused, unless the generator's report names the rule that is broken.
//!
//! **Independent** means: of the generator only what it generated and reported is used, never what it understood. The
//! document's own dialect is brought into that of draft 2020-12 by [`bundle`](self); two things are read as the
//! generator documents them, because JSON Schema leaves them open: a `format` of integers bounds them, and a schema
//! without a `type` may be read as one of the type that its keywords speak of.
//!
//! The same seed makes the same values.

mod bundle;
mod judge;
mod values;

use std::{
    collections::BTreeMap,
    fmt::{self, Write as _},
};

pub use self::judge::run;

/// A schema of the document, and its type.
#[derive(Clone, Copy, Debug)]
pub struct Probe {
    /// The file that the schema stands in, by name.
    pub file: &'static str,
    /// Where in the file, as a JSON pointer.
    pub pointer: &'static str,
    /// Reads a text as the type and writes it again.
    pub read: fn(&str) -> Result<String, String>,
}

/// A place and what the generator's report says of it.
pub type Remark = (&'static str, &'static str, &'static str);

/// What the generator made of a document and said of it.
#[derive(Clone, Copy, Debug)]
pub struct Document {
    /// The files, by name, with their text.
    pub files: &'static [(&'static str, &'static str)],
    /// The schemas and their types.
    pub probes: &'static [Probe],
    /// What the schemas demand and no type checks.
    pub unchecked: &'static [Remark],
    /// Where a type lets any JSON value in.
    pub fallbacks: &'static [Remark],
}

/// How many values are made, and which.
#[derive(Clone, Copy, Debug)]
pub struct Settings {
    /// Values for each schema, as far as that many differ.
    pub values: usize,
    /// Where the choice of values begins.
    pub seed: u64,
}

/// What became of the values of a document.
#[derive(Clone, Debug, Default)]
pub struct Outcome {
    /// Schemas that were tried.
    pub schemas: usize,
    /// Schemas that the validator cannot judge, and why.
    pub unjudged: Vec<String>,
    /// Values that were tried.
    pub values: usize,
    /// How many of them are valid.
    pub valid: usize,
    /// Values that are not valid and are read, by the rule that the report names.
    pub listed: BTreeMap<String, usize>,
    /// What should not be: valid and refused, changed, or not valid and read without a word in the report.
    pub faults: Vec<String>,
}

impl fmt::Display for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { schemas, values, valid, faults, .. } = self;
        writeln!(f, "{schemas} schemas, {values} values, {valid} of them valid, {} faults", faults.len())?;
        for (rule, count) in &self.listed {
            writeln!(f, "  not valid and read, as the report says: {count} by {rule}")?;
        }
        let mut lines = String::new();
        for unjudged in &self.unjudged {
            writeln!(lines, "  not judged: {unjudged}")?;
        }
        for fault in faults {
            writeln!(lines, "  {fault}")?;
        }
        f.write_str(&lines)
    }
}
