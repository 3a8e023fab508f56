//! Places among the open connections, and whom to cut where there is no room for more.
//!
//! **Invariant.** A connection that was cut holds no place any more, though its task may need a moment to end.

use std::{
    collections::HashMap,
    net::{IpAddr, Ipv6Addr},
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering},
    },
    time::{Duration, Instant},
};

use tokio_util::sync::CancellationToken;

use crate::rpc::Limits;

/// How long a connection without login is silent before it may be cut for a new one. Shorter, and a flood of new
/// connections would cut those that are just about to speak.
const IDLE: Duration = Duration::from_secs(1);
/// The same for a connection that is logged in, which costs its client more to make.
const IDLE_LOGGED_IN: Duration = Duration::from_secs(60);
/// How long a search that found nothing to cut is not repeated: a flood of connections must not become one of searches.
const SEARCH_PAUSE: Duration = Duration::from_millis(100);

/// The open connections of all listeners.
pub struct Connections {
    most: usize,
    most_of_address: usize,
    most_unsent: usize,
    most_waiting: usize,
    /// What times are counted from.
    epoch: Instant,
    state: Mutex<State>,
    /// Bytes of answers that clients have not taken yet, over all connections that were not cut.
    unsent: AtomicUsize,
    /// Bytes of memory that calls hold that have not been answered yet, over all connections.
    waiting: AtomicUsize,
    turned_away: TurnedAway,
}

#[derive(Default)]
struct State {
    next: u64,
    count: usize,
    addresses: HashMap<Share, Address>,
    searched: Option<Instant>,
}

/// The connections of one address.
#[derive(Default)]
struct Address {
    open: HashMap<u64, Arc<Open>>,
    waiting: Arc<AtomicUsize>,
    searched: Option<Instant>,
}

/// What counts as one address: an IPv4 address, or an IPv6 network of 64 bits, which one client has for itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
struct Share(IpAddr);

impl From<IpAddr> for Share {
    fn from(address: IpAddr) -> Self {
        match address.to_canonical() {
            IpAddr::V6(address) => {
                Self(IpAddr::V6(Ipv6Addr::from(u128::from(address) & !u128::from(u64::MAX))))
            }
            address @ IpAddr::V4(_) => Self(address),
        }
    }
}

/// What is known of one connection.
struct Open {
    number: u64,
    share: Share,
    /// Bytes of memory that unanswered calls of its address hold.
    waiting: Arc<AtomicUsize>,
    /// When its client last sent a message, in milliseconds from the epoch.
    active: AtomicU64,
    /// Whether calls or subscriptions of its are under way.
    busy: AtomicBool,
    logged_in: AtomicBool,
    unsent: AtomicUsize,
    /// When its client last had taken all answers, in milliseconds from the epoch.
    taken: AtomicU64,
    cut: CancellationToken,
}

/// What was turned away since the log last told of it.
#[derive(Default)]
struct TurnedAway {
    files: AtomicU64,
    full: AtomicU64,
    of_address: AtomicU64,
    idle: AtomicU64,
    slow: AtomicU64,
}

/// The place of one connection; free again when it is dropped.
pub struct Place {
    open: Arc<Open>,
    connections: Arc<Connections>,
}

impl Connections {
    pub fn new(limits: &Limits) -> Self {
        Self {
            most: limits.connections,
            most_of_address: limits.connections_per_address.min(limits.connections),
            most_unsent: limits.unsent_bytes,
            most_waiting: limits.waiting_bytes,
            epoch: Instant::now(),
            state: Mutex::default(),
            unsent: AtomicUsize::new(0),
            waiting: AtomicUsize::new(0),
            turned_away: TurnedAway::default(),
        }
    }

