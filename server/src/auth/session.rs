use std::{
    sync::{
        Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    time::{Duration, Instant, SystemTime, UNIX_EPOCH},
};

use circles_api::{Error, Fault};
use circles_auth::{CHALLENGE_LIFETIME, Challenge, Nonce, PublicKey, Signature};
use circles_store::Caller;

use crate::fault::{internal, retry_after};

/// How many challenges may be unanswered on one connection (SPEC §4).
const MAX_OUTSTANDING: usize = 8;
/// How many wrong signatures end a connection (SPEC §4).
const MAX_FAILURES: u32 = 5;

/// What one connection has proved. It is made for one upgrade, is reachable only from that connection's calls,
/// and ends with it.
pub struct Session {
    circle: PublicKey,
    audience: String,
    transport: Transport,
    ttl: Duration,
    state: Mutex<State>,
    /// Whether a key was ever proved.
    proved: AtomicBool,
}

/// How the calls of a session arrive.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Transport {
    /// A connection that can hold a session.
    WebSocket,
    /// A single POST.
    Http,
}

#[derive(Default)]
struct State {
    outstanding: Vec<Outstanding>,
    failures: u32,
    login: Option<Login>,
}

struct Outstanding {
    challenge: Challenge,
    until: Instant,
}

#[derive(Clone, Copy)]
struct Login {
    key: PublicKey,
    until: Instant,
    expires_at: u64,
}

impl Session {
    /// A session in which nobody has proved anything yet.
    pub fn new(circle: PublicKey, audience: String, transport: Transport, ttl: Duration) -> Self {
        Self { circle, audience, transport, ttl, state: Mutex::default(), proved: AtomicBool::new(false) }
    }

    /// The circle that the connection named.
    pub const fn circle(&self) -> PublicKey {
        self.circle
    }

    /// How its calls arrive.
    pub const fn transport(&self) -> Transport {
        self.transport
    }

    /// Makes a challenge for a key.
    pub fn challenge(&self, pubkey: PublicKey) -> Result<Challenge, Error> {
        let nonce = Nonce::generate().map_err(internal)?;
        let now = Instant::now();
        let mut state = self.state();
        state.outstanding.retain(|outstanding| outstanding.until > now);
        if state.outstanding.len() >= MAX_OUTSTANDING {
            let free = state.outstanding.iter().map(|outstanding| outstanding.until).min().unwrap_or(now);
            return Err(Fault::RateLimited(retry_after(free.saturating_duration_since(now))).into());
        }
        let challenge = Challenge {
            circle: self.circle,
            audience: self.audience.clone(),
            pubkey,
            nonce,
            expires: unix(SystemTime::now() + CHALLENGE_LIFETIME),
        };
        state.outstanding.push(Outstanding { challenge: challenge.clone(), until: now + CHALLENGE_LIFETIME });
        Ok(challenge)
    }

    /// Opens the session if the signature is of a challenge that this connection gave to this key; returns
    /// when it ends, in Unix seconds. Right or wrong, the challenges of that key are spent.
    pub fn authenticate(&self, pubkey: PublicKey, signature: &Signature) -> Result<u64, Error> {
        let now = Instant::now();
        let mut state = self.state();
        let spent = state.outstanding.extract_if(.., |outstanding| outstanding.challenge.pubkey == pubkey);
        let spent: Vec<_> = spent.filter(|outstanding| outstanding.until > now).collect();
        // Refused without arithmetic once the connection is to close; a pipeline may still hold more.
        let proved = state.failures < MAX_FAILURES
            && spent.iter().rev().any(|one| pubkey.verify(&one.challenge.to_string(), signature).is_ok());
        if !proved {
            state.failures += 1;
            return Err(Fault::InvalidCredentials.into());
        }
        let expires_at = unix(SystemTime::now() + self.ttl);
        state.login = Some(Login { key: pubkey, until: now + self.ttl, expires_at });
        self.proved.store(true, Ordering::Relaxed);
        Ok(expires_at)
    }

    /// The key that was proved, and until when, in Unix seconds; nothing once the session has expired.
    pub fn login(&self) -> Option<(PublicKey, u64)> {
        let now = Instant::now();
        let mut state = self.state();
        state.login = state.login.filter(|login| login.until > now);
        state.login.map(|login| (login.key, login.expires_at))
    }

    /// Whether a message to it may be long, and the answer to that: not before a login, where one is mandatory, nor
    /// over HTTP, where there is none.
    pub fn is_trusted(&self, mandatory: bool) -> bool {
        self.transport == Transport::WebSocket && (!mandatory || self.login().is_some())
    }

