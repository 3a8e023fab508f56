//! One run of a task, step by step: arguments, source, policy, compilation, evaluation. All of it happens within the
//! time and memory of the play.

use std::{
    rc::Rc,
    sync::Arc,
    time::{Duration, SystemTime},
};

use circles_store::{Failure, Outcome, Source, Task};

use super::{
    Host, ServedCircle, failure, listing,
    outcome::{self, internal},
};
use crate::{
    circle::LibraryError,
    engine::{self, CompileError, LoadError, Loaded, Script},
    natives::{Frame, value::from_json},
    play::{self, Play, Stop},
};

/// A task on its way to an outcome.
pub(crate) struct TaskRun<'a> {
    host: &'a Host,
    circle: &'a ServedCircle,
    task: &'a Task,
    frame: &'a Rc<Frame>,
    /// SHA-256 of the source, once it was found.
    hash: Option<[u8; 32]>,
}

/// The code of a task: compiled already, or found.
enum Found<'a> {
    Compiled(Arc<Script>),
    Source { source: &'a str, hash: [u8; 32] },
    Library { name: &'a str, loaded: Loaded },
    Listing,
}

impl Found<'_> {
    /// SHA-256 of the source.
    fn hash(&self) -> Option<[u8; 32]> {
        match self {
            Self::Compiled(script) => Some(script.hash),
            Self::Source { hash, .. } => Some(*hash),
            Self::Library { loaded, .. } => Some(loaded.hash),
            Self::Listing => None,
        }
    }
}

/// A step's result, or the failure with which the task ends.
type Step<T> = Result<T, End>;

/// How a task ends before its script does.
enum End {
    Stopped(Stop),
    Failed(Failure),
}

impl From<Stop> for End {
    fn from(stop: Stop) -> Self {
        Self::Stopped(stop)
    }
}

impl From<Failure> for End {
    fn from(failure: Failure) -> Self {
        Self::Failed(failure)
    }
}

impl<'a> TaskRun<'a> {
    pub(crate) const fn new(
        host: &'a Host,
        circle: &'a ServedCircle,
        task: &'a Task,
        frame: &'a Rc<Frame>,
    ) -> Self {
        Self { host, circle, task, frame, hash: None }
    }

    /// SHA-256 of the source that the task ran, if it was found.
    pub(crate) const fn hash(&self) -> Option<[u8; 32]> {
        self.hash
    }

