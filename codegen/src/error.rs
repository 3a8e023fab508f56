use std::fmt;

/// A problem at one place of a document.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Fault {
    /// The name of the file; empty for a text without a file.
    pub file: String,
    /// The place, as a JSON pointer (RFC 6901); empty for the document as a whole.
    pub pointer: String,
    /// The problem: what was found, or what was expected.
    pub problem: String,
}

impl Fault {
    pub(crate) fn new(pointer: impl Into<String>, problem: impl Into<String>) -> Self {
        Self { file: String::new(), pointer: pointer.into(), problem: problem.into() }
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if !self.file.is_empty() {
            write!(f, "{}: ", self.file)?;
        }
        let place = if self.pointer.is_empty() { "the document" } else { &self.pointer };
        write!(f, "{place}: {}", self.problem)
    }
}

/// Every fault found in a document, in the order of their files and pointers; never empty.
///
/// Displayed, it is one fault a line: `/methods/3/params/0: no schema`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Error {
    faults: Vec<Fault>,
}

impl Error {
    /// Returns every problem with its place.
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

impl From<Fault> for Error {
    fn from(fault: Fault) -> Self {
        Self { faults: vec![fault] }
    }
}

/// Faults as they are found: those that end the run, and those that a lenient run passes over.
#[derive(Debug, Default)]
pub(crate) struct Faults {
    lenient: bool,
    fatal: Vec<Fault>,
    passed: Vec<Fault>,
}

impl Faults {
    pub(crate) fn new(lenient: bool) -> Self {
        Self { lenient, ..Self::default() }
    }

    /// Notes a fault that cannot be passed over.
    pub(crate) fn fatal(&mut self, file: &str, pointer: impl Into<String>, problem: impl Into<String>) {
        let fault = Fault { file: file.to_owned(), ..Fault::new(pointer, problem) };
        self.fatal.push(fault);
    }

    /// Notes a breach of the standard. A lenient run goes on without the part.
    pub(crate) fn add(&mut self, file: &str, pointer: impl Into<String>, problem: impl Into<String>) {
        let fault = Fault { file: file.to_owned(), ..Fault::new(pointer, problem) };
        if self.lenient { self.passed.push(fault) } else { self.fatal.push(fault) }
    }

    /// Notes a doubtful part that does no harm.
    pub(crate) fn warn(&mut self, file: &str, pointer: impl Into<String>, problem: impl Into<String>) {
        self.passed.push(Fault { file: file.to_owned(), ..Fault::new(pointer, problem) });
    }

    /// Ends a step, so that later steps only see documents that it accepts.
    pub(crate) fn check(&mut self) -> Result<(), Error> {
        if self.fatal.is_empty() {
            return Ok(());
        }
        Err(Error { faults: sorted(std::mem::take(&mut self.fatal)) })
    }

    /// The faults that were passed over, in reading order.
    pub(crate) fn into_passed(self) -> Vec<Fault> {
        sorted(self.passed)
    }
}

/// Sorts faults in reading order and drops repetitions.
pub(crate) fn sorted(mut faults: Vec<Fault>) -> Vec<Fault> {
    faults.sort_by(|a, b| {
        (&a.file, order(&a.pointer), &a.problem).cmp(&(&b.file, order(&b.pointer), &b.problem))
    });
    faults.dedup();
    faults
}

/// Pointers in reading order: `/methods/2` before `/methods/10`.
fn order(pointer: &str) -> Vec<(Option<u64>, &str)> {
    pointer.split('/').map(|step| (step.parse().ok(), step)).collect()
}
