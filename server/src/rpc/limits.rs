use std::time::Duration;

/// What one client may ask of a server at a time.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// WebSocket connections and requests in progress, over all clients.
    pub connections: usize,
    /// Bytes of one message from a client. The longest script, fully escaped, and its arguments fit.
    pub message_bytes: usize,
    /// Bytes of one answer; longer ones become an error.
    pub answer_bytes: usize,
    /// Calls in one batch.
    pub batch: usize,
    /// Calls of one connection that wait for their answer; one more is refused.
    pub in_flight: usize,
    /// Subscriptions of one connection; one more is refused.
    pub subscriptions: u32,
    /// How long a client may take to send the head of a request.
    pub head_timeout: Duration,
    /// How long a client may take to send the body of a request, and the server to answer it.
    pub request_timeout: Duration,
    /// How long a client may leave its answers unread before it is dropped.
    pub write_timeout: Duration,
    /// A silent client is pinged this often and dropped after three times as long.
    pub ping_interval: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            connections: 10_000,
            message_bytes: 2 << 20,
            answer_bytes: 4 << 20,
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
