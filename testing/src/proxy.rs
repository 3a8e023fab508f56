//! A TCP proxy that injects network faults.

mod frames;

use std::{
    collections::VecDeque,
    net::SocketAddr,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::{
        TcpListener, TcpStream,
        tcp::{OwnedReadHalf, OwnedWriteHalf},
    },
    sync::{mpsc, oneshot, watch},
    task::JoinHandle,
    time::{Instant, sleep_until},
};
use tokio_util::sync::CancellationToken;

use crate::{SeededRng, loopback};

/// The way a [`Proxy`] treats traffic.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    /// Forwards it.
    Pass,
    /// Forwards it after a delay.
    Delay(Duration),
    /// Cuts all connections, and new ones at once.
    Refuse,
    /// Accepts connections, and holds their data until the mode changes.
    Hold,
    /// Accepts connections and discards their data. Cuts them when the mode changes.
    Discard,
    /// Forwards it, except data for connections that have subscribed to a channel.
    DropPublished,
    /// Injects faults into requests at random, each with a probability in thousandths.
    Random {
        /// Cuts the connection instead of forwarding the request.
        cut_before: usize,
        /// Forwards the request, and cuts the connection when the reply arrives.
        cut_after: usize,
        /// Forwards the request twice, and drops the second reply.
        twice: usize,
    },
}

/// A fault of one request to a Redis.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RequestFault {
    /// The connection is cut before the request is forwarded.
    CutBefore,
    /// The connection is cut when the reply arrives, which is lost.
    CutAfter,
    /// The request is forwarded twice.
    Twice,
}

/// A proxy between clients and a server.
pub struct Proxy {
    address: SocketAddr,
    shared: Arc<Shared>,
    accepts: JoinHandle<()>,
}

struct Shared {
    to: SocketAddr,
    /// Whether the traffic is parsed as requests and replies of Redis.
    parses_redis: bool,
    mode: watch::Sender<Mode>,
    inner: Mutex<Inner>,
}

struct Inner {
    rng: SeededRng,
    /// Bytes to look for, and the number of requests that contained them.
    count: (Vec<u8>, usize),
    fault: Option<(RequestFault, Vec<u8>, oneshot::Sender<()>)>,
    connections: CancellationToken,
}

/// The treatment of a reply.
enum ReplyAction {
    Pass,
    Drop,
    Cut,
}

struct Connection {
    ends: CancellationToken,
    replies: Mutex<Replies>,
}

#[derive(Default)]
struct Replies {
    actions: VecDeque<ReplyAction>,
    /// Set once the connection subscribes: the server then sends more than replies.
    subscribed: bool,
}

impl Proxy {
    /// Starts a proxy in front of a Redis.
    pub async fn for_redis(to: SocketAddr, seed: u64) -> Self {
        Self::start(to, seed, true).await
    }

    /// Starts a proxy in front of any server.
    pub async fn for_tcp(to: SocketAddr) -> Self {
        Self::start(to, 0, false).await
    }

    async fn start(to: SocketAddr, seed: u64, parses_redis: bool) -> Self {
        let listener = TcpListener::bind((loopback(), 0)).await.expect("a port");
        let address = listener.local_addr().expect("an address");
        let inner = Inner {
            rng: SeededRng::new(seed, u64::from(to.port())),
            count: (Vec::new(), 0),
            fault: None,
            connections: CancellationToken::new(),
        };
        let mode = watch::Sender::new(Mode::Pass);
        let shared = Arc::new(Shared { to, parses_redis, mode, inner: Mutex::new(inner) });
        let accepts = tokio::spawn(shared.clone().accept(listener));
        Self { address, shared, accepts }
    }

    /// The address that it listens on.
    pub const fn address(&self) -> SocketAddr {
        self.address
    }

    /// Changes the mode.
    pub fn set(&self, mode: Mode) {
        let before = self.shared.mode.send_replace(mode);
        if mode == Mode::Refuse || (before == Mode::Discard && mode != before) {
            self.cut();
        }
    }

