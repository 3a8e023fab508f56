//! The little of a WebSocket (RFC 6455) that a load generator needs, at next to no cost.

use std::net::SocketAddr;

use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
};

use crate::Result;

/// What a server may answer an upgrade with, and what one read takes in.
const CHUNK: usize = 64 << 10;

const TEXT: u8 = 0x1;
const PING: u8 = 0x9;
const PONG: u8 = 0xa;
/// The bit that says a frame is a message's last; the servers we measure send no others.
const LAST: u8 = 0x80;
/// The bit that says a frame is masked, as a client's are.
const MASKED: u8 = 0x80;

/// A client's end.
pub struct Socket {
    stream: TcpStream,
    out: Vec<u8>,
    read: Vec<u8>,
}

impl Socket {
    /// Connects and upgrades.
    pub async fn connect(address: SocketAddr, path: &str) -> Result<Self> {
        let stream = TcpStream::connect(address).await.map_err(|error| format!("{address}: {error}"))?;
        stream.set_nodelay(true).map_err(|error| format!("{address}: {error}"))?;
        let mut socket = Self { stream, out: Vec::new(), read: Vec::with_capacity(CHUNK) };
        let request = format!(
            "GET {path} HTTP/1.1\r\nHost: {address}\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\
             Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
        );
        socket.out.extend_from_slice(request.as_bytes());
        socket.flush().await?;
        loop {
            socket.fill().await?;
            if let Some(end) = find(&socket.read, b"\r\n\r\n") {
                let status =
                    String::from_utf8_lossy(&socket.read).lines().next().unwrap_or_default().to_owned();
                socket.read.drain(..end + 4);
                return if status.contains(" 101 ") {
                    Ok(socket)
                } else {
                    Err(format!("{address}{path}: {status}"))
                };
            }
            if socket.read.len() > CHUNK {
                return Err(format!("{address}{path}: an answer without an end"));
            }
        }
    }

    /// Puts a text into the next write.
    pub fn push(&mut self, text: &[u8]) {
        push_frame(&mut self.out, TEXT, text);
    }

    /// Writes what was put in.
    pub async fn flush(&mut self) -> Result {
        self.stream.write_all(&self.out).await.map_err(|error| format!("sending: {error}"))?;
        self.out.clear();
        Ok(())
    }

    /// Waits for bytes.
    pub async fn fill(&mut self) -> Result {
        match self.stream.read_buf(&mut self.read).await {
            Ok(0) => Err("the server closed the connection".to_owned()),
            Ok(_) => Ok(()),
            Err(error) => Err(format!("receiving: {error}")),
        }
    }

    /// Hands over every whole text received and answers pings.
    pub fn texts(&mut self, mut on_text: impl FnMut(&[u8]) -> Result) -> Result {
        let mut done = 0;
        while let Some(frame) = first_frame(&self.read[done..])? {
            match frame.opcode {
                TEXT => on_text(frame.payload)?,
                PING => push_frame(&mut self.out, PONG, frame.payload),
                PONG => {}
                opcode => return Err(format!("a frame of kind {opcode:#x} came instead of an answer")),
            }
            done += frame.length;
        }
        self.read.drain(..done);
        Ok(())
    }
}

struct Frame<'a> {
    opcode: u8,
    payload: &'a [u8],
    /// Header included.
    length: usize,
}

/// Reads a server's frame if it is there as a whole.
fn first_frame(bytes: &[u8]) -> Result<Option<Frame<'_>>> {
    let [first, second, rest @ ..] = bytes else { return Ok(None) };
    if first & 0x70 != 0 || first & LAST == 0 || second & MASKED != 0 {
        return Err("a frame came that is masked, a fragment or an extension's".to_owned());
    }
    let (header, size) = match (second, rest) {
        (126, [a, b, ..]) => (4, u64::from(u16::from_be_bytes([*a, *b]))),
        (127, [a, b, c, d, e, f, g, h, ..]) => (10, u64::from_be_bytes([*a, *b, *c, *d, *e, *f, *g, *h])),
        (126 | 127, _) => return Ok(None),
        (size, _) => (2, u64::from(*size)),
    };
    let length = usize::try_from(size).ok().and_then(|size| size.checked_add(header));
    let length = length.ok_or("a frame came that no memory holds")?;
    let payload = bytes.get(header..length);
    Ok(payload.map(|payload| Frame { opcode: first & 0x0f, payload, length }))
}

/// Appends a client's frame. Its mask is zero: it has to be there, and it has to cost nothing.
fn push_frame(out: &mut Vec<u8>, opcode: u8, payload: &[u8]) {
    out.push(LAST | opcode);
    match (u8::try_from(payload.len()), u16::try_from(payload.len())) {
        (Ok(length @ ..=125), _) => out.push(MASKED | length),
        (_, Ok(length)) => {
            out.push(MASKED | 126);
            out.extend_from_slice(&length.to_be_bytes());
        }
        _ => {
            out.push(MASKED | 127);
            out.extend_from_slice(&(payload.len() as u64).to_be_bytes());
        }
    }
    out.extend_from_slice(&[0; 4]);
    out.extend_from_slice(payload);
}

/// Where a text begins in another.
pub fn find(text: &[u8], part: &[u8]) -> Option<usize> {
    text.windows(part.len()).position(|window| window == part)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What a server would send of a client's frame: the same without the mask.
    fn unmasked(payload: &[u8]) -> Vec<u8> {
        let mut frame = Vec::new();
        push_frame(&mut frame, TEXT, payload);
        frame[1] &= !MASKED;
        let mask = frame.len() - payload.len() - 4;
        frame.drain(mask..mask + 4);
        frame
    }

    #[test]
    fn frames_of_every_length_are_read_as_they_were_written() {
        for length in [0, 1, 125, 126, 65_535, 65_536] {
            let payload = vec![b'x'; length];
            let bytes = unmasked(&payload);
            let frame = first_frame(&bytes).unwrap().unwrap();
            assert_eq!((frame.opcode, frame.payload.len(), frame.length), (TEXT, length, bytes.len()));
            assert!(first_frame(&bytes[..bytes.len() - 1]).unwrap().is_none(), "{length}");
        }
    }

    #[test]
    fn frames_that_no_server_of_ours_sends_are_refused() {
        assert!(first_frame(&[TEXT, 0]).is_err(), "a fragment");
        assert!(first_frame(&[LAST | TEXT, MASKED]).is_err(), "masked");
        assert!(first_frame(&[LAST | 0x40 | TEXT, 0]).is_err(), "compressed");
        assert!(first_frame(&[LAST | TEXT, 127, 255, 255, 255, 255, 255, 255, 255, 255]).is_err(), "endless");
    }
}
