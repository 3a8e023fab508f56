//! Resolution of `$ref`s.

use std::collections::BTreeSet;

use serde_json::Value;

use crate::{
    error::Faults,
    json::step,
    load::{Files, is_remote},
};

/// A place in the files of a document.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct Place {
    pub(crate) file: usize,
    pub(crate) pointer: String,
}

/// A value of the document with its place.
#[derive(Clone, Debug)]
pub(crate) struct Node<'a> {
    pub(crate) files: &'a Files,
    pub(crate) file: usize,
    pub(crate) value: &'a Value,
    pub(crate) pointer: String,
}

/// Why a reference has no target.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Unresolved {
    /// It is wrong.
    Dangling(String),
    /// It is a URL, and the generator reads only files.
    Remote(String),
}

impl Unresolved {
    /// The problem as a fault states it.
    pub(crate) fn problem(self) -> String {
        match self {
            Self::Dangling(problem) => problem,
            Self::Remote(link) => format!("`{link}` is a URL; the generator reads only files"),
        }
    }
}

impl<'a> Node<'a> {
    pub(crate) fn root(files: &'a Files) -> Self {
        static NOTHING: Value = Value::Null;
        let value = files.get(0).map_or(&NOTHING, |file| &file.root);
        Self { files, file: 0, value, pointer: String::new() }
    }

    fn at(&self, value: &'a Value, pointer: String) -> Self {
        Self { files: self.files, file: self.file, value, pointer }
    }

    pub(crate) fn place(&self) -> Place {
        Place { file: self.file, pointer: self.pointer.clone() }
    }

    /// The name of its file.
    pub(crate) fn file_name(&self) -> &'a str {
        self.files.name(self.file)
    }

    /// Notes a fault of this place.
    pub(crate) fn fault(&self, faults: &mut Faults, problem: impl Into<String>) {
        faults.add(self.file_name(), &self.pointer, problem);
    }

    pub(crate) fn get(&self, key: &str) -> Option<Self> {
        let value = self.value.as_object()?.get(key)?;
        Some(self.at(value, step(&self.pointer, key)))
    }

    pub(crate) fn text(&self, key: &str) -> Option<&'a str> {
        self.value.as_object()?.get(key)?.as_str()
    }

    /// Tells whether a member is true.
    pub(crate) fn is_true(&self, key: &str) -> bool {
        self.get(key).is_some_and(|flag| flag.value == true)
    }

    /// A member, or this node if there is none.
    pub(crate) fn member_or_self(&self, key: &str) -> Self {
        self.get(key).unwrap_or_else(|| self.clone())
    }

    /// The elements of an array; none of anything else.
    pub(crate) fn elements(&self) -> impl Iterator<Item = Self> + use<'a> {
        let elements: &'a [Value] = self.value.as_array().map_or(&[], Vec::as_slice);
        let this = self.clone();
        elements.iter().enumerate().map(move |(index, value)| this.at(value, step(&this.pointer, index)))
    }

    /// The members of an object; none of anything else.
    pub(crate) fn members(&self) -> impl Iterator<Item = (&'a str, Self)> + use<'a> {
        let this = self.clone();
        let members = self.value.as_object().into_iter().flatten();
        members.map(move |(key, value)| (key.as_str(), this.at(value, step(&this.pointer, key))))
    }

    /// The text of `$ref`, if this node is a reference.
    pub(crate) fn reference(&self) -> Option<&'a Value> {
        self.value.as_object()?.get("$ref")
    }

    /// The target of a `$ref` of this node.
    pub(crate) fn target(&self, reference: &Value) -> Result<Self, Unresolved> {
        let dangling = |problem: String| Err(Unresolved::Dangling(problem));
        let Some(text) = reference.as_str() else {
            return dangling("a reference is a string, such as \"#/components/schemas/Name\"".to_owned());
        };
        if let Some(node) = self.anchored(text) {
            return Ok(node);
        }
        let (link, fragment) = text.split_once('#').unwrap_or((text, ""));
        if is_remote(link) {
            return Err(Unresolved::Remote(text.to_owned()));
        }
        let file = self.files.linked(self.file, link);
        let Some((index, file)) = file.and_then(|index| Some((index, self.files.get(index)?))) else {
            return dangling(format!("`{text}` names a file that cannot be read: `{link}`"));
        };
        let Some(pointer) = percent_decode(fragment) else {
            return dangling(format!("`{text}` is no JSON pointer"));
        };
        match file.root.pointer(&pointer) {
            Some(value) => Ok(Self { files: self.files, file: index, value, pointer }),
            None if index == self.file => {
                self.nearby(&pointer).ok_or_else(|| Unresolved::Dangling(format!("no value at `{text}`")))
            }
            None => dangling(format!("no value at `{text}`")),
        }
    }

    /// The node with this text as its `$anchor` or `$id`.
    fn anchored(&self, text: &str) -> Option<Self> {
        let file = self.files.get(self.file)?;
        let pointer = file.anchors.get(text)?;
        Some(self.at(file.root.pointer(pointer)?, pointer.clone()))
    }

    /// Some documents write `#/definitions/Name` for definitions of the schema around the reference.
    fn nearby(&self, pointer: &str) -> Option<Self> {
        if !pointer.starts_with("/definitions/") && !pointer.starts_with("/$defs/") {
            return None;
        }
        let root = &self.files.get(self.file)?.root;
        let mut around = self.pointer.as_str();
        while let Some((parent, _)) = around.rsplit_once('/') {
            let whole = format!("{parent}{pointer}");
            if let Some(value) = root.pointer(&whole) {
                return Some(self.at(value, whole));
            }
            around = parent;
        }
        None
    }

    /// Follows `$ref`s to the first node that is none. `None`, with the fault noted, if there is no such node.
    pub(crate) fn follow(&self, faults: &mut Faults) -> Option<Self> {
        let mut here = self.clone();
        let mut seen = BTreeSet::new();
        while let Some(reference) = here.reference() {
            if !seen.insert(here.place()) {
                let at = step(&self.pointer, "$ref");
                faults.add(self.file_name(), at, "this reference refers to itself");
                return None;
            }
            match here.target(reference) {
                Ok(next) => here = next,
                Err(lost) => {
                    faults.add(here.file_name(), step(&here.pointer, "$ref"), lost.problem());
                    return None;
                }
            }
        }
        Some(here)
    }
}

fn percent_decode(text: &str) -> Option<String> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.bytes();
    while let Some(byte) = rest.next() {
        if byte == b'%' {
            let pair = [rest.next()?, rest.next()?];
            bytes.push(u8::from_str_radix(std::str::from_utf8(&pair).ok()?, 16).ok()?);
        } else {
            bytes.push(byte);
        }
    }
    String::from_utf8(bytes).ok()
}
