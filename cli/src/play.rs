//! `circles play`, `run` and `submit`.

use std::{path::Path, time::Duration};

use circles_client::{
    Call, CallError, Client, Error, Idempotent, PlayResponse, ScriptRequest, types::TaskId,
};
use serde_json::{Value, json};

use crate::{
    args::{Args, PlayArgs, PlayOptions, RunArgs, ScriptArgs, SubmitArgs},
    connect,
    error::{CliError, ScriptSource},
    input,
    progress::{interruptible, with_progress},
    show, watch,
};

/// How long `submit --wait` waits: the longest deadline of a task, a day, and a margin.
const MAX_TASK_WAIT: Duration = Duration::from_secs(24 * 60 * 60 + 5);

/// A script to play.
enum Script<'a> {
    /// A script's text, and the file that it was read from.
    Text { text: String, file: Option<&'a Path> },
    /// The name of a script in the circle's library.
    Name(&'a str),
}

impl<'a> Script<'a> {
    fn read(args: &'a ScriptArgs, name: Option<&'a str>) -> Result<Self, CliError> {
        match (&args.expression, &args.file, name) {
            (Some(script), ..) => Ok(Self::Text { text: script.clone(), file: None }),
            (None, Some(path), _) => input::script(path).map(|text| Self::Text { text, file: Some(path) }),
            (None, None, Some(name)) => Ok(Self::Name(name)),
            (None, None, None) => Err(CliError::Usage("no script given".into())),
        }
    }

    /// Converts an error of a play of this script.
    fn error(&self, error: Error) -> CliError {
        let source = match self {
            Self::Text { text, file: None } => ScriptSource::from_text(text),
            Self::Text { text, file: Some(path) } => {
                ScriptSource { name: input::display_name(path).to_string(), text: Some(text.clone()) }
            }
            Self::Name(name) => ScriptSource::from_task(Some(name)),
        };
        CliError::from_play(error, source)
    }
}

/// `circles play`.
pub(crate) async fn play(args: &Args, command: &PlayArgs) -> Result<(), CliError> {
    call(args, &Script::read(&command.script, None)?, &command.options).await
}

/// `circles run`.
pub(crate) async fn run(args: &Args, command: &RunArgs) -> Result<(), CliError> {
    call(args, &Script::Name(&command.name), &command.options).await
}

async fn call(args: &Args, script: &Script<'_>, options: &PlayOptions) -> Result<(), CliError> {
    // Checked before the connection, so that wrong usage needs no server.
    let script_args = script_args(options)?;
    let client = connect(args).await?;
    // `--json` prints one object at the end, and a repeated call may get its answer from an earlier one: neither shows
    // log lines as they arrive.
    if !options.output.json && options.idempotency_key.is_none() {
        let mut call = match script {
            Script::Text { text, .. } => client.watch(text.as_str()),
            Script::Name(name) => client.watch_library(*name),
        };
        if let Some(script_args) = &script_args {
            call = call.args(script_args);
        }
        let call = with_timeout(call, options.timeout);
        let result = match interruptible(with_progress("playing", call)).await? {
            Ok(events) => watch::follow_play(events, "playing").await?,
            Err(error) => Err(error),
        };
        return match result {
            Ok(result) => show::value(&result),
            Err(error) => Err(script.error(error)),
        };
    }
    let call = match script {
        Script::Text { text, .. } => client.play(text.as_str()),
        Script::Name(name) => client.run(*name),
    };
    let call = with_options(call, options, script_args.as_ref());
    // Ctrl-C closes the connection, which cancels the play.
    let result = interruptible(with_progress("playing", call)).await?;
    finish(result, script, options.output.json)
}

/// `circles submit`.
pub(crate) async fn submit(args: &Args, command: &SubmitArgs) -> Result<(), CliError> {
    let script = Script::read(&command.script, command.name.as_deref())?;
    let script_args = script_args(&command.options)?;
    let client = connect(args).await?;
    let mut call = match &script {
        Script::Text { text, .. } => client.submit(text.as_str()),
        Script::Name(name) => client.submit_run(*name),
    };
    if let Some(retries) = command.retries {
        call = call.retries(retries);
    }
    let id = match with_options(call, &command.options, script_args.as_ref()).await {
        Ok(id) => id,
        // The server refuses, for example, a script that does not compile.
        Err(error) => return finish(Err(error), &script, command.options.output.json),
    };
    match (command.wait, command.options.output.json) {
        (true, json) => {
            show::note(&format!("task {id}"));
            let result = wait_for_task(&client, &id).await?;
            finish(result, &script, json)
        }
        (false, true) => show::json(&json!({ "task_id": id })),
        (false, false) => show::line(&id.to_string()),
    }
}

/// Waits for the end of a task and returns its outcome as that of a play.
async fn wait_for_task(client: &Client, id: &TaskId) -> Result<Result<PlayResponse, Error>, CliError> {
    let lookup = client.task(id.clone()).wait(MAX_TASK_WAIT);
    let task = interruptible(with_progress(&format!("task {id}"), lookup)).await;
    let task = task.and_then(|task| task.map_err(CliError::from_call)).inspect_err(|error| {
        if matches!(error, CliError::Interrupted | CliError::Connection(_)) {
            show::note(&format!("the task continues; to wait for it: circles task {id} --wait 1h"));
        }
    })?;
    if task.ended_at.is_none() {
        return Err(CliError::Failed(format!("task {id} has not ended within a day")));
    }
    let outcome = task.outcome().map(|outcome| outcome.cloned().map(PlayResponse));
    let gone = || CliError::Failed(format!("the server no longer has the result of task {id}"));
    outcome.ok_or_else(gone).map(|outcome| outcome.map_err(Error::Call))
}

/// Applies the options that `play`, `run` and `submit` share.
fn with_options<'a, R: Idempotent>(
    mut call: Call<'a, R>,
    options: &PlayOptions,
    script_args: Option<&Value>,
) -> Call<'a, R> {
    if let Some(script_args) = script_args {
        call = call.args(script_args);
    }
    let call = with_timeout(call, options.timeout);
    match &options.idempotency_key {
        Some(key) => call.idempotency_key(key),
        None => call,
    }
}

/// Sets a play's deadline. Without `timeout`, the client's default applies.
pub(crate) fn with_timeout<R: AsMut<ScriptRequest>>(
    call: Call<'_, R>,
    timeout: Option<Duration>,
) -> Call<'_, R> {
    match timeout {
        Some(timeout) => call.timeout(timeout),
        None => call,
    }
}

fn finish(result: Result<PlayResponse, Error>, script: &Script<'_>, json: bool) -> Result<(), CliError> {
    match result {
        Ok(result) if json => show::json(&result.0),
        Ok(result) => show::play_result(&result),
        Err(error) => {
            match &error {
                Error::Call(error) if json => show::json(&error_object(error))?,
                Error::Call(error) => error.logs().iter().for_each(show::log_line),
                _ => {}
            }
            Err(script.error(error))
        }
    }
}

fn error_object(error: &CallError) -> Value {
    json!({ "error": { "code": error.code(), "message": error.to_string(), "data": error.data() } })
}

/// Parses `--args`.
fn script_args(options: &PlayOptions) -> Result<Option<Value>, CliError> {
    options.args.as_deref().map(|text| input::json("--args", text)).transpose()
}
