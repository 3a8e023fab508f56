//! Compares generated types with an independent validator of JSON Schema, value by value.
//!
//! [`run`] makes values for each schema of a document, valid ones and ones with a flaw, has the crate `jsonschema`
//! judge them by the document itself, and has the generated type read and write them. The type must read a valid value
//! and write it unchanged, and refuse an invalid one, unless the generator's report names the rule that it breaks.
//!
//! **Independent** means that only the output and the report of the generator are used, never its own reading of the
//! document. [`bundle`](self) translates the document's dialect into draft 2020-12. Two things that JSON Schema leaves
//! open are read as the generator documents them: a `format` of integers bounds them, and a schema without a `type` may
//! be read as one of the type that its keywords are about.
//!
//! The same seed makes the same values.

mod bundle;
mod judge;
mod values;

use std::{
    collections::BTreeMap,
    fmt::{self, Write as _},
};

use serde::{Serialize, de::DeserializeOwned};
use serde_json::Value;

pub use self::judge::run;

/// A schema of the document, and its type.
#[derive(Clone, Copy, Debug)]
pub struct Probe {
    /// The name of the file.
    pub file: &'static str,
    /// The place in the file, as a JSON pointer.
    pub pointer: &'static str,
    /// Reads a text as the type and writes it again.
    pub read: fn(&str) -> Result<String, String>,
}

/// Reads a text as a type and writes it again. Both ways of serde_json, from text and from a value, must agree.
///
/// # Errors
///
/// Why the type refuses the text.
pub fn read<T: Serialize + DeserializeOwned>(text: &str) -> Result<String, String> {
    let problem = |error: serde_json::Error| error.to_string();
    let of_text = serde_json::from_str::<T>(text);
    let value = serde_json::from_str::<Value>(text).map_err(problem)?;
    match (of_text, serde_json::from_value::<T>(value)) {
        (Ok(one), Ok(other)) => {
            let written = serde_json::to_string(&one).map_err(problem)?;
            let one = serde_json::from_str::<Value>(&written).map_err(problem)?;
            let other = serde_json::to_value(&other).map_err(problem)?;
            if one == other { Ok(written) } else { Ok(format!("{one} as a text and {other} as a value")) }
        }
        (Err(error), Err(_)) => Err(problem(error)),
        (Ok(_), Err(error)) => Ok(format!("something as a text, but not as a value: {error}")),
        (Err(error), Ok(_)) => Ok(format!("something as a value, but not as a text: {error}")),
    }
}

/// A remark of the generator's report: file, pointer, text.
pub type Remark = (&'static str, &'static str, &'static str);

/// A document with its generated types and the generator's remarks.
#[derive(Clone, Copy, Debug)]
pub struct Document {
    /// The files, by name, with their text.
    pub files: &'static [(&'static str, &'static str)],
    /// The schemas and their types.
    pub probes: &'static [Probe],
    /// Rules of the schemas that no type checks.
    pub unchecked: &'static [Remark],
    /// Places with a type that lets any JSON value in.
    pub fallbacks: &'static [Remark],
}

/// How many values are made, and which.
#[derive(Clone, Copy, Debug)]
pub struct Settings {
    /// Values for each schema, as far as that many differ.
    pub values: usize,
    /// The seed of the values.
    pub seed: u64,
}

/// The result of comparing the types of a document.
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
    /// Counts of invalid values that are read, by the rule that the report names.
    pub listed: BTreeMap<String, usize>,
    /// Values that are valid and refused, changed, or invalid and read although the report names no rule.
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
