//! Sends requests to a shard in batches.

use std::{future::Future, sync::Arc};

use circles_store::Error;
use tokio::{
    runtime::Handle,
    sync::{mpsc, oneshot},
};

/// The most items in one script, so that none blocks Redis for long.
const BATCH_ITEMS: usize = 64;
/// The most that a batch of several items weighs: about a thousand small documents, or a mebibyte.
const BATCH_WEIGHT: usize = 1 << 20;
/// The weight of each document that a script writes, in addition to its bytes.
pub(crate) const DOCUMENT_WEIGHT: usize = 1 << 10;
/// The most items that wait for one shard.
const SHARD_QUEUE: usize = 10_000;

type Queued<I, R> = (I, oneshot::Sender<Result<R, Error>>);

/// Queues items for each shard. While one batch of a shard is under way, the next one gathers: a single item never
/// waits for others, and under load many items share the cost of one script.
pub(crate) struct Batcher<I, R> {
    shards: Box<[mpsc::Sender<Queued<I, R>>]>,
}

/// An item of a batch.
pub(crate) trait Item: Send + 'static {
    /// The item's bytes, and [`DOCUMENT_WEIGHT`] for each document that it writes.
    fn weight(&self) -> usize;
}

impl<I: Item, R: Send + 'static> Batcher<I, R> {
    /// `send` sends a batch to a shard and returns a reply to each item, in order.
    pub(crate) fn new<F, S>(runtime: &Handle, shards: u16, send: S) -> Self
    where
        S: Fn(u16, Vec<I>) -> F + Send + Sync + 'static,
        F: Future<Output = Result<Vec<R>, Error>> + Send + 'static,
    {
        let send = Arc::new(send);
        let shards = (0..shards).map(|shard| {
            let (sender, receiver) = mpsc::channel(SHARD_QUEUE);
            let send = send.clone();
            runtime.spawn(send_batches(receiver, move |batch| send(shard, batch)));
            sender
        });
        Self { shards: shards.collect() }
    }

    /// Sends an item and waits for the reply.
    ///
    /// # Errors
    ///
    /// [`Error::QueueFull`] while Redis does not keep up with the shard's items.
    ///
    /// # Cancel safety
    ///
    /// An item is not sent if this is dropped before its batch leaves.
    pub(crate) async fn send(&self, shard: u16, item: I) -> Result<R, Error> {
        let (sender, reply) = oneshot::channel();
        let queue = self.shards.get(usize::from(shard)).ok_or(Error::Closed)?;
        queue.try_send((item, sender)).map_err(|_| Error::QueueFull)?;
        reply.await.unwrap_or(Err(Error::Closed))
    }
}

/// Sends a shard's batches, one after another, until the batcher is dropped.
async fn send_batches<I: Item, R, F, S>(mut receiver: mpsc::Receiver<Queued<I, R>>, send: S)
where
    S: Fn(Vec<I>) -> F,
    F: Future<Output = Result<Vec<R>, Error>>,
{
    let mut gathered = Vec::new();
    // Items that were too heavy for the last batch go with the next one.
    while !gathered.is_empty() || receiver.recv_many(&mut gathered, BATCH_ITEMS).await > 0 {
        // A caller that has gone may have sent a command that undoes this one, so this one must not follow it.
        gathered.retain(|(_, sender): &Queued<I, R>| !sender.is_closed());
        if gathered.is_empty() {
            continue;
        }
        let mut weight = 0;
        let fits = gathered.iter().take_while(|(item, _)| {
            let is_first = weight == 0;
            weight += item.weight().max(1);
            is_first || weight <= BATCH_WEIGHT
        });
        let count = fits.count();
        let (items, senders): (Vec<_>, Vec<_>) = gathered.drain(..count).unzip();
        let replies: Vec<_> = match send(items).await {
            Ok(replies) => replies.into_iter().map(Ok).collect(),
            Err(error) => senders.iter().map(|_| Err(error.clone())).collect(),
        };
        for (sender, reply) in senders.into_iter().zip(replies) {
            // The caller may have gone.
            let _ = sender.send(reply);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Mutex;

    use futures_util::FutureExt as _;
    use tokio::sync::Semaphore;

    use super::*;

    /// An item that weighs its own value.
    impl Item for usize {
        fn weight(&self) -> usize {
            *self
        }
    }

    type Sent = Arc<Mutex<Vec<Vec<usize>>>>;

    /// A batcher that echoes items, the batches that it has sent, and a gate with a permit for each reply.
    fn gated() -> (Arc<Batcher<usize, usize>>, Sent, Arc<Semaphore>) {
        let (sent, gate) = (Sent::default(), Arc::new(Semaphore::new(0)));
        let send = {
            let (sent, gate) = (sent.clone(), gate.clone());
            move |_, batch: Vec<usize>| {
                sent.lock().unwrap().push(batch.clone());
                let gate = gate.clone();
                async move {
                    gate.acquire().await.unwrap().forget();
                    Ok(batch)
                }
            }
        };
        (Arc::new(Batcher::new(&Handle::current(), 1, send)), sent, gate)
    }

    #[tokio::test]
    async fn batches_are_bounded_by_weight() {
        let (batcher, sent, gate) = gated();
        let send = |item| {
            let batcher = batcher.clone();
            tokio::spawn(async move { batcher.send(0, item).await })
        };
        let first = send(1);
        while sent.lock().unwrap().is_empty() {
            tokio::task::yield_now().await;
        }
        let (half, more, most) = (BATCH_WEIGHT / 2, BATCH_WEIGHT / 2 + 1, 3 * BATCH_WEIGHT);
        let rest = [half, half, more, most, 2, 3].map(send);
        // The single thread of this runtime polls tasks in order, so each item is queued by now.
        tokio::task::yield_now().await;
        gate.add_permits(5);
        assert_eq!(first.await.unwrap(), Ok(1));
        for sent in rest {
            assert!(sent.await.unwrap().is_ok());
        }
        let batches = vec![vec![1], vec![half, half], vec![more], vec![most], vec![2, 3]];
        assert_eq!(*sent.lock().unwrap(), batches);
    }

    #[tokio::test]
    async fn cancelled_items_are_not_sent() {
        let (batcher, sent, gate) = gated();
        let send = |item| {
            let batcher = batcher.clone();
            async move { batcher.send(0, item).await }
        };
        // The single thread of this runtime polls tasks in order.
        let first = tokio::spawn(send(1));
        while sent.lock().unwrap().is_empty() {
            tokio::task::yield_now().await;
        }
        let mut cancelled = Box::pin(send(2));
        assert!((&mut cancelled).now_or_never().is_none());
        drop(cancelled);
        let last = tokio::spawn(send(3));
        gate.add_permits(2);
        assert_eq!(first.await.unwrap(), Ok(1));
        assert_eq!(last.await.unwrap(), Ok(3));
        assert_eq!(*sent.lock().unwrap(), [vec![1], vec![3]]);
    }
}