    fn play(&self) -> &'a Play {
        &self.frame.play
    }

    /// Runs the task to its outcome.
    pub(crate) fn outcome(&mut self) -> Outcome {
        let circle = &self.circle.resources;
        let outcome = outcome::catch_panic(circle, || {
            let frame = self.frame;
            match frame.enter(|| self.run()) {
                Ok(outcome) => outcome,
                Err(End::Failed(failure)) => Outcome::failed(failure),
                Err(End::Stopped(stop)) => outcome::stopped(stop, &frame.play.meter),
            }
        });
        failure::mask_source(outcome, circle)
    }

    fn run(&mut self) -> Step<Outcome> {
        let queued = SystemTime::now().duration_since(self.task.accepted_at).unwrap_or_default();
        let args = from_json(&self.task.args);
        self.play().meter.step()?;
        self.frame.constants.set_args(args.map_err(failure::of_args)?);
        let found = self.find();
        if let Err(End::Stopped(stop)) = found {
            return Err(stop.into());
        }
        self.hash = found.as_ref().ok().and_then(Found::hash);
        // No code of a caller is compiled before it is known that this caller may run it.
        if !self.policy_allows()? {
            return Err(Failure::Forbidden.into());
        }
        match self.compile(found?)? {
            Some(script) => self.evaluate(&script, queued),
            None => self.list(queued),
        }
    }

    /// The code of the task, not compiled yet.
    fn find(&self) -> Step<Found<'a>> {
        let limits = self.circle.limits();
        match &self.task.source {
            Source::Script(source) if source.len() > limits.script_bytes => {
                Err(failure::limit("script_bytes").into())
            }
            Source::Script(source) => Ok(match self.host.scripts.get(source, limits) {
                Some(script) => Found::Compiled(script),
                None => Found::Source { source, hash: engine::hash(source, &self.play().meter)? },
            }),
            Source::Library(name) => match self.circle.engines.library.load(self.frame, name) {
                Ok(loaded) => Ok(Found::Library { name, loaded }),
                Err(error) => Err(self.load_error(name, error)),
            },
            Source::Listing => Ok(Found::Listing),
        }
    }

    /// The compiled form of found code, within the limits of this play; `None` if the library is to be listed.
    fn compile(&self, found: Found<'_>) -> Step<Option<Arc<Script>>> {
        let engines = &self.circle.engines;
        match found {
            Found::Compiled(script) => Ok(Some(script)),
            Found::Source { source, hash } => {
                match self.host.scripts.compile(&engines.full, source, hash, self.circle.limits()) {
                    Ok(script) => Ok(Some(script)),
                    Err(CompileError::Parse(error)) => Err(failure::of_compiling(&error).into()),
                    Err(CompileError::Stopped) => Err(self.stop().into()),
                }
            }
            Found::Library { name, loaded } => {
                let compiled = engines.library.compile(&engines.full, self.frame, loaded);
                compiled.map(Some).map_err(|error| self.load_error(name, error))
            }
            Found::Listing => Ok(None),
        }
    }

    fn evaluate(&self, script: &Arc<Script>, queued: Duration) -> Step<Outcome> {
        let play = self.play();
        play.use_code(script.clone(), script.bytes).map_err(|_| self.stop())?;
        if script.has_closures && play.code.refuses_closures() {
            return Err(failure::limit("memory_bytes").into());
        }
        play.meter.begin_script();
        let before = play::balance().wrapping_sub(play.meter.retained());
        let outcome = outcome::run(&self.circle.engines.full, script, self.frame, queued);
        if script.has_closures || play.code.has_closures() {
            let before = before.wrapping_add(play.meter.retained());
            let left = play::balance().wrapping_sub(before);
            self.host.count_lost(left.wrapping_sub(outcome_bytes(&outcome)));
        }
        script.record_play(play);
        Ok(outcome?)
    }

    /// The circle's library as JSON.
    fn list(&self, queued: Duration) -> Step<Outcome> {
        let scripts = listing::scripts(&self.circle.engines, self.frame).map(serde_json::to_value);
        self.play().meter.step()?;
        let cause = match scripts {
            Ok(Ok(scripts)) => {
                let value = serde_json::json!({ "scripts": scripts });
                return Ok(outcome::succeeded(value, String::new(), self.frame, queued));
            }
            Ok(Err(error)) => error.to_string(),
            Err(error) => error.to_string(),
        };
        Err(internal(&format!("the library cannot be listed: {cause}")).into())
    }

    fn policy_allows(&self) -> Result<bool, Stop> {
        self.circle.policy.allows(self.circle, self.task, self.frame, self.hash)
    }

    /// Why the play was stopped.
    fn stop(&self) -> Stop {
        self.play().meter.stopped().unwrap_or(Stop::Internal)
    }

    /// How a task ends whose library script cannot be loaded.
    fn load_error(&self, name: &str, error: LoadError) -> End {
        match error {
            LoadError::Parse(error) => failure::of_compiling(&error).into(),
            LoadError::Library(LibraryError::Stopped(_)) => self.stop().into(),
            LoadError::Library(LibraryError::NotFound) => Failure::NoScript.into(),
            LoadError::Library(LibraryError::TooLarge) => failure::limit("script_bytes").into(),
            LoadError::Library(error) if error.is_transient() => {
                tracing::warn!(name, %error, "a library script cannot be read now");
                Failure::Unavailable.into()
            }
            LoadError::Library(error @ (LibraryError::Absent | LibraryError::Io(_))) => {
                internal(&format!("library script {name}: {error}")).into()
            }
        }
    }
}

/// Bytes of an outcome that were not allocated under [`Meter::retain`](play::Meter::retain).
fn outcome_bytes(outcome: &Result<Outcome, Stop>) -> isize {
    let bytes = match outcome {
        Ok(Outcome::Failed(Failure::Script { message, .. }, _)) => message.capacity(),
        Ok(Outcome::Failed(Failure::Limit { limit }, _)) => limit.capacity(),
        _ => 0,
    };
    isize::try_from(bytes).unwrap_or(isize::MAX)
}