    /// A place for a connection from this address. Where there is none, the connection that was silent the longest is
    /// cut: of the same address if that one has its share, otherwise of any; those without login first, and none that
    /// waits for an answer. `None` if all are in use.
    pub fn admit(self: &Arc<Self>, peer: IpAddr) -> Option<Place> {
        let share = Share::from(peer);
        let now = self.millis();
        let mut guard = self.state();
        let state = &mut *guard;
        let address = state.addresses.entry(share).or_default();
        if address.open.len() >= self.most_of_address {
            let found = search(&mut address.searched, address.open.values(), now);
            let Some(victim) = found else {
                self.turned_away.of_address.fetch_add(1, Ordering::Relaxed);
                return None;
            };
            self.cut(state, &victim, &self.turned_away.idle);
        }
        if state.count >= self.most {
            let all = state.addresses.values().flat_map(|address| address.open.values());
            let Some(victim) = search(&mut state.searched, all, now) else {
                forget_if_empty(state, share);
                self.turned_away.full.fetch_add(1, Ordering::Relaxed);
                return None;
            };
            self.cut(state, &victim, &self.turned_away.idle);
        }
        state.next += 1;
        state.count += 1;
        let address = state.addresses.entry(share).or_default();
        let open = Arc::new(Open {
            number: state.next,
            share,
            waiting: address.waiting.clone(),
            active: AtomicU64::new(now),
            busy: AtomicBool::new(false),
            logged_in: AtomicBool::new(false),
            unsent: AtomicUsize::new(0),
            taken: AtomicU64::new(now),
            cut: CancellationToken::new(),
        });
        address.open.insert(open.number, open.clone());
        Some(Place { open, connections: self.clone() })
    }

    /// One was not accepted, or only to be refused, because no file can be opened.
    pub fn is_out_of_files(&self) {
        self.turned_away.files.fetch_add(1, Ordering::Relaxed);
    }

    /// Cuts those that have left answers unread the longest, those without login first, until what all others have
    /// not taken is within its bound again.
    fn relieve(&self) {
        let mut state = self.state();
        while self.unsent.load(Ordering::Relaxed) > self.most_unsent {
            let all = state.addresses.values().flat_map(|address| address.open.values());
            let slow = all.filter(|open| open.unsent.load(Ordering::Relaxed) > 0);
            let slowest = slow
                .min_by_key(|open| {
                    (open.logged_in.load(Ordering::Relaxed), open.taken.load(Ordering::Relaxed))
                })
                .cloned();
            let Some(slowest) = slowest else { return };
            self.cut(&mut state, &slowest, &self.turned_away.slow);
        }
    }

    fn cut(&self, state: &mut State, open: &Open, counter: &AtomicU64) {
        counter.fetch_add(1, Ordering::Relaxed);
        self.forget(state, open);
        open.cut.cancel();
    }

    /// Takes a connection's place back, unless that was done.
    fn forget(&self, state: &mut State, open: &Open) {
        let Some(address) = state.addresses.get_mut(&open.share) else { return };
        if address.open.remove(&open.number).is_none() {
            return;
        }
        state.count -= 1;
        forget_if_empty(state, open.share);
        self.unsent.fetch_sub(open.unsent.swap(0, Ordering::Relaxed), Ordering::Relaxed);
    }

    /// Logs what was turned away since the last time, in one line however much it was.
    pub fn report(&self) {
        let [files, full, of_address, idle, slow] = self.turned_away.take();
        if files + full + of_address + idle + slow > 0 {
            tracing::warn!(
                out_of_files = files,
                refused_full = full,
                refused_address = of_address,
                cut_idle = idle,
                cut_slow = slow,
                limit = self.most,
                limit_per_address = self.most_of_address,
                "connections were turned away"
            );
        }
    }

    fn millis(&self) -> u64 {
        u64::try_from(self.epoch.elapsed().as_millis()).unwrap_or(u64::MAX)
    }

    /// No code that can panic runs under the lock, so a poisoned one still holds sound data.
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn forget_if_empty(state: &mut State, share: Share) {
    if state.addresses.get(&share).is_some_and(|address| address.open.is_empty()) {
        state.addresses.remove(&share);
    }
}

/// Which of the connections to cut for a new one, if any.
fn search<'a>(
    searched: &mut Option<Instant>,
    among: impl Iterator<Item = &'a Arc<Open>>,
    now: u64,
) -> Option<Arc<Open>> {
    if searched.is_some_and(|searched| searched.elapsed() < SEARCH_PAUSE) {
        return None;
    }
    let idle = among.filter_map(|open| {
        let idle = open.idle(now)?;
        Some((open.logged_in.load(Ordering::Relaxed), std::cmp::Reverse(idle), open))
    });
    // Of those that are alike the oldest.
    let found = idle.min_by_key(|(logged_in, idle, open)| (*logged_in, *idle, open.number));
    let found = found.map(|(_, _, open)| open.clone());
    *searched = if found.is_none() { Some(Instant::now()) } else { None };
    found
}

