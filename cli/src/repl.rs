//! Playing line by line.

use std::io::IsTerminal as _;

use circles_client::{CallError, Client};
use rustyline::{
    Completer, Editor, Helper, Highlighter, Hinter,
    error::ReadlineError,
    history::FileHistory,
    validate::{ValidationContext, ValidationResult, Validator},
};

use crate::{args::Args, connect, key_file, play::AS_THE_CIRCLE_ALLOWS, show, trouble::Trouble};

const HELP: &str = "\
Each entry is a play of its own: what a line defines is gone with the next one.
An entry goes on over several lines until its brackets and quotes are closed.
  :help     this text
  :whoami   in which circle this is, and as whom
  :quit     leave; so does Ctrl-D
Ctrl-C drops the entry, or cancels the play that runs.";

/// Reads until the brackets of an entry are closed.
#[derive(Completer, Helper, Highlighter, Hinter)]
struct Brackets;

impl Validator for Brackets {
    fn validate(&self, entry: &mut ValidationContext<'_>) -> rustyline::Result<ValidationResult> {
        Ok(if is_open(entry.input()) { ValidationResult::Incomplete } else { ValidationResult::Valid(None) })
    }
}

/// `circles repl`.
pub async fn run(args: &Args) -> Result<(), Trouble> {
    let mut client = connect(args).await?;
    let trouble = |error: ReadlineError| Trouble::Usage(error.to_string());
    let mut editor = Editor::<Brackets, FileHistory>::new().map_err(trouble)?;
    editor.set_helper(Some(Brackets));
    let history = key_file::default_path()?.with_file_name("history");
    let interactive = std::io::stdin().is_terminal();
    if interactive {
        // There is none before the first time.
        let _ = editor.load_history(&history);
        show::note("Rhai, one play an entry; :help for help.");
    }
    loop {
        // Reading blocks, on a thread of its own; the connection is kept alive meanwhile.
        let (returned, entry) = tokio::task::spawn_blocking(move || {
            let entry = editor.readline("> ");
            (editor, entry)
        })
        .await
        .map_err(|error| Trouble::Usage(error.to_string()))?;
        editor = returned;
        match entry {
            Ok(entry) => {
                let _ = editor.add_history_entry(entry.trim());
                match act(&client, entry.trim()).await? {
                    Next::Read => {}
                    // Leaving the old connection is what cancels the play on it.
                    Next::Connect => {
                        client = connect(args).await?;
                        show::note("cancelled");
                    }
                    Next::Leave => break,
                }
            }
            Err(ReadlineError::Interrupted) => {}
            Err(ReadlineError::Eof) => break,
            Err(error) => return Err(trouble(error)),
        }
    }
    if interactive && let Err(error) = editor.save_history(&history) {
        show::note(&format!("the history was not kept: {error}"));
    }
    Ok(())
}

/// What comes after an entry.
enum Next {
    Read,
    Connect,
    Leave,
}

/// Does what an entry says.
async fn act(client: &Client, entry: &str) -> Result<Next, Trouble> {
    match entry {
        "" => {}
        ":quit" | ":q" => return Ok(Next::Leave),
        ":help" | ":h" => show::note(HELP),
        ":whoami" => match client.whoami().await {
            Ok(identity) => show::json(&identity)?,
            Err(error) => show::trouble(&Trouble::of_call(error)),
        },
        command if command.starts_with(':') => {
            show::note(&format!("no such command: {command}; :help lists them"))
        }
        script => tokio::select! {
            played = client.play(script).timeout(AS_THE_CIRCLE_ALLOWS) => match played {
                Ok(played) => show::played(&played)?,
                Err(error) => {
                    error.call().into_iter().flat_map(CallError::logs).for_each(show::log_line);
                    show::trouble(&Trouble::of_play(error, script));
                }
            },
            _ = tokio::signal::ctrl_c() => return Ok(Next::Connect),
        },
    }
    Ok(Next::Read)
}

/// Whether brackets, quotes or a comment of Rhai are still open at the end of a text.
fn is_open(text: &str) -> bool {
    let mut brackets = 0_i32;
    let mut characters = text.chars().peekable();
    while let Some(character) = characters.next() {
        match character {
            '(' | '[' | '{' => brackets += 1,
            ')' | ']' | '}' => brackets -= 1,
            '"' | '`' | '\'' => {
                let mut escaped = false;
                let closed = characters.by_ref().any(|next| {
                    let end = next == character && !escaped;
                    // Texts in backticks know no escapes.
                    escaped = next == '\\' && !escaped && character != '`';
                    end
                });
                if !closed {
                    return true;
                }
            }
            '/' if characters.peek() == Some(&'/') => {
                while characters.next_if(|next| *next != '\n').is_some() {}
            }
            '/' if characters.peek() == Some(&'*') => {
                let mut before = ' ';
                if !characters.by_ref().any(|next| std::mem::replace(&mut before, next) == '*' && next == '/')
                {
                    return true;
                }
            }
            _ => {}
        }
    }
    brackets > 0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_entry_goes_on_until_everything_is_closed() {
        for open in ["if true {", "f(1,", "[1", "\"a", "`a\nb", "/* x", "{ \"}\"", "'a"] {
            assert!(is_open(open), "{open}");
        }
        for closed in
            ["", "1", "if true {\n}", "\"{\"", "`(`", "'\\''", "// {", "/* { */ 1", "\"\\\"{\"", "}"]
        {
            assert!(!is_open(closed), "{closed}");
        }
    }
}
