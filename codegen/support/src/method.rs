//! The table of methods.

use serde::{Deserialize, Serialize, de::DeserializeOwned};

use crate::{InvalidParams, params};

/// A method of the document.
#[derive(Clone, Copy, Debug)]
pub struct Method {
    /// Its name on the wire.
    pub name: &'static str,
    /// Its purpose in a line; empty if the document does not say.
    pub summary: &'static str,
    /// True if it should no longer be used.
    pub deprecated: bool,
    /// Its tags.
    pub tags: &'static [&'static str],
    /// The callers that may call it: `x-auth`.
    pub auth: Auth,
    /// True if it needs a connection that lasts, so that HTTP POST cannot carry it: `x-connection`.
    pub connection: bool,
    /// Its params, in the order of their positions.
    pub params: &'static [Param],
    /// The codes of the errors that it declares.
    pub errors: &'static [i32],
    /// The members of the method that begin with `x-`, as JSON text.
    pub extensions: &'static str,
    /// Says which of the params (the JSON text of `params`; `None` if the call has none) is wrong, and why.
    ///
    /// It reads everything and allocates: use it for calls that have already failed.
    pub check_params: fn(Option<&str>) -> Result<(), InvalidParams>,
}

impl Method {
    /// Returns the first param, of the JSON text of `params`, that the document does not know; by position,
    /// "position 4".
    ///
    /// Returns `None` also for a text that is no array or object. It allocates only for its answer.
    pub fn unknown_param(&self, params: Option<&str>) -> Option<String> {
        params::unknown_param(self.params, params?)
    }
}

/// The callers that may call a method.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Auth {
    /// Every caller.
    None,
    /// Callers with a session, if the server asks for sessions.
    Session,
}

/// A param of a method.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Param {
    /// Its name on the wire.
    pub name: &'static str,
    /// True if a call must have it.
    pub required: bool,
}

/// The params of one method as a type.
pub trait Params: DeserializeOwned {
    /// The params as the document lists them.
    const PARAMS: &'static [Param];
}

/// The params of a method that has none.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct NoParams {}

impl Params for NoParams {
    const PARAMS: &'static [Param] = &[];
}
