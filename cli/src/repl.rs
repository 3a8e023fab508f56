//! `circles repl`: plays entries, one after another.

use std::{
    io::{BufRead, IsTerminal as _, Read as _, stdin},
    path::PathBuf,
};

use circles_client::{CallError, Client};
use rustyline::{
    Completer, Editor, Helper, Highlighter, Hinter,
    error::ReadlineError,
    history::FileHistory,
    validate::{ValidationContext, ValidationResult, Validator},
};
use tokio::{
    signal::unix::{Signal, SignalKind, signal},
    sync::mpsc,
};

use crate::{
    args::{Args, ReplArgs},
    brackets::{self, Scanner},
    connect,
    error::{CliError, ScriptSource},
    escape,
    input::{BYTE_ORDER_MARK, MAX_SCRIPT_BYTES},
    key_file,
    play::with_timeout,
    progress::interruptible,
    show,
};

const HELP: &str = "\
Each entry is a play of its own: its variables and functions are gone when it ends.
An entry continues over several lines until its brackets and quotes are closed.
  :help     show this text
  :whoami   show the circle, and the key that you are logged in with
  :quit     leave; so does Ctrl-D
Ctrl-C discards the entry, or cancels the running play.";

const PROMPT: &str = "> ";

/// Lets the editor continue an entry until its brackets are closed.
#[derive(Completer, Helper, Highlighter, Hinter)]
struct EntryValidator;

impl Validator for EntryValidator {
    fn validate(&self, entry: &mut ValidationContext<'_>) -> rustyline::Result<ValidationResult> {
        Ok(if brackets::is_open(entry.input()) {
            ValidationResult::Incomplete
        } else {
            ValidationResult::Valid(None)
        })
    }
}

/// `circles repl`.
pub(crate) async fn run(args: &Args, command: &ReplArgs) -> Result<(), CliError> {
    let client = connect(args).await?;
    // On a dumb terminal the editor would lose an incomplete entry at the end of the input.
    let is_dumb = circles_daemon::variable("TERM").is_none_or(|terminal| terminal == "dumb");
    match stdin().is_terminal() {
        true if !is_dumb => run_interactive(args, command, client).await,
        is_prompted => run_plain(command, &client, is_prompted).await,
    }
}

/// Catches Ctrl-C from now on. A Ctrl-C before a play has started then cancels the play and does not end the program.
fn catch_interrupts() -> Result<Signal, CliError> {
    signal(SignalKind::interrupt()).map_err(|error| CliError::Failed(format!("cannot catch Ctrl-C: {error}")))
}

/// Plays entries from the line editor. It shows failures and continues.
async fn run_interactive(args: &Args, command: &ReplArgs, mut client: Client) -> Result<(), CliError> {
    let mut entries = TerminalEntries::new()?;
    let mut interrupts = catch_interrupts()?;
    show::note("Type a script in Rhai; each entry is a play of its own. :help shows more.");
    while let Some(entry) = entries.next().await? {
        match execute(command, &client, &mut interrupts, &entry).await? {
            Executed::Done | Executed::Failed(_) => {}
            // Dropping the old connection cancels the play on it.
            Executed::Cancelled => {
                client = connect(args).await?;
                show::note("cancelled");
            }
            Executed::Quit => break,
        }
    }
    entries.save_history();
    Ok(())
}

/// Plays entries from a file, a pipe or a dumb terminal. The first entry that fails sets the exit code.
async fn run_plain(command: &ReplArgs, client: &Client, is_prompted: bool) -> Result<(), CliError> {
    let mut entries = plain_entries();
    let mut interrupts = catch_interrupts()?;
    let mut failed = None;
    loop {
        if is_prompted {
            show::prompt(PROMPT);
        }
        // Ctrl-C between two plays ends the program here.
        let Some(entry) = interruptible(entries.recv()).await? else { break };
        let Entry { text, line, is_open } = entry?;
        if is_open {
            show::note(&format!(
                "the input ends within the entry that begins on line {line}: a bracket, quote or comment is open"
            ));
        }
        match execute(command, client, &mut interrupts, &text).await? {
            Executed::Done => {}
            // Later entries cannot be played without a connection.
            Executed::Failed(error @ CliError::Connection(_)) => {
                return Err(CliError::Reported(error.exit_code()));
            }
            Executed::Failed(error) => failed = failed.or(Some(error.exit_code())),
            Executed::Cancelled => return Err(CliError::Interrupted),
            Executed::Quit => break,
        }
    }
    failed.filter(|_| !is_prompted).map_or(Ok(()), |code| Err(CliError::Reported(code)))
}

/// Entries from the line editor.
struct TerminalEntries {
    editor: Option<Editor<EntryValidator, FileHistory>>,
    /// The file with earlier entries, if the user has a configuration directory.
    history: Option<PathBuf>,
}

impl TerminalEntries {
    fn new() -> Result<Self, CliError> {
        let mut editor = Editor::<EntryValidator, FileHistory>::new().map_err(input_error)?;
        editor.set_helper(Some(EntryValidator));
        let history = key_file::default_path().ok().map(|path| path.with_file_name("history"));
        if let Some(history) = &history {
            // The first session has no history yet.
            let _ = editor.load_history(history);
        }
        Ok(Self { editor: Some(editor), history })
    }

