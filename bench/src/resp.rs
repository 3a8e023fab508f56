//! As much of the Redis protocol (RESP 2) as yardsticks need, on a blocking socket: leaner than any library.

use std::{
    io::{BufRead as _, BufReader, Read as _, Write as _},
    net::{SocketAddr, TcpStream},
    time::Duration,
};

use crate::Result;

/// How long an answer may take.
const PATIENCE: Duration = Duration::from_secs(10);

/// A connection to a Redis.
pub(crate) struct Connection {
    reader: BufReader<TcpStream>,
}

impl Connection {
    /// Connects.
    pub(crate) fn open(address: SocketAddr) -> Result<Self> {
        let stream = TcpStream::connect(address).and_then(|stream| {
            stream.set_nodelay(true)?;
            stream.set_read_timeout(Some(PATIENCE))?;
            Ok(stream)
        });
        let stream = stream.map_err(|error| format!("Redis at {address}: {error}"))?;
        Ok(Self { reader: BufReader::new(stream) })
    }

    /// Sends a command and waits for its answer, of which only texts are kept.
    pub(crate) fn ask(&mut self, words: &[&str]) -> Result<String> {
        self.send(words)?;
        self.answer()
    }

    /// Sends a command.
    pub(crate) fn send(&mut self, words: &[&str]) -> Result {
        let mut text = format!("*{}\r\n", words.len());
        for word in words {
            text.push_str(&format!("${}\r\n{word}\r\n", word.len()));
        }
        self.reader.get_mut().write_all(text.as_bytes()).map_err(|error| format!("Redis: {error}"))
    }

    /// The next answer; of an array, its texts in lines.
    pub(crate) fn answer(&mut self) -> Result<String> {
        let line = self.line()?;
        let (kind, rest) = line.split_at_checked(1).ok_or("Redis: an empty answer")?;
        let count = || rest.parse::<i64>().map_err(|_| format!("Redis: {line}"));
        match kind {
            "+" | ":" => Ok(rest.to_owned()),
            "$" => match usize::try_from(count()?) {
                Ok(length) => {
                    let mut bytes = vec![0; length + 2];
                    self.reader.read_exact(&mut bytes).map_err(|error| format!("Redis: {error}"))?;
                    bytes.truncate(length);
                    Ok(String::from_utf8_lossy(&bytes).into_owned())
                }
                Err(_) => Ok(String::new()),
            },
            "*" => {
                let texts: Result<Vec<_>> = (0..count()?).map(|_| self.answer()).collect();
                Ok(texts?.join("\n"))
            }
            _ => Err(format!("Redis: {line}")),
        }
    }

    /// A line of text, without its end.
    pub(crate) fn line(&mut self) -> Result<String> {
        let mut line = String::new();
        self.reader.read_line(&mut line).map_err(|error| format!("Redis: {error}"))?;
        Ok(line.trim_end().to_owned())
    }
}
