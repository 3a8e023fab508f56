use std::{net::SocketAddr, time::Duration};

use super::{Redis, RedisReply, loopback, until};

/// The sentinels' name for the Redis that they watch.
const NAME: &str = "mine";
/// The silence after which sentinels consider a Redis dead.
const DOWN_AFTER: Duration = Duration::from_millis(1_000);

/// A primary, its replica, and three sentinels that promote the replica when the primary dies.
pub struct Sentinels {
    nodes: [Redis; 2],
    sentinels: Vec<Redis>,
}

impl Sentinels {
    /// Starts the servers, and returns once the sentinels know each other and the replica follows.
    pub fn start() -> Self {
        let host = loopback();
        let ip = host.to_string();
        // Outgoing connections use the first loopback address, which would be announced otherwise.
        let settings = ["--repl-diskless-sync-delay", "0", "--replica-announce-ip", &ip];
        let node = || Redis::builder().at(host).durable().set(&settings);
        let primary = node().start();
        let port = primary.address().port().to_string();
        let replica = node().set(&["--replicaof", &ip, &port]).start();
        until("a replica that follows", || replica.info_is("master_link_status", "up"));
        let configuration = format!(
            "sentinel announce-ip {ip}\n\
             sentinel monitor {NAME} {ip} {port} 2\n\
             sentinel down-after-milliseconds {NAME} {}\n\
             sentinel failover-timeout {NAME} 6000\n",
            DOWN_AFTER.as_millis()
        );
        let sentinel = |_| Redis::builder().at(host).sentinel(configuration.clone()).start();
        let sentinels: Vec<_> = (0..3).map(sentinel).collect();
        for sentinel in &sentinels {
            until("sentinels that know each other", || {
                let ready = sentinel.try_ask(&["SENTINEL", "CKQUORUM", NAME]);
                ready.is_ok_and(|reply| reply.text().contains("3 usable")) && replicas(sentinel) == 1
            });
        }
        Self { nodes: [primary, replica], sentinels }
    }

    /// A URL that names the sentinels.
    pub fn url(&self) -> String {
        let [first, others @ ..] = &*self.sentinels else { panic!("there are three") };
        let others: String = others.iter().map(|other| format!("&node={}", other.address())).collect();
        format!("redis-sentinel://{}/0?sentinelServiceName={NAME}{others}", first.address())
    }

    /// The node that the sentinels consider the primary.
    pub fn primary(&mut self) -> &mut Redis {
        let known = self.sentinels[0].ask(&["SENTINEL", "GET-MASTER-ADDR-BY-NAME", NAME]).list();
        let known: Vec<_> = known.into_iter().map(RedisReply::text).collect();
        let node = self.nodes.iter_mut().find(|node| parts(node)[..] == known[..]);
        node.expect("one of the two")
    }

    /// Swaps primary and replica, without losing data.
    pub fn fail_over(&mut self) {
        // Sentinels refuse a failover until they know that the replica follows.
        until("sentinels that may begin", || is_in_order(&self.sentinels[0]));
        let before = self.primary().address();
        // The old primary refuses writes until it is a replica, since they would be lost. CLIENT PAUSE would also block
        // the sentinels, which publish there.
        self.primary().ask(&["CONFIG", "SET", "min-replicas-to-write", "9"]);
        let [one, other] = &self.nodes;
        until("a replica that has all", || {
            one.info("master_repl_offset") == other.info("master_repl_offset")
        });
        until("sentinels that begin", || self.sentinels[0].try_ask(&["SENTINEL", "FAILOVER", NAME]).is_ok());
        self.await_other(before);
        self.await_replica();
        for node in &self.nodes {
            node.ask(&["CONFIG", "SET", "min-replicas-to-write", "0"]);
        }
    }

    /// Resumes the node at this address.
    pub fn resume(&self, address: SocketAddr) {
        let node = self.nodes.iter().find(|node| node.address() == address);
        node.expect("one of the two").resume();
    }

    /// Waits until a node at another address is the primary.
    pub fn await_other(&mut self, before: SocketAddr) {
        until("another primary", || {
            let primary = self.primary();
            primary.address() != before && primary.info_is("role", "master")
        });
    }

    /// Waits until a replica follows.
    pub fn await_replica(&mut self) {
        until("a replica that follows", || {
            self.nodes
                .iter()
                .any(|node| node.info_is("role", "slave") && node.info_is("master_link_status", "up"))
        });
    }
}

fn parts(redis: &Redis) -> [String; 2] {
    [redis.address().ip().to_string(), redis.address().port().to_string()]
}

fn replicas(sentinel: &Redis) -> usize {
    sentinel.ask(&["SENTINEL", "REPLICAS", NAME]).list().len()
}

/// Whether a sentinel sees no failover in progress and a healthy replica.
fn is_in_order(sentinel: &Redis) -> bool {
    let fields = |of: RedisReply| of.list().into_iter().map(RedisReply::text).collect::<Vec<_>>();
    let has = |fields: &[String], name: &str, value: &str| {
        fields.chunks_exact(2).any(|field| field[0] == name && field[1] == value)
    };
    let primary = fields(sentinel.ask(&["SENTINEL", "MASTER", NAME]));
    let replicas = sentinel.ask(&["SENTINEL", "REPLICAS", NAME]).list().into_iter().map(fields);
    has(&primary, "flags", "master")
        && replicas
            .into_iter()
            .any(|replica| has(&replica, "flags", "slave") && has(&replica, "master-link-status", "ok"))
}
