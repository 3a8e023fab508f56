//! `circles db`: documents, by plays of small scripts. Keys and values travel as arguments, never in a script's text.

use circles_client::{Client, PlayResponse};
use serde::Deserialize;
use serde_json::{Value, json};

use crate::{
    args::{Args, DbCommand},
    connect,
    error::CliError,
    escape, input, show,
};

const GET_SCRIPT: &str = "if db::has(ARGS.key) { #{ value: db::get(ARGS.key) } }";
const SET_SCRIPT: &str = "db::set(ARGS.key, ARGS.value);";
const DELETE_SCRIPT: &str = "let found = db::has(ARGS.key); db::delete(ARGS.key); found";
const SCAN_SCRIPT: &str = "db::scan(ARGS.prefix, ARGS.after, ARGS.limit)";
const KEYS_SCRIPT: &str = "db::keys(ARGS.prefix)";

/// Documents per play of [`SCAN_SCRIPT`], so that a page of ordinary documents fits a result.
const SCAN_PAGE: usize = 100;

/// The result of [`GET_SCRIPT`] for a document that exists.
#[derive(Deserialize)]
struct GetResult {
    value: Value,
}

/// An item of [`SCAN_SCRIPT`]'s result.
#[derive(Deserialize)]
struct Document {
    key: String,
    value: Value,
}

/// `circles db`.
pub(crate) async fn run(args: &Args, command: &DbCommand) -> Result<(), CliError> {
    // Checked before the connection, so that wrong usage needs no server.
    let value = match command {
        DbCommand::Set { value, .. } => input::json("document", value)?,
        _ => Value::Null,
    };
    let client = connect(args).await?;
    match command {
        DbCommand::Get { key } => {
            match play(&client, GET_SCRIPT, &json!({ "key": key })).await?.value::<Option<GetResult>>() {
                Ok(Some(found)) => show::json(&found.value),
                Ok(None) => Err(CliError::Failed(format!("there is no document {}", escape::name(key)))),
                Err(error) => Err(CliError::from_call(error)),
            }
        }
        DbCommand::Set { key, .. } => {
            play(&client, SET_SCRIPT, &json!({ "key": key, "value": value })).await.map(drop)
        }
        DbCommand::Delete { key } => {
            let found: bool = play(&client, DELETE_SCRIPT, &json!({ "key": key }))
                .await?
                .value()
                .map_err(CliError::from_call)?;
            if !found {
                show::note(&format!("there was no document {}", escape::name(key)));
            }
            Ok(())
        }
        DbCommand::Scan { prefix, limit, json } => {
            scan(&client, prefix, limit.unwrap_or(usize::MAX), |document| print(document, *json)).await
        }
        DbCommand::Keys { prefix } => {
            let keys = play(&client, KEYS_SCRIPT, &json!({ "prefix": prefix })).await?;
            let keys: Vec<String> = keys.value().map_err(CliError::from_call)?;
            keys.iter().try_for_each(|key| show::line(&escape::list_item(key)))
        }
    }
}

async fn play(client: &Client, script: &str, args: &Value) -> Result<PlayResponse, CliError> {
    client.play(script).args(args).await.map_err(CliError::from_call)
}

/// Calls `each` for every document in order, page by page.
async fn scan(
    client: &Client,
    prefix: &str,
    mut limit: usize,
    mut each: impl FnMut(&Document) -> Result<(), CliError>,
) -> Result<(), CliError> {
    let mut after = String::new();
    while limit > 0 {
        let page = limit.min(SCAN_PAGE);
        let args = json!({ "prefix": prefix, "after": after, "limit": page });
        let documents: Vec<Document> =
            play(client, SCAN_SCRIPT, &args).await?.value().map_err(CliError::from_call)?;
        documents.iter().try_for_each(&mut each)?;
        match documents.into_iter().nth(page - 1) {
            Some(last) => after = last.key,
            None => break,
        }
        limit -= page;
    }
    Ok(())
}

fn print(document: &Document, json: bool) -> Result<(), CliError> {
    let Document { key, value } = document;
    if json {
        show::json_line(&json!({ "key": key, "value": value }))
    } else {
        show::line(&format!("{}\t{}", escape::list_item(key), escape::json(&value.to_string())))
    }
}
