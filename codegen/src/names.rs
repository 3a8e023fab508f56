//! Names of the document as names of Rust: any text becomes a name, and no name is given out twice.

use std::collections::{BTreeMap, BTreeSet};

use heck::{ToPascalCase, ToShoutySnakeCase, ToSnakeCase};
use proc_macro2::{Ident, Span};

/// Names are cut to this many characters, because some documents use sentences as names.
const MAX_NAME_CHARS: usize = 64;

/// `task_id` and `task-id` become `TaskId`.
pub(crate) fn type_name(name: &str) -> String {
    let name = words(name).to_pascal_case();
    match name.chars().next() {
        Some(first) if first.is_ascii_digit() => format!("N{name}"),
        None => "Empty".to_owned(),
        Some(_) if name == "Self" => "SelfValue".to_owned(),
        Some(_) => name,
    }
}

/// As [`type_name`], for schemas: their types must not hide variants such as `Some`, which generated code names.
pub(crate) fn schema_type_name(name: &str) -> String {
    let name = type_name(name);
    if ["Ok", "Err", "Some", "None"].contains(&name.as_str()) { format!("{name}Value") } else { name }
}

/// A name for an error whose own name is taken.
pub(crate) fn coded(name: &str, code: i64) -> String {
    format!("{name} {}", code.unsigned_abs())
}

/// `SCRIPT_TIMEOUT`, the spelling of constants.
pub(crate) fn constant_name(name: &str) -> String {
    let name = words(name).to_shouty_snake_case();
    match name.chars().next() {
        Some(first) if first.is_ascii_digit() => format!("N{name}"),
        None => "EMPTY".to_owned(),
        Some(_) => name,
    }
}

/// `task_id`, the spelling of fields and functions, before keywords are escaped.
fn plain_value_name(name: &str) -> String {
    let name = words(name).to_snake_case();
    match name.chars().next() {
        Some(first) if first.is_ascii_digit() => format!("n{name}"),
        None => "empty".to_owned(),
        Some(_) => name,
    }
}

/// Escapes a keyword (`r#type`), or adds an underscore if Rust forbids that (`self_`).
fn escaped(name: String) -> String {
    // `gen` is a keyword since the edition of 2024.
    if syn::parse_str::<Ident>(&name).is_ok() && name != "gen" {
        return name;
    }
    match name.as_str() {
        "self" | "super" | "crate" => format!("{name}_"),
        _ => format!("r#{name}"),
    }
}

/// An identifier from a text that a function above returned.
pub(crate) fn ident(name: &str) -> Ident {
    match name.strip_prefix("r#") {
        Some(name) => Ident::new_raw(name, Span::call_site()),
        None => Ident::new(name, Span::call_site()),
    }
}

/// Names that must differ.
#[derive(Debug, Default)]
pub(crate) struct Scope {
    taken: BTreeSet<String>,
    counts: BTreeMap<String, usize>,
}

impl Scope {
    pub(crate) fn with(reserved: &[&str]) -> Self {
        Self { taken: reserved.iter().map(|name| (*name).to_owned()).collect(), counts: BTreeMap::new() }
    }

    /// Tells whether a name is taken.
    pub(crate) fn has(&self, name: &str) -> bool {
        self.taken.contains(name)
    }

    /// Takes a name if it is free.
    pub(crate) fn take(&mut self, name: &str) -> bool {
        self.taken.insert(name.to_owned())
    }

    /// Takes the name, with a number if it is not free.
    pub(crate) fn claim(&mut self, name: String) -> String {
        self.numbered(name, "")
    }

    /// Takes the name if it is free, else the other one, with a number if that is not free either.
    pub(crate) fn first(&mut self, name: String, other: String, between: &str) -> String {
        if self.take(&name) { name } else { self.numbered(other, between) }
    }

    /// A field, a function or an argument for a name of the document.
    pub(crate) fn value(&mut self, name: &str) -> String {
        escaped(self.numbered(plain_value_name(name), "_"))
    }

    fn numbered(&mut self, name: String, between: &str) -> String {
        if self.taken.insert(name.clone()) {
            return name;
        }
        let count = self.counts.entry(name.clone()).or_insert(1);
        loop {
            *count += 1;
            let numbered = format!("{name}{between}{count}");
            if self.taken.insert(numbered.clone()) {
                return numbered;
            }
        }
    }
}

/// The words of a text that a name can hold: ASCII letters and digits, with gaps for the rest. A text that has only
/// signs is spelled out.
fn words(text: &str) -> String {
    let text: String = text.trim().chars().take(MAX_NAME_CHARS).collect();
    let mut words = String::new();
    if text.strip_prefix('-').is_some_and(|rest| rest.starts_with(|next: char| next.is_ascii_digit())) {
        words.push_str("minus ");
    }
    for character in text.chars() {
        match character {
            _ if character.is_ascii_alphanumeric() => words.push(character),
            _ if character.is_ascii() => words.push(' '),
            _ if character.is_alphanumeric() => words.push_str(&format!(" u{:x} ", u32::from(character))),
            _ => words.push(' '),
        }
    }
    if words.trim().is_empty() { text.chars().map(sign_name).collect::<Vec<_>>().join(" ") } else { words }
}

/// The name of a sign.
fn sign_name(sign: char) -> String {
    let name = match sign {
        '+' => "plus",
        '-' => "minus",
        '*' => "star",
        '/' => "slash",
        '\\' => "backslash",
        '=' => "equal",
        '<' => "less",
        '>' => "greater",
        '!' => "bang",
        '?' => "question",
        '%' => "percent",
        '&' => "and",
        '|' => "or",
        '^' => "caret",
        '~' => "tilde",
        '.' => "dot",
        ',' => "comma",
        ':' => "colon",
        ';' => "semicolon",
        '#' => "hash",
        '$' => "dollar",
        '@' => "at",
        '_' => "underscore",
        ' ' => "space",
        _ => return format!("u{:x}", u32::from(sign)),
    };
    name.to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn value_name(name: &str) -> String {
        Scope::default().value(name)
    }

    #[test]
    fn names_follow_rust_conventions() {
        assert_eq!(type_name("rpc.discover"), "RpcDiscover");
        assert_eq!(value_name("rpc.discover"), "rpc_discover");
        assert_eq!(constant_name("script failed"), "SCRIPT_FAILED");
    }

    #[test]
    fn keywords_are_escaped() {
        assert_eq!(value_name("type"), "r#type");
        assert_eq!(value_name("gen"), "r#gen");
        assert_eq!(value_name("self"), "self_");
        assert_eq!(type_name("self"), "SelfValue");
    }

    #[test]
    fn every_text_becomes_a_name() {
        for (text, name) in [
            ("", "Empty"),
            ("7", "N7"),
            ("-7", "Minus7"),
            ("…", "U2026"),
            ("<=", "LessEqual"),
            ("_", "Underscore"),
            ("größe", "GrUf6UdfE"),
        ] {
            assert_eq!(type_name(text), name);
            for name in [type_name(text), value_name(text), constant_name(text)] {
                assert!(syn::parse_str::<Ident>(name.trim_start_matches("r#")).is_ok(), "{text}: {name}");
            }
        }
    }

    #[test]
    fn no_name_is_given_out_twice() {
        let mut scope = Scope::default();
        let names = ["a-b", "a_b", "aB", "a_b_2"].map(|name| scope.value(name));
        assert_eq!(names, ["a_b", "a_b_2", "a_b_3", "a_b_2_2"]);
    }
}
