//! Pages of tasks, merged from memory and from a circle's file.

use std::{collections::HashMap, sync::Arc};

use circles_api::CircleId;
use circles_store::{Error, State, TaskFilter, TaskPage, TaskView};

use crate::store_core::StoreCore;

/// Returns a page of a circle's tasks.
pub(crate) async fn list(
    core: &Arc<StoreCore>,
    circle: &CircleId,
    filter: TaskFilter,
) -> Result<TaskPage, Error> {
    // Memory is read first: a task that ends in between is then in the file, at least.
    let (live, more) = core.tasks().live.list(circle, &filter);
    let live: HashMap<_, _> = live.iter().map(|live| (live.task().id, live.view())).collect();
    let stored = match filter.state {
        // The file knows no better than memory which tasks are queued or running.
        Some(State::Queued | State::Running) => None,
        _ => {
            let filter = filter.clone();
            core.files.query(circle, move |db| db.file().tasks(&filter)).await?
        }
    };
    let mut page = stored.unwrap_or(TaskPage { tasks: Vec::new(), next: None });
    // The page ends where the first of the two listings ended.
    page.next = page.next.max(more);
    let next = page.next;
    page.tasks.retain(|task| next.is_none_or(|next| task.id >= next));
    // Memory has the current state of tasks in progress.
    page.tasks.retain(|task| !live.contains_key(&task.id));
    page.tasks.extend(
        live.into_values().filter(|task| matches(task, &filter) && next.is_none_or(|next| task.id >= next)),
    );
    page.tasks.sort_by_key(|task| std::cmp::Reverse(task.id));
    if page.tasks.len() > filter.limit {
        page.tasks.truncate(filter.limit);
        page.next = page.tasks.last().map(|task| task.id);
    }
    page.tasks.iter_mut().for_each(|task| task.outcome = None);
    Ok(page)
}

fn matches(task: &TaskView, filter: &TaskFilter) -> bool {
    filter.before.is_none_or(|before| task.id < before)
        && filter.caller.as_ref().is_none_or(|caller| *caller == task.caller)
        && filter.state.is_none_or(|state| state == task.state)
}
