//! Connects to a server and logs in.

use std::{
    future::Future,
    sync::{Arc, OnceLock},
    time::Duration,
};

use circles_api::{CircleId, CirclesClient as _};
use circles_auth::{CHALLENGE_LIFETIME, Challenge, PublicKey, SecretKey, audience_of};
use futures_timer::Delay;
use futures_util::future::{Either, select};
use jsonrpsee::core::client::Client as RpcClient;
use web_time::{SystemTime, UNIX_EPOCH};

use crate::error::{Error, InvalidUrl};

/// Turns jsonrpsee's time limit off: a play may take longer than any fixed limit, and [`within`] bounds every call.
const UNLIMITED: Duration = Duration::from_secs(7 * 86_400);
/// How far the clocks of client and server may be apart.
const MAX_CLOCK_SKEW: Duration = Duration::from_secs(5 * 60);

/// The server and circle to connect to, and the key to log in with.
#[derive(Clone)]
pub(crate) struct Target {
    url: String,
    audience: String,
    circle: Option<PublicKey>,
    /// The circle of the first login if the caller named none: later logins must be for the same circle.
    entered: Arc<OnceLock<PublicKey>>,
    key: Option<SecretKey>,
    timeout: Duration,
}

impl Target {
    /// Checks the URL. A circle given separately becomes the URL's path.
    pub(crate) fn new(
        url: &str,
        circle: Option<PublicKey>,
        key: Option<SecretKey>,
        timeout: Duration,
    ) -> Result<Self, Error> {
        let (url, audience, circle) =
            resolve(url, circle).map_err(|cause| Error::Url { url: url.to_owned(), cause })?;
        Ok(Self { url, audience, circle, entered: Arc::default(), key, timeout })
    }

    pub(crate) const fn key(&self) -> Option<&SecretKey> {
        self.key.as_ref()
    }

    pub(crate) const fn timeout(&self) -> Duration {
        self.timeout
    }

    /// Connects and logs in.
    pub(crate) async fn connect(&self) -> Result<Arc<RpcClient>, Error> {
        let refused = |cause: String| Error::Connect { url: self.url.clone(), cause };
        let dialled = within(self.timeout, dial(&self.url, self.timeout)).await;
        let rpc =
            dialled.map_err(|_| refused(format!("no answer within {:?}", self.timeout)))?.map_err(refused)?;
        self.log_in(&rpc).await?;
        Ok(Arc::new(rpc))
    }

    /// Logs in on a connection; does nothing without a key.
    pub(crate) async fn log_in(&self, rpc: &RpcClient) -> Result<(), Error> {
        let Some(key) = &self.key else { return Ok(()) };
        within(self.timeout, self.authenticate(rpc, key)).await?
    }

    async fn authenticate(&self, rpc: &RpcClient, key: &SecretKey) -> Result<(), Error> {
        let refused = |error| match Error::from_rpc(error) {
            Error::Call(error) => Error::Refused(error),
            other => other,
        };
        let pubkey = key.public_key();
        let wire_key = circles_api::types::PublicKey::from(pubkey.circle_id());
        let answer = rpc.fetch_nonce(wire_key.clone()).await.map_err(refused)?;
        let protocol = |error: &dyn std::fmt::Display| Error::Protocol(error.to_string());
        let challenge: Challenge = answer.challenge.parse().map_err(|error| protocol(&error))?;
        challenge
            .check(self.circle.or(self.entered.get().copied()), &self.audience, pubkey)
            .map_err(Error::Untrusted)?;
        if challenge.nonce.to_string() != *answer.nonce || challenge.expires != answer.expires_at.get() {
            return Err(protocol(&"the challenge text does not match the nonce and expiry sent with it"));
        }
        check_expiry(challenge.expires, now()).map_err(|error| protocol(&error))?;
        // A parsed challenge has exactly one text, so the client signs exactly the fields that it checked.
        let signature = key.sign(&challenge.to_string()).to_string();
        let signature = signature.try_into().map_err(|error| protocol(&error))?;
        rpc.authenticate(wire_key, signature).await.map_err(refused)?;
        self.entered.get_or_init(|| challenge.circle);
        Ok(())
    }
}

fn resolve(url: &str, circle: Option<PublicKey>) -> Result<(String, String, Option<PublicKey>), InvalidUrl> {
    let audience = audience_of(url)?;
    // The audience is the URL's scheme and authority.
    let rest = url.split_once("://").map_or("", |(_, rest)| rest);
    let path = rest.find('/').map_or("", |slash| &rest[slash..]);
    let in_path = match path.trim_matches('/') {
        "" | "ws" => None,
        name => {
            let id: CircleId = name.parse().map_err(|_| InvalidUrl::Path)?;
            Some(PublicKey::try_from(id).map_err(|_| InvalidUrl::Path)?)
        }
    };
    match (in_path, circle) {
        (Some(in_path), Some(circle)) if in_path != circle => Err(InvalidUrl::OtherCircle),
        (None, None) => Ok((format!("{audience}/"), audience, None)),
        (in_path, circle) => {
            let circle = in_path.or(circle);
            let path = circle.map(|circle| circle.to_string()).unwrap_or_default();
            Ok((format!("{audience}/{path}"), audience, circle))
        }
    }
}

