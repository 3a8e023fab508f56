use std::{
    sync::{
        Mutex, MutexGuard,
        atomic::{AtomicBool, Ordering},
    },
    time::{Duration, Instant, SystemTime, UNIX_EPOCH},
};

use circles_api::{Error, Fault};
use circles_auth::{CHALLENGE_LIFETIME, Challenge, Nonce, PublicKey, Signature};
use circles_store::{Caller, sync::lock};

use crate::error::{internal, retry_after};

/// Unanswered challenges of one connection at most, as `docs/protocol.md` promises.
const MAX_PENDING_CHALLENGES: usize = 8;
/// Wrong signatures after which a connection is closed, as `docs/protocol.md` promises.
const MAX_FAILURES: u32 = 5;

/// The login state of one connection. It is made for one upgrade, reachable only from that connection's calls, and
/// ends with it.
pub(crate) struct Session {
    circle: PublicKey,
    audience: String,
    transport: Transport,
    ttl: Duration,
    state: Mutex<LoginState>,
    /// Stays true after the session has expired.
    has_logged_in: AtomicBool,
}

/// The transport of a session's calls.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Transport {
    /// A connection, which can log in.
    WebSocket,
    /// A single POST, which cannot log in.
    Http,
}

#[derive(Default)]
struct LoginState {
    pending: Vec<PendingChallenge>,
    failures: u32,
    login: Option<Login>,
}

struct PendingChallenge {
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
    /// A session without a login.
    pub(crate) fn new(circle: PublicKey, audience: String, transport: Transport, ttl: Duration) -> Self {
        Self {
            circle,
            audience,
            transport,
            ttl,
            state: Mutex::default(),
            has_logged_in: AtomicBool::new(false),
        }
    }

    /// The circle that the client connected to.
    pub(crate) const fn circle(&self) -> PublicKey {
        self.circle
    }

    /// The transport of its calls.
    pub(crate) const fn transport(&self) -> Transport {
        self.transport
    }

    /// Makes a challenge for a key. The nonce is valid once: [`authenticate`](Self::authenticate) spends it.
    ///
    /// # Errors
    ///
    /// Fails while the connection has too many unanswered challenges.
    pub(crate) fn challenge(&self, pubkey: PublicKey) -> Result<Challenge, Error> {
        let nonce = Nonce::generate().map_err(internal)?;
        let now = Instant::now();
        let mut state = self.state();
        state.pending.retain(|pending| pending.until > now);
        if state.pending.len() >= MAX_PENDING_CHALLENGES {
            let free = state.pending.iter().map(|pending| pending.until).min().unwrap_or(now);
            return Err(Fault::RateLimited(retry_after(free.saturating_duration_since(now))).into());
        }
        let challenge = Challenge {
            circle: self.circle,
            audience: self.audience.clone(),
            pubkey,
            nonce,
            expires: unix(SystemTime::now() + CHALLENGE_LIFETIME),
        };
        state
            .pending
            .push(PendingChallenge { challenge: challenge.clone(), until: now + CHALLENGE_LIFETIME });
        Ok(challenge)
    }

    /// Logs in if the signature is of a challenge that this connection made for this key; returns the session's end
    /// in Unix seconds. Spends all challenges of the key, also on failure.
    ///
    /// # Errors
    ///
    /// Fails for a signature of no valid challenge, and after too many failures for any signature.
    pub(crate) fn authenticate(&self, pubkey: PublicKey, signature: &Signature) -> Result<u64, Error> {
        let now = Instant::now();
        let mut state = self.state();
        let spent = state.pending.extract_if(.., |pending| pending.challenge.pubkey == pubkey);
        let spent: Vec<_> = spent.filter(|pending| pending.until > now).collect();
        // A connection that is about to close may have more attempts in its pipeline; they are not verified.
        let is_valid = state.failures < MAX_FAILURES
            && spent.iter().rev().any(|one| pubkey.verify(&one.challenge.to_string(), signature).is_ok());
        if !is_valid {
            state.failures += 1;
            return Err(Fault::InvalidCredentials.into());
        }
        let expires_at = unix(SystemTime::now() + self.ttl);
        state.login = Some(Login { key: pubkey, until: now + self.ttl, expires_at });
        self.has_logged_in.store(true, Ordering::Relaxed);
        Ok(expires_at)
    }

