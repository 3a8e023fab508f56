use std::path::PathBuf;

use circles_codegen::Generated;

use crate::{
    Result, SettingsArgs,
    files::{generated, rustfmt, write},
};

#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// The OpenRPC document.
    document: PathBuf,
    /// Folder for the output: api.rs, api.md or api.ts.
    #[arg(long, value_name = "DIR")]
    out: PathBuf,
    /// The language of the output.
    #[arg(long, value_enum, default_value_t = Target::Rust)]
    target: Target,
    /// Say what was generated, and which rules of the document types cannot say.
    #[arg(long)]
    report: bool,
    #[command(flatten)]
    settings: SettingsArgs,
}

/// Languages that a document becomes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
enum Target {
    /// Types, traits and tables for Rust.
    Rust,
    /// A reference for people.
    Markdown,
    /// Types and a client for TypeScript.
    Typescript,
}

impl Target {
    fn file(self) -> &'static str {
        match self {
            Self::Rust => "api.rs",
            Self::Markdown => "api.md",
            Self::Typescript => "api.ts",
        }
    }

    fn text(self, generated: &Generated) -> &str {
        match self {
            Self::Rust => generated.rust(),
            Self::Markdown => generated.markdown(),
            Self::Typescript => generated.typescript(),
        }
    }
}

pub(crate) fn generate(args: &Args) -> Result {
    let generated = generated(&args.document, &args.settings.settings())?;
    let path = args.out.join(args.target.file());
    write(&path, args.target.text(&generated))?;
    if args.target == Target::Rust {
        rustfmt([path.as_path()])?;
    }
    println!("{}", path.display());
    if args.report || args.settings.lenient {
        print!("{}", generated.report());
    }
    Ok(())
}
