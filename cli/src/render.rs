//! Formats tasks and libraries for people.

use std::time::{Duration, UNIX_EPOCH};

use circles_client::types::{Caller, Library, LibraryScript, Task, UnixMillis};

use crate::escape;

/// Formats names and values in two columns, one pair a line.
pub(crate) fn fields(fields: &[(&str, String)]) -> String {
    let width = fields.iter().map(|(name, _)| name.len()).max().unwrap_or(0);
    let lines = fields.iter().map(|(name, value)| format!("{name:width$}  {}", escape::name(value)));
    lines.collect::<Vec<_>>().join("\n")
}

/// Formats a task without its result and error.
pub(crate) fn task(task: &Task) -> String {
    let optional = [
        ("script", task.script_name.as_ref().map(ToString::to_string)),
        ("caller", Some(task.caller.to_string()).filter(|caller| !caller.is_empty())),
        ("submitted", Some(time(task.submitted_at))),
        ("started", task.started_at.map(time)),
        ("ended", task.ended_at.map(time)),
    ];
    let mut present = vec![("task", task.task_id.to_string()), ("state", task.state.to_string())];
    present.extend(optional.into_iter().filter_map(|(name, value)| Some((name, value?))));
    fields(&present)
}

/// Formats a task as one line: id, state, time, caller, script.
pub(crate) fn row(task: &Task) -> String {
    let (state, submitted) = (task.state.to_string(), time(task.submitted_at));
    let script = escape::name(task.script_name.as_ref().map_or("-", |name| name.as_str()));
    let (id, caller) = (task.task_id.to_string(), short_caller(&task.caller));
    format!("{}  {state:9}  {submitted}  {:14}  {script}", escape::name(&id), escape::name(&caller))
}

/// Shortens a caller's key for a table.
fn short_caller(caller: &Caller) -> String {
    match caller.char_indices().nth(8) {
        _ if caller.is_empty() => "-".to_owned(),
        Some((end, _)) if !caller.starts_with("webhook:") => format!("{}…", &caller[..end]),
        _ => caller.to_string(),
    }
}

fn time(at: UnixMillis) -> String {
    humantime::format_rfc3339_millis(UNIX_EPOCH + Duration::from_millis(at.get())).to_string()
}

/// Formats the scripts of a library, each with its functions below it.
pub(crate) fn library(library: &Library) -> String {
    let scripts: Vec<_> = library.scripts.iter().map(script).collect();
    scripts.join("\n")
}

fn script(script: &LibraryScript) -> String {
    let mut lines = with_description(&script.name, &script.description);
    if let Some(fault) = &script.fault {
        lines.push_str(&format!("\n    does not compile: {}", escape::name(fault)));
    }
    for function in &script.functions {
        let signature = format!("{}({})", function.name, function.params.join(", "));
        lines.push_str(&format!("\n    {}", with_description(&signature, &function.description)));
    }
    lines
}

/// Formats a name and the first line of its description.
fn with_description(name: &str, description: &str) -> String {
    let name = escape::name(name);
    match description.lines().next() {
        Some(line) if !line.is_empty() => format!("{name}  {}", escape::prose(line)),
        _ => name.into_owned(),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    const KEY: &str = "0279be667ef9dcbbac55a06295ce870b07029bfcdb2dce28d959f2815b16f81798";

    fn new_task(changes: &Value) -> Task {
        let mut task = json!({
            "task_id": "019aa4c2-7e00-7a3b-8c4d-5e6f708192a3", "state": "queued", "caller": KEY,
            "script_name": null, "submitted_at": 1_763_694_000_000_u64, "started_at": null,
            "ended_at": null, "result": null, "error": null,
        });
        for (name, value) in changes.as_object().unwrap() {
            task[name] = value.clone();
        }
        serde_json::from_value(task).unwrap()
    }

    #[test]
    fn task_shows_only_fields_with_a_value() {
        let queued = task(&new_task(&json!({ "caller": "" })));
        let expected = "task       019aa4c2-7e00-7a3b-8c4d-5e6f708192a3\nstate      queued\n\
                        submitted  2025-11-21T03:00:00.000Z";
        assert_eq!(queued, expected);
        let ended = json!({
            "script_name": "a/b", "started_at": 1_763_694_000_001_u64, "ended_at": 1_763_694_000_009_u64,
        });
        let ended = task(&new_task(&ended));
        assert!(ended.contains(&format!("\nscript     a/b\ncaller     {KEY}\n")), "{ended}");
        assert!(ended.ends_with("\nended      2025-11-21T03:00:00.009Z"), "{ended}");
    }

    #[test]
    fn columns_of_rows_are_aligned() {
        for (changes, expected) in [
            (json!({}), "queued     2025-11-21T03:00:00.000Z  0279be66…       -"),
            (
                json!({ "caller": "webhook:stripe", "state": "succeeded", "script_name": "a" }),
                "succeeded  2025-11-21T03:00:00.000Z  webhook:stripe  a",
            ),
            (json!({ "caller": "" }), "queued     2025-11-21T03:00:00.000Z  -               -"),
        ] {
            let expected = format!("019aa4c2-7e00-7a3b-8c4d-5e6f708192a3  {expected}");
            assert_eq!(row(&new_task(&changes)), expected);
        }
    }

    #[test]
    fn library_lists_scripts_and_their_functions() {
        let shown = library(
            &serde_json::from_value(json!({ "scripts": [
                {
                    "name": "ledger/close", "description": "Closes the books.\nAt night.", "fault": null,
                    "functions": [
                        { "name": "total", "params": ["month", "year"], "description": "What it came to." },
                        { "name": "zero", "params": [], "description": "" },
                    ],
                },
                { "name": "open", "description": "", "functions": [], "fault": "line 1: `(` is not closed" },
            ] }))
            .unwrap(),
        );
        let expected = "ledger/close  Closes the books.\n    total(month, year)  What it came to.\n    \
                        zero()\nopen\n    does not compile: line 1: `(` is not closed";
        assert_eq!(shown, expected);
    }
}