    /// Returns the proved key and the session's end in Unix seconds; `None` once the session has expired.
    pub(crate) fn login(&self) -> Option<(PublicKey, u64)> {
        let now = Instant::now();
        let mut state = self.state();
        state.login = state.login.filter(|login| login.until > now);
        state.login.map(|login| (login.key, login.expires_at))
    }

    /// Returns whether messages and answers may be long: not before a required login, and not over HTTP.
    pub(crate) fn allows_long_texts(&self, require_login: bool) -> bool {
        self.transport == Transport::WebSocket && (!require_login || self.login().is_some())
    }

    /// Returns whether the client has logged in, also after the session has expired.
    pub(crate) fn has_logged_in(&self) -> bool {
        self.has_logged_in.load(Ordering::Relaxed)
    }

    /// Returns the caller of its calls.
    pub(crate) fn caller(&self) -> Caller {
        self.login().map_or(Caller::Anonymous, |(key, _)| Caller::Peer(key.circle_id()))
    }

    /// Returns whether so many logins failed that the connection must close.
    pub(crate) fn is_locked_out(&self) -> bool {
        self.state().failures >= MAX_FAILURES
    }

    /// No code that can panic runs under the lock, so a poisoned one still holds sound data.
    fn state(&self) -> MutexGuard<'_, LoginState> {
        lock(&self.state)
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
    fn signed_challenge_logs_in() {
        let session = session(DAY);
        assert_eq!(session.caller(), Caller::Anonymous);
        let expires = log_in(&session, &key(1)).unwrap();
        assert_eq!(session.login(), Some((key(1).public_key(), expires)));
        assert_eq!(session.caller(), Caller::Peer(key(1).public_key().circle_id()));
    }

    #[test]
    fn session_expires_after_ttl() {
        let session = session(Duration::ZERO);
        log_in(&session, &key(1)).unwrap();
        assert_eq!(session.caller(), Caller::Anonymous);
    }

    #[test]
    fn nonce_is_spent_by_first_attempt() {
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
    fn signature_for_another_connection_is_refused() {
        let (ours, theirs) = (session(DAY), session(DAY));
        let challenge = theirs.challenge(key(1).public_key()).unwrap();
        let _ = ours.challenge(key(1).public_key()).unwrap();
        let signature = key(1).sign(&challenge.to_string());
        assert!(ours.authenticate(key(1).public_key(), &signature).is_err());
    }

    #[test]
    fn attempt_does_not_spend_nonces_of_other_keys() {
        let session = session(DAY);
        let challenge = session.challenge(key(1).public_key()).unwrap();
        assert!(session.authenticate(key(2).public_key(), &key(2).sign("x")).is_err());
        let signature = key(1).sign(&challenge.to_string());
        assert!(session.authenticate(key(1).public_key(), &signature).is_ok());
    }

    #[test]
    fn ninth_pending_challenge_is_rate_limited() {
        let session = session(DAY);
        for _ in 0..8 {
            session.challenge(key(1).public_key()).unwrap();
        }
        assert_eq!(session.challenge(key(1).public_key()).unwrap_err().code(), codes::RATE_LIMITED);
    }

    #[test]
    fn five_failed_logins_lock_the_connection() {
        let session = session(DAY);
        for _ in 0..5 {
            assert!(!session.is_locked_out());
            let _ = session.authenticate(key(1).public_key(), &key(1).sign("x"));
        }
        assert!(session.is_locked_out());
        assert_eq!(log_in(&session, &key(1)), Err(codes::INVALID_CREDENTIALS));
    }
}
