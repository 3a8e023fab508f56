use std::fmt;

/// What is wrong at one place of a document.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Fault {
    /// The place, as a JSON pointer (RFC 6901); empty for the document as a whole.
    pub pointer: String,
    /// What was found there, or what was expected.
    pub problem: String,
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let place = if self.pointer.is_empty() { "the document" } else { &self.pointer };
        write!(f, "{place}: {}", self.problem)
    }
}

/// Every fault found in a document, in the order of their pointers; never empty.
///
/// Displayed, it is one fault a line: `/methods/3/params/0: no schema`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Error {
    faults: Vec<Fault>,
}

impl Error {
    /// What is wrong, and where.
    pub fn faults(&self) -> &[Fault] {
        &self.faults
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, fault) in self.faults.iter().enumerate() {
            if index > 0 {
                writeln!(f)?;
            }
            write!(f, "{fault}")?;
        }
        Ok(())
    }
}

impl std::error::Error for Error {}

/// Faults as they are found.
#[derive(Debug, Default)]
pub(crate) struct Faults(Vec<Fault>);

impl Faults {
    pub(crate) fn add(&mut self, pointer: impl Into<String>, problem: impl Into<String>) {
        self.0.push(Fault { pointer: pointer.into(), problem: problem.into() });
    }

    /// Ends a step: no later one has to cope with what this one refused.
    pub(crate) fn finish(self) -> Result<(), Error> {
        if self.0.is_empty() { Ok(()) } else { Err(self.into_error()) }
    }

    /// The faults in reading order, each once.
    pub(crate) fn into_error(mut self) -> Error {
        self.0.sort_by(|a, b| {
            order(&a.pointer).cmp(&order(&b.pointer)).then_with(|| a.problem.cmp(&b.problem))
        });
        self.0.dedup();
        Error { faults: self.0 }
    }
}

/// Pointers in reading order: `/methods/2` before `/methods/10`.
fn order(pointer: &str) -> Vec<(Option<u64>, &str)> {
    pointer.split('/').map(|step| (step.parse().ok(), step)).collect()
}

impl From<Fault> for Error {
    fn from(fault: Fault) -> Self {
        Self { faults: vec![fault] }
    }
}
