use std::path::{Path, PathBuf};

use crate::{
    Result, SettingsArgs,
    files::{generated, read, write},
};

#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// The OpenRPC document.
    document: PathBuf,
    /// Committed Rust, as the generator writes it.
    #[arg(long, value_name = "FILE")]
    rust: Option<PathBuf>,
    /// Committed reference.
    #[arg(long, value_name = "FILE")]
    markdown: Option<PathBuf>,
    /// Committed TypeScript.
    #[arg(long, value_name = "FILE")]
    typescript: Option<PathBuf>,
    /// Write the files instead of comparing them.
    #[arg(long)]
    refresh: bool,
    #[command(flatten)]
    settings: SettingsArgs,
}

pub(crate) fn check(args: &Args) -> Result {
    let generated = generated(&args.document, &args.settings.settings())?;
    let files = [
        (&args.rust, generated.rust()),
        (&args.markdown, generated.markdown()),
        (&args.typescript, generated.typescript()),
    ];
    for (path, text) in files {
        let Some(path) = path else { continue };
        if args.refresh { write(path, text)? } else { compare(path, text, &args.document)? }
    }
    Ok(())
}

fn compare(path: &Path, text: &str, document: &Path) -> Result {
    let committed = read(path).unwrap_or_default();
    if committed == text {
        return Ok(());
    }
    let same = committed.lines().zip(text.lines()).take_while(|(old, new)| old == new).count();
    let (path, document) = (path.display(), document.display());
    Err(format!("{path}:{}: not what {document} becomes now; renew it with --refresh", same + 1))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stale_file_is_named_with_its_first_stale_line() {
        let directory = tempfile::tempdir().unwrap();
        let (golden, document) = (directory.path().join("expected.rs"), Path::new("openrpc.json"));
        write(&golden, "one\ntwo\n").unwrap();
        assert_eq!(compare(&golden, "one\ntwo\n", document), Ok(()));
        let failure = compare(&golden, "one\nthree\n", document).unwrap_err();
        assert!(failure.contains("expected.rs:2: ") && failure.ends_with("--refresh"), "{failure}");
        assert!(compare(&directory.path().join("absent"), "one\n", document).is_err());
    }

    #[test]
    fn refresh_writes_what_check_then_accepts() {
        let directory = tempfile::tempdir().unwrap();
        let document = Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/../examples/petstore/petstore.json"));
        let args = |refresh| Args {
            document: document.to_owned(),
            rust: Some(directory.path().join("api.rs")),
            markdown: Some(directory.path().join("api.md")),
            typescript: None,
            refresh,
            settings: SettingsArgs::default(),
        };
        assert!(check(&args(false)).is_err());
        assert_eq!(check(&args(true)), Ok(()));
        assert_eq!(check(&args(false)), Ok(()));
    }

    #[test]
    fn broken_document_is_refused_with_its_place() {
        let directory = tempfile::tempdir().unwrap();
        let document = directory.path().join("openrpc.json");
        let own = Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/../../openrpc.json"));
        let text = read(own).unwrap();
        write(&document, &text.replacen("\"x-auth\": \"none\"", "\"x-auth\": \"perhaps\"", 1)).unwrap();
        let settings = SettingsArgs::default().settings();
        let failure = generated(&document, &settings).err().unwrap_or_default();
        assert!(failure.contains("/methods/0/x-auth"), "{failure}");
    }
}
