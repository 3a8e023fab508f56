use std::path::Path;

use crate::{
    Result,
    load::{Call, Concurrency},
    process::Process,
    table::{BARE_METHOD, Rounds, Subject, measure, print_end, print_head, print_rows, runtime},
};

/// A method that runs no script and needs no session.
pub(crate) const BARE: Call = Call::new("\"method\":\"whoami\"}", "\"authenticated\":false");
/// A play without documents or side effects.
pub(crate) const PLAY: Call =
    Call::new("\"method\":\"play\",\"params\":{\"script\":\"40 + 2\"}}", "\"output\":\"42\"");

/// 1 and 64 calls in flight, over 1 and 8 connections.
const PLAY_CONCURRENCY: [Concurrency; 4] = [
    Concurrency { connections: 1, window: 1 },
    Concurrency { connections: 8, window: 1 },
    Concurrency { connections: 1, window: 64 },
    Concurrency { connections: 8, window: 8 },
];

/// Measures and prints one table.
pub(crate) fn play(server: &Path, rounds: Rounds) -> Result {
    let (circles, plain) = (Process::circles(server, None)?, Process::plain()?);
    let subjects = [
        Subject { name: "plain jsonrpsee", endpoint: plain.endpoint(), call: BARE },
        Subject { name: BARE_METHOD, endpoint: circles.endpoint(), call: BARE },
        Subject { name: "play(\"40 + 2\")", endpoint: circles.endpoint(), call: PLAY },
    ];
    let runtime = runtime()?;
    print_head(rounds);
    for concurrency in PLAY_CONCURRENCY {
        let samples = runtime.block_on(measure(&subjects, concurrency, rounds))?;
        print_rows(&subjects, concurrency, &samples);
    }
    print_end();
    Ok(())
}
