use std::{
    fmt::Display,
    fs::File,
    io::{Read, stdin},
    path::Path,
    time::Duration,
};

use circles_client::{
    Call, CallError, Client, Error, Idempotent, PlayResponse, ScriptRequest, types::TaskId,
};
use serde_json::{Value, json};

use crate::{
    args::{Args, Options, Play, Run, Submit, Text},
    connect,
    progress::{interruptible, waiting},
    show,
    trouble::{Source, Trouble},
    watch,
};

/// Bytes of the longest script that a server could take.
pub const MAX_SCRIPT: u64 = 1 << 20;
/// Bytes of the longest arguments that fit into a message.
const MAX_ARGS: u64 = 16 << 20;
/// How long to wait at most for the end of a submitted task: no task lasts longer than a day.
const LONGEST_TASK: Duration = Duration::from_secs(24 * 60 * 60 + 5);

/// A script to play.
enum Script<'a> {
    /// Its text, and the file that it came from.
    Text { text: String, file: Option<&'a Path> },
    /// Its name in the circle's library.
    Name(&'a str),
}

impl<'a> Script<'a> {
    fn of(text: &'a Text, name: Option<&'a str>) -> Result<Self, Trouble> {
        match (&text.expression, &text.file, name) {
            (Some(script), ..) => Ok(Self::Text { text: script.clone(), file: None }),
            (None, Some(path), _) => read(path, MAX_SCRIPT).map(|text| Self::Text { text, file: Some(path) }),
            (None, None, Some(name)) => Ok(Self::Name(name)),
            (None, None, None) => Err(Trouble::Usage("no script".into())),
        }
    }

    /// What went wrong with a play of it.
    fn trouble(&self, error: Error) -> Trouble {
        let source = match self {
            Self::Text { text, file: None } => Source::text(text),
            Self::Text { text, file: Some(path) } => {
                Source { name: called(path).to_string(), text: Some(text.clone()) }
            }
            Self::Name(name) => Source::of_task(Some(name)),
        };
        Trouble::of_play(error, source)
    }
}

/// `circles play`.
pub async fn play(args: &Args, play: &Play) -> Result<(), Trouble> {
    call(args, &Script::of(&play.text, None)?, &play.options).await
}

/// `circles run`.
pub async fn run(args: &Args, run: &Run) -> Result<(), Trouble> {
    call(args, &Script::Name(&run.name), &run.options).await
}

async fn call(args: &Args, script: &Script<'_>, options: &Options) -> Result<(), Trouble> {
    // What can be wrong here is said before anybody is dialled.
    let values = values(options)?;
    let client = connect(args).await?;
    // Lines are shown as they come, but where the answer is for programs, or may come from an earlier call.
    if !options.form.json && options.idempotency_key.is_none() {
        let mut call = match script {
            Script::Text { text, .. } => client.watch(text.as_str()),
            Script::Name(name) => client.watch_library(*name),
        };
        if let Some(values) = &values {
            call = call.args(values);
        }
        let call = limited(call, options.timeout);
        let played = match interruptible(waiting("playing", call)).await? {
            Ok(events) => watch::played(events, "playing").await?,
            Err(error) => Err(error),
        };
        return match played {
            Ok(played) => show::value(&played),
            Err(error) => Err(script.trouble(error)),
        };
    }
    let call = match script {
        Script::Text { text, .. } => client.play(text.as_str()),
        Script::Name(name) => client.run(*name),
    };
    let call = as_asked(call, options, values.as_ref());
    // Leaving closes the connection, which cancels the play.
    let played = interruptible(waiting("playing", call)).await?;
    finish(played, script, options.form.json)
}

/// `circles submit`.
pub async fn submit(args: &Args, submit: &Submit) -> Result<(), Trouble> {
    let script = Script::of(&submit.text, submit.name.as_deref())?;
    let values = values(&submit.options)?;
    let client = connect(args).await?;
    let mut call = match &script {
        Script::Text { text, .. } => client.submit(text.as_str()),
        Script::Name(name) => client.submit_run(*name),
    };
    if let Some(retries) = submit.retries {
        call = call.retries(retries);
    }
    let id = match as_asked(call, &submit.options, values.as_ref()).await {
        Ok(id) => id,
        // A script that does not compile is not accepted.
        Err(error) => return finish(Err(error), &script, submit.options.form.json),
    };
    match (submit.wait, submit.options.form.json) {
        (true, json) => {
            show::note(&format!("task {id}"));
            let played = ended(&client, &id).await?;
            finish(played, &script, json)
        }
        (false, true) => show::json(&json!({ "task_id": id })),
        (false, false) => show::line(&id.to_string()),
    }
}

/// What a play of the task would have been answered with.
async fn ended(client: &Client, id: &TaskId) -> Result<Result<PlayResponse, Error>, Trouble> {
    let lookup = client.task(id.clone()).wait(LONGEST_TASK);
    let task = interruptible(waiting(&format!("task {id}"), lookup)).await;
    let task = task.and_then(|task| task.map_err(Trouble::of_call)).inspect_err(|trouble| {
        if matches!(trouble, Trouble::Interrupted | Trouble::Connection(_)) {
            show::note(&format!("the task goes on: circles task {id} --wait 1h"));
        }
    })?;
    if task.ended_at.is_none() {
        return Err(Trouble::Failed(format!(
            "task {id} has not ended in the longest time that there is for one"
        )));
    }
    let outcome = task.outcome().map(|outcome| outcome.cloned().map(PlayResponse));
    let lost = || Trouble::Failed(format!("the server no longer knows what task {id} left"));
    outcome.ok_or_else(lost).map(|outcome| outcome.map_err(Error::Call))
}

/// What the flags that all these commands share say of a call.
fn as_asked<'a, P: Idempotent>(
    mut call: Call<'a, P>,
    options: &Options,
    values: Option<&Value>,
) -> Call<'a, P> {
    if let Some(values) = values {
        call = call.args(values);
    }
    let call = limited(call, options.timeout);
    match &options.idempotency_key {
        Some(key) => call.idempotency_key(key),
        None => call,
    }
}

