//! Slots, evictions and memory of connections.

use super::*;

fn connections_with(change: impl FnOnce(&mut Limits)) -> Arc<Connections> {
    let mut limits = Limits::default();
    change(&mut limits);
    Arc::new(Connections::new(&limits))
}

fn address(text: &str) -> IpAddr {
    text.parse().unwrap()
}

/// Advances the clock by an hour.
fn advance_clock(connections: &mut Arc<Connections>) {
    let connections = Arc::get_mut(connections).expect("no slot is taken yet");
    connections.epoch -= Duration::from_secs(3_600);
}

#[test]
fn ipv6_network_is_one_client() {
    let client = |text| Client::from(address(text));
    assert_eq!(client("2001:db8:1:2::1"), client("2001:db8:1:2:ffff::9"));
    assert_ne!(client("2001:db8:1:2::1"), client("2001:db8:1:3::1"));
    assert_eq!(client("::ffff:192.0.2.1"), client("192.0.2.1"));
    assert_ne!(client("192.0.2.1"), client("192.0.2.2"));
}

#[test]
fn connections_of_one_address_are_limited() {
    let connections = connections_with(|limits| limits.connections_per_address = 2);
    let one = connections.admit(address("192.0.2.1"));
    let _two = connections.admit(address("192.0.2.1"));
    assert!(connections.admit(address("192.0.2.1")).is_none(), "a third");
    assert!(connections.admit(address("192.0.2.2")).is_some(), "of another");
    drop(one);
    assert!(connections.admit(address("192.0.2.1")).is_some(), "a slot is free again");
    assert_eq!(connections.refusals.take(), [0, 0, 1, 0, 0]);
}

#[test]
fn idle_connections_without_login_are_evicted_first() {
    let mut connections = connections_with(|limits| limits.connections = 4);
    advance_clock(&mut connections);
    let slots: Vec<_> =
        (1..=4).map(|host| connections.admit(address(&format!("192.0.2.{host}"))).unwrap()).collect();
    let [busy, user, fresh, idle] = &slots[..] else { panic!() };
    let shift = |slot: &ConnectionSlot, seconds| {
        let idle = Duration::from_secs(seconds);
        let now = connections.millis();
        slot.connection.last_message.store(now - u64::try_from(idle.as_millis()).unwrap(), Ordering::Relaxed);
    };
    shift(busy, 600);
    busy.set_busy(true);
    shift(user, 600);
    user.set_logged_in();
    shift(fresh, 0);
    shift(idle, 5);
    let fifth = connections.admit(address("192.0.2.5"));
    assert!(fifth.is_some() && idle.evicted().is_cancelled());
    let sixth = connections.admit(address("192.0.2.6"));
    assert!(sixth.is_some() && user.evicted().is_cancelled());
    assert!(connections.admit(address("192.0.2.7")).is_none(), "busy and fresh ones stay");
    assert!(!busy.evicted().is_cancelled() && !fresh.evicted().is_cancelled());
    assert_eq!(connections.refusals.take(), [0, 1, 0, 2, 0]);
    drop(slots);
    assert_eq!(connections.state().count, 2);
}

#[test]
fn slowest_readers_are_evicted_when_too_much_is_unsent() {
    let connections = connections_with(|limits| limits.unsent_bytes = 100);
    let slots: Vec<_> =
        (1..=3).map(|host| connections.admit(address(&format!("192.0.2.{host}"))).unwrap()).collect();
    let [slow, user, quick] = &slots[..] else { panic!() };
    user.set_logged_in();
    slow.add_unsent(40);
    user.add_unsent(40);
    slow.connection.last_read_all.store(0, Ordering::Relaxed);
    // From here on the clock shows a later time than that of the slow connection.
    while connections.millis() == 0 {
        std::thread::yield_now();
    }
    quick.add_unsent(20);
    quick.clear_unsent();
    assert!(!slow.evicted().is_cancelled());
    quick.add_unsent(40);
    assert!(
        slow.evicted().is_cancelled() && !user.evicted().is_cancelled() && !quick.evicted().is_cancelled()
    );
    drop(slots);
    assert_eq!(connections.unsent.load(Ordering::Relaxed), 0);
}

#[test]
fn calls_of_one_address_hold_a_quarter_of_the_memory() {
    let connections = connections_with(|limits| limits.waiting_bytes = 400);
    let [first, second, other] =
        [1, 1, 2].map(|last| Arc::new(connections.admit([10, 0, 0, last].into()).unwrap()));
    let held = first.reserve_memory(60).unwrap();
    assert!(second.reserve_memory(60).is_none(), "the quarter of the address");
    let others = [other.reserve_memory(50).unwrap(), other.reserve_memory(50).unwrap()];
    assert!(other.reserve_memory(1).is_none());
    drop(held);
    let large = second.reserve_memory(10_000).expect("a large one may wait alone");
    assert!(first.reserve_memory(1).is_none());
    drop((others, large));
    assert_eq!(connections.reserved.load(Ordering::Relaxed), 0);
}
