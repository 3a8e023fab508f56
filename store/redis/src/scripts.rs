//! The Lua scripts: each is one atomic step on one shard.

use std::sync::LazyLock;

use fred::util::sha1_hash;

/// A Lua script. Its file documents its arguments and its reply.
pub(crate) struct Script {
    /// Names the script in logs.
    pub(crate) name: &'static str,
    /// `shared.lua` followed by the script's own file.
    pub(crate) text: &'static str,
    hash: LazyLock<String>,
}

impl Script {
    /// The SHA-1 by which Redis knows the script.
    pub(crate) fn hash(&self) -> &str {
        &self.hash
    }
}

macro_rules! text {
    ($file:literal) => {
        concat!(include_str!("lua/shared.lua"), include_str!(concat!("lua/", $file, ".lua")))
    };
}

macro_rules! scripts {
    ($($(#[$doc:meta])* $name:ident: $file:literal;)*) => {
        $(
            $(#[$doc])*
            pub(crate) static $name: Script = Script {
                name: $file,
                text: text!($file),
                hash: LazyLock::new(|| sha1_hash(text!($file))),
            };
        )*
    };
}

scripts! {
    /// Accepts tasks.
    SUBMIT: "submit";
    /// Hands tasks to a worker.
    CLAIM: "claim";
    /// Ends plays and commits what they wrote.
    SETTLE: "settle";
    /// Marks a task before its first side effect.
    MARK: "mark";
    /// Reads documents.
    READ: "read";
    /// Ends a task that has not ended yet.
    CANCEL: "cancel";
    /// Renews a lease, and returns tasks to the queue.
    RENEW: "renew";
    /// Takes tasks from workers whose lease has ended.
    REAP: "reap";
    /// Looks up a task.
    LOOK: "look";
    /// Lists tasks.
    LIST: "list";
    /// Fetches outcomes whose message was missed.
    ANSWERS: "answers";
    /// Seals records.
    SEAL: "seal";
    /// Registers a worker, and counts the registered ones.
    PRESENT: "present";
}
