//! Playing line by line.

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
    args::{Args, Repl},
    connect, key_file,
    play::{BYTE_ORDER_MARK, MAX_SCRIPT, limited},
    progress::interruptible,
    show, text,
    trouble::{Source, Trouble},
};

const HELP: &str = "\
Each entry is a play of its own: what a line defines is gone with the next one.
An entry goes on over several lines until its brackets and quotes are closed.
  :help     this text
  :whoami   in which circle this is, and as whom
  :quit     leave; so does Ctrl-D
Ctrl-C drops the entry, or cancels the play that runs.";

const PROMPT: &str = "> ";

/// Reads until the brackets of an entry are closed.
#[derive(Completer, Helper, Highlighter, Hinter)]
struct Brackets;

impl Validator for Brackets {
    fn validate(&self, entry: &mut ValidationContext<'_>) -> rustyline::Result<ValidationResult> {
        Ok(if is_open(entry.input()) { ValidationResult::Incomplete } else { ValidationResult::Valid(None) })
    }
}

/// `circles repl`.
pub async fn run(args: &Args, repl: &Repl) -> Result<(), Trouble> {
    let client = connect(args).await?;
    // The editor knows what to do with other terminals too, but loses the rest of an entry at the end of the input.
    let is_plain = circles_daemon::variable("TERM").is_none_or(|terminal| terminal == "dumb");
    match stdin().is_terminal() {
        true if !is_plain => converse(args, repl, client).await,
        is_prompted => follow(repl, &client, is_prompted).await,
    }
}

/// Ctrl-C, caught from now on: one that comes before the play has begun cancels it, and does not end the program.
fn interrupts() -> Result<Signal, Trouble> {
    signal(SignalKind::interrupt())
        .map_err(|error| Trouble::Failed(format!("Ctrl-C cannot be caught: {error}")))
}

/// Plays what a person types. Whatever fails is shown, and the next entry is read.
async fn converse(args: &Args, repl: &Repl, mut client: Client) -> Result<(), Trouble> {
    let mut entries = Typed::new()?;
    let mut interrupts = interrupts()?;
    show::note("Rhai, one play an entry; :help for help.");
    while let Some(entry) = entries.next().await? {
        match act(repl, &client, &mut interrupts, &entry).await? {
            Next::Read | Next::Failed(_) => {}
            // Leaving the old connection is what cancels the play on it.
            Next::Cancelled => {
                client = connect(args).await?;
                show::note("cancelled");
            }
            Next::Leave => break,
        }
    }
    entries.keep();
    Ok(())
}

/// Plays what comes from a file or another program, or from a terminal that nothing can be edited on. Entries that fail
/// are shown, and make the exit code in the end.
async fn follow(repl: &Repl, client: &Client, is_prompted: bool) -> Result<(), Trouble> {
    let mut entries = piped();
    let mut interrupts = interrupts()?;
    let mut failed = None;
    loop {
        if is_prompted {
            show::prompt(PROMPT);
        }
        // Ctrl-C between two plays ends the program here.
        let Some(entry) = interruptible(entries.recv()).await? else { break };
        let Entry { text, line, is_open } = entry?;
        if is_open {
            show::note(&format!("the input ends within the entry that begins on line {line}"));
        }
        match act(repl, client, &mut interrupts, &text).await? {
            Next::Read => {}
            // Without a connection, nothing that follows can be played.
            Next::Failed(trouble @ Trouble::Connection(_)) => {
                return Err(Trouble::Told(trouble.code()));
            }
            Next::Failed(trouble) => failed = failed.or(Some(trouble.code())),
            Next::Cancelled => return Err(Trouble::Interrupted),
            Next::Leave => break,
        }
    }
    failed.filter(|_| !is_prompted).map_or(Ok(()), |code| Err(Trouble::Told(code)))
}

/// Entries of a person at a terminal.
struct Typed {
    editor: Option<Editor<Brackets, FileHistory>>,
    /// Where entries are kept for the next time, if there is a place for them.
    history: Option<PathBuf>,
}

impl Typed {
    fn new() -> Result<Self, Trouble> {
        let mut editor = Editor::<Brackets, FileHistory>::new().map_err(not_read)?;
        editor.set_helper(Some(Brackets));
        let history = key_file::default_path().ok().map(|path| path.with_file_name("history"));
        if let Some(history) = &history {
            // There is none before the first time.
            let _ = editor.load_history(history);
        }
        Ok(Self { editor: Some(editor), history })
    }

