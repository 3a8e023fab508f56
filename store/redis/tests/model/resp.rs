//! Connections to the Redis of a replay: every error fails the test.

use circles_testing::{RedisConnection, RedisReply};

pub(crate) struct Connection(RedisConnection);

impl Connection {
    /// Connects to `redis://host:port/database`.
    pub(crate) fn open(url: &str) -> Self {
        let (address, database) =
            url.strip_prefix("redis://").and_then(|rest| rest.split_once('/')).expect("an address");
        let address = address.parse().expect("an address");
        let mut connection = Self(RedisConnection::open(address).expect("a Redis"));
        connection.ask(&["SELECT", database]);
        connection
    }

    pub(crate) fn ask<A: AsRef<[u8]>>(&mut self, command: &[A]) -> RedisReply {
        self.0.ask(command).expect("a reply")
    }

    /// Sends all commands before it reads their replies.
    pub(crate) fn ask_all<A: AsRef<[u8]>>(&mut self, commands: &[Vec<A>]) -> Vec<RedisReply> {
        commands.iter().for_each(|command| self.send(command));
        commands.iter().map(|_| self.receive()).collect()
    }

    pub(crate) fn send<A: AsRef<[u8]>>(&mut self, command: &[A]) {
        self.0.send(command).expect("a connection");
    }

    pub(crate) fn receive(&mut self) -> RedisReply {
        self.0.receive().expect("a reply or a message")
    }
}

/// Returns names and values, which alternate in an array.
pub(crate) fn pairs(reply: RedisReply) -> Vec<(String, String)> {
    reply.texts().chunks_exact(2).map(|pair| (pair[0].clone(), pair[1].clone())).collect()
}
