//! Counts open connections and their memory, and evicts connections to stay within the limits.
//!
//! **Invariant.** An evicted connection no longer counts, though its task may need a moment to end.

#[cfg(test)]
mod tests;

use std::{
    cmp::Reverse,
    collections::HashMap,
    net::{IpAddr, Ipv6Addr},
    sync::{
        Arc, Mutex, MutexGuard,
        atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering},
    },
    time::{Duration, Instant},
};

use circles_store::sync::lock;

use tokio_util::sync::CancellationToken;

use crate::limits::Limits;

/// The silence after which a connection without a login may be evicted for a new one. With a shorter time, a flood of
/// new connections would evict those that are about to send their first message.
const EVICTABLE_AFTER: Duration = Duration::from_secs(1);
/// The same for a connection with a login, which its client needs more work to restore.
const LOGGED_IN_EVICTABLE_AFTER: Duration = Duration::from_secs(60);
/// The pause after a search without a connection to evict: a flood of connections must not cause a flood of searches.
const SEARCH_PAUSE: Duration = Duration::from_millis(100);

/// The open connections of all listeners.
pub(crate) struct Connections {
    limits: Limits,
    /// The zero of all times.
    epoch: Instant,
    state: Mutex<ConnectionTable>,
    /// Bytes of answers that clients have not read yet, over all connections that were not evicted.
    unsent: AtomicUsize,
    /// Bytes of memory that unanswered calls hold, over all connections.
    reserved: AtomicUsize,
    refusals: Refusals,
}

#[derive(Default)]
struct ConnectionTable {
    next_number: u64,
    count: usize,
    clients: HashMap<Client, ClientConnections>,
    failed_search: Option<Instant>,
}

/// The connections of one client.
#[derive(Default)]
struct ClientConnections {
    open: HashMap<u64, Arc<ConnectionState>>,
    reserved: Arc<AtomicUsize>,
    failed_search: Option<Instant>,
}

/// Identifies a client: by an IPv4 address, or by an IPv6 network of 64 bits, which is assigned to one client.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
struct Client(IpAddr);

impl From<IpAddr> for Client {
    fn from(address: IpAddr) -> Self {
        match address.to_canonical() {
            IpAddr::V6(address) => {
                Self(IpAddr::V6(Ipv6Addr::from(u128::from(address) & !u128::from(u64::MAX))))
            }
            address @ IpAddr::V4(_) => Self(address),
        }
    }
}

/// The state of one connection.
struct ConnectionState {
    number: u64,
    client: Client,
    /// Bytes of memory that unanswered calls of the client hold.
    client_reserved: Arc<AtomicUsize>,
    /// When the client last sent a message, in milliseconds from the epoch.
    last_message: AtomicU64,
    /// Has calls or subscriptions under way.
    busy: AtomicBool,
    logged_in: AtomicBool,
    unsent: AtomicUsize,
    /// When the client last had read all answers, in milliseconds from the epoch.
    last_read_all: AtomicU64,
    evicted: CancellationToken,
}

/// Refused and evicted connections since the last report.
#[derive(Default)]
struct Refusals {
    out_of_files: AtomicU64,
    server_full: AtomicU64,
    client_full: AtomicU64,
    evicted_idle: AtomicU64,
    evicted_slow: AtomicU64,
}

/// The slot of one open connection. Dropping it frees the slot.
pub(crate) struct ConnectionSlot {
    connection: Arc<ConnectionState>,
    connections: Arc<Connections>,
}

impl Connections {
    pub(crate) fn new(limits: &Limits) -> Self {
        let connections_per_address = limits.connections_per_address.min(limits.connections);
        Self {
            limits: Limits { connections_per_address, ..*limits },
            epoch: Instant::now(),
            state: Mutex::default(),
            unsent: AtomicUsize::new(0),
            reserved: AtomicUsize::new(0),
            refusals: Refusals::default(),
        }
    }

    /// Returns a slot for a connection from this address. If none is free, evicts the connection that was silent the
    /// longest: of the same client if that one has as many as allowed, otherwise of any client; those without a login
    /// first, and none with an unanswered call. Returns `None` if no connection can be evicted.
    pub(crate) fn admit(self: &Arc<Self>, peer: IpAddr) -> Option<ConnectionSlot> {
        let client = Client::from(peer);
        let now = self.millis();
        let mut guard = self.state();
        let state = &mut *guard;
        let own = state.clients.entry(client).or_default();
        if own.open.len() >= self.limits.connections_per_address {
            let found = find_evictable(&mut own.failed_search, own.open.values(), now);
            let Some(found) = found else {
                self.refusals.client_full.fetch_add(1, Ordering::Relaxed);
                return None;
            };
            self.evict(state, &found, &self.refusals.evicted_idle);
        }
        if state.count >= self.limits.connections {
            let all = state.clients.values().flat_map(|client| client.open.values());
            let Some(found) = find_evictable(&mut state.failed_search, all, now) else {
                remove_if_empty(state, client);
                self.refusals.server_full.fetch_add(1, Ordering::Relaxed);
                return None;
            };
            self.evict(state, &found, &self.refusals.evicted_idle);
        }
        let connection = state.open(client, now);
        Some(ConnectionSlot { connection, connections: self.clone() })
    }

