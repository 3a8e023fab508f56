//! `circles watch`, and plays whose log lines appear as they arrive.

use std::{pin::pin, time::Instant};

use circles_client::{
    Error, PlayEvents, PlayResponse,
    types::{PlayEvent, Task},
};
use futures_util::StreamExt as _;

use crate::{
    args::{Args, TaskIdArgs},
    connect,
    error::CliError,
    progress::{interruptible, with_progress_since},
    show,
};

/// `circles watch`.
pub(crate) async fn watch(args: &Args, command: &TaskIdArgs) -> Result<(), CliError> {
    let client = connect(args).await?;
    let events = client.watch_task(command.id.clone()).await.map_err(CliError::from_call)?;
    let task = follow(events, &format!("task {}", command.id)).await?.map_err(CliError::from_call)?;
    if command.output.json {
        show::json(&task)?;
    }
    match task.outcome() {
        Some(Ok(result)) if !command.output.json => show::value(result),
        Some(Err(error)) => Err(CliError::from_task(&task, error)),
        _ => Ok(()),
    }
}

/// Shows a play's log lines as they arrive and returns its result.
pub(crate) async fn follow_play(
    events: PlayEvents,
    what: &str,
) -> Result<Result<PlayResponse, Error>, CliError> {
    let task = match follow(events, what).await? {
        Ok(task) => task,
        Err(error) => return Ok(Err(error)),
    };
    let outcome = task.outcome().map(|outcome| outcome.cloned().map(PlayResponse).map_err(Error::Call));
    Ok(outcome.unwrap_or(Err(Error::ConnectionLost)))
}

/// Shows log lines until the task ends.
async fn follow(events: PlayEvents, what: &str) -> Result<Result<Task, Error>, CliError> {
    let (mut events, start) = (pin!(events), Instant::now());
    let mut was_logged = false;
    loop {
        // Ctrl-C drops the stream, which cancels a play that it started.
        match interruptible(with_progress_since(start, what, events.next())).await? {
            Some(Ok(PlayEvent::Accepted { .. })) => {}
            Some(Ok(PlayEvent::Logged { line })) => {
                was_logged = true;
                show::log_line(&line);
            }
            Some(Ok(PlayEvent::Restarted)) => {
                show::note("the script starts again from the beginning; ignore the log lines above")
            }
            Some(Ok(PlayEvent::Ended { task })) => {
                // A task that had ended before sends its log lines only with its result.
                if let (false, Some(result)) = (was_logged, &task.result) {
                    result.logs.iter().for_each(show::log_line);
                }
                return Ok(Ok(task));
            }
            Some(Err(error)) => return Ok(Err(error)),
            None => return Ok(Err(Error::ConnectionLost)),
        }
    }
}
