//! Reading JSON so that one fault does not hide the next.

use serde_json::{Map, Value};

use crate::fault::{Fault, Place};

/// The longest piece of a file that a fault quotes.
const QUOTED: usize = 40;

/// An object whose members are taken out one by one; what is left over in the end should not be there.
pub struct Object<'a> {
    at: Place,
    members: Map<String, Value>,
    faults: &'a mut Vec<Fault>,
}

impl<'a> Object<'a> {
    /// Begins to read what stands at a place, which must be an object.
    pub fn new(value: Value, at: Place, what: &str, faults: &'a mut Vec<Fault>) -> Option<Self> {
        match value {
            Value::Object(members) => Some(Self { at, members, faults }),
            other => {
                faults.push(expected(&at, what, &other));
                None
            }
        }
    }

    /// Takes a member, if it is there, and makes of it what it should be; where `make` makes nothing, it is no
    /// such thing.
    pub fn take<T>(&mut self, name: &str, what: &str, make: impl FnOnce(&Value) -> Option<T>) -> Option<T> {
        let value = self.members.remove(name)?;
        let made = make(&value);
        if made.is_none() {
            self.faults.push(expected(&self.at.child(name), what, &value));
        }
        made
    }

    /// Takes a member, if it is there, to a reader of its own, which gets its place and says its own faults.
    pub fn take_with<T>(
        &mut self,
        name: &str,
        read: impl FnOnce(Value, Place, &mut Vec<Fault>) -> T,
    ) -> Option<T> {
        let value = self.members.remove(name)?;
        Some(read(value, self.at.child(name), self.faults))
    }

    /// Whether a member is there and not taken yet.
    pub fn has(&self, name: &str) -> bool {
        self.members.contains_key(name)
    }

    /// Says what is wrong with a member, or with what its absence means.
    pub fn fault(&mut self, name: &str, problem: impl Into<String>) {
        self.faults.push(self.at.child(name).fault(problem));
    }

    /// Says what is wrong with the object as a whole.
    pub fn fault_here(&mut self, problem: impl Into<String>) {
        self.faults.push(self.at.fault(problem));
    }

    /// Ends reading: whatever is left is a fault.
    pub fn end(self, known: &[&str]) {
        for name in self.members.keys() {
            self.faults.push(unknown(&self.at.child(name), known));
        }
    }
}

/// The fault of something that is not what stands here otherwise.
pub fn expected(at: &Place, what: &str, found: &Value) -> Fault {
    at.fault(format!("expected {what}, found {}", quoted(found)))
}

/// The kind of JSON that a value is, for places where the value itself had better not be shown.
pub const fn kind_of(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "a boolean",
        Value::Number(_) => "a number",
        Value::String(_) => "a string",
        Value::Array(_) => "a list",
        Value::Object(_) => "an object",
    }
}

/// The fault of a name that means nothing.
pub fn unknown(at: &Place, known: &[&str]) -> Fault {
    at.fault(format!("no such field; there are {}", known.join(", ")))
}

fn quoted(value: &Value) -> String {
    let text = value.to_string();
    match text.char_indices().nth(QUOTED) {
        Some((end, _)) => format!("{}…", text.get(..end).unwrap_or_default()),
        None => text,
    }
}
