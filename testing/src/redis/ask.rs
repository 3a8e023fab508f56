use std::{
    io::{BufRead as _, BufReader, Error, ErrorKind, Read as _, Write as _},
    net::{SocketAddr, TcpStream},
    time::Duration,
};

/// The reply of a Redis server.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Reply {
    /// A simple or a bulk string.
    Text(String),
    /// An integer.
    Number(i64),
    /// An array.
    List(Vec<Self>),
    /// Null.
    Nil,
}

impl Reply {
    /// Returns the string, or panics.
    pub fn text(self) -> String {
        match self {
            Self::Text(text) => text,
            other => panic!("no text: {other:?}"),
        }
    }

    /// Returns the integer, or panics.
    pub fn number(self) -> i64 {
        match self {
            Self::Number(number) => number,
            other => panic!("no number: {other:?}"),
        }
    }

    /// Returns the array, or panics.
    pub fn list(self) -> Vec<Self> {
        match self {
            Self::List(list) => list,
            other => panic!("no list: {other:?}"),
        }
    }
}

/// Sends one command on a new connection. Blocks.
pub fn ask(address: SocketAddr, password: Option<&str>, words: &[&str]) -> Result<Reply, String> {
    let asked = || {
        let timeout = Duration::from_secs(10);
        let mut connection = TcpStream::connect_timeout(&address, timeout)?;
        connection.set_read_timeout(Some(timeout))?;
        let mut replies = BufReader::new(connection.try_clone()?);
        if let Some(password) = password {
            send(&mut connection, &["AUTH", password])?;
            read(&mut replies)??;
        }
        send(&mut connection, words)?;
        read(&mut replies)
    };
    let answered: Result<_, Error> = asked();
    answered.map_err(|error| error.to_string())?.map_err(|error| error.to_string())
}

fn send(connection: &mut TcpStream, words: &[&str]) -> Result<(), Error> {
    let mut text = format!("*{}\r\n", words.len());
    for word in words {
        text += &format!("${}\r\n{word}\r\n", word.len());
    }
    connection.write_all(text.as_bytes())
}

/// Reads a reply. The outer error is the connection's, the inner one the server's.
fn read(replies: &mut BufReader<TcpStream>) -> Result<Result<Reply, Error>, Error> {
    let mut line = String::new();
    replies.read_line(&mut line)?;
    let Some(kind) = line.chars().next() else { return Err(ErrorKind::UnexpectedEof.into()) };
    let rest = line[1..].trim_end();
    let number = || rest.parse::<i64>().map_err(Error::other);
    Ok(Ok(match kind {
        '+' => Reply::Text(rest.to_owned()),
        '-' => return Ok(Err(Error::other(rest.to_owned()))),
        ':' => Reply::Number(number()?),
        '$' | '*' if rest == "-1" => Reply::Nil,
        '$' => {
            let mut bytes = vec![0; usize::try_from(number()? + 2).map_err(Error::other)?];
            replies.read_exact(&mut bytes)?;
            bytes.truncate(bytes.len() - 2);
            Reply::Text(String::from_utf8_lossy(&bytes).into_owned())
        }
        '*' => {
            let mut list = Vec::new();
            for _ in 0..number()? {
                list.push(read(replies)??);
            }
            Reply::List(list)
        }
        _ => return Err(Error::other(line)),
    }))
}
