//! A connection to Redis, as plain as its protocol (RESP 2): everything is sent and read in turn.

use std::{
    io::{BufRead as _, BufReader, Read as _, Write as _},
    net::TcpStream,
};

/// What Redis says.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Value {
    Nil,
    Int(i64),
    Bytes(Vec<u8>),
    Array(Vec<Value>),
}

pub struct Connection {
    stream: BufReader<TcpStream>,
}

impl Value {
    pub fn array(self) -> Vec<Self> {
        let Self::Array(values) = self else { panic!("{self:?} is no array") };
        values
    }

    pub fn int(&self) -> i64 {
        let Self::Int(number) = self else { panic!("{self:?} is no number") };
        *number
    }

    /// The text of bytes or a number; nothing of what is not there.
    pub fn text(&self) -> Option<String> {
        match self {
            Self::Nil => None,
            Self::Int(number) => Some(number.to_string()),
            Self::Bytes(bytes) => Some(String::from_utf8(bytes.clone()).expect("text")),
            Self::Array(_) => panic!("{self:?} is no text"),
        }
    }

    pub fn texts(self) -> Vec<String> {
        self.array().iter().filter_map(Self::text).collect()
    }

    /// What comes in turn, two by two.
    pub fn pairs(self) -> Vec<(String, String)> {
        self.texts().chunks_exact(2).map(|pair| (pair[0].clone(), pair[1].clone())).collect()
    }
}

impl Connection {
    /// To `redis://host:port/database`.
    pub fn open(url: &str) -> Self {
        let (address, database) =
            url.strip_prefix("redis://").and_then(|rest| rest.split_once('/')).expect("an address");
        let stream = TcpStream::connect(address).expect("a Redis");
        stream.set_nodelay(true).expect("a socket");
        let mut connection = Self { stream: BufReader::new(stream) };
        connection.ask(&["SELECT", database]);
        connection
    }

    pub fn ask<A: AsRef<[u8]>>(&mut self, command: &[A]) -> Value {
        self.send(command);
        self.hear()
    }

    /// Asks many things at once.
    pub fn ask_all<A: AsRef<[u8]>>(&mut self, commands: &[Vec<A>]) -> Vec<Value> {
        commands.iter().for_each(|command| self.send(command));
        commands.iter().map(|_| self.hear()).collect()
    }

    /// An error is none of Redis's business here: nothing that is sent is wrong.
    pub fn hear(&mut self) -> Value {
        let mut line = String::new();
        self.stream.read_line(&mut line).expect("an answer");
        let (kind, rest) = line.trim_end().split_at(1);
        let number = || rest.parse::<i64>().expect("a number");
        match kind {
            "+" => Value::Bytes(rest.as_bytes().to_vec()),
            ":" => Value::Int(number()),
            "$" | "*" if number() < 0 => Value::Nil,
            "$" => {
                let mut bytes = vec![0; number() as usize + 2];
                self.stream.read_exact(&mut bytes).expect("an answer");
                bytes.truncate(bytes.len() - 2);
                Value::Bytes(bytes)
            }
            "*" => Value::Array((0..number()).map(|_| self.hear()).collect()),
            _ => panic!("Redis says: {line}"),
        }
    }

    pub fn send<A: AsRef<[u8]>>(&mut self, command: &[A]) {
        let mut bytes = format!("*{}\r\n", command.len()).into_bytes();
        for part in command {
            let part = part.as_ref();
            bytes.extend(format!("${}\r\n", part.len()).into_bytes());
            bytes.extend(part);
            bytes.extend(b"\r\n");
        }
        self.stream.get_mut().write_all(&bytes).expect("a connection");
    }
}
