use std::{ops::Deref, path::Path, sync::Arc, time::Duration};

use circles_api::{CircleId, types::RecordPage};
use circles_store::{
    Claim, Error, InlineRunner, Store, Task, TaskFilter, TaskId, TaskPage, TaskView, Ticket, Watch,
};
use circles_store_embedded::{EmbeddedConfig, EmbeddedStore};
use tempfile::TempDir;

/// An embedded store in a temporary directory that is deleted with it.
pub struct Embedded {
    /// Dropped before the directory, since its threads write there.
    store: EmbeddedStore,
    directory: TempDir,
}

/// Opens an embedded store in a temporary directory.
pub fn embedded(config: EmbeddedConfig) -> Embedded {
    let directory = tempfile::tempdir().expect("a temporary directory");
    let place = directory.path().to_owned();
    let store = EmbeddedStore::new(config, move |circle| place.join(circle.to_string()).join("circle.db"));
    Embedded { store: store.expect("threads"), directory }
}

impl Embedded {
    /// Offers every task without durability to `trial` first.
    #[must_use]
    pub fn with_inline_runner(self, trial: Arc<dyn InlineRunner>) -> Self {
        let Self { store, directory } = self;
        Self { store: store.with_inline_runner(trial), directory }
    }

    /// The directory of its circles' files.
    pub fn directory(&self) -> &Path {
        self.directory.path()
    }
}

impl Deref for Embedded {
    type Target = EmbeddedStore;

    fn deref(&self) -> &EmbeddedStore {
        &self.store
    }
}

#[async_trait::async_trait]
impl Store for Embedded {
    async fn submit(&self, task: Task) -> Result<Ticket, Error> {
        self.store.submit(task).await
    }

    fn begin_nested(&self, task: Task) -> Result<(Claim, Ticket), Error> {
        self.store.begin_nested(task)
    }

    async fn claim(&self) -> Result<Claim, Error> {
        self.store.claim().await
    }

    async fn cancel(&self, circle: &CircleId, task: TaskId) -> Result<bool, Error> {
        self.store.cancel(circle, task).await
    }

    async fn task(&self, circle: &CircleId, task: TaskId, wait: Duration) -> Result<Option<TaskView>, Error> {
        self.store.task(circle, task, wait).await
    }

    async fn tasks(&self, circle: &CircleId, filter: TaskFilter) -> Result<TaskPage, Error> {
        self.store.tasks(circle, filter).await
    }

    async fn watch(&self, circle: &CircleId, task: TaskId) -> Result<Option<Watch>, Error> {
        self.store.watch(circle, task).await
    }

    async fn provenance(&self, circle: &CircleId, after: u64, limit: usize) -> Result<RecordPage, Error> {
        self.store.provenance(circle, after, limit).await
    }

    async fn workers(&self) -> Result<usize, Error> {
        self.store.workers().await
    }

    async fn close(&self) {
        self.store.close().await;
    }
}