    /// Cuts all open connections.
    pub fn cut(&self) {
        std::mem::take(&mut self.shared.inner().connections).cancel();
    }

    /// Injects a fault into the next request that contains these bytes. The receiver resolves when that has happened.
    pub fn inject(&self, fault: RequestFault, containing: impl Into<Vec<u8>>) -> oneshot::Receiver<()> {
        let (injected, is_injected) = oneshot::channel();
        self.shared.inner().fault = Some((fault, containing.into(), injected));
        is_injected
    }

    /// From now on, counts requests that contain these bytes.
    pub fn count(&self, containing: impl Into<Vec<u8>>) {
        self.shared.inner().count = (containing.into(), 0);
    }

    /// The number of requests counted.
    pub fn counted(&self) -> usize {
        self.shared.inner().count.1
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.accepts.abort();
        self.cut();
    }
}

impl Shared {
    fn inner(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    async fn accept(self: Arc<Self>, listener: TcpListener) {
        while let Ok((client, _)) = listener.accept().await {
            if *self.mode.borrow() != Mode::Refuse {
                tokio::spawn(self.clone().serve(client));
            }
        }
    }

    async fn serve(self: Arc<Self>, client: TcpStream) {
        let ends = self.inner().connections.child_token();
        let connection = Connection { ends, replies: Mutex::default() };
        let both = async {
            // A client of a held connection must not see whether the server is up.
            self.passes().await;
            let Ok(server) = TcpStream::connect(self.to).await else { return };
            // Small messages must not wait to be merged.
            let _ = (client.set_nodelay(true), server.set_nodelay(true));
            let ((from_client, to_client), (from_server, to_server)) =
                (client.into_split(), server.into_split());
            tokio::select! {
                () = self.requests(&connection, from_client, to_server) => {}
                () = self.replies(&connection, from_server, to_client) => {}
            }
        };
        connection.ends.run_until_cancelled(both).await;
    }

    /// Waits while the mode holds or discards traffic.
    async fn passes(&self) {
        let mut mode = self.mode.subscribe();
        // We hold the sender.
        let _ = mode.wait_for(|mode| !matches!(mode, Mode::Hold | Mode::Discard)).await;
    }

    /// Waits until data that arrived at `came` may be forwarded.
    async fn gate(&self, came: Instant) {
        let mode = *self.mode.borrow();
        match mode {
            Mode::Delay(time) => sleep_until(came + time).await,
            // Discarded data is dropped when its connection is cut.
            _ => self.passes().await,
        }
    }

    async fn requests(&self, connection: &Connection, from: OwnedReadHalf, mut to: OwnedWriteHalf) {
        let (mut buffer, mut from) = (Vec::new(), Arrivals::of(from));
        while let Some(came) = from.next(&mut buffer).await {
            self.gate(came).await;
            let mut out = Vec::new();
            if self.parses_redis {
                while let Some(end) = frames::first(&buffer) {
                    let request: Vec<u8> = buffer.drain(..end).collect();
                    if !self.request(connection, &request, &mut out) {
                        // Earlier requests are forwarded first.
                        let _ = to.write_all(&out).await;
                        return;
                    }
                }
            } else {
                out.append(&mut buffer);
            }
            if to.write_all(&out).await.is_err() {
                return;
            }
        }
    }

    /// Appends the bytes to forward for a request. Returns whether the connection stays open.
    fn request(&self, connection: &Connection, request: &[u8], out: &mut Vec<u8>) -> bool {
        let fault = self.fault_of(request);
        let mut replies = connection.replies.lock().unwrap_or_else(PoisonError::into_inner);
        replies.subscribed |= frames::is_one_of(request, &["SUBSCRIBE", "PSUBSCRIBE", "SSUBSCRIBE"]);
        if fault == Some(RequestFault::CutBefore) {
            return false;
        }
        out.extend_from_slice(request);
        match fault {
            Some(RequestFault::CutAfter) => replies.actions.push_back(ReplyAction::Cut),
            Some(RequestFault::Twice) => {
                out.extend_from_slice(request);
                replies.actions.extend([ReplyAction::Pass, ReplyAction::Drop]);
            }
            _ => replies.actions.push_back(ReplyAction::Pass),
        }
        true
    }

    fn fault_of(&self, request: &[u8]) -> Option<RequestFault> {
        let holds = |part: &[u8]| !part.is_empty() && request.windows(part.len()).any(|found| found == part);
        let mut inner = self.inner();
        inner.count.1 += usize::from(holds(&inner.count.0));
        if let Some((_, containing, _)) = &inner.fault
            && holds(containing)
            && let Some((fault, _, injected)) = inner.fault.take()
        {
            // The test may have dropped its receiver.
            let _ = injected.send(());
            return Some(fault);
        }
        let Mode::Random { cut_before, cut_after, twice } = *self.mode.borrow() else { return None };
        let drawn = inner.rng.below(1_000);
        [
            (cut_before, RequestFault::CutBefore),
            (cut_after, RequestFault::CutAfter),
            (twice, RequestFault::Twice),
        ]
        .into_iter()
        .scan(0, |sum, (share, fault)| {
            *sum += share;
            Some((*sum, fault))
        })
        .find_map(|(sum, fault)| (drawn < sum).then_some(fault))
    }

    async fn replies(&self, connection: &Connection, from: OwnedReadHalf, mut to: OwnedWriteHalf) {
        let (mut buffer, mut from) = (Vec::new(), Arrivals::of(from));
        while let Some(came) = from.next(&mut buffer).await {
            self.gate(came).await;
            let mut out = Vec::new();
            let stays_open = connection.forward_replies(self, &mut buffer, &mut out);
            if to.write_all(&out).await.is_err() || !stays_open {
                return;
            }
        }
    }
}

/// Data from one end with its time of arrival. It is read at once, while earlier data may still be delayed.
struct Arrivals {
    came: mpsc::Receiver<(Instant, Vec<u8>)>,
    reads: JoinHandle<()>,
}

impl Arrivals {
    fn of(mut from: OwnedReadHalf) -> Self {
        let (sender, came) = mpsc::channel(64);
        let reads = tokio::spawn(async move {
            loop {
                let mut bytes = Vec::with_capacity(16 << 10);
                let read = from.read_buf(&mut bytes).await;
                if !read.is_ok_and(|read| read > 0) || sender.send((Instant::now(), bytes)).await.is_err() {
                    return;
                }
            }
        });
        Self { came, reads }
    }

    /// Appends the next data and returns its time of arrival; `None` at the end.
    async fn next(&mut self, buffer: &mut Vec<u8>) -> Option<Instant> {
        let (came, bytes) = self.came.recv().await?;
        buffer.extend(bytes);
        Some(came)
    }
}

impl Drop for Arrivals {
    fn drop(&mut self) {
        self.reads.abort();
    }
}

impl Connection {
    /// Appends the replies to forward. Returns whether the connection stays open.
    fn forward_replies(&self, proxy: &Shared, buffer: &mut Vec<u8>, out: &mut Vec<u8>) -> bool {
        let mut replies = self.replies.lock().unwrap_or_else(PoisonError::into_inner);
        if replies.subscribed && *proxy.mode.borrow() == Mode::DropPublished {
            buffer.clear();
            return true;
        }
        if !proxy.parses_redis || replies.subscribed {
            out.append(buffer);
            return true;
        }
        while let Some(end) = frames::first(buffer) {
            let reply = buffer.drain(..end);
            match replies.actions.pop_front() {
                Some(ReplyAction::Cut) => return false,
                Some(ReplyAction::Drop) => {}
                Some(ReplyAction::Pass) | None => out.extend(reply),
            }
        }
        true
    }
}