    /// Counts a connection that was refused, or not even accepted, because no file can be opened.
    pub(crate) fn count_out_of_files(&self) {
        self.refusals.out_of_files.fetch_add(1, Ordering::Relaxed);
    }

    /// Evicts the connections that have left answers unread the longest, those without a login first, until the
    /// unread answers of all others are within the limit.
    fn evict_slow_readers(&self) {
        let mut state = self.state();
        while self.unsent.load(Ordering::Relaxed) > self.limits.unsent_bytes {
            let all = state.clients.values().flat_map(|client| client.open.values());
            let slow = all.filter(|connection| connection.unsent.load(Ordering::Relaxed) > 0);
            let slowest = slow
                .min_by_key(|connection| {
                    let last_read_all = connection.last_read_all.load(Ordering::Relaxed);
                    (connection.logged_in.load(Ordering::Relaxed), last_read_all)
                })
                .cloned();
            let Some(slowest) = slowest else { return };
            self.evict(&mut state, &slowest, &self.refusals.evicted_slow);
        }
    }

    fn evict(&self, state: &mut ConnectionTable, connection: &ConnectionState, counter: &AtomicU64) {
        counter.fetch_add(1, Ordering::Relaxed);
        self.remove(state, connection);
        connection.evicted.cancel();
    }

    /// Frees a connection's slot, unless that was done before.
    fn remove(&self, state: &mut ConnectionTable, connection: &ConnectionState) {
        let Some(client) = state.clients.get_mut(&connection.client) else { return };
        if client.open.remove(&connection.number).is_none() {
            return;
        }
        state.count -= 1;
        remove_if_empty(state, connection.client);
        self.unsent.fetch_sub(connection.unsent.swap(0, Ordering::Relaxed), Ordering::Relaxed);
    }

    /// Logs the refusals since the last report in one line, however many there were.
    pub(crate) fn report(&self) {
        let [out_of_files, server_full, client_full, evicted_idle, evicted_slow] = self.refusals.take();
        if out_of_files + server_full + client_full + evicted_idle + evicted_slow > 0 {
            tracing::warn!(
                out_of_files,
                refused_full = server_full,
                refused_address = client_full,
                cut_idle = evicted_idle,
                cut_slow = evicted_slow,
                limit = self.limits.connections,
                limit_per_address = self.limits.connections_per_address,
                "connections were refused or closed"
            );
        }
    }

    fn millis(&self) -> u64 {
        u64::try_from(self.epoch.elapsed().as_millis()).unwrap_or(u64::MAX)
    }

    /// No code that can panic runs under the lock, so a poisoned one still holds sound data.
    fn state(&self) -> MutexGuard<'_, ConnectionTable> {
        lock(&self.state)
    }
}

impl ConnectionTable {
    fn open(&mut self, client: Client, now: u64) -> Arc<ConnectionState> {
        self.next_number += 1;
        self.count += 1;
        let own = self.clients.entry(client).or_default();
        let connection = Arc::new(ConnectionState {
            number: self.next_number,
            client,
            client_reserved: own.reserved.clone(),
            last_message: AtomicU64::new(now),
            busy: AtomicBool::new(false),
            logged_in: AtomicBool::new(false),
            unsent: AtomicUsize::new(0),
            last_read_all: AtomicU64::new(now),
            evicted: CancellationToken::new(),
        });
        own.open.insert(connection.number, connection.clone());
        connection
    }
}

fn remove_if_empty(state: &mut ConnectionTable, client: Client) {
    if state.clients.get(&client).is_some_and(|client| client.open.is_empty()) {
        state.clients.remove(&client);
    }
}

