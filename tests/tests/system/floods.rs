//! Clients that take more than their share: unread answers, idle connections.

use std::{
    net::SocketAddr,
    time::{Duration, Instant},
};

use circles_tests::{Program, Raw, World, program, secret_key, soon};
use futures_util::{SinkExt as _, StreamExt as _, future::join_all};
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::{
    io::AsyncReadExt as _,
    net::{TcpSocket, TcpStream},
    time::sleep,
};
use tokio_tungstenite::{
    WebSocketStream, client_async,
    tungstenite::{Error, Message, protocol::frame::coding::CloseCode},
};

/// Pause between two checks, to leave the machine to others.
const PAUSE: Duration = Duration::from_millis(10);

type Socket = WebSocketStream<TcpStream>;

/// A WebSocket from a given loopback address, with a small receive buffer.
async fn connect(from: [u8; 4], url: &str) -> Result<Socket, Error> {
    let address: SocketAddr = url.trim_start_matches("ws://").split('/').next().unwrap().parse().unwrap();
    let socket = TcpSocket::new_v4()?;
    socket.set_recv_buffer_size(4 << 10)?;
    socket.bind((from, 0).into())?;
    let stream = socket.connect(address).await?;
    client_async(url, stream).await.map(|(socket, _)| socket)
}

/// The code of the close frame that ends a connection; `None` if it ends without one.
async fn closed(socket: &mut Socket) -> Option<CloseCode> {
    soon(async {
        loop {
            match socket.next().await {
                Some(Ok(Message::Close(frame))) => return frame.map(|frame| frame.code),
                Some(Ok(_)) => {}
                Some(Err(_)) | None => return None,
            }
        }
    })
    .await
}

fn documents(count: usize) -> String {
    let call = |id| json!({ "jsonrpc": "2.0", "id": id, "method": "rpc.discover" });
    Value::from_iter((0..count).map(call)).to_string()
}

/// A server, its circle's URL, and its directory.
async fn server(args: &[&str]) -> (Program, String, TempDir) {
    let directory = tempfile::tempdir().unwrap();
    let mut command = program("circles-server");
    command.args(["--port", "0", "--data-dir"]).arg(directory.path().join("data")).args(args);
    let mut server = Program::start(&mut command);
    let line = server.line().await.expect("it starts");
    (server, line.split(' ').nth(2).unwrap().to_owned(), directory)
}

/// Resident memory of a process, in mebibytes.
fn resident(process: u32) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{process}/status")).unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap();
    line.trim().trim_end_matches(" kB").parse::<u64>().unwrap() / 1_024
}

/// Median duration of a play.
async fn median(raw: &mut Raw, plays: usize) -> Duration {
    let mut times = Vec::with_capacity(plays);
    for _ in 0..plays {
        let began = Instant::now();
        assert_eq!(raw.play("40 + 2").await, Ok(json!(42)));
        times.push(began.elapsed());
    }
    times.sort_unstable();
    times[plays / 2]
}

#[tokio::test]
async fn batch_answers_one_discover_call() {
    let world = World::builder().start().await;
    let answer = world.raw().await.ask(documents(50)).await;
    let answers = answer.as_array().unwrap();
    assert_eq!(answers.len(), 50);
    let document: Value = serde_json::from_str(circles_api::DOCUMENT).unwrap();
    assert_eq!((&answers[0]["id"], &answers[0]["result"]), (&json!(0), &document));
    for (id, answer) in answers.iter().enumerate().skip(1) {
        assert_eq!((&answer["id"], &answer["error"]["code"]), (&json!(id), &json!(-32600)), "{answer}");
    }
    // Alone each call is answered.
    let mut raw = world.raw().await;
    for _ in 0..3 {
        assert_eq!(raw.call("rpc.discover", json!([])).await.as_ref(), Ok(&document));
    }
    assert_eq!(raw.code("rpc.discover", json!([1])).await, -32602);
}

#[tokio::test]
async fn message_and_answer_limits_are_small_before_login() {
    let world = World::builder().auth().settings(|it| it.limits.bytes_before_login = 64 << 10).start().await;
    let mut raw = world.raw().await;
    let long = |bytes: usize| {
        let script = format!("//{}\n1", "x".repeat(bytes));
        json!({ "jsonrpc": "2.0", "id": 1, "method": "play", "params": [script] }).to_string()
    };
    let refused = raw.ask(long(100_000)).await;
    assert_eq!((&refused["id"], &refused["error"]["code"]), (&Value::Null, &json!(-32600)), "{refused}");
    // An answer repeats the id, so that this one would be longer than the message.
    let ids = (0..30).map(|_| json!({ "jsonrpc": "2.0", "id": "x".repeat(1_000), "method": "whoami" }));
    let batch: Value =
        [json!({ "jsonrpc": "2.0", "id": 0, "method": "rpc.discover" })].into_iter().chain(ids).collect();
    let refused = raw.ask(batch.to_string()).await;
    assert_eq!(refused["error"]["code"], -32600, "{refused}");
    raw.log_in(&secret_key("ana")).await;
    assert_eq!(raw.ask(batch.to_string()).await.as_array().map(Vec::len), Some(31));
    assert_eq!(raw.ask(long(100_000)).await["result"]["value"], 1);
}

