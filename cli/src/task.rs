//! `circles task`, `tasks` and `cancel`.

use circles_client::types::TaskPage;
use serde_json::json;

use crate::{
    args::{Args, TaskArgs, TaskIdArgs, TasksArgs},
    connect,
    error::CliError,
    progress::{interruptible, with_progress},
    render, show,
};

/// `circles task`.
pub(crate) async fn show(args: &Args, command: &TaskArgs) -> Result<(), CliError> {
    let client = connect(args).await?;
    let lookup = client.task(command.id.clone()).wait(command.wait.unwrap_or_default());
    let task = interruptible(with_progress(&format!("task {}", command.id), lookup)).await?;
    let task = task.map_err(CliError::from_call)?;
    if command.output.json {
        show::json(&task)?;
    } else {
        show::line(&render::task(&task))?;
    }
    match (task.outcome(), command.wait) {
        (Some(Ok(result)), _) if !command.output.json => show::play_result(result),
        (Some(Err(error)), _) => {
            if !command.output.json {
                error.logs().iter().for_each(show::log_line);
            }
            Err(CliError::from_task(&task, error))
        }
        (None, Some(wait)) if task.ended_at.is_none() => {
            let wait = humantime::format_duration(wait);
            Err(CliError::Failed(format!("the task has not ended within {wait}")))
        }
        _ => Ok(()),
    }
}

/// `circles tasks`.
pub(crate) async fn list(args: &Args, command: &TasksArgs) -> Result<(), CliError> {
    let client = connect(args).await?;
    let mut tasks = Vec::new();
    let mut cursor = None;
    loop {
        let mut call = client.tasks();
        if let Some(state) = command.state {
            call = call.state(state);
        }
        if let Some(limit) = command.limit {
            call = call.limit(limit);
        }
        if let Some(cursor) = cursor.take() {
            call = call.cursor(cursor);
        }
        let page = call.await.map_err(CliError::from_call)?;
        cursor = page.cursor.clone();
        if command.output.json {
            tasks.extend(page.tasks);
        } else {
            page.tasks.iter().try_for_each(|task| show::line(&render::row(task)))?;
        }
        if cursor.is_none() || !command.all {
            break;
        }
    }
    if command.output.json {
        return show::json(&TaskPage { tasks, cursor });
    }
    if cursor.is_some() {
        show::note("there are more tasks; --all lists them");
    }
    Ok(())
}

/// `circles cancel`.
pub(crate) async fn cancel(args: &Args, command: &TaskIdArgs) -> Result<(), CliError> {
    let client = connect(args).await?;
    let cancelled = client.cancel(command.id.clone()).await.map_err(CliError::from_call)?;
    match (command.output.json, cancelled) {
        (true, _) => show::json(&json!({ "cancelled": cancelled })),
        (false, true) => show::line("cancelled"),
        (false, false) => show::line("the task had already ended"),
    }
}
