use std::path::Path;

use crate::{
    Result,
    load::{Call, Shape},
    process::Process,
    table::{Rounds, Subject, measure, print_end, print_head, print_rows, runtime},
};

/// What anybody may call, which runs nothing.
pub const BARE: Call = Call::new("\"method\":\"whoami\"}", "\"authenticated\":false");
/// A play that touches nothing.
pub const PLAY: Call =
    Call::new("\"method\":\"play\",\"params\":{\"script\":\"40 + 2\"}}", "\"output\":\"42\"");

/// 1 and 64 calls under way, over 1 and 8 connections.
const SHAPES: [Shape; 4] = [
    Shape { connections: 1, window: 1 },
    Shape { connections: 8, window: 1 },
    Shape { connections: 1, window: 64 },
    Shape { connections: 8, window: 8 },
];

/// Where the bare method of Circles stands among the subjects: ratios are to it.
const YARDSTICK: usize = 1;

/// Measures and prints one table.
pub fn play(server: &Path, rounds: Rounds) -> Result {
    let (circles, plain) = (Process::circles(server, None)?, Process::plain()?);
    let subjects = [
        Subject { name: "plain jsonrpsee", place: plain.place(), call: BARE },
        Subject { name: "whoami (bare)", place: circles.place(), call: BARE },
        Subject { name: "play(\"40 + 2\")", place: circles.place(), call: PLAY },
    ];
    let runtime = runtime()?;
    print_head(rounds);
    for shape in SHAPES {
        let samples = runtime.block_on(measure(&subjects, shape, rounds))?;
        print_rows(&subjects, shape, &samples, YARDSTICK);
    }
    print_end();
    Ok(())
}