#[tokio::test]
async fn thousand_non_reading_clients_use_little_memory() {
    const CLIENTS: usize = 1_000;
    circles_daemon::raise_file_limit();
    let (server, url, _directory) = server(&["--max-unsent-bytes", "33554432"]).await;
    let mut neighbour = Raw::connect(&url).await;
    let calm = median(&mut neighbour, 20).await;
    let before = resident(server.id());
    let batch = documents(50);
    let mut open = Vec::with_capacity(CLIENTS);
    for _ in 0..CLIENTS / 50 {
        let flood = (0..50).map(|_| async {
            let mut socket = soon(connect([127, 0, 0, 2], &url)).await.unwrap();
            for _ in 0..20 {
                // The server may stop reading, or cut the connection.
                let sent = tokio::time::timeout(
                    Duration::from_millis(20),
                    socket.send(Message::text(batch.clone())),
                );
                if !matches!(sent.await, Ok(Ok(()))) {
                    break;
                }
            }
            socket
        });
        open.extend(join_all(flood).await);
    }
    let during = median(&mut neighbour, 100).await;
    let grown = resident(server.id()).saturating_sub(before);
    eprintln!(
        "{CLIENTS} clients that do not read hold {grown} MiB; a play takes {during:?}, {calm:?} before"
    );
    assert!(grown < 200, "{grown} MiB more than before");
    assert!(during < Duration::from_millis(250), "a play takes {during:?}, {calm:?} before");
    drop(open);
    let log = server.kill().await;
    assert!(!log.contains("panicked"), "{log}");
}

#[tokio::test(flavor = "multi_thread")]
async fn neighbour_stays_fast_during_discover_batches() {
    let (_server, url, _directory) = server(&[]).await;
    let mut neighbour = Raw::connect(&url).await;
    let calm = median(&mut neighbour, 20).await;
    let batch = documents(50);
    let mut flood = Vec::new();
    for _ in 0..8 {
        let mut socket = connect([127, 0, 0, 2], &url).await.unwrap();
        let batch = batch.clone();
        flood.push(tokio::spawn(async move {
            while socket.send(Message::text(batch.clone())).await.is_ok() {
                let Some(Ok(_)) = socket.next().await else { return };
            }
        }));
    }
    // A call in flight.
    Raw::connect(&url).await.ask(batch).await;
    let during = median(&mut neighbour, 100).await;
    flood.iter().for_each(tokio::task::JoinHandle::abort);
    eprintln!("a play takes {during:?} while eight clients send batches, {calm:?} before");
    assert!(during < Duration::from_millis(250), "a play takes {during:?}, {calm:?} before");
}

#[tokio::test]
async fn full_server_closes_idle_connections() {
    let world = World::builder()
        .settings(|it| {
            it.limits.connections = 20;
            it.limits.connections_per_address = 20;
        })
        .start()
        .await;
    let url = world.circle_url(0);
    let mut idle = Vec::new();
    for _ in 0..20 {
        idle.push(connect([127, 0, 0, 2], &url).await.unwrap());
    }
    let mut kept = Vec::new();
    for from in [[127, 0, 0, 3], [127, 0, 0, 2]] {
        // The server accepts it once a connection has been idle long enough.
        let mut fresh = soon(async {
            loop {
                match connect(from, &url).await {
                    Ok(socket) => return socket,
                    Err(_) => sleep(PAUSE).await,
                }
            }
        })
        .await;
        let call = json!({ "jsonrpc": "2.0", "id": 1, "method": "play", "params": ["40 + 2"] });
        fresh.send(Message::text(call.to_string())).await.unwrap();
        let answer = soon(fresh.next()).await.unwrap().unwrap().into_text().unwrap();
        assert!(answer.contains("42"), "{answer}");
        // The connection idle for longest was closed with "try again later".
        assert_eq!(closed(&mut idle.remove(0)).await, Some(CloseCode::Again));
        kept.push(fresh);
    }
}