/// Sets the time limit of a play, if there is one; otherwise the client's own holds.
pub fn limited<P: AsMut<ScriptRequest>>(call: Call<'_, P>, timeout: Option<Duration>) -> Call<'_, P> {
    match timeout {
        Some(timeout) => call.timeout(timeout),
        None => call,
    }
}

fn finish(played: Result<PlayResponse, Error>, script: &Script<'_>, json: bool) -> Result<(), Trouble> {
    match played {
        Ok(played) if json => show::json(&played.0),
        Ok(played) => show::played(&played),
        Err(error) => {
            match &error {
                Error::Call(error) if json => show::json(&error_object(error))?,
                Error::Call(error) => error.logs().iter().for_each(show::log_line),
                _ => {}
            }
            Err(script.trouble(error))
        }
    }
}

fn error_object(error: &CallError) -> Value {
    json!({ "error": { "code": error.code(), "message": error.to_string(), "data": error.data() } })
}

fn values(options: &Options) -> Result<Option<Value>, Trouble> {
    options.args.as_deref().map(|text| parse("--args", text)).transpose()
}

/// JSON from the command line, or from the file that stands there behind an @.
pub fn parse(what: &str, text: &str) -> Result<Value, Trouble> {
    let fault = |problem: &dyn Display| Trouble::Usage(format!("{what}: {problem}"));
    let text = match text.strip_prefix('@') {
        Some("") => return Err(fault(&"expected the name of a file behind @")),
        Some(path) => read(&circles_daemon::path(path.into()).map_err(|problem| fault(&problem))?, MAX_ARGS)?,
        None => text.to_owned(),
    };
    // A parser would make floats of them.
    circles_client::integers_fit(text.as_bytes()).map_err(|error| fault(&error))?;
    serde_json::from_str(&text).map_err(|error| fault(&format!("not JSON: {error}")))
}

/// The text in a file, or on standard input for `-`, if it is not longer than `limit` bytes. A byte order mark is no
/// part of it.
fn read(path: &Path, limit: u64) -> Result<String, Trouble> {
    let sentence = |error: &dyn Display| Trouble::Usage(format!("{}: {error}", called(path)));
    let mut bytes = Vec::new();
    open(path)?.take(limit + 1).read_to_end(&mut bytes).map_err(|error| sentence(&error))?;
    if bytes.len() as u64 > limit {
        return Err(sentence(&format!("longer than {limit} bytes")));
    }
    let text = String::from_utf8(bytes).map_err(|error| sentence(&error.utf8_error()))?;
    Ok(text.strip_prefix(BYTE_ORDER_MARK).map_or_else(|| text.clone(), str::to_owned))
}

/// What some editors begin a text with.
pub const BYTE_ORDER_MARK: char = '\u{feff}';

/// A file, or standard input for `-`.
pub fn open(path: &Path) -> Result<Box<dyn Read>, Trouble> {
    if path.as_os_str() == STANDARD_INPUT {
        return Ok(Box::new(stdin()));
    }
    let fault = |problem: &dyn Display| Trouble::Usage(format!("{}: {problem}", called(path)));
    let file = File::open(path).map_err(|error| fault(&error))?;
    match file.metadata() {
        Ok(metadata) if metadata.is_dir() => Err(fault(&"expected a file, found a directory")),
        _ => Ok(Box::new(file)),
    }
}

/// What standard input is called on the command line.
const STANDARD_INPUT: &str = "-";

/// What a file is called in errors.
fn called(path: &Path) -> impl Display {
    let path = if path.as_os_str() == STANDARD_INPUT { Path::new("standard input") } else { path };
    path.display()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn integers_beyond_64_bits_are_refused_and_not_changed() {
        for json in
            ["18446744073709551616", "[1, -9223372036854775809]", r#"{"a\\": [1e3, 99999999999999999999]}"#]
        {
            let Err(Trouble::Usage(sentence)) = parse("--args", json) else { panic!("{json}") };
            assert!(sentence.starts_with("--args: "), "{sentence}");
        }
        for json in
            ["9223372036854775807", "-9223372036854775808", "1e30", r#""99999999999999999999\"""#, "[]"]
        {
            assert_eq!(parse("--args", json).unwrap(), serde_json::from_str::<Value>(json).unwrap());
        }
    }

    #[test]
    fn files_that_hold_no_text_are_named_with_what_is_wrong() {
        let directory = std::env::temp_dir();
        for (text, part) in [
            ("@", "--args: expected the name of a file"),
            ("@~/x", "--args: ~ is not expanded"),
            ("@/no/such/file", "/no/such/file: No such file"),
            (&format!("@{}", directory.display()), "found a directory"),
            ("", "--args: not JSON"),
        ] {
            let Err(Trouble::Usage(sentence)) = parse("--args", text) else { panic!("{text}") };
            assert!(sentence.contains(part), "{sentence}");
        }
    }
}