/// Returns the connection to evict for a new one, if any.
fn find_evictable<'a>(
    failed_search: &mut Option<Instant>,
    connections: impl Iterator<Item = &'a Arc<ConnectionState>>,
    now: u64,
) -> Option<Arc<ConnectionState>> {
    if failed_search.is_some_and(|failed| failed.elapsed() < SEARCH_PAUSE) {
        return None;
    }
    let evictable = connections.filter_map(|connection| {
        let silence = connection.evictable_silence(now)?;
        Some((connection.logged_in.load(Ordering::Relaxed), Reverse(silence), connection))
    });
    // The oldest one of equally silent connections.
    let found =
        evictable.min_by_key(|(logged_in, silence, connection)| (*logged_in, *silence, connection.number));
    let found = found.map(|(_, _, connection)| connection.clone());
    *failed_search = if found.is_none() { Some(Instant::now()) } else { None };
    found
}

impl ConnectionState {
    /// Returns the milliseconds since the client's last message if the connection may be evicted.
    fn evictable_silence(&self, now: u64) -> Option<u64> {
        let logged_in = self.logged_in.load(Ordering::Relaxed);
        let minimum = if logged_in { LOGGED_IN_EVICTABLE_AFTER } else { EVICTABLE_AFTER };
        let silence = now.saturating_sub(self.last_message.load(Ordering::Relaxed));
        (!self.busy.load(Ordering::Relaxed) && u128::from(silence) >= minimum.as_millis()).then_some(silence)
    }
}

impl Refusals {
    fn take(&self) -> [u64; 5] {
        let counters = [
            &self.out_of_files,
            &self.server_full,
            &self.client_full,
            &self.evicted_idle,
            &self.evicted_slow,
        ];
        counters.map(|counter| counter.swap(0, Ordering::Relaxed))
    }
}

impl ConnectionSlot {
    /// Returns the token that is cancelled when the connection is evicted and must close at once.
    pub(crate) fn evicted(&self) -> &CancellationToken {
        &self.connection.evicted
    }

    /// Records that the client has sent a message.
    pub(crate) fn record_message(&self) {
        self.connection.last_message.store(self.connections.millis(), Ordering::Relaxed);
    }

    /// Records whether calls or subscriptions are under way.
    pub(crate) fn set_busy(&self, busy: bool) {
        self.connection.busy.store(busy, Ordering::Relaxed);
    }

    /// Records that the client has logged in.
    pub(crate) fn set_logged_in(&self) {
        self.connection.logged_in.store(true, Ordering::Relaxed);
    }

    /// Counts bytes that wait for the client to read them, and evicts slow readers if these are too many.
    pub(crate) fn add_unsent(&self, bytes: usize) {
        // The total comes first: an eviction between the two subtracts less than the total contains, never more.
        let before = self.connections.unsent.fetch_add(bytes, Ordering::Relaxed);
        if self.connection.unsent.fetch_add(bytes, Ordering::Relaxed) == 0 {
            self.connection.last_read_all.store(self.connections.millis(), Ordering::Relaxed);
        }
        if before.saturating_add(bytes) > self.connections.limits.unsent_bytes {
            self.connections.evict_slow_readers();
        }
    }

    /// Records that the client has read all answers.
    pub(crate) fn clear_unsent(&self) {
        let read = self.connection.unsent.swap(0, Ordering::Relaxed);
        self.connections.unsent.fetch_sub(read, Ordering::Relaxed);
    }

    /// Reserves the memory of a call until it is answered. Returns `None` if all calls, or those of this client, which
    /// may have a quarter, would hold too much. A call that alone needs more counts as a quarter.
    pub(crate) fn reserve_memory(self: &Arc<Self>, bytes: usize) -> Option<MemoryReservation> {
        let limit = self.connections.limits.waiting_bytes;
        let client_limit = limit / 4;
        let bytes = bytes.min(client_limit);
        let of_client = self.connection.client_reserved.fetch_add(bytes, Ordering::Relaxed) + bytes;
        let total = self.connections.reserved.fetch_add(bytes, Ordering::Relaxed) + bytes;
        // Its drop releases the bytes also if they are too many.
        let reservation = MemoryReservation { bytes, slot: self.clone() };
        (of_client <= client_limit && total <= limit).then_some(reservation)
    }
}

/// The memory that an unanswered call holds. Dropping it releases the memory.
pub(crate) struct MemoryReservation {
    bytes: usize,
    slot: Arc<ConnectionSlot>,
}

impl Drop for MemoryReservation {
    fn drop(&mut self) {
        self.slot.connection.client_reserved.fetch_sub(self.bytes, Ordering::Relaxed);
        self.slot.connections.reserved.fetch_sub(self.bytes, Ordering::Relaxed);
    }
}

impl Drop for ConnectionSlot {
    fn drop(&mut self) {
        let mut state = self.connections.state();
        self.connections.remove(&mut state, &self.connection);
        // Bytes that were counted after an eviction.
        self.clear_unsent();
    }
}
