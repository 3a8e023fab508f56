use circles_api::{Auth, Error, Fault, Method};

use crate::auth::{Session, Transport};

/// Decides by `openrpc.json` alone whether a session may call a method. `require_login` is the server's `--auth`.
pub(crate) fn authorize_call(method: &Method, session: &Session, require_login: bool) -> Result<(), Error> {
    let is_post = session.transport() == Transport::Http;
    match method.auth {
        Auth::None if is_post && method.connection => {
            Err(Error::invalid_request("this method needs a WebSocket connection"))
        }
        // A POST holds no session, and a form on a foreign web page must not be able to play.
        Auth::Session if is_post || (require_login && session.login().is_none()) => {
            Err(Fault::Unauthenticated.into())
        }
        Auth::None | Auth::Session => Ok(()),
    }
}
