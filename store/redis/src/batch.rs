//! Sends together what is to be sent to a shard while something is under way to it.

use std::{future::Future, sync::Arc};

use tokio::sync::{mpsc, oneshot};

use circles_store::Error;

/// How many items go in one script, so that none holds Redis up for long.
const TOGETHER: usize = 64;
/// How much they may weigh together, unless one alone weighs more: about a thousand small things to be written, or a
/// mebibyte.
const WEIGHT: usize = 1 << 20;
/// What an item weighs beside its bytes, for each thing in it that a script looks at.
pub const THING: usize = 1 << 10;
/// How many may wait for each shard.
const WAITING: usize = 10_000;

type Sent<I, R> = (I, oneshot::Sender<Result<R, Error>>);

/// Items on their way to the shards. While one batch of a shard is under way the next one gathers: alone, an item
/// waits for nothing, and under load many share the cost of one script.
pub struct Batcher<I, R> {
    shards: Box<[mpsc::Sender<Sent<I, R>>]>,
}

/// What is sent in a script with others.
pub trait Item: Send + 'static {
    /// Its bytes, and [`THING`] for each thing in it.
    fn weight(&self) -> usize;
}

impl<I: Item, R: Send + 'static> Batcher<I, R> {
    /// `send` takes a batch to a shard and returns the reply to each item of it, in order.
    pub fn new<F, S>(shards: u16, send: S) -> Self
    where
        S: Fn(u16, Vec<I>) -> F + Send + Sync + 'static,
        F: Future<Output = Result<Vec<R>, Error>> + Send + 'static,
    {
        let send = Arc::new(send);
        let shards = (0..shards).map(|shard| {
            let (sender, receiver) = mpsc::channel(WAITING);
            let send = send.clone();
            tokio::spawn(carry(receiver, move |batch| send(shard, batch)));
            sender
        });
        Self { shards: shards.collect() }
    }

    /// Sends an item and waits for the reply.
    pub async fn send(&self, shard: u16, item: I) -> Result<R, Error> {
        let (sender, reply) = oneshot::channel();
        let lane = self.shards.get(usize::from(shard)).ok_or(Error::Closed)?;
        // What does not fit has waited for a Redis that does not keep up.
        lane.try_send((item, sender)).map_err(|_| Error::QueueFull)?;
        reply.await.unwrap_or(Err(Error::Closed))
    }
}

/// Carries what comes until nothing can come any more.
async fn carry<I: Item, R, F, S>(mut receiver: mpsc::Receiver<Sent<I, R>>, send: S)
where
    S: Fn(Vec<I>) -> F,
    F: Future<Output = Result<Vec<R>, Error>>,
{
    let mut gathered = Vec::new();
    // What was too much for the last script goes with the next one.
    while !gathered.is_empty() || receiver.recv_many(&mut gathered, TOGETHER).await > 0 {
        // Who has gone wants nothing sent: what is to undo it may be on its way already.
        gathered.retain(|(_, sender): &Sent<I, R>| !sender.is_closed());
        if gathered.is_empty() {
            continue;
        }
        let mut weight = 0;
        let fits = gathered.iter().take_while(|(item, _)| {
            let is_first = weight == 0;
            weight += item.weight().max(1);
            is_first || weight <= WEIGHT
        });
        let count = fits.count();
        let (items, senders): (Vec<_>, Vec<_>) = gathered.drain(..count).unzip();
        let replies: Vec<_> = match send(items).await {
            Ok(replies) => replies.into_iter().map(Ok).collect(),
            Err(error) => senders.iter().map(|_| Err(error.clone())).collect(),
        };
        for (sender, reply) in senders.into_iter().zip(replies) {
            // Who asked may have gone.
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

    /// As heavy as it says.
    impl Item for usize {
        fn weight(&self) -> usize {
            *self
        }
    }

    #[tokio::test]
    async fn heavy_items_are_not_sent_together() {
        let (sent, gate) = (Arc::new(Mutex::new(Vec::new())), Arc::new(Semaphore::new(0)));
        let batcher = Arc::new(Batcher::new(1, {
            let (sent, gate) = (sent.clone(), gate.clone());
            move |_, batch: Vec<usize>| {
                sent.lock().unwrap().push(batch.clone());
                let gate = gate.clone();
                async move {
                    gate.acquire().await.unwrap().forget();
                    Ok(batch)
                }
            }
        }));
        let send = |item| {
            let batcher = batcher.clone();
            tokio::spawn(async move { batcher.send(0, item).await })
        };
        let first = send(1);
        while sent.lock().unwrap().is_empty() {
            tokio::task::yield_now().await;
        }
        let (half, more, most) = (WEIGHT / 2, WEIGHT / 2 + 1, 3 * WEIGHT);
        let rest = [half, half, more, most, 2, 3].map(send);
        // Each has been polled once another one has.
        tokio::task::yield_now().await;
        gate.add_permits(5);
        assert_eq!(first.await.unwrap(), Ok(1));
        for sent in rest {
            assert!(sent.await.unwrap().is_ok());
        }
        let together = vec![vec![1], vec![half, half], vec![more], vec![most], vec![2, 3]];
        assert_eq!(*sent.lock().unwrap(), together);
    }

    #[tokio::test]
    async fn what_is_given_up_before_it_is_sent_is_not_sent() {
        let (sent, gate) = (Arc::new(Mutex::new(Vec::new())), Arc::new(Semaphore::new(0)));
        let batcher = Arc::new(Batcher::new(1, {
            let (sent, gate) = (sent.clone(), gate.clone());
            move |_, batch: Vec<usize>| {
                sent.lock().unwrap().push(batch.clone());
                let gate = gate.clone();
                async move {
                    gate.acquire().await.unwrap().forget();
                    Ok(batch)
                }
            }
        }));
        let send = |item| {
            let batcher = batcher.clone();
            async move { batcher.send(0, item).await }
        };
        // In order, on the one thread of this runtime: each is polled before the next.
        let first = tokio::spawn(send(1));
        while sent.lock().unwrap().is_empty() {
            tokio::task::yield_now().await;
        }
        let mut given_up = Box::pin(send(2));
        assert!((&mut given_up).now_or_never().is_none());
        drop(given_up);
        let last = tokio::spawn(send(3));
        gate.add_permits(2);
        assert_eq!(first.await.unwrap(), Ok(1));
        assert_eq!(last.await.unwrap(), Ok(3));
        assert_eq!(*sent.lock().unwrap(), [vec![1], vec![3]]);
    }
}
