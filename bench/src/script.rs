use std::{path::Path, process::Command};

use crate::{
    Result,
    sample::median,
    table::{Rounds, print_end, print_machine},
};

/// What a program measured: the name of a script and nanoseconds.
type Figures = Vec<(String, f64)>;

/// Has both programs time the same scripts by turns, and prints one table. Only `circles-worker` knows the engine,
/// so they are its examples; they are two so that the bare engine pays for no counting of memory.
pub fn script(examples: &Path, rounds: Rounds) -> Result {
    print_machine();
    let (mut bare, mut host) = (Vec::new(), Vec::new());
    for _ in 0..rounds.count() {
        bare.push(figures(&examples.join("scripts_bare"), rounds)?);
        host.push(figures(&examples.join("scripts_host"), rounds)?);
    }
    println!(
        "medians of {} rounds by turns of {} s over all scripts; ratios round by round\n",
        rounds.count(),
        rounds.length().as_secs_f64()
    );
    println!("{:<34} {:>14} {:>14} {:>8}", "script", "bare engine µs", "in a circle µs", "÷");
    for (name, _) in host.first().into_iter().flatten() {
        // A script is named `<text>`, or `<text>, <way>`.
        let text = name.split_once(", ").map_or(&**name, |(text, _)| text);
        let pairs =
            || bare.iter().zip(&host).filter_map(|(bare, host)| Some((of(bare, text)?, of(host, name)?)));
        println!(
            "{name:<34} {:>14.3} {:>14.3} {:>8.2}",
            median(pairs().map(|(bare, _)| bare)) / 1e3,
            median(pairs().map(|(_, host)| host)) / 1e3,
            median(pairs().map(|(bare, host)| host / bare)),
        );
    }
    println!();
    print_end();
    Ok(())
}

fn of(figures: &Figures, name: &str) -> Option<f64> {
    figures.iter().find(|(known, _)| known == name).map(|(_, figure)| *figure)
}

fn figures(program: &Path, rounds: Rounds) -> Result<Figures> {
    let name = program.display();
    let output = Command::new(program).arg(rounds.length().as_secs_f64().to_string()).output();
    let output = output.map_err(|error| format!("{name}: {error}"))?;
    if !output.status.success() {
        return Err(format!("{name} failed: {}", String::from_utf8_lossy(&output.stderr)));
    }
    let text = String::from_utf8_lossy(&output.stdout);
    parse(&text).ok_or_else(|| format!("{name} said {text:?}, not names and nanoseconds"))
}

/// Reads lines of nanoseconds and a name.
fn parse(text: &str) -> Option<Figures> {
    let line = |line: &str| {
        let (figure, name) = line.split_once(' ')?;
        Some((name.to_owned(), figure.parse().ok()?))
    };
    text.lines().map(line).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_program_prints_is_read() {
        let figures = parse("12.5 push 10,000\n3 40 + 2, tried\n").unwrap();
        assert_eq!(of(&figures, "push 10,000"), Some(12.5));
        assert_eq!(of(&figures, "40 + 2, tried"), Some(3.0));
        assert_eq!((of(&figures, "40 + 2"), parse("no figure\n")), (None, None));
    }
}