    /// Returns the next entry, or `None` at the end of the input.
    async fn next(&mut self) -> Result<Option<String>, CliError> {
        while let Some(mut editor) = self.editor.take() {
            // The editor blocks its thread, and the runtime must keep the connection alive meanwhile.
            let read = tokio::task::spawn_blocking(move || {
                let entry = editor.readline(PROMPT);
                (editor, entry)
            });
            let (mut editor, entry) = read.await.map_err(|error| CliError::Usage(error.to_string()))?;
            if let Ok(entry) = &entry {
                let _ = editor.add_history_entry(entry.trim());
            }
            self.editor = Some(editor);
            match entry {
                Ok(entry) => return Ok(Some(entry)),
                Err(ReadlineError::Interrupted) => {}
                Err(ReadlineError::Eof) => break,
                Err(error) => return Err(input_error(error)),
            }
        }
        Ok(None)
    }

    /// Saves the history for the next session.
    fn save_history(self) {
        let (Some(mut editor), Some(history)) = (self.editor, self.history) else { return };
        if let Err(error) = editor.save_history(&history) {
            show::note(&format!("cannot save the history: {}", escape::name(&error.to_string())));
        }
    }
}

fn input_error(error: impl std::fmt::Display) -> CliError {
    CliError::Usage(format!("standard input: {error}"))
}

/// An entry from plain input.
struct Entry {
    text: String,
    /// The number of its first line, counted from 1.
    line: u64,
    /// True if the input ended before its brackets were closed.
    is_open: bool,
}

/// Reads entries from standard input on a separate thread, since reading blocks.
fn plain_entries() -> mpsc::Receiver<Result<Entry, CliError>> {
    let (sender, entries) = mpsc::channel(1);
    std::thread::spawn(move || {
        let mut lines = 0;
        while let Some(entry) = read_entry(&mut stdin().lock(), &mut lines).transpose() {
            let failed = entry.is_err();
            if sender.blocking_send(entry).is_err() || failed {
                break;
            }
        }
    });
    entries
}

/// Reads the next entry; `None` at the end of the input. `lines` counts the lines read.
fn read_entry(input: &mut impl BufRead, lines: &mut u64) -> Result<Option<Entry>, CliError> {
    let (mut text, mut scanner, line) = (String::new(), Scanner::default(), *lines + 1);
    loop {
        let mut next = Vec::new();
        input.by_ref().take(MAX_SCRIPT_BYTES + 1).read_until(b'\n', &mut next).map_err(input_error)?;
        if (text.len() + next.len()) as u64 > MAX_SCRIPT_BYTES {
            let sentence =
                format!("the entry that begins on line {line} is longer than {MAX_SCRIPT_BYTES} bytes");
            return Err(input_error(sentence));
        }
        if next.is_empty() {
            let is_open = scanner.is_open();
            return Ok((!text.is_empty()).then_some(Entry { text, line, is_open }));
        }
        *lines += 1;
        let next = str::from_utf8(&next).map_err(|error| input_error(format!("line {lines}: {error}")))?;
        let next = if *lines == 1 { next.strip_prefix(BYTE_ORDER_MARK).unwrap_or(next) } else { next };
        scanner.feed(next);
        text.push_str(next);
        if !scanner.is_open() {
            return Ok(Some(Entry { text, line, is_open: false }));
        }
    }
}

/// The result of an entry.
enum Executed {
    Done,
    /// The error has been shown.
    Failed(CliError),
    Cancelled,
    Quit,
}

impl Executed {
    fn failed(error: CliError) -> Self {
        show::error(&error);
        Self::Failed(error)
    }
}

/// Plays an entry, or runs its command.
async fn execute(
    command: &ReplArgs,
    client: &Client,
    interrupts: &mut Signal,
    entry: &str,
) -> Result<Executed, CliError> {
    match entry.trim() {
        "" => {}
        ":quit" | ":q" => return Ok(Executed::Quit),
        ":help" | ":h" => show::note(HELP),
        ":whoami" => match client.whoami().await {
            Ok(identity) => show::json(&identity)?,
            Err(error) => return Ok(Executed::failed(CliError::from_call(error))),
        },
        unknown if unknown.starts_with(':') => {
            let sentence = format!("unknown command {unknown}; :help lists the commands");
            return Ok(Executed::failed(CliError::Usage(sentence)));
        }
        script => tokio::select! {
            result = with_timeout(client.play(script), command.timeout) => match result {
                Ok(result) => show::play_result(&result)?,
                Err(error) => {
                    error.call().into_iter().flat_map(CallError::logs).for_each(show::log_line);
                    return Ok(Executed::failed(CliError::from_play(error, ScriptSource::from_text(script))));
                }
            },
            _ = interrupts.recv() => return Ok(Executed::Cancelled),
        },
    }
    Ok(Executed::Done)
}
