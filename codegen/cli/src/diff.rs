use std::path::PathBuf;

use crate::{Result, SettingsArgs};

#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// The document before the changes.
    old: PathBuf,
    /// The document after them.
    new: PathBuf,
    #[command(flatten)]
    settings: SettingsArgs,
}

pub(crate) fn diff(args: &Args) -> Result {
    let changes = circles_codegen::diff(&args.old, &args.new, &args.settings.settings())
        .map_err(|error| format!("no comparison:\n{error}"))?;
    changes.iter().for_each(|change| println!("{change}"));
    let breaking = changes.iter().filter(|change| change.breaks_clients || change.breaks_servers).count();
    println!("{} changes, {breaking} of them breaking", changes.len());
    Ok(())
}