impl Open {
    /// How long it has been silent, in milliseconds, if that is long enough for it to be cut.
    fn idle(&self, now: u64) -> Option<u64> {
        let enough = if self.logged_in.load(Ordering::Relaxed) { IDLE_LOGGED_IN } else { IDLE };
        let idle = now.saturating_sub(self.active.load(Ordering::Relaxed));
        (!self.busy.load(Ordering::Relaxed) && u128::from(idle) >= enough.as_millis()).then_some(idle)
    }
}

impl TurnedAway {
    fn take(&self) -> [u64; 5] {
        [&self.files, &self.full, &self.of_address, &self.idle, &self.slow]
            .map(|count| count.swap(0, Ordering::Relaxed))
    }
}

impl Place {
    /// Cancelled when the connection is to be closed at once, for others' sake.
    pub fn cut(&self) -> &CancellationToken {
        &self.open.cut
    }

    /// The client has sent a message.
    pub fn hears(&self) {
        self.open.active.store(self.connections.millis(), Ordering::Relaxed);
    }

    /// Whether calls or subscriptions are under way now.
    pub fn set_busy(&self, busy: bool) {
        self.open.busy.store(busy, Ordering::Relaxed);
    }

    /// The client has proved a key.
    pub fn logs_in(&self) {
        self.open.logged_in.store(true, Ordering::Relaxed);
    }

    /// Counts bytes that are about to wait for the client to read them.
    pub fn owes(&self, bytes: usize) {
        // The sum comes first: a cut between the two takes less from it than is in it, never more.
        let before = self.connections.unsent.fetch_add(bytes, Ordering::Relaxed);
        if self.open.unsent.fetch_add(bytes, Ordering::Relaxed) == 0 {
            self.open.taken.store(self.connections.millis(), Ordering::Relaxed);
        }
        if before.saturating_add(bytes) > self.connections.most_unsent {
            self.connections.relieve();
        }
    }

    /// Counts the memory that a call holds until it is answered. `None` if all calls, or those of one address, which
    /// may have a quarter, would hold too much with it. A call that alone holds more counts as a quarter.
    pub fn takes_on(self: &Arc<Self>, bytes: usize) -> Option<Waiting> {
        let most = self.connections.most_waiting;
        let most_of_address = most / 4;
        let bytes = bytes.min(most_of_address);
        let of_address = self.open.waiting.fetch_add(bytes, Ordering::Relaxed) + bytes;
        let of_all = self.connections.waiting.fetch_add(bytes, Ordering::Relaxed) + bytes;
        // Gives the bytes back also if there are too many.
        let waiting = Waiting { bytes, place: self.clone() };
        (of_address <= most_of_address && of_all <= most).then_some(waiting)
    }

    /// The client has taken everything.
    pub fn owes_nothing(&self) {
        let taken = self.open.unsent.swap(0, Ordering::Relaxed);
        self.connections.unsent.fetch_sub(taken, Ordering::Relaxed);
    }
}

/// The memory that an unanswered call holds; given back when this is dropped.
pub struct Waiting {
    bytes: usize,
    place: Arc<Place>,
}

