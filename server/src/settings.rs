use std::time::Duration;

use circles_auth::{Access, PublicKey};

use crate::{
    auth::{Audience, Origins},
    limits::Limits,
};

/// The settings of a server.
#[derive(Clone, Debug)]
pub struct Settings {
    /// The circles, at least one; `/` leads to the first of those that share a listener.
    pub circles: Vec<Circle>,
    /// Requires a session for methods marked `x-auth: session`.
    pub require_login: bool,
    /// The server's address as clients see it.
    pub audience: Audience,
    /// The web pages that may connect.
    pub origins: Origins,
    /// How long a session lasts at most.
    pub session_ttl: Duration,
    /// How long a play lasts at most, from acceptance.
    pub task_timeout: Duration,
    /// How long a submitted task lasts at most, from acceptance.
    pub submit_timeout: Duration,
    /// The limits of clients.
    pub limits: Limits,
}

impl Settings {
    /// Returns settings for these circles with the defaults of `circles-server`: everyone may play, also from web
    /// pages of this machine.
    pub fn new(circles: impl IntoIterator<Item = Circle>) -> Self {
        const DAY: Duration = Duration::from_secs(24 * 60 * 60);
        Self {
            circles: circles.into_iter().collect(),
            require_login: false,
            audience: Audience::default(),
            origins: Origins::default(),
            session_ttl: DAY,
            task_timeout: Duration::from_secs(30),
            submit_timeout: DAY,
            limits: Limits::default(),
        }
    }
}

/// A circle to serve.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Circle {
    /// Its public key, which is also its owner's.
    pub key: PublicKey,
    /// The callers that may play and run.
    pub access: Access,
    /// The port of its own listener, where 0 is a free one; without it, the shared listener serves it.
    pub port: Option<u16>,
    /// How long its plays last at most, from acceptance, if less than the server's `task_timeout`.
    pub play_timeout: Option<Duration>,
    /// How long its submitted tasks last at most, from acceptance, if less than the server's `submit_timeout`.
    pub submit_timeout: Option<Duration>,
}

/// A circle open to everyone, on the shared listener.
impl From<PublicKey> for Circle {
    fn from(key: PublicKey) -> Self {
        Self { key, access: Access::default(), port: None, play_timeout: None, submit_timeout: None }
    }
}
