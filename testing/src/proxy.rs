//! A network that fails where and when a test wants it to.

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
    sync::{oneshot, watch},
    task::JoinHandle,
    time::sleep,
};
use tokio_util::sync::CancellationToken;

use crate::{Dice, loopback};

/// How a [`Proxy`] treats what comes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    /// It hands it on.
    Pass,
    /// It hands it on so much later.
    Delay(Duration),
    /// It cuts all connections, and new ones as soon as they are made.
    Refuse,
    /// It accepts connections and keeps what comes until the mode changes.
    Hold,
    /// It accepts connections, and what comes is lost. They are cut when the mode changes.
    Swallow,
    /// It hands it on, but for what is published to connections that listen: that is lost.
    Deaf,
    /// It does so to requests, each in so many of a thousand.
    Chance {
        /// Cut instead of handed on.
        cut_before: usize,
        /// Handed on, and cut when the reply comes.
        cut_after: usize,
        /// Handed on twice; the second reply is dropped.
        twice: usize,
    },
}

/// What happens to one request to a Redis.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Trap {
    /// The connection is cut instead.
    CutBefore,
    /// The connection is cut when the reply comes, which is lost.
    CutAfter,
    /// It is done twice.
    Twice,
}

/// Stands between those who connect to it and a server.
pub struct Proxy {
    address: SocketAddr,
    shared: Arc<Shared>,
    accepts: JoinHandle<()>,
}

struct Shared {
    to: SocketAddr,
    /// Whether requests and replies of Redis are told apart.
    knows_requests: bool,
    mode: watch::Sender<Mode>,
    inner: Mutex<Inner>,
}

struct Inner {
    dice: Dice,
    /// How many requests held these bytes.
    count: (Vec<u8>, usize),
    trap: Option<(Trap, Vec<u8>, oneshot::Sender<()>)>,
    connections: CancellationToken,
}

/// What becomes of a reply.
enum Fate {
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
    fates: VecDeque<Fate>,
    /// What comes is not only replies.
    listens: bool,
}

impl Proxy {
    /// In front of a Redis.
    pub async fn of_redis(to: SocketAddr, seed: u64) -> Self {
        Self::start(to, seed, true).await
    }

    /// In front of anything.
    pub async fn of(to: SocketAddr) -> Self {
        Self::start(to, 0, false).await
    }

    async fn start(to: SocketAddr, seed: u64, knows_requests: bool) -> Self {
        let listener = TcpListener::bind((loopback(), 0)).await.expect("a port");
        let address = listener.local_addr().expect("an address");
        let inner = Inner {
            dice: Dice::new(seed, u64::from(to.port())),
            count: (Vec::new(), 0),
            trap: None,
            connections: CancellationToken::new(),
        };
        let mode = watch::Sender::new(Mode::Pass);
        let shared = Arc::new(Shared { to, knows_requests, mode, inner: Mutex::new(inner) });
        let accepts = tokio::spawn(shared.clone().accept(listener));
        Self { address, shared, accepts }
    }

    /// Where it listens.
    pub const fn address(&self) -> SocketAddr {
        self.address
    }

    /// From now on it does so.
    pub fn set(&self, mode: Mode) {
        let before = self.shared.mode.send_replace(mode);
        if mode == Mode::Refuse || (before == Mode::Swallow && mode != before) {
            self.cut();
        }
    }

    /// Cuts all connections that there are.
    pub fn cut(&self) {
        std::mem::take(&mut self.shared.inner().connections).cancel();
    }

    /// Does so to the next request that holds these bytes, and tells when it has.
    pub fn trap(&self, trap: Trap, holding: impl Into<Vec<u8>>) -> oneshot::Receiver<()> {
        let (sprung, springs) = oneshot::channel();
        self.shared.inner().trap = Some((trap, holding.into(), sprung));
        springs
    }

    /// Counts requests that hold these bytes from now on.
    pub fn count(&self, holding: impl Into<Vec<u8>>) {
        self.shared.inner().count = (holding.into(), 0);
    }

    /// How many there were.
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
            // A server that is not there does not answer either.
            self.passes().await;
            let Ok(server) = TcpStream::connect(self.to).await else { return };
            // Small messages must not wait for others.
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

