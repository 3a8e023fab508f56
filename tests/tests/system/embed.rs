//! The server as a part of a program of one's own: `server/examples/embed.rs`.

use circles_client::Client;
use circles_tests::{binary, secret_key, soon};
use tokio::process::Command;

use crate::programs::started;

#[tokio::test]
async fn embedded_server_plays_and_shuts_down() {
    let directory = tempfile::tempdir().unwrap();
    let mut command = Command::new(binary("examples/embed"));
    let (program, url) = started(command.arg(directory.path())).await;
    let client = soon(Client::builder(url).key(secret_key("ana")).connect()).await.unwrap();
    let played = soon(client.play(r#"db::set("a", 40); db::get("a") + 2"#).into_future()).await.unwrap();
    assert_eq!(played.value::<i64>().unwrap(), 42);
    program.signal("INT").await;
    assert_eq!(program.ended().await.0, 0);
}