/// Refuses a challenge that has expired, or that expires later than any server's challenge would.
fn check_expiry(expires: u64, now: Duration) -> Result<(), String> {
    let end = Duration::from_secs(expires);
    if (now.saturating_sub(MAX_CLOCK_SKEW)..=now + CHALLENGE_LIFETIME + MAX_CLOCK_SKEW).contains(&end) {
        return Ok(());
    }
    let now = now.as_secs();
    Err(format!(
        "the challenge expires at {expires} (Unix time), but the local clock shows {now}; check the clocks"
    ))
}

fn now() -> Duration {
    // A clock before 1970 fails the check of expiry.
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default()
}

/// Awaits `work` for at most `limit`.
pub(crate) async fn within<F: Future>(limit: Duration, work: F) -> Result<F::Output, Error> {
    let (work, limit_passed) = (std::pin::pin!(work), Delay::new(limit));
    match select(work, limit_passed).await {
        Either::Left((output, _)) => Ok(output),
        Either::Right(_) => Err(Error::Timeout(limit)),
    }
}

#[cfg(not(target_arch = "wasm32"))]
async fn dial(url: &str, limit: Duration) -> Result<RpcClient, String> {
    use jsonrpsee::{core::client::async_client::PingConfig, ws_client::WsClientBuilder};

    /// In either direction; servers allow less.
    const MAX_MESSAGE_BYTES: u32 = 16 << 20;
    let runtime = tokio::runtime::Handle::try_current().map_err(|error| error.to_string())?;
    let builder = WsClientBuilder::new()
        .max_request_size(MAX_MESSAGE_BYTES)
        .max_response_size(MAX_MESSAGE_BYTES)
        .max_concurrent_requests(1_024)
        .request_timeout(UNLIMITED)
        // No redirects, as in browsers: the challenge must be for the URL that the caller gave.
        .max_redirections(1)
        .enable_ws_ping(PingConfig::new());
    let url = url.to_owned();
    // jsonrpsee resolves host names with a blocking call, which must not run on a thread of the runtime.
    let dialling = runtime
        .clone()
        .spawn_blocking(move || runtime.block_on(tokio::time::timeout(limit, builder.build(url))))
        .await;
    match dialling {
        Ok(Ok(connected)) => connected.map_err(|error| error.to_string()),
        Ok(Err(_)) => Err(format!("no answer within {limit:?}")),
        Err(error) => Err(error.to_string()),
    }
}

#[cfg(target_arch = "wasm32")]
async fn dial(url: &str, _limit: Duration) -> Result<RpcClient, String> {
    jsonrpsee::wasm_client::WasmClientBuilder::new()
        .max_concurrent_requests(1_024)
        .request_timeout(UNLIMITED)
        .build(url)
        .await
        .map_err(|error| error.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    const CIRCLE: &str = "02c6047f9441ed7d6d3045406e95c07cd85c778e4b8cef3ca7abac09b95c709ee5";

    #[test]
    fn circle_is_in_the_path_or_given_separately() {
        let circle: PublicKey = CIRCLE.parse().unwrap();
        let path = format!("ws://h:1/{CIRCLE}");
        for (url, given, expected, known) in [
            ("ws://h:1", None, "ws://h:1/", None),
            ("ws://h:1/ws/", None, "ws://h:1/", None),
            ("ws://h:1", Some(circle), &path, Some(circle)),
            (&path, None, &path, Some(circle)),
            (&path, Some(circle), &path, Some(circle)),
        ] {
            let (url, audience, found) = resolve(url, given).unwrap();
            assert_eq!((url.as_str(), audience.as_str(), found), (expected, "ws://h:1", known));
        }
    }

    #[test]
    fn challenge_is_signed_only_near_its_expiry() {
        let now = Duration::from_secs(1_800_000_000);
        for (expires, is_signed) in
            [(0, true), (60, true), (-300, true), (360, true), (-301, false), (361, false)]
        {
            assert_eq!(
                check_expiry(now.as_secs().saturating_add_signed(expires), now).is_ok(),
                is_signed,
                "{expires}"
            );
        }
    }

    #[test]
    fn url_without_a_circle_is_refused() {
        let other = SecretKey::generate().unwrap().public_key();
        assert!(matches!(resolve("http//x", None), Err(InvalidUrl::Audience(_))));
        assert!(matches!(resolve("ws://h/nonsense", None), Err(InvalidUrl::Path)));
        assert!(matches!(resolve(&format!("ws://h/{CIRCLE}"), Some(other)), Err(InvalidUrl::OtherCircle)));
    }
}