    /// The next entry; `None` once there is no more.
    async fn next(&mut self) -> Result<Option<String>, Trouble> {
        while let Some(mut editor) = self.editor.take() {
            // Reading blocks, on a thread of its own; the connection is kept alive meanwhile.
            let read = tokio::task::spawn_blocking(move || {
                let entry = editor.readline(PROMPT);
                (editor, entry)
            });
            let (mut editor, entry) = read.await.map_err(|error| Trouble::Usage(error.to_string()))?;
            if let Ok(entry) = &entry {
                let _ = editor.add_history_entry(entry.trim());
            }
            self.editor = Some(editor);
            match entry {
                Ok(entry) => return Ok(Some(entry)),
                Err(ReadlineError::Interrupted) => {}
                Err(ReadlineError::Eof) => break,
                Err(error) => return Err(not_read(error)),
            }
        }
        Ok(None)
    }

    /// Keeps the history for the next time.
    fn keep(self) {
        let (Some(mut editor), Some(history)) = (self.editor, self.history) else { return };
        if let Err(error) = editor.save_history(&history) {
            show::note(&format!("the history was not kept: {}", text::name(&error.to_string())));
        }
    }
}

fn not_read(error: impl std::fmt::Display) -> Trouble {
    Trouble::Usage(format!("standard input: {error}"))
}

/// An entry that was not typed.
struct Entry {
    text: String,
    /// The line on which it begins, counted from 1.
    line: u64,
    /// Whether the input ended before its brackets were closed.
    is_open: bool,
}

/// Entries of standard input, read on a thread of its own, which nothing waits for.
fn piped() -> mpsc::Receiver<Result<Entry, Trouble>> {
    let (found, entries) = mpsc::channel(1);
    std::thread::spawn(move || {
        let mut lines = 0;
        while let Some(entry) = read_entry(&mut stdin().lock(), &mut lines).transpose() {
            let failed = entry.is_err();
            if found.blocking_send(entry).is_err() || failed {
                break;
            }
        }
    });
    entries
}

/// Reads lines until an entry is complete or the input ends; `None` at its end. `lines` counts them.
fn read_entry(input: &mut impl BufRead, lines: &mut u64) -> Result<Option<Entry>, Trouble> {
    let (mut text, mut scan, line) = (String::new(), Scan::default(), *lines + 1);
    loop {
        let mut next = Vec::new();
        // Up to the line's end, if it is not longer than what a server could take.
        input.by_ref().take(MAX_SCRIPT + 1).read_until(b'\n', &mut next).map_err(not_read)?;
        if (text.len() + next.len()) as u64 > MAX_SCRIPT {
            let sentence = format!("the entry that begins on line {line} is longer than {MAX_SCRIPT} bytes");
            return Err(not_read(sentence));
        }
        if next.is_empty() {
            let is_open = scan.is_open();
            return Ok((!text.is_empty()).then_some(Entry { text, line, is_open }));
        }
        *lines += 1;
        let next = str::from_utf8(&next).map_err(|error| not_read(format!("line {lines}: {error}")))?;
        let next = if *lines == 1 { next.strip_prefix(BYTE_ORDER_MARK).unwrap_or(next) } else { next };
        scan.feed(next);
        text.push_str(next);
        if !scan.is_open() {
            return Ok(Some(Entry { text, line, is_open: false }));
        }
    }
}

/// What comes after an entry.
enum Next {
    Read,
    /// It failed, and that was shown.
    Failed(Trouble),
    Cancelled,
    Leave,
}

impl Next {
    fn failed(trouble: Trouble) -> Self {
        show::trouble(&trouble);
        Self::Failed(trouble)
    }
}

/// Does what an entry says.
async fn act(repl: &Repl, client: &Client, interrupts: &mut Signal, entry: &str) -> Result<Next, Trouble> {
    match entry.trim() {
        "" => {}
        ":quit" | ":q" => return Ok(Next::Leave),
        ":help" | ":h" => show::note(HELP),
        ":whoami" => match client.whoami().await {
            Ok(identity) => show::json(&identity)?,
            Err(error) => return Ok(Next::failed(Trouble::of_call(error))),
        },
        command if command.starts_with(':') => {
            let sentence = format!("no such command: {command}; :help lists them");
            return Ok(Next::failed(Trouble::Usage(sentence)));
        }
        script => tokio::select! {
            played = limited(client.play(script), repl.timeout) => match played {
                Ok(played) => show::played(&played)?,
                Err(error) => {
                    error.call().into_iter().flat_map(CallError::logs).for_each(show::log_line);
                    return Ok(Next::failed(Trouble::of_play(error, Source::text(script))));
                }
            },
            _ = interrupts.recv() => return Ok(Next::Cancelled),
        },
    }
    Ok(Next::Read)
}

