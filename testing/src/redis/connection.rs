use std::{
    io::{BufRead as _, BufReader, Read as _, Write as _},
    net::{SocketAddr, TcpStream},
    time::Duration,
};

/// How long to wait for a connection, and for each reply.
const REPLY_TIMEOUT: Duration = Duration::from_secs(10);

/// A blocking connection to Redis. It speaks RESP 2 and does nothing else, so that tests and benchmarks control each
/// command.
///
/// Errors are sentences: those of the connection, and the error replies of Redis.
pub struct RedisConnection {
    stream: BufReader<TcpStream>,
}

/// A reply of Redis.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RedisReply {
    /// Null.
    Nil,
    /// An integer.
    Number(i64),
    /// A simple or a bulk string.
    Bytes(Vec<u8>),
    /// An array.
    List(Vec<Self>),
}

impl RedisConnection {
    /// Connects.
    pub fn open(address: SocketAddr) -> Result<Self, String> {
        let stream = TcpStream::connect_timeout(&address, REPLY_TIMEOUT).and_then(|stream| {
            stream.set_nodelay(true)?;
            stream.set_read_timeout(Some(REPLY_TIMEOUT))?;
            Ok(stream)
        });
        let stream = stream.map_err(|error| format!("Redis at {address}: {error}"))?;
        Ok(Self { stream: BufReader::new(stream) })
    }

    /// Sends a command and returns its reply.
    pub fn ask<A: AsRef<[u8]>>(&mut self, command: &[A]) -> Result<RedisReply, String> {
        self.send(command)?;
        self.receive()
    }

    /// Sends a command.
    pub fn send<A: AsRef<[u8]>>(&mut self, command: &[A]) -> Result<(), String> {
        let mut bytes = format!("*{}\r\n", command.len()).into_bytes();
        for part in command.iter().map(AsRef::as_ref) {
            bytes.extend(format!("${}\r\n", part.len()).into_bytes());
            bytes.extend_from_slice(part);
            bytes.extend_from_slice(b"\r\n");
        }
        self.stream.get_mut().write_all(&bytes).map_err(|error| format!("Redis: {error}"))
    }

    /// Returns the next reply or message.
    pub fn receive(&mut self) -> Result<RedisReply, String> {
        let mut line = String::new();
        self.stream.read_line(&mut line).map_err(|error| format!("Redis: {error}"))?;
        let line = line.trim_end();
        let (kind, rest) = line.split_at_checked(1).ok_or("Redis closed the connection")?;
        let number = || rest.parse::<i64>().map_err(|_| format!("not a reply of Redis: {line:?}"));
        match kind {
            "+" => Ok(RedisReply::Bytes(rest.as_bytes().to_vec())),
            "-" => Err(rest.to_owned()),
            ":" => Ok(RedisReply::Number(number()?)),
            "$" => match usize::try_from(number()?) {
                Ok(length) => self.bytes(length).map(RedisReply::Bytes),
                Err(_) => Ok(RedisReply::Nil),
            },
            "*" => match usize::try_from(number()?) {
                Ok(length) => {
                    (0..length).map(|_| self.receive()).collect::<Result<_, _>>().map(RedisReply::List)
                }
                Err(_) => Ok(RedisReply::Nil),
            },
            _ => Err(format!("not a reply of Redis: {line:?}")),
        }
    }

    /// Reads a bulk string and the line break after it.
    fn bytes(&mut self, length: usize) -> Result<Vec<u8>, String> {
        let mut bytes = vec![0; length + 2];
        self.stream.read_exact(&mut bytes).map_err(|error| format!("Redis: {error}"))?;
        bytes.truncate(length);
        Ok(bytes)
    }
}

impl RedisReply {
    /// Returns the text of a string.
    ///
    /// # Panics
    ///
    /// If the reply is not a string.
    pub fn text(self) -> String {
        match self {
            Self::Bytes(bytes) => String::from_utf8_lossy(&bytes).into_owned(),
            other => panic!("expected a string, found {other:?}"),
        }
    }

    /// Returns the text of a string or a number, and `None` for null.
    ///
    /// # Panics
    ///
    /// If the reply is an array.
    pub fn optional_text(&self) -> Option<String> {
        match self {
            Self::Nil => None,
            Self::Number(number) => Some(number.to_string()),
            string => Some(string.clone().text()),
        }
    }

    /// Returns an integer.
    ///
    /// # Panics
    ///
    /// If the reply is not an integer.
    pub fn number(&self) -> i64 {
        let Self::Number(number) = self else { panic!("expected an integer, found {self:?}") };
        *number
    }

    /// Returns the items of an array.
    ///
    /// # Panics
    ///
    /// If the reply is not an array.
    pub fn list(self) -> Vec<Self> {
        match self {
            Self::List(list) => list,
            other => panic!("expected an array, found {other:?}"),
        }
    }

    /// Returns the texts of an array, without nulls.
    ///
    /// # Panics
    ///
    /// If the reply is not an array of strings.
    pub fn texts(self) -> Vec<String> {
        self.list().iter().filter_map(Self::optional_text).collect()
    }
}