    /// Waits as long as nothing passes.
    async fn passes(&self) {
        let mut mode = self.mode.subscribe();
        // We hold the sender.
        let _ = mode.wait_for(|mode| !matches!(mode, Mode::Hold | Mode::Swallow)).await;
    }

    /// Waits until what came may go on.
    async fn gate(&self) {
        let mode = *self.mode.borrow();
        match mode {
            Mode::Delay(time) => sleep(time).await,
            // What was swallowed goes with its connection.
            _ => self.passes().await,
        }
    }

    async fn requests(&self, connection: &Connection, mut from: OwnedReadHalf, mut to: OwnedWriteHalf) {
        let mut buffer = Vec::new();
        while from.read_buf(&mut buffer).await.is_ok_and(|read| read > 0) {
            self.gate().await;
            let mut out = Vec::new();
            if self.knows_requests {
                while let Some(end) = frames::first(&buffer) {
                    let request: Vec<u8> = buffer.drain(..end).collect();
                    if !self.request(connection, &request, &mut out) {
                        // What came before it has been sent.
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

    /// What is sent on of a request; whether the connection goes on.
    fn request(&self, connection: &Connection, request: &[u8], out: &mut Vec<u8>) -> bool {
        let trap = self.trap_for(request);
        let mut replies = connection.replies.lock().unwrap_or_else(PoisonError::into_inner);
        replies.listens |= frames::is_one_of(request, &["SUBSCRIBE", "PSUBSCRIBE", "SSUBSCRIBE"]);
        if trap == Some(Trap::CutBefore) {
            return false;
        }
        out.extend_from_slice(request);
        match trap {
            Some(Trap::CutAfter) => replies.fates.push_back(Fate::Cut),
            Some(Trap::Twice) => {
                out.extend_from_slice(request);
                replies.fates.extend([Fate::Pass, Fate::Drop]);
            }
            _ => replies.fates.push_back(Fate::Pass),
        }
        true
    }

    fn trap_for(&self, request: &[u8]) -> Option<Trap> {
        let holds = |part: &[u8]| !part.is_empty() && request.windows(part.len()).any(|found| found == part);
        let mut inner = self.inner();
        inner.count.1 += usize::from(holds(&inner.count.0));
        if let Some((_, holding, _)) = &inner.trap
            && holds(holding)
            && let Some((trap, _, sprung)) = inner.trap.take()
        {
            // Nobody may be waiting for it.
            let _ = sprung.send(());
            return Some(trap);
        }
        let Mode::Chance { cut_before, cut_after, twice } = *self.mode.borrow() else { return None };
        let thrown = inner.dice.below(1_000);
        [(cut_before, Trap::CutBefore), (cut_after, Trap::CutAfter), (twice, Trap::Twice)]
            .into_iter()
            .scan(0, |sum, (share, trap)| {
                *sum += share;
                Some((*sum, trap))
            })
            .find_map(|(sum, trap)| (thrown < sum).then_some(trap))
    }

    async fn replies(&self, connection: &Connection, mut from: OwnedReadHalf, mut to: OwnedWriteHalf) {
        let mut buffer = Vec::new();
        while from.read_buf(&mut buffer).await.is_ok_and(|read| read > 0) {
            self.gate().await;
            let mut out = Vec::new();
            let goes_on = connection.replied(self, &mut buffer, &mut out);
            if to.write_all(&out).await.is_err() || !goes_on {
                return;
            }
        }
    }
}

impl Connection {
    /// What is sent on of what a server said; whether the connection goes on.
    fn replied(&self, proxy: &Shared, buffer: &mut Vec<u8>, out: &mut Vec<u8>) -> bool {
        let mut replies = self.replies.lock().unwrap_or_else(PoisonError::into_inner);
        if replies.listens && *proxy.mode.borrow() == Mode::Deaf {
            buffer.clear();
            return true;
        }
        if !proxy.knows_requests || replies.listens {
            out.append(buffer);
            return true;
        }
        while let Some(end) = frames::first(buffer) {
            let reply = buffer.drain(..end);
            match replies.fates.pop_front() {
                Some(Fate::Cut) => return false,
                Some(Fate::Drop) => {}
                Some(Fate::Pass) | None => out.extend(reply),
            }
        }
        true
    }
}
