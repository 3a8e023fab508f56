//! Names of the document as names of Rust.

use heck::{ToPascalCase, ToShoutySnakeCase, ToSnakeCase};
use proc_macro2::{Ident, Span};

/// `task_id` and `task-id` become `TaskId`. `None` if nothing is left that may name a type.
pub(crate) fn type_name(name: &str) -> Option<String> {
    let name = name.to_pascal_case();
    (name != "Self" && syn::parse_str::<Ident>(&name).is_ok()).then_some(name)
}

/// As [`type_name`], for schemas: their types must not hide the variants that every generated impl writes.
pub(crate) fn schema_type_name(name: &str) -> Option<String> {
    let name = type_name(name)?;
    Some(if ["Ok", "Err", "Some", "None"].contains(&name.as_str()) { format!("{name}Value") } else { name })
}

/// `SCRIPT_TIMEOUT`, as constants are spelt.
pub(crate) fn constant_name(name: &str) -> Option<String> {
    let name = name.to_shouty_snake_case();
    syn::parse_str::<Ident>(&name).is_ok().then_some(name)
}

/// `task_id`, as fields and functions are spelt; a keyword is escaped (`r#type`), or where Rust forbids that, given
/// an underscore (`self_`).
pub(crate) fn value_name(name: &str) -> Option<String> {
    let name = name.to_snake_case();
    if syn::parse_str::<Ident>(&name).is_ok() {
        return Some(name);
    }
    match name.as_str() {
        "self" | "super" | "crate" => Some(format!("{name}_")),
        _ => {
            let raw = format!("r#{name}");
            syn::parse_str::<Ident>(&raw).is_ok().then_some(raw)
        }
    }
}

/// As [`value_name`], for functions and their arguments: out of the way of `taken`, which the macro's own code uses.
pub(crate) fn free_value_name(name: &str, taken: &[&str]) -> Option<String> {
    let name = value_name(name)?;
    Some(if taken.contains(&name.as_str()) { format!("{name}_") } else { name })
}

/// An identifier from a text that one of the functions above gave.
pub(crate) fn ident(name: &str) -> Ident {
    match name.strip_prefix("r#") {
        Some(name) => Ident::new_raw(name, Span::call_site()),
        None => Ident::new(name, Span::call_site()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_take_the_form_that_rust_expects_of_their_kind() {
        assert_eq!(type_name("rpc.discover").as_deref(), Some("RpcDiscover"));
        assert_eq!(value_name("rpc.discover").as_deref(), Some("rpc_discover"));
        assert_eq!(constant_name("script failed").as_deref(), Some("SCRIPT_FAILED"));
    }

    #[test]
    fn keywords_are_escaped() {
        assert_eq!(value_name("type").as_deref(), Some("r#type"));
        assert_eq!(value_name("self").as_deref(), Some("self_"));
        assert_eq!(type_name("self"), None);
    }

    #[test]
    fn what_cannot_be_a_name_is_refused() {
        for name in ["", "7", "…", "-", "_"] {
            assert_eq!(
                (type_name(name), value_name(name), constant_name(name)),
                (None, None, None),
                "{name}"
            );
        }
    }
}
