//! `circles db`: documents, through plays. What the user gave travels as arguments, never in the script.

use circles_client::{Client, PlayResponse};
use serde::Deserialize;
use serde_json::{Value, json};

use crate::{args::Args, args::Db, connect, play, show, text, trouble::Trouble};

const GET: &str = "if db::has(ARGS.key) { #{ value: db::get(ARGS.key) } }";
const SET: &str = "db::set(ARGS.key, ARGS.value);";
const DELETE: &str = "let found = db::has(ARGS.key); db::delete(ARGS.key); found";
const SCAN: &str = "db::scan(ARGS.prefix, ARGS.after, ARGS.limit)";
const KEYS: &str = "db::keys(ARGS.prefix)";

/// Documents that one play of [`SCAN`] brings: few enough for a result's size, if they are not very large.
const PAGE: usize = 100;

/// What [`GET`] finds.
#[derive(Deserialize)]
struct Found {
    value: Value,
}

/// What [`SCAN`] finds.
#[derive(Deserialize)]
struct Document {
    key: String,
    value: Value,
}

/// `circles db`.
pub async fn run(args: &Args, command: &Db) -> Result<(), Trouble> {
    // What can be wrong here is said before anybody is dialled.
    let value = match command {
        Db::Set { value, .. } => play::parse("the document", value)?,
        _ => Value::Null,
    };
    let client = connect(args).await?;
    match command {
        Db::Get { key } => match play(&client, GET, &json!({ "key": key })).await?.value::<Option<Found>>() {
            Ok(Some(found)) => show::json(&found.value),
            Ok(None) => Err(Trouble::Failed(format!("there is no document {}", text::name(key)))),
            Err(error) => Err(Trouble::of_call(error)),
        },
        Db::Set { key, .. } => play(&client, SET, &json!({ "key": key, "value": value })).await.map(drop),
        Db::Delete { key } => {
            let found: bool =
                play(&client, DELETE, &json!({ "key": key })).await?.value().map_err(Trouble::of_call)?;
            if !found {
                show::note(&format!("there was no document {}", text::name(key)));
            }
            Ok(())
        }
        Db::Scan { prefix, limit, json } => {
            scan(&client, prefix, limit.unwrap_or(usize::MAX), |document| print(document, *json)).await
        }
        Db::Keys { prefix } => {
            let keys = play(&client, KEYS, &json!({ "prefix": prefix })).await?;
            let keys: Vec<String> = keys.value().map_err(Trouble::of_call)?;
            keys.iter().try_for_each(|key| show::line(&text::listed(key)))
        }
    }
}

async fn play(client: &Client, script: &str, values: &Value) -> Result<PlayResponse, Trouble> {
    client.play(script).args(values).await.map_err(Trouble::of_call)
}

/// Hands on documents in order, page by page.
async fn scan(
    client: &Client,
    prefix: &str,
    mut limit: usize,
    mut each: impl FnMut(&Document) -> Result<(), Trouble>,
) -> Result<(), Trouble> {
    let mut after = String::new();
    while limit > 0 {
        let page = limit.min(PAGE);
        let values = json!({ "prefix": prefix, "after": after, "limit": page });
        let documents: Vec<Document> =
            play(client, SCAN, &values).await?.value().map_err(Trouble::of_call)?;
        documents.iter().try_for_each(&mut each)?;
        match documents.into_iter().nth(page - 1) {
            Some(last) => after = last.key,
            None => break,
        }
        limit -= page;
    }
    Ok(())
}

fn print(document: &Document, json: bool) -> Result<(), Trouble> {
    let Document { key, value } = document;
    if json {
        show::json_line(&json!({ "key": key, "value": value }))
    } else {
        show::line(&format!("{}\t{}", text::listed(key), text::json(&value.to_string())))
    }
}