#[tokio::test]
async fn full_server_keeps_connections_in_use() {
    let world = World::builder()
        .settings(|it| {
            it.limits.connections = 10;
            it.limits.connections_per_address = 2;
        })
        .start()
        .await;
    let url = world.circle_url(0);
    let mut busy = Vec::new();
    for _ in 0..2 {
        let mut socket = connect([127, 0, 0, 2], &url).await.unwrap();
        let call = json!({ "jsonrpc": "2.0", "id": 1, "method": "play", "params": ["sleep(60)"] });
        socket.send(Message::text(call.to_string())).await.unwrap();
        busy.push(socket);
    }
    // Longer than an idle connection is protected.
    let until = Instant::now() + Duration::from_millis(1_500);
    while Instant::now() < until {
        assert!(connect([127, 0, 0, 2], &url).await.is_err(), "a third of one address");
        assert!(connect([127, 0, 0, 3], &url).await.is_ok(), "one of another");
        sleep(PAUSE).await;
    }
    drop(busy);
    soon(async {
        while connect([127, 0, 0, 2], &url).await.is_err() {
            sleep(PAUSE).await;
        }
    })
    .await;
}

#[tokio::test]
async fn connection_without_login_is_closed_in_time() {
    let world = World::builder()
        .auth()
        .settings(|it| it.limits.login_timeout = Duration::from_millis(500))
        .start()
        .await;
    let mut user = world.raw_of("alice", 0).await;
    let mut stranger = connect([127, 0, 0, 1], &world.circle_url(0)).await.unwrap();
    assert_eq!(closed(&mut stranger).await, Some(CloseCode::Policy));
    assert_eq!(user.play("40 + 2").await, Ok(json!(42)));
    // Without required login there is no login timeout.
    let open =
        World::builder().settings(|it| it.limits.login_timeout = Duration::from_millis(1)).start().await;
    let mut raw = open.raw().await;
    assert_eq!(raw.play("sleep(0.05); 1").await, Ok(json!(1)));
}

#[tokio::test]
async fn connection_flood_writes_few_log_lines() {
    let (server, url, _directory) =
        server(&["--max-connections", "4", "--max-connections-per-address", "2"]).await;
    let address = url.trim_start_matches("ws://").split('/').next().unwrap();
    let mut held = Vec::new();
    let mut refused = 0;
    for _ in 0..2_000 {
        let mut stream = TcpStream::connect(address).await.unwrap();
        let mut answer = [0; 12];
        match tokio::time::timeout(Duration::from_millis(5), stream.read(&mut answer)).await {
            Ok(read) => {
                assert!(read.is_err() || answer.starts_with(b"HTTP/1.1 503"), "{answer:?}");
                refused += 1;
            }
            Err(_) => held.push(stream),
        }
    }
    assert!(refused > 1_900, "{refused} refused");
    server.signal("TERM").await;
    let (code, log) = server.ended().await;
    assert_eq!(code, 0, "{log}");
    assert!(log.contains("connections were refused or closed"), "{log}");
    assert!(log.lines().count() < 20, "{log}");
}

/// A message of two mebibytes may take a hundred times as much memory once parsed, and a connection may have a thousand
/// waiting calls.
#[tokio::test(flavor = "multi_thread")]
async fn large_waiting_calls_are_refused_before_memory_runs_out() {
    let (server, url, _directory) = server(&["--max-waiting-bytes", "134217728"]).await;
    let mut neighbour = Raw::connect(&url).await;
    let calm = median(&mut neighbour, 20).await;
    let before = resident(server.id());
    let args = vec![json!({ "": 0 }); 20_000];
    let call = json!({
        "jsonrpc": "2.0", "id": 1, "method": "play", "params": { "script": "sleep(20)", "args": args },
    });
    let call = call.to_string();
    let mut flood: Vec<Socket> = Vec::new();
    let mut refused = 0;
    for _ in 0..4 {
        let mut socket = connect([127, 0, 0, 2], &url).await.unwrap();
        for _ in 0..50 {
            soon(socket.send(Message::text(call.clone()))).await.unwrap();
        }
        // Answers are in order: the refusals come before the answer to this one.
        soon(
            socket.send(Message::text(json!({ "jsonrpc": "2.0", "id": 2, "method": "whoami" }).to_string())),
        )
        .await
        .unwrap();
        loop {
            let text = soon(socket.next()).await.unwrap().unwrap().into_text().unwrap();
            let answer: Value = serde_json::from_str(&text).unwrap();
            if answer["id"] == 2 {
                break;
            }
            assert_eq!(answer["error"]["code"], circles_api::codes::RATE_LIMITED, "{answer}");
            refused += 1;
        }
        flood.push(socket);
    }
    assert!(refused > 190, "{refused} of 200 were refused");
    let grown = resident(server.id()).saturating_sub(before);
    let during = median(&mut neighbour, 100).await;
    eprintln!("{refused} of 200 were refused; {grown} MiB held; a play takes {during:?}, {calm:?} before");
    assert!(grown < 300, "{grown} MiB more than before");
    assert!(during < Duration::from_millis(250), "a play takes {during:?}, {calm:?} before");
    drop(flood);
    let log = server.kill().await;
    assert!(!log.contains("panicked"), "{log}");
}
