//! Errors and error objects: only this file converts between them.

use std::borrow::Cow;

use jsonrpsee::types::{
    ErrorObject, ErrorObjectOwned,
    error::{
        INTERNAL_ERROR_CODE, INVALID_PARAMS_CODE, INVALID_REQUEST_CODE, METHOD_NOT_FOUND_CODE,
        PARSE_ERROR_CODE,
    },
};
use serde::Deserialize as _;
use serde_json::{Map, Value, json};
use uuid::Uuid;

use crate::{
    Fault, InvalidParams,
    types::{LogLine, TaskError},
};

const INVALID_REQUEST: &str = "invalid request: ";
const INVALID_PARAMS: &str = "invalid params: ";

/// Why a call failed, as an error object carries it.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// An error that the document declares.
    #[error("{message}")]
    Declared {
        /// The error with its data.
        fault: Fault,
        /// The message for people; the document's message unless there is more to say.
        message: Cow<'static, str>,
    },
    /// The frame was not JSON.
    #[error("parse error")]
    Parse,
    /// The JSON was not a JSON-RPC request.
    #[error("invalid request: {message}")]
    InvalidRequest {
        /// The problem with it.
        message: Cow<'static, str>,
    },
    /// No method has this name.
    #[error("method not found")]
    MethodNotFound,
    /// A param is missing, unknown, or not what its schema expects.
    #[error("invalid params: {message}")]
    InvalidParams {
        /// The param and what is wrong with it: `script: must be at most 1048576 characters`.
        message: Cow<'static, str>,
    },
    /// An internal error of the server. The cause is in its log under this id.
    #[error("internal error{}", .id.map(|id| format!(" {id}")).unwrap_or_default())]
    Internal {
        /// `None` if the server named none.
        id: Option<Uuid>,
        /// The lines that the script had logged, if the call was a play.
        logs: Vec<LogLine>,
    },
    /// An error that the document does not declare: of another version, of a proxy, of jsonrpsee.
    #[error("{message} ({code})")]
    Other {
        /// The code of the error object.
        code: i32,
        /// Its message.
        message: String,
        /// Its data.
        data: Option<Value>,
    },
}

impl Error {
    /// Returns a declared error with a message of its own.
    pub fn declared(fault: Fault, message: impl Into<Cow<'static, str>>) -> Self {
        Self::Declared { fault, message: message.into() }
    }

    /// Returns the error of JSON that is no request; `message` says why.
    pub fn invalid_request(message: impl Into<Cow<'static, str>>) -> Self {
        Self::InvalidRequest { message: message.into() }
    }

    /// Returns the error of a wrong param; `message` names it and says why.
    pub fn invalid_params(message: impl Into<Cow<'static, str>>) -> Self {
        Self::InvalidParams { message: message.into() }
    }

    /// Returns an internal error that the server logged under this id.
    pub const fn internal(id: Option<Uuid>) -> Self {
        Self::Internal { id, logs: Vec::new() }
    }

    /// Returns the lines that the script had logged, in order, if the call was a play.
    pub fn logs(&self) -> &[LogLine] {
        let logs = match self {
            Self::Internal { logs, .. } => return logs,
            Self::Declared { fault, .. } => match fault {
                Fault::ScriptTimeout(data) => &data.logs,
                Fault::ScriptError(data) => &data.logs,
                Fault::LimitExceeded(data) => &data.logs,
                Fault::Cancelled(data) => &data.logs,
                Fault::WorkerLost(data) | Fault::Conflict(data) => &data.logs,
                Fault::RateLimited(data) | Fault::Overloaded(data) | Fault::BackendUnavailable(data) => {
                    &data.logs
                }
                Fault::Unauthenticated
                | Fault::InvalidCredentials
                | Fault::Forbidden
                | Fault::TaskNotFound
                | Fault::ScriptNotFound => return &[],
            },
            _ => return &[],
        };
        logs.as_deref().unwrap_or_default()
    }

    /// Returns the error with the lines that the script had logged. Errors that cannot end a running script carry none.
    #[must_use]
    pub fn with_logs(mut self, lines: Vec<LogLine>) -> Self {
        let logs = match &mut self {
            Self::Internal { logs, .. } => {
                *logs = lines;
                return self;
            }
            Self::Declared { fault, .. } => match fault {
                Fault::ScriptTimeout(data) => &mut data.logs,
                Fault::ScriptError(data) => &mut data.logs,
                Fault::LimitExceeded(data) => &mut data.logs,
                Fault::Cancelled(data) => &mut data.logs,
                Fault::WorkerLost(data) | Fault::Conflict(data) => &mut data.logs,
                Fault::RateLimited(data) | Fault::Overloaded(data) | Fault::BackendUnavailable(data) => {
                    &mut data.logs
                }
                Fault::Unauthenticated
                | Fault::InvalidCredentials
                | Fault::Forbidden
                | Fault::TaskNotFound
                | Fault::ScriptNotFound => return self,
            },
            _ => return self,
        };
        *logs = Some(lines).filter(|lines| !lines.is_empty());
        self
    }

