//! The faults that the test injects. Each ends by itself or is undone.

use std::time::Duration;

use circles_testing::{Mode, Proxy, Redis, SeededRng};
use tokio::{task::block_in_place, time::sleep};

use super::world::{Backing, SERVERS, Shape, WORKERS, World};

/// A kind of fault.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(super) enum Fault {
    /// A worker is killed, and another started.
    KillWorker,
    /// A worker is suspended past its lease and resumed: it no longer owns the tasks that it then settles.
    FreezeWorker,
    /// A worker is told to shut down while it works, and another is started.
    DrainWorker,
    /// A server is killed, and started at the same address.
    KillServer,
    /// Redis is killed, and started with its durable data.
    RestartRedis,
    /// Redis is suspended for a while.
    FreezeRedis,
    /// Redis is out of memory for a while.
    FillRedis,
    /// Redis forgets all scripts.
    ForgetScripts,
    /// Redis cuts its pub/sub connections, or the others.
    CutByRedis,
    /// A network is cut for a while.
    Cut,
    /// A network discards data for a while, or delivers it only afterwards.
    HalfOpen,
    /// A network is slow for a while.
    Delay,
    /// Published messages are lost for a while.
    Deafen,
    /// A network sometimes loses requests or replies, or delivers requests twice, for a while.
    Unreliable,
    /// The network between clients and a server is cut or held.
    CutClients,
    /// A planned failover promotes the replica.
    FailOver,
    /// A slot of the cluster moves to another node.
    MoveSlot,
}

use Fault::{
    Cut, CutByRedis, CutClients, Deafen, Delay, DrainWorker, FailOver, FillRedis, ForgetScripts, FreezeRedis,
    FreezeWorker, HalfOpen, KillServer, KillWorker, MoveSlot, RestartRedis, Unreliable,
};

impl Fault {
    /// The faults for a Redis topology.
    pub(super) const fn of(shape: Shape) -> &'static [Self] {
        match shape {
            Shape::Single => &[
                KillWorker,
                FreezeWorker,
                DrainWorker,
                KillServer,
                RestartRedis,
                FreezeRedis,
                FillRedis,
                ForgetScripts,
                CutByRedis,
                Cut,
                HalfOpen,
                Delay,
                Deafen,
                Unreliable,
                CutClients,
            ],
            Shape::Sentinels => &[FailOver, KillWorker, FailOver, FreezeWorker, KillServer],
            Shape::Cluster => &[FailOver, KillWorker, MoveSlot, FreezeWorker, KillServer],
        }
    }

    /// Injects the fault, and returns once it is over.
    pub(super) async fn inject(self, world: &mut World, rng: &mut SeededRng) {
        let worker = rng.below(WORKERS);
        let server = rng.below(SERVERS);
        match self {
            KillWorker => {
                world.workers[worker].kill().await;
                rng.pause(300_000).await;
                world.replace_worker(worker).await;
            }
            FreezeWorker => {
                world.workers[worker].suspend().await;
                // Past its lease, and past the time by which its tasks are reaped.
                sleep(Duration::from_millis(3_500)).await;
                rng.pause(2_000_000).await;
                world.workers[worker].resume().await;
            }
            DrainWorker => {
                world.workers[worker].end().await;
                world.replace_worker(worker).await;
            }
            KillServer => world.restart_server(server).await,
            CutClients => disturb(&world.servers[server].proxy, rng, &[Mode::Refuse, Mode::Hold]).await,
            RestartRedis | FreezeRedis | FillRedis | ForgetScripts | CutByRedis => {
                let Backing::Single { redis, .. } = &mut world.backing else { return };
                self.inject_into_redis(redis, rng).await;
            }
            Cut | HalfOpen | Delay | Deafen | Unreliable => {
                let Backing::Single { proxies, .. } = &world.backing else { return };
                let proxy = &proxies[rng.below(proxies.len())];
                self.inject_into_network(proxy, rng).await;
            }
            FailOver => match &mut world.backing {
                Backing::Sentinels(sentinels) => block_in_place(|| sentinels.fail_over()),
                Backing::Cluster(cluster) => {
                    let shard = shard(rng);
                    block_in_place(|| cluster.fail_over(cluster.owner(&shard)));
                }
                Backing::Single { .. } => {}
            },
            MoveSlot => {
                let Backing::Cluster(cluster) = &world.backing else { return };
                let (shard, pause) = (shard(rng), Duration::from_millis(rng.below(500) as u64));
                block_in_place(|| cluster.move_slot(&shard, || std::thread::sleep(pause)));
            }
        }
    }

    async fn inject_into_redis(self, redis: &mut Redis, rng: &mut SeededRng) {
        match self {
            RestartRedis => {
                block_in_place(|| redis.kill());
                rng.pause(1_500_000).await;
                block_in_place(|| redis.restart());
            }
            FreezeRedis => {
                redis.suspend();
                rng.pause(5_000_000).await;
                redis.resume();
            }
            FillRedis => {
                let used = redis.info("used_memory");
                redis.ask(&["CONFIG", "SET", "maxmemory", &used]);
                rng.pause(2_000_000).await;
                redis.ask(&["CONFIG", "SET", "maxmemory", "0"]);
            }
            ForgetScripts => drop(redis.ask(&["SCRIPT", "FLUSH"])),
            _ => {
                let kind = rng.one_of(&["pubsub", "pubsub", "normal"]);
                redis.ask(&["CLIENT", "KILL", "TYPE", kind]);
            }
        }
    }

    async fn inject_into_network(self, proxy: &Proxy, rng: &mut SeededRng) {
        match self {
            Cut => {
                proxy.cut();
                disturb(proxy, rng, &[Mode::Refuse]).await;
            }
            HalfOpen => disturb(proxy, rng, &[Mode::Hold, Mode::Discard]).await,
            Delay => {
                let delay = Duration::from_millis(5 + rng.below(150) as u64);
                disturb(proxy, rng, &[Mode::Delay(delay)]).await;
            }
            Deafen => disturb(proxy, rng, &[Mode::DropPublished]).await,
            _ => {
                let mode = Mode::Random {
                    cut_before: rng.below(20),
                    cut_after: rng.below(20),
                    twice: rng.below(100),
                };
                disturb(proxy, rng, &[mode]).await;
            }
        }
    }
}

/// Sets one of the modes for up to three seconds.
async fn disturb(proxy: &Proxy, rng: &mut SeededRng, modes: &[Mode]) {
    proxy.set(rng.one_of(modes));
    rng.pause(3_000_000).await;
    proxy.set(Mode::Pass);
}

fn shard(rng: &mut SeededRng) -> String {
    format!("circles:{{{}}}", rng.below(64))
}
