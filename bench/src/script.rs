use std::{path::Path, process::Command};

use crate::{
    Result,
    sample::median,
    table::{Rounds, print_end, print_machine},
};

/// Nanoseconds of a script in the engine alone and in a circle.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Pair {
    bare: f64,
    circle: f64,
}

/// The figures of a round, by script.
type Figures = Vec<(String, Pair)>;

/// Runs the example that times scripts, and prints one table. It is an example of `circles-worker`, which alone depends
/// on the engine.
pub(crate) fn script(examples: &Path, rounds: Rounds) -> Result {
    print_machine();
    let program = examples.join("scripts");
    let measured = (0..rounds.count()).map(|_| figures(&program, rounds)).collect::<Result<Vec<_>>>()?;
    println!(
        "medians of {} rounds of {} s over all scripts; ratios round by round\n",
        rounds.count(),
        rounds.length().as_secs_f64()
    );
    println!("{:<40} {:>14} {:>14} {:>8}", "script", "bare engine µs", "in a circle µs", "÷");
    for (row, (name, _)) in measured.first().into_iter().flatten().enumerate() {
        let pairs = || measured.iter().filter_map(|figures| figures.get(row)).map(|(_, pair)| *pair);
        println!(
            "{name:<40} {:>14.3} {:>14.3} {:>8.2}",
            median(pairs().map(|pair| pair.bare)) / 1e3,
            median(pairs().map(|pair| pair.circle)) / 1e3,
            median(pairs().map(|pair| pair.circle / pair.bare)),
        );
    }
    println!();
    print_end();
    Ok(())
}

fn figures(program: &Path, rounds: Rounds) -> Result<Figures> {
    let name = program.display();
    let output = Command::new(program).arg(rounds.length().as_secs_f64().to_string()).output();
    let output = output.map_err(|error| format!("{name}: {error}"))?;
    if !output.status.success() {
        return Err(format!("{name} failed: {}", String::from_utf8_lossy(&output.stderr)));
    }
    let text = String::from_utf8_lossy(&output.stdout);
    parse(&text).ok_or_else(|| {
        format!("{name} printed {text:?}; expected lines of two times in nanoseconds and a name")
    })
}

/// Reads lines of two times and a name.
fn parse(text: &str) -> Option<Figures> {
    let line = |line: &str| {
        let mut words = line.splitn(3, ' ');
        let (bare, circle) = (words.next()?.parse().ok()?, words.next()?.parse().ok()?);
        Some((words.next()?.to_owned(), Pair { bare, circle }))
    };
    text.lines().map(line).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_and_names_are_parsed() {
        let figures = parse("12.5 13 push 10,000\n3 4 40 + 2, tried\n").unwrap();
        let pair = |bare, circle| Pair { bare, circle };
        assert_eq!(
            figures,
            [("push 10,000".to_owned(), pair(12.5, 13.0)), ("40 + 2, tried".to_owned(), pair(3.0, 4.0))]
        );
        assert_eq!((parse("no figure\n"), parse("1 2\n")), (None, None));
    }
}
