use std::{net::SocketAddr, time::Duration};

use super::{Redis, free_port, loopback, until};

/// The silence after which nodes consider a node dead.
const DOWN_AFTER: Duration = Duration::from_millis(1_000);
/// Number of primaries, each with one replica.
const PRIMARIES: usize = 3;
/// Number of slots of every Redis cluster.
const SLOTS: usize = 16_384;

/// A cluster of three primaries with a replica each.
pub struct Cluster {
    nodes: Vec<Redis>,
}

impl Cluster {
    /// Starts the cluster, and returns once it serves.
    pub fn start() -> Self {
        let at = loopback();
        let host = at.to_string();
        let (nodes, buses): (Vec<_>, Vec<_>) = (0..2 * PRIMARIES)
            .map(|_| {
                let bus = free_port(at).port().to_string();
                let timeout = DOWN_AFTER.as_millis().to_string();
                let node = Redis::builder()
                    .at(at)
                    .durable()
                    // Outgoing connections use the first loopback address, which would be announced otherwise.
                    .set(&[
                        "--cluster-enabled",
                        "yes",
                        "--cluster-port",
                        &bus,
                        "--cluster-announce-ip",
                        &host,
                    ])
                    .set(&["--cluster-node-timeout", &timeout, "--repl-diskless-sync-delay", "0"])
                    .start();
                (node, bus)
            })
            .unzip();
        for (number, node) in nodes.iter().enumerate() {
            node.ask(&["CLUSTER", "SET-CONFIG-EPOCH", &(number + 1).to_string()]);
        }
        for (node, bus) in nodes.iter().zip(&buses) {
            nodes[0].ask(&["CLUSTER", "MEET", &host, &node.address().port().to_string(), bus]);
        }
        for (number, node) in nodes.iter().enumerate() {
            until("nodes that know each other", || {
                node.ask(&["CLUSTER", "NODES"])
                    .text()
                    .lines()
                    .filter(|line| line.contains(" connected"))
                    .count()
                    == nodes.len()
            });
            if number < PRIMARIES {
                let first = |number: usize| (SLOTS * number / PRIMARIES).to_string();
                let last = (SLOTS * (number + 1) / PRIMARIES - 1).to_string();
                node.ask(&["CLUSTER", "ADDSLOTSRANGE", &first(number), &last]);
            }
        }
        for (number, node) in nodes.iter().enumerate().skip(PRIMARIES) {
            let primary = id(&nodes[number - PRIMARIES]);
            node.ask(&["CLUSTER", "REPLICATE", &primary]);
        }
        let cluster = Self { nodes };
        cluster.await_order();
        cluster
    }

    /// A URL that names some of its nodes.
    pub fn url(&self) -> String {
        let [first, second, ..] = &*self.nodes else { panic!("there are six") };
        format!("redis-cluster://{}?node={}", first.address(), second.address())
    }

    /// Its nodes.
    pub fn nodes(&self) -> &[Redis] {
        &self.nodes
    }

    /// The number of the node that serves a key.
    pub fn owner(&self, key: &str) -> usize {
        let mut found = None;
        until("a node that serves it", || {
            found = self
                .nodes
                .iter()
                .position(|node| node.process.is_some() && node.try_ask(&["EXISTS", key]).is_ok());
            found.is_some()
        });
        found.expect("it was found")
    }

    /// The number of a primary's replica.
    pub fn replica_of(&self, primary: usize) -> usize {
        let port = self.nodes[primary].address().port().to_string();
        let is_replica = |node: &Redis| node.process.is_some() && node.info("role") == "slave";
        let found = self.nodes.iter().position(|node| is_replica(node) && node.info("master_port") == port);
        found.expect("each has one")
    }

    /// Promotes a primary's replica, without losing data.
    pub fn fail_over(&self, primary: usize) {
        let replica = &self.nodes[self.replica_of(primary)];
        until("a replica that follows", || replica.info("master_link_status") == "up");
        replica.ask(&["CLUSTER", "FAILOVER"]);
        until("another primary", || replica.info("role") == "master");
        self.await_order();
    }

    /// Kills a node.
    pub fn kill(&mut self, node: usize) {
        self.nodes[node].kill();
    }

    /// Starts a node again.
    pub fn restart(&mut self, node: usize) {
        self.nodes[node].restart();
        self.await_order();
    }

    /// Waits until all running nodes agree that all slots are served and, if all nodes run, that each primary has its
    /// replica.
    pub fn await_order(&self) {
        for node in self.nodes.iter().filter(|node| node.process.is_some()) {
            until("a cluster in order", || {
                let info = node.ask(&["CLUSTER", "INFO"]).text();
                let nodes = node.ask(&["CLUSTER", "NODES"]).text();
                let replicas = nodes.lines().filter(|line| line.contains("slave") && !line.contains("fail"));
                let is_whole =
                    self.nodes.iter().any(|node| node.process.is_none()) || replicas.count() == PRIMARIES;
                info.contains("cluster_state:ok") && is_whole
            });
        }
    }

    /// Moves the slot of a key to another primary, key by key. `between` runs after the first key.
    pub fn move_slot(&self, key: &str, between: impl FnOnce()) {
        let slot = self.nodes[0].ask(&["CLUSTER", "KEYSLOT", key]).number().to_string();
        let from = &self.nodes[self.owner(key)];
        let is_other = |node: &&Redis| node.info("role") == "master" && node.address() != from.address();
        let to = self.nodes.iter().find(is_other).expect("there are three");
        let (from_id, to_id) = (id(from), id(to));
        to.ask(&["CLUSTER", "SETSLOT", &slot, "IMPORTING", &from_id]);
        from.ask(&["CLUSTER", "SETSLOT", &slot, "MIGRATING", &to_id]);
        let mut between = Some(between);
        loop {
            let keys = from.ask(&["CLUSTER", "GETKEYSINSLOT", &slot, "1"]).list();
            let Some(key) = keys.into_iter().next() else { break };
            let SocketAddr::V4(address) = to.address() else { panic!("it has an address of four bytes") };
            let (ip, port) = (address.ip().to_string(), address.port().to_string());
            from.ask(&["MIGRATE", &ip, &port, &key.text(), "0", "5000"]);
            if let Some(between) = between.take() {
                between();
            }
        }
        for node in [to, from] {
            node.ask(&["CLUSTER", "SETSLOT", &slot, "NODE", &to_id]);
        }
    }
}

fn id(node: &Redis) -> String {
    node.ask(&["CLUSTER", "MYID"]).text()
}
