use std::{
    error, fmt,
    path::{Path, PathBuf},
};

/// All faults of a file; never empty. It prints a line for the file and one for each fault.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Faults {
    file: PathBuf,
    faults: Vec<Fault>,
}

/// A mistake in a file, and its place.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fault {
    /// A JSON pointer (RFC 6901), such as `/0/port`; empty for the file as a whole.
    pub pointer: String,
    /// The mistake, and what is expected.
    pub problem: String,
}

impl Faults {
    pub(crate) fn new(file: &Path, faults: Vec<Fault>) -> Self {
        Self { file: file.to_owned(), faults }
    }

    /// Returns the faults in the order of the file.
    pub fn iter(&self) -> impl Iterator<Item = &Fault> {
        self.faults.iter()
    }
}

impl fmt::Display for Faults {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let count = self.faults.len();
        let faults = if count == 1 { "fault" } else { "faults" };
        write!(f, "{} has {count} {faults}:", self.file.display())?;
        self.faults.iter().try_for_each(|fault| write!(f, "\n  {fault}"))
    }
}

impl error::Error for Faults {}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if !self.pointer.is_empty() {
            write!(f, "{}: ", self.pointer)?;
        }
        f.write_str(&self.problem)
    }
}

/// A JSON pointer: the place of a value in a JSON document. The default points to the whole document.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Pointer(String);

impl Pointer {
    /// Points to a member or an element of the value here.
    pub(crate) fn child(&self, name: impl fmt::Display) -> Self {
        let name = name.to_string().replace('~', "~0").replace('/', "~1");
        // A line feed in a name would make one fault look like two.
        let name: String = match name.chars().any(char::is_control) {
            true => name.chars().flat_map(|sign| sign.escape_debug()).collect(),
            false => name,
        };
        Self(format!("{}/{name}", self.0))
    }

    /// Returns a fault of the value here.
    pub(crate) fn fault(&self, problem: impl Into<String>) -> Fault {
        Fault { pointer: self.0.clone(), problem: problem.into() }
    }
}

impl fmt::Display for Pointer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}
