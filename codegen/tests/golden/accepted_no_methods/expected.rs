/// The schemas of the document as types.
pub mod types {
    /// `Name`.
    #[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, ::schemars::JsonSchema)]
    pub struct Name(#[schemars(length(min = 1, max = 8))] ::std::string::String);

    crate::text_newtype!(Name, min_length = 1, max_length = 8);
}

/// Each schema of the document and the type that carries it.
pub static TYPES: &[crate::Type] = &[crate::Type::of::<types::Name>("Name")];

/// The codes of the errors that the document declares.
pub mod codes {
    /// busy
    pub const BUSY: i32 = 1;
}

/// An error that the document declares, with its data.
#[derive(Clone, Debug, PartialEq)]
pub enum Fault {
    /// busy
    Busy,
}

impl Fault {
    /// Its code in the error object.
    pub const fn code(&self) -> i32 {
        match self {
            Self::Busy => codes::BUSY,
        }
    }
    /// Its name in the document.
    pub const fn name(&self) -> &'static str {
        match self {
            Self::Busy => "BUSY",
        }
    }
    /// The message that the document declares.
    pub const fn summary(&self) -> &'static str {
        match self {
            Self::Busy => "busy",
        }
    }
    /// The `data` of the error object.
    pub fn data(&self) -> Option<::serde_json::Value> {
        match self {
            Self::Busy => None,
        }
    }
    /// The declared error of this code; `None` if there is none, or if the data is not as declared.
    pub fn from_parts(code: i32, data: Option<&::serde_json::Value>) -> Option<Self> {
        let _ = data;
        match code {
            codes::BUSY => Some(Self::Busy),
            _ => None,
        }
    }
}

/// Every method of the document, in its order.
pub static METHODS: &[crate::Method] = &[];

/// The method of this name: the document has none.
pub fn method(_name: &str) -> Option<&'static crate::Method> {
    None
}

/// The document itself, byte for byte.
pub const DOCUMENT: &str = include_str!(
    concat!(env!("CARGO_MANIFEST_DIR"), "/../openrpc.json")
);
