use std::{
    error, fmt,
    path::{Path, PathBuf},
};

/// Everything that is wrong with a file; never empty. It prints a line for the file and one for each fault.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Faults {
    file: PathBuf,
    faults: Vec<Fault>,
}

/// One thing that is wrong, and where.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fault {
    /// The place as a JSON pointer (RFC 6901), such as `/0/port`; empty for the file as a whole.
    pub place: String,
    /// What is wrong there and what is expected.
    pub problem: String,
}

impl Faults {
    pub(crate) fn new(file: &Path, faults: Vec<Fault>) -> Self {
        Self { file: file.to_owned(), faults }
    }

    /// Each of them, in the order of the file.
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
        if !self.place.is_empty() {
            write!(f, "{}: ", self.place)?;
        }
        f.write_str(&self.problem)
    }
}

/// A place in a JSON document.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Place(String);

impl Place {
    /// A member or an element of what stands here.
    pub fn child(&self, name: impl fmt::Display) -> Self {
        let name = name.to_string().replace('~', "~0").replace('/', "~1");
        // A line's end in a name would make one fault look like two.
        let is_plain = |sign: &char| !sign.is_control();
        let name: String = match name.chars().all(|sign| is_plain(&sign)) {
            true => name,
            false => name.chars().flat_map(|sign| sign.escape_debug()).collect(),
        };
        Self(format!("{}/{name}", self.0))
    }

    /// Says what is wrong here.
    pub fn fault(&self, problem: impl Into<String>) -> Fault {
        Fault { place: self.0.clone(), problem: problem.into() }
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}
