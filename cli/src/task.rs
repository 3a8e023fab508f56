//! `circles task`, `tasks` and `cancel`.

use circles_client::types::TaskPage;
use serde_json::json;

use crate::{
    args::{Args, ById, Task, Tasks},
    connect,
    progress::{interruptible, waiting},
    render, show,
    trouble::Trouble,
};

/// `circles task`.
pub async fn show(args: &Args, command: &Task) -> Result<(), Trouble> {
    let client = connect(args).await?;
    let lookup = client.task(command.id.clone()).wait(command.wait.unwrap_or_default());
    let task = interruptible(waiting(&format!("task {}", command.id), lookup)).await?;
    let task = task.map_err(Trouble::of_call)?;
    if command.form.json {
        show::json(&task)?;
    } else {
        show::line(&render::task(&task))?;
    }
    match (task.outcome(), command.wait) {
        (Some(Ok(result)), _) if !command.form.json => show::played(result),
        (Some(Err(error)), _) => {
            if !command.form.json {
                error.logs().iter().for_each(show::log_line);
            }
            Err(Trouble::of_task(&task, error))
        }
        (None, Some(wait)) if task.ended_at.is_none() => {
            let wait = humantime::format_duration(wait);
            Err(Trouble::Failed(format!("the task has not ended within {wait}")))
        }
        _ => Ok(()),
    }
}

/// `circles tasks`.
pub async fn list(args: &Args, command: &Tasks) -> Result<(), Trouble> {
    let client = connect(args).await?;
    let mut pages = Vec::new();
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
        let page = call.await.map_err(Trouble::of_call)?;
        cursor = page.cursor.clone();
        if command.form.json {
            pages.extend(page.tasks);
        } else {
            page.tasks.iter().try_for_each(|task| show::line(&render::row(task)))?;
        }
        if cursor.is_none() || !command.all {
            break;
        }
    }
    if command.form.json {
        return show::json(&TaskPage { tasks: pages, cursor });
    }
    if cursor.is_some() {
        show::note("there are more: --all lists them");
    }
    Ok(())
}

/// `circles cancel`.
pub async fn cancel(args: &Args, command: &ById) -> Result<(), Trouble> {
    let client = connect(args).await?;
    let cancelled = client.cancel(command.id.clone()).await.map_err(Trouble::of_call)?;
    match (command.form.json, cancelled) {
        (true, _) => show::json(&json!({ "cancelled": cancelled })),
        (false, true) => show::line("cancelled"),
        (false, false) => show::line("it had ended already"),
    }
}
