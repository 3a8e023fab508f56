//! The steps that Redis does in one, each a script on one shard.

use std::sync::LazyLock;

use fred::util::sha1_hash;

/// A script in Lua; its file says what it takes and returns.
pub struct Script {
    /// As errors name it.
    pub name: &'static str,
    /// With what all share.
    pub text: &'static str,
    hash: LazyLock<String>,
}

impl Script {
    /// By which Redis knows it.
    pub fn hash(&self) -> &str {
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
            pub static $name: Script = Script {
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
    /// Ends plays.
    SETTLE: "settle";
    /// Marks a task before its first effect outside.
    MARK: "mark";
    /// Reads documents.
    READ: "read";
    /// Ends a task that has not ended.
    CANCEL: "cancel";
    /// Prolongs a lease, gives tasks back.
    RENEW: "renew";
    /// Takes tasks from workers that have gone.
    REAP: "reap";
    /// Tells what is known of a task.
    LOOK: "look";
    /// Lists tasks.
    LIST: "list";
    /// Answers that may have been missed.
    ANSWERS: "answers";
    /// Seals records.
    SEAL: "seal";
    /// Takes note of a worker, counts them.
    PRESENT: "present";
}
