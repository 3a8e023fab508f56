//! Plays a script in the circle at the given URL, by default that of `cargo run`.

#![allow(clippy::print_stdout, clippy::print_stderr)] // An example prints for people.

use circles_client::{Client, SecretKey};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let url = std::env::args().nth(1).unwrap_or_else(|| "ws://127.0.0.1:9001".to_owned());
    let circle = Client::builder(url).key(SecretKey::generate()?).connect().await?;
    let played = circle.play("print(`called by ${CALLER}`); ARGS[0] + ARGS[1]").args(&[40, 2]).await?;
    for line in &played.logs {
        eprintln!("{}: {}", line.level, line.text);
    }
    println!("{}", played.value::<i64>()?);
    Ok(())
}
