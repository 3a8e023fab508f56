//! Reads JSON objects so that one fault does not hide the next.

use serde_json::{Map, Value};

use crate::fault::{Fault, Pointer};

/// Characters of a file that a fault quotes at most.
const QUOTE_CHARS: usize = 40;

/// An object whose members are taken one by one; a member left over at the end is a fault.
pub(crate) struct Object<'a> {
    at: Pointer,
    members: Map<String, Value>,
    faults: &'a mut Vec<Fault>,
}

impl<'a> Object<'a> {
    /// Begins to read a value that must be an object, described by `expectation`.
    pub(crate) fn new(
        value: Value,
        at: Pointer,
        expectation: &str,
        faults: &'a mut Vec<Fault>,
    ) -> Option<Self> {
        match value {
            Value::Object(members) => Some(Self { at, members, faults }),
            other => {
                faults.push(expected(&at, expectation, &other));
                None
            }
        }
    }

    /// Takes a member, if it exists, and converts it. A member that `convert` refuses is a fault.
    pub(crate) fn take<T>(
        &mut self,
        name: &str,
        expectation: &str,
        convert: impl FnOnce(&Value) -> Option<T>,
    ) -> Option<T> {
        let value = self.members.remove(name)?;
        let converted = convert(&value);
        if converted.is_none() {
            self.faults.push(expected(&self.at.child(name), expectation, &value));
        }
        converted
    }

    /// Takes a member, if it exists, and passes it to a reader that reports its own faults.
    pub(crate) fn take_with<T>(
        &mut self,
        name: &str,
        read: impl FnOnce(Value, Pointer, &mut Vec<Fault>) -> T,
    ) -> Option<T> {
        let value = self.members.remove(name)?;
        Some(read(value, self.at.child(name), self.faults))
    }

    /// Returns whether a member exists and was not taken yet.
    pub(crate) fn has(&self, name: &str) -> bool {
        self.members.contains_key(name)
    }

    /// Reports a fault of a member.
    pub(crate) fn fault(&mut self, name: &str, problem: impl Into<String>) {
        self.faults.push(self.at.child(name).fault(problem));
    }

    /// Reports a fault of the object as a whole.
    pub(crate) fn fault_here(&mut self, problem: impl Into<String>) {
        self.faults.push(self.at.fault(problem));
    }

    /// Reports every member that was not taken as a fault.
    pub(crate) fn finish(self, known: &[&str]) {
        for name in self.members.keys() {
            self.faults.push(unknown_field(&self.at.child(name), known));
        }
    }
}

/// Returns the fault of a value that differs from `expectation`.
pub(crate) fn expected(at: &Pointer, expectation: &str, found: &Value) -> Fault {
    at.fault(format!("expected {expectation}, found {}", quote(found)))
}

/// Returns the JSON type of a value, for faults that must not quote the value itself.
pub(crate) const fn type_of(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "a boolean",
        Value::Number(_) => "a number",
        Value::String(_) => "a string",
        Value::Array(_) => "a list",
        Value::Object(_) => "an object",
    }
}

/// Returns the fault of a field that does not exist.
pub(crate) fn unknown_field(at: &Pointer, known: &[&str]) -> Fault {
    at.fault(format!("unknown field, expected one of {}", known.join(", ")))
}

fn quote(value: &Value) -> String {
    let text = value.to_string();
    match text.char_indices().nth(QUOTE_CHARS) {
        Some((end, _)) => format!("{}…", text.get(..end).unwrap_or_default()),
        None => text,
    }
}