/// Whether brackets, quotes or a comment of Rhai are still open at the end of a text.
fn is_open(text: &str) -> bool {
    let mut scan = Scan::default();
    scan.feed(text);
    scan.is_open()
}

/// What is open at a place in a script, the outermost first.
#[derive(Default)]
struct Scan {
    open: Vec<Open>,
}

#[derive(Clone, Copy, PartialEq)]
enum Open {
    /// `(`, `[`, `{` or, in a text in backticks, `${`.
    Bracket,
    /// A text or a character, by its quote; ends with its line unless a backslash stands there.
    Quote(char),
    /// A text in backticks.
    Backticks,
    /// A text such as `#"a"#`, by its number of `#`.
    Raw(usize),
    /// A comment, which may hold others.
    Comment,
}

impl Scan {
    fn is_open(&self) -> bool {
        !self.open.is_empty()
    }

    /// Goes on with a text that begins with a line.
    fn feed(&mut self, text: &str) {
        let mut rest = text;
        while let Some(character) = rest.chars().next() {
            rest = rest.get(self.step(character, rest)..).unwrap_or_default();
        }
        // What a line does not close, no other can.
        if let Some(Open::Quote(_)) = self.open.last()
            && !text.trim_end_matches(['\r', '\n']).ends_with('\\')
        {
            self.open.pop();
        }
    }

    /// Looks at the next character; returns how many bytes are behind it then.
    fn step(&mut self, character: char, rest: &str) -> usize {
        let pair = rest.get(..2).unwrap_or_default();
        let hashes = |at: usize| rest.bytes().skip(at).take_while(|byte| *byte == b'#').count();
        match (self.open.last().copied(), character) {
            (Some(Open::Comment), _) if pair == "*/" => self.close(2),
            (Some(Open::Comment) | None | Some(Open::Bracket), _) if pair == "/*" => {
                self.begin(Open::Comment, 2)
            }
            (Some(Open::Comment), _) => character.len_utf8(),
            (Some(Open::Raw(count)), '"') if hashes(1) >= count => self.close(1 + count),
            (Some(Open::Raw(_)), _) => character.len_utf8(),
            (Some(Open::Backticks), '`') => self.close(1),
            (Some(Open::Backticks), _) if pair == "${" => self.begin(Open::Bracket, 2),
            (Some(Open::Backticks), _) => character.len_utf8(),
            (Some(Open::Quote(quote)), _) if character == quote => self.close(1),
            // What stands behind a backslash closes nothing.
            (Some(Open::Quote(_)), '\\') if rest.starts_with("\\\r\n") => 3,
            (Some(Open::Quote(_)), '\\') => rest.chars().take(2).map(char::len_utf8).sum(),
            (Some(Open::Quote(_)), '\n') => self.close(1),
            (Some(Open::Quote(_)), _) => character.len_utf8(),
            (_, '/') if pair == "//" => rest.find('\n').unwrap_or(rest.len()),
            (_, '#') if rest.as_bytes().get(hashes(0)) == Some(&b'"') => {
                self.begin(Open::Raw(hashes(0)), hashes(0) + 1)
            }
            (_, '`') => self.begin(Open::Backticks, 1),
            (_, '"' | '\'') => self.begin(Open::Quote(character), 1),
            (_, '(' | '[' | '{') => self.begin(Open::Bracket, 1),
            (Some(Open::Bracket), ')' | ']' | '}') => self.close(1),
            _ => character.len_utf8(),
        }
    }

    fn begin(&mut self, what: Open, bytes: usize) -> usize {
        self.open.push(what);
        bytes
    }

    fn close(&mut self, bytes: usize) -> usize {
        self.open.pop();
        bytes
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_entry_goes_on_until_everything_is_closed() {
        for open in [
            "if true {",
            "f(1,",
            "[1",
            "\"a\\",
            "`a\nb",
            "/* x",
            "/* /* */",
            "{ \"}\"",
            "{ 'a' //}",
            "`${",
            "`${ `a` }",
            "#\"a\"",
            "##\"a\"#",
            "{\n// don't\n",
        ] {
            assert!(is_open(open), "{open}");
        }
        for closed in [
            "",
            "1",
            "if true {\n}",
            "\"{\"",
            "`(`",
            "'\\''",
            "// {",
            "/* { */ 1",
            "\"\\\"{\"",
            "}",
            "/* /* */ */",
            "#\"a\"b\"#",
            "##\"a\"#\"##",
            "`a ${ #{ b: `{` }.b } c`",
            "#{ a: 1 }",
            "\"a",
            "don't",
            "1 / 2 /",
            "'a",
            "é{}",
        ] {
            assert!(!is_open(closed), "{closed}");
        }
    }
}