    /// Whether a key was proved, be the session over by now or not.
    pub fn has_logged_in(&self) -> bool {
        self.proved.load(Ordering::Relaxed)
    }

    /// Who calls.
    pub fn caller(&self) -> Caller {
        self.login().map_or(Caller::Anonymous, |(key, _)| Caller::Peer(key.circle_id()))
    }

    /// Whether somebody tried so often in vain that the connection must close.
    pub fn is_locked_out(&self) -> bool {
        self.state().failures >= MAX_FAILURES
    }

    /// No code that can panic runs under the lock, so a poisoned one still holds sound data.
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn unix(time: SystemTime) -> u64 {
    time.duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs())
}

#[cfg(test)]
mod tests {
    use circles_api::codes;
    use circles_auth::SecretKey;

    use super::*;

    fn key(seed: u8) -> SecretKey {
        format!("{seed:064x}").parse().unwrap()
    }

    fn session(ttl: Duration) -> Session {
        Session::new(key(9).public_key(), "ws://127.0.0.1:1".into(), Transport::WebSocket, ttl)
    }

    fn log_in(session: &Session, key: &SecretKey) -> Result<u64, i32> {
        let challenge = session.challenge(key.public_key()).map_err(|error| error.code())?;
        let signature = key.sign(&challenge.to_string());
        session.authenticate(key.public_key(), &signature).map_err(|error| error.code())
    }

    const DAY: Duration = Duration::from_secs(86_400);

    #[test]
    fn a_signed_challenge_opens_a_session() {
        let session = session(DAY);
        assert_eq!(session.caller(), Caller::Anonymous);
        let expires = log_in(&session, &key(1)).unwrap();
        assert_eq!(session.login(), Some((key(1).public_key(), expires)));
        assert_eq!(session.caller(), Caller::Peer(key(1).public_key().circle_id()));
    }

    #[test]
    fn a_session_ends_with_its_time() {
        let session = session(Duration::ZERO);
        log_in(&session, &key(1)).unwrap();
        assert_eq!(session.caller(), Caller::Anonymous);
    }

    #[test]
    fn a_challenge_is_spent_by_the_first_try_right_or_wrong() {
        let session = session(DAY);
        let challenge = session.challenge(key(1).public_key()).unwrap();
        let right = key(1).sign(&challenge.to_string());
        let wrong = key(2).sign(&challenge.to_string());
        assert!(session.authenticate(key(1).public_key(), &wrong).is_err());
        assert!(session.authenticate(key(1).public_key(), &right).is_err());

        let challenge = session.challenge(key(1).public_key()).unwrap();
        let right = key(1).sign(&challenge.to_string());
        assert!(session.authenticate(key(1).public_key(), &right).is_ok());
        assert!(session.authenticate(key(1).public_key(), &right).is_err());
    }

    #[test]
    fn a_signature_for_another_connection_is_refused() {
        let (ours, theirs) = (session(DAY), session(DAY));
        let challenge = theirs.challenge(key(1).public_key()).unwrap();
        let _ = ours.challenge(key(1).public_key()).unwrap();
        let signature = key(1).sign(&challenge.to_string());
        assert!(ours.authenticate(key(1).public_key(), &signature).is_err());
    }

    #[test]
    fn somebody_elses_challenge_is_not_spent() {
        let session = session(DAY);
        let challenge = session.challenge(key(1).public_key()).unwrap();
        assert!(session.authenticate(key(2).public_key(), &key(2).sign("x")).is_err());
        let signature = key(1).sign(&challenge.to_string());
        assert!(session.authenticate(key(1).public_key(), &signature).is_ok());
    }

    #[test]
    fn a_ninth_challenge_has_to_wait() {
        let session = session(DAY);
        for _ in 0..8 {
            session.challenge(key(1).public_key()).unwrap();
        }
        assert_eq!(session.challenge(key(1).public_key()).unwrap_err().code(), codes::RATE_LIMITED);
    }

    #[test]
    fn five_failures_lock_the_connection_also_for_the_right_key() {
        let session = session(DAY);
        for _ in 0..5 {
            assert!(!session.is_locked_out());
            let _ = session.authenticate(key(1).public_key(), &key(1).sign("x"));
        }
        assert!(session.is_locked_out());
        assert_eq!(log_in(&session, &key(1)), Err(codes::INVALID_CREDENTIALS));
    }
}
