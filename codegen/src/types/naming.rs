//! Names for types that the document does not name: from titles, places and references.

use crate::names;

/// A name for a part of a named type. A name that gets too long loses its oldest part.
pub(super) fn join(parent: &str, child: &str) -> String {
    let child = names::type_name(child);
    let whole = format!("{parent}{child}");
    let whole = if whole.len() > 72 && child.len() > 3 { child } else { whole };
    names::schema_type_name(&whole)
}

/// Tells whether a title can name a type: a sentence cannot.
pub(super) fn is_name(title: &str) -> bool {
    let title = title.trim();
    title.len() <= 48
        && title.split_whitespace().count() <= 5
        && title.starts_with(|first: char| first.is_ascii_alphabetic())
}

/// A name from the target of a reference.
pub(super) struct PointedName {
    pub(super) name: String,
    /// True if the target is one of the schemas that a document keeps by name.
    pub(super) is_component: bool,
}

pub(super) fn pointed_name(pointer: &str) -> PointedName {
    const KEEPERS: [&str; 3] = ["schemas", "definitions", "$defs"];
    const STEPS: [&str; 13] = [
        "components",
        "properties",
        "items",
        "allOf",
        "oneOf",
        "anyOf",
        "schema",
        "methods",
        "params",
        "result",
        "additionalProperties",
        "prefixItems",
        "contentDescriptors",
    ];
    let steps = pointer.split('/').skip(1).map(|step| step.replace("~1", "/").replace("~0", "~"));
    let steps = steps.collect::<Vec<_>>();
    let is_keeper = |step: &String| KEEPERS.contains(&step.as_str()) || step.starts_with("x-");
    let keeper = steps.iter().rposition(is_keeper);
    let is_component = keeper.is_some_and(|keeper| keeper + 2 == steps.len());
    let after = steps.get(keeper.map_or(0, |keeper| keeper + 1)..).unwrap_or_default();
    let telling =
        after.iter().filter(|step| !STEPS.contains(&step.as_str()) && step.parse::<usize>().is_err());
    let telling = telling.cloned().collect::<Vec<_>>();
    let name = match telling.as_slice() {
        [.., one, two] if !is_component => format!("{one}_{two}"),
        [.., one] => one.clone(),
        [] => String::new(),
    };
    PointedName { name, is_component }
}
