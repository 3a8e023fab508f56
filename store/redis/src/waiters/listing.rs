//! Lists tasks, in small steps and a few listings at a time, so that listings do not delay plays.

use std::time::Duration;

use circles_api::CircleId;
use circles_store::{Caller, Error, TaskFilter, TaskId, TaskPage};
use fred::types::Value;
use tokio::time::timeout;

use super::Waiters;
use crate::{
    node::lua_count,
    scripts::LIST,
    task_meta::{TaskStatus, state_name, task_view, unexpected},
};

/// The most tasks that one page of a listing looks at.
const LOOKS_PER_PAGE: usize = 1_000;
/// The most tasks that one script looks at: it keeps Redis from other commands for less than half a millisecond.
const LOOKS_PER_SCRIPT: usize = 100;
/// Listings of one process that Redis serves at a time. More of them would delay the plays of all circles.
pub(super) const CONCURRENT_LISTINGS: usize = 4;
/// How long a listing may wait for its turn.
const LISTING_WAIT: Duration = Duration::from_secs(3);

impl Waiters {
    /// Returns a page of a circle's tasks, those under way and those remembered.
    ///
    /// It looks at tasks in small steps, between which Redis serves others.
    pub(crate) async fn list(&self, circle: &CircleId, filter: TaskFilter) -> Result<TaskPage, Error> {
        let turn = timeout(LISTING_WAIT, self.listings.acquire()).await;
        let _turn = turn.map_err(|_| Error::Unavailable("too many listings wait for Redis".into()))?;
        let mut page = TaskPage { tasks: Vec::new(), next: filter.before };
        for _ in 0..LOOKS_PER_PAGE / LOOKS_PER_SCRIPT {
            let left = filter.limit.saturating_sub(page.tasks.len());
            let part = self.list_part(circle, &filter, page.next, left).await?;
            page.tasks.extend(part.tasks);
            page.next = part.next;
            if page.next.is_none() || page.tasks.len() >= filter.limit {
                break;
            }
        }
        Ok(page)
    }

    /// Returns up to `limit` tasks of a listing, those older than `before`, of the next few that match its caller.
    async fn list_part(
        &self,
        circle: &CircleId,
        filter: &TaskFilter,
        before: Option<TaskId>,
        limit: usize,
    ) -> Result<TaskPage, Error> {
        let caller = match &filter.caller {
            None => "*".to_owned(),
            Some(Caller::Anonymous) => "-".to_owned(),
            Some(Caller::Peer(key)) => key.to_string(),
        };
        let args = vec![
            circle.to_string().into(),
            before.map(|before| before.to_string()).unwrap_or_default().into(),
            lua_count(limit).into(),
            caller.into(),
            filter.state.map_or_else(|| "*".to_owned(), state_name).into(),
            lua_count(LOOKS_PER_SCRIPT).into(),
        ];
        type Row = (String, String, String, String, String);
        let found: Vec<Value> = self.node.run(&LIST, self.node.shard_of(circle), args).await?;
        let mut found = found.into_iter();
        let parse_id = |id: &str| id.parse().map_err(|_| unexpected("a task id"));
        let next = found.next().and_then(|next| next.as_string()).filter(|next| !next.is_empty());
        let mut tasks = Vec::new();
        for row in found {
            let (id, meta, state, started, ended): Row = row.convert().map_err(|_| unexpected("a task"))?;
            let status = TaskStatus { state, started, ended, outcome: String::new() };
            tasks.push(task_view(parse_id(&id)?, &meta, &status)?);
        }
        Ok(TaskPage { next: next.map(|next| parse_id(&next)).transpose()?, tasks })
    }
}
