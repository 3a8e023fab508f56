use std::{
    fs::File,
    io::{Read, stdin},
    path::Path,
    time::Duration,
};

use circles_client::{Client, Error, Played};
use serde_json::{Value, json};

use crate::{
    args::{Args, Play},
    connect, show,
    trouble::Trouble,
};

/// Bytes of the longest script that a server could take: 65,536 characters of up to four bytes.
const MAX_SCRIPT: u64 = 4 * 65_536;
/// Bytes of the longest arguments that fit into a message.
const MAX_ARGS: u64 = 16 << 20;
/// The longest deadline there is: the circle lowers it to its own.
pub const AS_THE_CIRCLE_ALLOWS: Duration = Duration::from_secs(24 * 60 * 60);

/// `circles play`.
pub async fn run(args: &Args, play: &Play) -> Result<(), Trouble> {
    // What can be wrong here is said before anybody is dialled.
    let script = match (&play.expression, &play.file) {
        (Some(script), _) => script.clone(),
        (None, Some(path)) => read(path, MAX_SCRIPT)?,
        (None, None) => return Err(Trouble::Usage("no script".into())),
    };
    let values = play.args.as_deref().map(parse_args).transpose()?;
    let client = connect(args).await?;
    tokio::select! {
        played = send(&client, play, &script, values) => finish(played, play, &script),
        // Leaving closes the connection, which cancels the play.
        _ = tokio::signal::ctrl_c() => Err(Trouble::Interrupted),
    }
}

async fn send(client: &Client, play: &Play, script: &str, values: Option<Value>) -> Result<Played, Error> {
    let mut call = client.play(script).timeout(play.timeout.unwrap_or(AS_THE_CIRCLE_ALLOWS));
    if let Some(values) = &values {
        call = call.args(values);
    }
    if let Some(key) = &play.idempotency_key {
        call = call.idempotency_key(key);
    }
    call.await
}

fn finish(played: Result<Played, Error>, play: &Play, script: &str) -> Result<(), Trouble> {
    match played {
        Ok(played) if play.json => show::json(&played.0),
        Ok(played) => show::played(&played),
        Err(Error::Call(error)) if play.json => {
            let data = error.fault().and_then(circles_client::Fault::data);
            show::json(
                &json!({ "error": { "code": error.code(), "message": error.to_string(), "data": data } }),
            )?;
            Err(Trouble::of_play(Error::Call(error), script))
        }
        Err(error) => Err(Trouble::of_play(error, script)),
    }
}

fn parse_args(text: &str) -> Result<Value, Trouble> {
    let text = match text.strip_prefix('@') {
        Some(path) => read(Path::new(path), MAX_ARGS)?,
        None => text.to_owned(),
    };
    serde_json::from_str(&text).map_err(|error| Trouble::Usage(format!("--args: not JSON: {error}")))
}

/// The text in a file, or on standard input for `-`, if it is not longer than `limit` bytes.
fn read(path: &Path, limit: u64) -> Result<String, Trouble> {
    let sentence = |error: &dyn std::fmt::Display| Trouble::Usage(format!("{}: {error}", path.display()));
    let source: Box<dyn Read> = match path.as_os_str() == "-" {
        true => Box::new(stdin()),
        false => Box::new(File::open(path).map_err(|error| sentence(&error))?),
    };
    let mut text = String::new();
    source.take(limit + 1).read_to_string(&mut text).map_err(|error| sentence(&error))?;
    if text.len() as u64 > limit {
        return Err(sentence(&format!("longer than {limit} bytes")));
    }
    Ok(text)
}