    /// Returns the data of the error object.
    pub fn data(&self) -> Option<Value> {
        match self {
            Self::Declared { fault, .. } => fault.data(),
            Self::Internal { id, logs } => {
                // Programs find the id in the data.
                let id = id.map(|id| ("id", json!(id)));
                let logs = (!logs.is_empty()).then(|| ("logs", json!(logs)));
                let data: Map<_, _> =
                    id.into_iter().chain(logs).map(|(name, value)| (name.to_owned(), value)).collect();
                (!data.is_empty()).then_some(Value::Object(data))
            }
            Self::Other { data, .. } => data.clone(),
            _ => None,
        }
    }

    /// Returns the code of the error object.
    pub const fn code(&self) -> i32 {
        match self {
            Self::Declared { fault, .. } => fault.code(),
            Self::Parse => PARSE_ERROR_CODE,
            Self::InvalidRequest { .. } => INVALID_REQUEST_CODE,
            Self::MethodNotFound => METHOD_NOT_FOUND_CODE,
            Self::InvalidParams { .. } => INVALID_PARAMS_CODE,
            Self::Internal { .. } => INTERNAL_ERROR_CODE,
            Self::Other { code, .. } => *code,
        }
    }

    /// Returns the declared error, if it is one.
    pub const fn fault(&self) -> Option<&Fault> {
        match self {
            Self::Declared { fault, .. } => Some(fault),
            _ => None,
        }
    }

    /// Reads an error object, of this server or of any other.
    pub fn from_object(object: &ErrorObject<'_>) -> Self {
        let (code, message) = (object.code(), object.message());
        // The data was JSON when the object was read, so parsing cannot fail.
        let data = object.data().and_then(|data| serde_json::from_str::<Value>(data.get()).ok());
        if let Some(fault) = Fault::from_parts(code, data.as_ref()) {
            return Self::declared(fault, message.to_owned());
        }
        match code {
            PARSE_ERROR_CODE => Self::Parse,
            METHOD_NOT_FOUND_CODE => Self::MethodNotFound,
            INVALID_REQUEST_CODE => Self::invalid_request(detail(message, INVALID_REQUEST, data.as_ref())),
            INVALID_PARAMS_CODE => Self::invalid_params(detail(message, INVALID_PARAMS, data.as_ref())),
            INTERNAL_ERROR_CODE => {
                let member = |name| data.as_ref().and_then(|data: &Value| data.get(name));
                Self::Internal {
                    id: member("id").and_then(|id| id.as_str()?.parse().ok()),
                    logs: member("logs").and_then(|logs| Vec::deserialize(logs).ok()).unwrap_or_default(),
                }
            }
            _ => Self::Other { code, message: message.to_owned(), data },
        }
    }
}

/// The detail of a standard error. jsonrpsee puts it into `data`, this crate into the message.
fn detail(message: &str, prefix: &str, data: Option<&Value>) -> String {
    match (message.strip_prefix(prefix), data) {
        (Some(detail), _) => detail.to_owned(),
        (None, Some(Value::String(detail))) => detail.clone(),
        _ => message.to_owned(),
    }
}

impl From<Fault> for Error {
    fn from(fault: Fault) -> Self {
        let message = fault.summary();
        Self::declared(fault, message)
    }
}

impl From<InvalidParams> for Error {
    fn from(invalid: InvalidParams) -> Self {
        Self::invalid_params(invalid.to_string())
    }
}

impl From<Error> for ErrorObjectOwned {
    fn from(error: Error) -> Self {
        let code = error.code();
        match error {
            Error::Declared { fault, message } => Self::owned(code, message, fault.data()),
            Error::Internal { .. } => Self::owned(code, "internal error", error.data()),
            Error::Other { code, message, data } => Self::owned(code, message, data),
            Error::Parse
            | Error::InvalidRequest { .. }
            | Error::MethodNotFound
            | Error::InvalidParams { .. } => Self::owned(code, error.to_string(), None::<()>),
        }
    }
}

impl From<&ErrorObject<'_>> for Error {
    fn from(object: &ErrorObject<'_>) -> Self {
        Self::from_object(object)
    }
}

impl From<ErrorObjectOwned> for Error {
    fn from(object: ErrorObjectOwned) -> Self {
        Self::from_object(&object)
    }
}

impl From<TaskError> for Error {
    fn from(error: TaskError) -> Self {
        Self::from_object(&ErrorObject::owned(error.code.get().into(), error.message, error.data))
    }
}
