//! `circles watch`, and plays whose lines are shown as they are logged.

use std::{pin::pin, time::Instant};

use circles_client::{
    Error, PlayEvents, PlayResponse,
    types::{PlayEvent, Task},
};
use futures_util::StreamExt as _;

use crate::{
    args::{Args, ById},
    connect,
    progress::{interruptible, waiting_since},
    show,
    trouble::Trouble,
};

/// `circles watch`.
pub async fn watch(args: &Args, command: &ById) -> Result<(), Trouble> {
    let client = connect(args).await?;
    let events = client.watch_task(command.id.clone()).await.map_err(Trouble::of_call)?;
    let task = follow(events, &format!("task {}", command.id)).await?.map_err(Trouble::of_call)?;
    if command.form.json {
        show::json(&task)?;
    }
    match task.outcome() {
        Some(Ok(result)) if !command.form.json => show::value(result),
        Some(Err(error)) => Err(Trouble::of_task(&task, error)),
        _ => Ok(()),
    }
}

/// What a play left whose lines were shown as they came.
pub async fn played(events: PlayEvents, what: &str) -> Result<Result<PlayResponse, Error>, Trouble> {
    let task = match follow(events, what).await? {
        Ok(task) => task,
        Err(error) => return Ok(Err(error)),
    };
    let outcome = task.outcome().map(|outcome| outcome.cloned().map(PlayResponse).map_err(Error::Call));
    Ok(outcome.unwrap_or(Err(Error::ConnectionLost)))
}

/// Shows lines until the end comes.
async fn follow(events: PlayEvents, what: &str) -> Result<Result<Task, Error>, Trouble> {
    let (mut events, begun) = (pin!(events), Instant::now());
    let mut was_logged = false;
    loop {
        // Leaving ends the subscription, and with it a play that began with it.
        match interruptible(waiting_since(begun, what, events.next())).await? {
            Some(Ok(PlayEvent::Accepted { .. })) => {}
            Some(Ok(PlayEvent::Logged { line })) => {
                was_logged = true;
                show::log_line(&line);
            }
            Some(Ok(PlayEvent::Restarted)) => {
                show::note("run again from the beginning; what was logged does not count")
            }
            Some(Ok(PlayEvent::Ended { task })) => {
                // Of a task that had ended before, lines come with the result alone.
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
