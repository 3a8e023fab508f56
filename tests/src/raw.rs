use std::time::{Duration, Instant};

use circles_auth::SecretKey;
use futures_util::{SinkExt as _, StreamExt as _};
use serde_json::{Value, json};
use tokio::{net::TcpStream, time::timeout};
use tokio_tungstenite::{
    MaybeTlsStream, WebSocketStream, connect_async,
    tungstenite::{
        Error, Message,
        client::IntoClientRequest as _,
        http::{HeaderName, HeaderValue, StatusCode},
    },
};

use crate::{EVENT_TIMEOUT, soon};

/// A WebSocket connection that sends any text, valid or not.
pub struct Raw {
    socket: WebSocketStream<MaybeTlsStream<TcpStream>>,
    audience: String,
    next: u64,
    opened: Instant,
}

/// Time limit for reading from a connection, so that a test that loops over messages ends.
const LIFETIME: Duration = EVENT_TIMEOUT.saturating_mul(4);

impl Raw {
    /// Connects.
    pub async fn connect(url: &str) -> Self {
        Self::connect_with(url, &[]).await.expect("the upgrade was refused")
    }

    /// Connects with more headers; a refused upgrade returns its HTTP status.
    pub async fn connect_with(url: &str, headers: &[(&'static str, &str)]) -> Result<Self, StatusCode> {
        let mut request = url.into_client_request().expect("a URL");
        for (name, value) in headers {
            let value = HeaderValue::from_str(value).expect("a header value");
            request.headers_mut().insert(HeaderName::from_static(name), value);
        }
        match soon(connect_async(request)).await {
            Ok((socket, _)) => {
                let audience = circles_auth::audience_of(url).expect("a URL");
                Ok(Self { socket, audience, next: 0, opened: Instant::now() })
            }
            Err(Error::Http(response)) => Err(response.status()),
            Err(error) => panic!("{url}: {error}"),
        }
    }

    /// Sends a text.
    pub async fn send(&mut self, text: impl Into<String>) {
        soon(self.socket.send(Message::text(text.into()))).await.expect("the connection is open");
    }

    /// Sends a frame of any kind; fails if the connection has ended.
    pub async fn send_frame(&mut self, frame: Message) -> Result<(), Error> {
        self.socket.send(frame).await
    }

    /// The next text, as JSON; `None` once the connection has ended. Pings do not renew the timeout.
    pub async fn receive(&mut self) -> Option<Value> {
        let left = LIFETIME.saturating_sub(self.opened.elapsed());
        timeout(left, soon(self.next_text())).await.expect("a connection that is not read from for ever")
    }

    async fn next_text(&mut self) -> Option<Value> {
        loop {
            match self.socket.next().await? {
                Ok(Message::Text(text)) => {
                    return Some(serde_json::from_str(&text).expect("answers are JSON"));
                }
                Ok(Message::Close(_)) | Err(_) => return None,
                Ok(_) => {}
            }
        }
    }

    /// Skips messages up to the close frame, and returns its code; `None` if the connection ends without one.
    pub async fn closed(&mut self) -> Option<u16> {
        loop {
            match soon(self.socket.next()).await? {
                Ok(Message::Close(frame)) => return frame.map(|frame| frame.code.into()),
                Ok(_) => {}
                Err(_) => return None,
            }
        }
    }

    /// Sends a text and receives one.
    pub async fn ask(&mut self, text: impl Into<String>) -> Value {
        self.send(text).await;
        self.receive().await.expect("the connection ended without an answer")
    }

    /// The text of a call.
    pub fn request(&mut self, method: &str, params: Value) -> String {
        self.next += 1;
        json!({ "jsonrpc": "2.0", "id": self.next, "method": method, "params": params }).to_string()
    }

    /// Calls a method and waits for its own answer: the result, or the error object.
    pub async fn call(&mut self, method: &str, params: Value) -> Result<Value, Value> {
        let request = self.request(method, params);
        let mut answer = self.ask(request).await;
        assert_eq!(answer["id"], self.next, "{answer}");
        match answer.get_mut("error") {
            Some(error) => Err(error.take()),
            None => Ok(answer["result"].take()),
        }
    }

    /// Calls a method that fails, and returns the code.
    pub async fn code(&mut self, method: &str, params: Value) -> i32 {
        match self.call(method, params).await {
            Ok(result) => panic!("{method} succeeded: {result}"),
            Err(error) => error["code"].as_i64().and_then(|code| code.try_into().ok()).expect("a code"),
        }
    }

    /// Signs a fresh challenge with a key.
    pub async fn signed(&mut self, key: &SecretKey) -> Value {
        let pubkey = key.public_key().to_string();
        let result = self.call("fetch_nonce", json!({ "pubkey": pubkey })).await.expect("a challenge");
        let text = result["challenge"].as_str().expect("a text");
        let challenge: circles_auth::Challenge = text.parse().expect("a challenge");
        challenge.check(None, &self.audience, key.public_key()).expect("our challenge");
        json!({ "pubkey": pubkey, "signature": key.sign(text).to_string() })
    }

    /// Logs in.
    pub async fn log_in(&mut self, key: &SecretKey) {
        let params = self.signed(key).await;
        self.call("authenticate", params).await.expect("a session");
    }

    /// Plays a script and returns its value.
    pub async fn play(&mut self, script: &str) -> Result<Value, Value> {
        let mut result = self.call("play", json!({ "script": script })).await?;
        Ok(result["value"].take())
    }
}
