use std::time::Duration;

use circles_api::ANSWER_BYTES;

/// The limits of clients, one by one and all together.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// WebSocket connections and requests in progress, over all clients.
    pub connections: usize,
    /// WebSocket connections and requests in progress of one address, or of one IPv6 network of 64 bits.
    pub connections_per_address: usize,
    /// How long a WebSocket may last without a login, if logins are required.
    pub login_timeout: Duration,
    /// Bytes of one message, and of the answers to it, over HTTP and, if logins are required, before the login. The
    /// document fits.
    pub bytes_before_login: usize,
    /// Bytes of answers that clients have not read yet, over all connections; beyond it the server closes the
    /// connections of the slowest readers.
    pub unsent_bytes: usize,
    /// Bytes of memory that unanswered calls may hold, over all connections; one address may have a quarter. A call
    /// beyond it is refused.
    pub waiting_bytes: usize,
    /// Bytes of one message from a client. A script of the default `script_bytes`, fully escaped, fits with its
    /// arguments.
    pub message_bytes: usize,
    /// Bytes of one answer; a longer one becomes an error. Outcomes of plays are bounded to fit.
    pub answer_bytes: usize,
    /// Calls in one batch.
    pub batch: usize,
    /// Unanswered calls of one connection; one more is refused.
    pub in_flight: usize,
    /// Subscriptions of one connection; one more is refused.
    pub subscriptions: u32,
    /// How long a client may take to send the head of a request.
    pub head_timeout: Duration,
    /// How long a client may take to send the body of a request, and the server to answer it.
    pub request_timeout: Duration,
    /// How long a client may leave its answers unread before its connection is closed.
    pub write_timeout: Duration,
    /// The interval of pings to a silent client, whose connection is closed after three times as long.
    pub ping_interval: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            connections: 10_000,
            connections_per_address: 2_500,
            // As long as a challenge is valid: a person may have to confirm it.
            login_timeout: Duration::from_secs(60),
            bytes_before_login: 128 << 10,
            unsent_bytes: 128 << 20,
            waiting_bytes: 256 << 20,
            message_bytes: 2 << 20,
            answer_bytes: ANSWER_BYTES,
            batch: 50,
            in_flight: 1_024,
            subscriptions: 64,
            head_timeout: Duration::from_secs(10),
            request_timeout: Duration::from_secs(30),
            write_timeout: Duration::from_secs(30),
            ping_interval: Duration::from_secs(30),
        }
    }
}