impl Drop for Waiting {
    fn drop(&mut self) {
        self.place.open.waiting.fetch_sub(self.bytes, Ordering::Relaxed);
        self.place.connections.waiting.fetch_sub(self.bytes, Ordering::Relaxed);
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut state = self.connections.state();
        self.connections.forget(&mut state, &self.open);
        // What was counted after it was cut.
        self.connections.unsent.fetch_sub(self.open.unsent.swap(0, Ordering::Relaxed), Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn connections_with(change: impl FnOnce(&mut Limits)) -> Arc<Connections> {
        let mut limits = Limits::default();
        change(&mut limits);
        Arc::new(Connections::new(&limits))
    }

    fn address(text: &str) -> IpAddr {
        text.parse().unwrap()
    }

    /// Moves the clock on by an hour, for all alike.
    fn later(connections: &mut Arc<Connections>) {
        let connections = Arc::get_mut(connections).expect("no place is taken yet");
        connections.epoch -= Duration::from_secs(3_600);
    }

    #[test]
    fn an_ipv6_client_is_its_network() {
        let share = |text| Share::from(address(text));
        assert_eq!(share("2001:db8:1:2::1"), share("2001:db8:1:2:ffff::9"));
        assert_ne!(share("2001:db8:1:2::1"), share("2001:db8:1:3::1"));
        assert_eq!(share("::ffff:192.0.2.1"), share("192.0.2.1"));
        assert_ne!(share("192.0.2.1"), share("192.0.2.2"));
    }

    #[test]
    fn an_address_has_its_share_and_no_more() {
        let connections = connections_with(|limits| limits.connections_per_address = 2);
        let one = connections.admit(address("192.0.2.1"));
        let _two = connections.admit(address("192.0.2.1"));
        assert!(connections.admit(address("192.0.2.1")).is_none(), "a third");
        assert!(connections.admit(address("192.0.2.2")).is_some(), "of another");
        drop(one);
        assert!(connections.admit(address("192.0.2.1")).is_some(), "a place was free again");
        assert_eq!(connections.turned_away.take(), [0, 0, 1, 0, 0]);
    }

    #[test]
    fn idle_and_unauthenticated_connections_give_way_first() {
        let mut connections = connections_with(|limits| limits.connections = 4);
        later(&mut connections);
        let places: Vec<_> =
            (1..=4).map(|host| connections.admit(address(&format!("192.0.2.{host}"))).unwrap()).collect();
        let [busy, user, fresh, idle] = &places[..] else { panic!() };
        let shift = |place: &Place, seconds| {
            let idle = Duration::from_secs(seconds);
            let now = connections.millis();
            place.open.active.store(now - u64::try_from(idle.as_millis()).unwrap(), Ordering::Relaxed);
        };
        shift(busy, 600);
        busy.set_busy(true);
        shift(user, 600);
        user.logs_in();
        shift(fresh, 0);
        shift(idle, 5);
        let fifth = connections.admit(address("192.0.2.5"));
        assert!(fifth.is_some() && idle.cut().is_cancelled());
        let sixth = connections.admit(address("192.0.2.6"));
        assert!(sixth.is_some() && user.cut().is_cancelled());
        assert!(connections.admit(address("192.0.2.7")).is_none(), "busy and fresh ones stay");
        assert!(!busy.cut().is_cancelled() && !fresh.cut().is_cancelled());
        assert_eq!(connections.turned_away.take(), [0, 1, 0, 2, 0]);
        drop(places);
        assert_eq!(connections.state().count, 2);
    }

    #[test]
    fn those_who_read_slowest_are_cut_when_too_much_is_unsent() {
        let connections = connections_with(|limits| limits.unsent_bytes = 100);
        let places: Vec<_> =
            (1..=3).map(|host| connections.admit(address(&format!("192.0.2.{host}"))).unwrap()).collect();
        let [slow, user, quick] = &places[..] else { panic!() };
        user.logs_in();
        slow.owes(40);
        user.owes(40);
        slow.open.taken.store(0, Ordering::Relaxed);
        // The clock has moved on: what is owed from here on is owed later.
        while connections.millis() == 0 {
            std::thread::yield_now();
        }
        quick.owes(20);
        quick.owes_nothing();
        assert!(!slow.cut().is_cancelled());
        quick.owes(40);
        assert!(slow.cut().is_cancelled() && !user.cut().is_cancelled() && !quick.cut().is_cancelled());
        drop(places);
        assert_eq!(connections.unsent.load(Ordering::Relaxed), 0);
    }

    #[test]
    fn calls_of_one_address_hold_a_quarter_of_the_memory() {
        let connections = connections_with(|limits| limits.waiting_bytes = 400);
        let [first, second, other] =
            [1, 1, 2].map(|last| Arc::new(connections.admit([10, 0, 0, last].into()).unwrap()));
        let held = first.takes_on(60).unwrap();
        assert!(second.takes_on(60).is_none(), "the share of the address");
        let others = [other.takes_on(50).unwrap(), other.takes_on(50).unwrap()];
        assert!(other.takes_on(1).is_none());
        drop(held);
        let large = second.takes_on(10_000).expect("a large one may wait alone");
        assert!(first.takes_on(1).is_none());
        drop((others, large));
        assert_eq!(connections.waiting.load(Ordering::Relaxed), 0);
    }
}
