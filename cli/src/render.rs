//! Tasks and libraries as text for people.

use std::time::{Duration, UNIX_EPOCH};

use circles_client::types::{Caller, Library, LibraryScript, Task, UnixMillis};

use crate::text;

/// Names and values, one pair a line, the values under each other.
pub fn fields(fields: &[(&str, String)]) -> String {
    let width = fields.iter().map(|(name, _)| name.len()).max().unwrap_or(0);
    let lines = fields.iter().map(|(name, value)| format!("{name:width$}  {}", text::name(value)));
    lines.collect::<Vec<_>>().join("\n")
}

/// All that is known of a task but its result and its error.
pub fn task(task: &Task) -> String {
    let optional = [
        ("script", task.script_name.as_ref().map(ToString::to_string)),
        ("caller", Some(task.caller.to_string()).filter(|caller| !caller.is_empty())),
        ("submitted", Some(time(task.submitted_at))),
        ("started", task.started_at.map(time)),
        ("ended", task.ended_at.map(time)),
    ];
    let mut known = vec![("task", task.task_id.to_string()), ("state", task.state.to_string())];
    known.extend(optional.into_iter().filter_map(|(name, value)| Some((name, value?))));
    fields(&known)
}

/// A task as one line: id, state, time, caller, script.
pub fn row(task: &Task) -> String {
    let (state, submitted) = (task.state.to_string(), time(task.submitted_at));
    let script = text::name(task.script_name.as_ref().map_or("-", |name| name.as_str()));
    let (id, caller) = (task.task_id.to_string(), brief(&task.caller));
    format!("{}  {state:9}  {submitted}  {:14}  {script}", text::name(&id), text::name(&caller))
}

/// A caller, short enough for a table.
fn brief(caller: &Caller) -> String {
    match caller.char_indices().nth(8) {
        _ if caller.is_empty() => "-".to_owned(),
        Some((end, _)) if !caller.starts_with("webhook:") => format!("{}…", &caller[..end]),
        _ => caller.to_string(),
    }
}

fn time(at: UnixMillis) -> String {
    humantime::format_rfc3339_millis(UNIX_EPOCH + Duration::from_millis(at.get())).to_string()
}

/// The scripts of a library, each with its functions below it.
pub fn library(library: &Library) -> String {
    let scripts: Vec<_> = library.scripts.iter().map(script).collect();
    scripts.join("\n")
}

fn script(script: &LibraryScript) -> String {
    let mut lines = described(&script.name, &script.description);
    if let Some(fault) = &script.fault {
        lines.push_str(&format!("\n    does not compile: {}", text::name(fault)));
    }
    for function in &script.functions {
        let signature = format!("{}({})", function.name, function.params.join(", "));
        lines.push_str(&format!("\n    {}", described(&signature, &function.description)));
    }
    lines
}

/// A name and the first line of what is said of it.
fn described(name: &str, description: &str) -> String {
    let name = text::name(name);
    match description.lines().next() {
        Some(line) if !line.is_empty() => format!("{name}  {}", text::prose(line)),
        _ => name.into_owned(),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    const KEY: &str = "0279be667ef9dcbbac55a06295ce870b07029bfcdb2dce28d959f2815b16f81798";

    fn a_task(changes: &Value) -> Task {
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
    fn a_task_is_shown_with_what_is_known_of_it() {
        let queued = task(&a_task(&json!({ "caller": "" })));
        let expected = "task       019aa4c2-7e00-7a3b-8c4d-5e6f708192a3\nstate      queued\n\
                        submitted  2025-11-21T03:00:00.000Z";
        assert_eq!(queued, expected);
        let ended = json!({
            "script_name": "a/b", "started_at": 1_763_694_000_001_u64, "ended_at": 1_763_694_000_009_u64,
        });
        let ended = task(&a_task(&ended));
        assert!(ended.contains(&format!("\nscript     a/b\ncaller     {KEY}\n")), "{ended}");
        assert!(ended.ends_with("\nended      2025-11-21T03:00:00.009Z"), "{ended}");
    }

    #[test]
    fn rows_stand_under_each_other() {
        for (changes, expected) in [
            (json!({}), "queued     2025-11-21T03:00:00.000Z  0279be66…       -"),
            (
                json!({ "caller": "webhook:stripe", "state": "succeeded", "script_name": "a" }),
                "succeeded  2025-11-21T03:00:00.000Z  webhook:stripe  a",
            ),
            (json!({ "caller": "" }), "queued     2025-11-21T03:00:00.000Z  -               -"),
        ] {
            let expected = format!("019aa4c2-7e00-7a3b-8c4d-5e6f708192a3  {expected}");
            assert_eq!(row(&a_task(&changes)), expected);
        }
    }

    #[test]
    fn a_library_is_a_list_of_scripts_and_their_functions() {
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
