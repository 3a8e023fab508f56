//! What can go wrong, each a small thing that mends itself or is mended.

use std::time::Duration;

use circles_testing::{Dice, Mode, Proxy, Redis};
use tokio::{task::block_in_place, time::sleep};

use super::world::{Backing, SERVERS, Shape, WORKERS, World};

/// Something that goes wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Fault {
    /// A worker is killed, and another started.
    KillWorker,
    /// A worker stops past its lease, and goes on: what it settles then is not its own any more.
    FreezeWorker,
    /// A worker is told to end while it works, and another started.
    DrainWorker,
    /// A server is killed, and started where it was.
    KillServer,
    /// Redis is killed, and started with what it wrote down.
    RestartRedis,
    /// Redis stops for a while.
    FreezeRedis,
    /// Redis is full for a while.
    FillRedis,
    /// Redis forgets all scripts.
    ForgetScripts,
    /// Redis cuts connections that listen, or all.
    CutByRedis,
    /// A network is cut for a while.
    Cut,
    /// A network swallows for a while, or keeps what comes and hands it on later.
    HalfOpen,
    /// A network is slow for a while.
    Delay,
    /// What is published does not come through for a while.
    Deafen,
    /// A network loses requests, or answers, or hands requests on twice, now and then for a while.
    Unreliable,
    /// The network between clients and a server is cut, or held up.
    CutClients,
    /// The replica becomes the primary, as planned.
    FailOver,
    /// A slot of the cluster moves to another node.
    MoveSlot,
}

use Fault::{
    Cut, CutByRedis, CutClients, Deafen, Delay, DrainWorker, FailOver, FillRedis, ForgetScripts, FreezeRedis,
    FreezeWorker, HalfOpen, KillServer, KillWorker, MoveSlot, RestartRedis, Unreliable,
};

impl Fault {
    /// What can go wrong with a Redis in some shape.
    pub const fn of(shape: Shape) -> &'static [Self] {
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

    /// Has it happen, until all is as it was.
    pub async fn strike(self, world: &mut World, dice: &mut Dice) {
        let worker = dice.below(WORKERS);
        let server = dice.below(SERVERS);
        match self {
            KillWorker => {
                world.workers[worker].kill().await;
                dice.pause(300_000).await;
                world.replace_worker(worker).await;
            }
            FreezeWorker => {
                world.workers[worker].freeze().await;
                // Past its lease, and past the time by which somebody looks after what it held.
                sleep(Duration::from_millis(3_500)).await;
                dice.pause(2_000_000).await;
                world.workers[worker].thaw().await;
            }
            DrainWorker => {
                world.workers[worker].end().await;
                world.replace_worker(worker).await;
            }
            KillServer => world.restart_server(server).await,
            CutClients => disturb(&world.servers[server].proxy, dice, &[Mode::Refuse, Mode::Hold]).await,
            RestartRedis | FreezeRedis | FillRedis | ForgetScripts | CutByRedis => {
                let Backing::Single { redis, .. } = &mut world.backing else { return };
                self.strike_redis(redis, dice).await;
            }
            Cut | HalfOpen | Delay | Deafen | Unreliable => {
                let Backing::Single { proxies, .. } = &world.backing else { return };
                let proxy = &proxies[dice.below(proxies.len())];
                self.strike_network(proxy, dice).await;
            }
            FailOver => match &mut world.backing {
                Backing::Sentinels(sentinels) => block_in_place(|| sentinels.fail_over()),
                Backing::Cluster(cluster) => {
                    let shard = shard(dice);
                    block_in_place(|| cluster.fail_over(cluster.owner(&shard)));
                }
                Backing::Single { .. } => {}
            },
            MoveSlot => {
                let Backing::Cluster(cluster) = &world.backing else { return };
                let (shard, pause) = (shard(dice), Duration::from_millis(dice.below(500) as u64));
                block_in_place(|| cluster.move_slot(&shard, || std::thread::sleep(pause)));
            }
        }
    }

    async fn strike_redis(self, redis: &mut Redis, dice: &mut Dice) {
        match self {
            RestartRedis => {
                block_in_place(|| redis.kill());
                dice.pause(1_500_000).await;
                block_in_place(|| redis.start_again());
            }
            FreezeRedis => {
                redis.freeze();
                dice.pause(5_000_000).await;
                redis.thaw();
            }
            FillRedis => {
                let used = redis.info("used_memory");
                redis.ask(&["CONFIG", "SET", "maxmemory", &used]);
                dice.pause(2_000_000).await;
                redis.ask(&["CONFIG", "SET", "maxmemory", "0"]);
            }
            ForgetScripts => drop(redis.ask(&["SCRIPT", "FLUSH"])),
            _ => {
                let kind = dice.one_of(&["pubsub", "pubsub", "normal"]);
                redis.ask(&["CLIENT", "KILL", "TYPE", kind]);
            }
        }
    }

    async fn strike_network(self, proxy: &Proxy, dice: &mut Dice) {
        match self {
            Cut => {
                proxy.cut();
                disturb(proxy, dice, &[Mode::Refuse]).await;
            }
            HalfOpen => disturb(proxy, dice, &[Mode::Hold, Mode::Swallow]).await,
            Delay => {
                let delay = Duration::from_millis(5 + dice.below(150) as u64);
                disturb(proxy, dice, &[Mode::Delay(delay)]).await;
            }
            Deafen => disturb(proxy, dice, &[Mode::Deaf]).await,
            _ => {
                let mode = Mode::Chance {
                    cut_before: dice.below(20),
                    cut_after: dice.below(20),
                    twice: dice.below(100),
                };
                disturb(proxy, dice, &[mode]).await;
            }
        }
    }
}

/// For up to three seconds.
async fn disturb(proxy: &Proxy, dice: &mut Dice, modes: &[Mode]) {
    proxy.set(dice.one_of(modes));
    dice.pause(3_000_000).await;
    proxy.set(Mode::Pass);
}

fn shard(dice: &mut Dice) -> String {
    format!("circles:{{{}}}", dice.below(64))
}
