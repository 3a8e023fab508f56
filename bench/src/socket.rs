//! A WebSocket client (RFC 6455), reduced to what a load generator needs so that it costs little CPU.

use std::net::SocketAddr;

use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
};

use crate::Result;

/// Bytes of a read, and of the longest answer to an upgrade.
const CHUNK_BYTES: usize = 64 << 10;

const OPCODE_TEXT: u8 = 0x1;
const OPCODE_PING: u8 = 0x9;
const OPCODE_PONG: u8 = 0xa;
/// Marks the last frame of a message; the measured servers send no fragments.
const FIN: u8 = 0x80;
/// Marks a masked frame, as clients send them.
const MASK: u8 = 0x80;

/// A client's connection.
pub(crate) struct Socket {
    stream: TcpStream,
    out: Vec<u8>,
    read: Vec<u8>,
}

impl Socket {
    /// Connects and upgrades.
    pub(crate) async fn connect(address: SocketAddr, path: &str) -> Result<Self> {
        let stream = TcpStream::connect(address).await.map_err(|error| format!("{address}: {error}"))?;
        stream.set_nodelay(true).map_err(|error| format!("{address}: {error}"))?;
        let mut socket = Self { stream, out: Vec::new(), read: Vec::with_capacity(CHUNK_BYTES) };
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
            if socket.read.len() > CHUNK_BYTES {
                return Err(format!("{address}{path}: the answer to the upgrade does not end"));
            }
        }
    }

    /// Adds a text message to the next write.
    pub(crate) fn push(&mut self, text: &[u8]) {
        push_frame(&mut self.out, OPCODE_TEXT, text);
    }

    /// Writes the added messages.
    pub(crate) async fn flush(&mut self) -> Result {
        self.stream.write_all(&self.out).await.map_err(|error| format!("sending: {error}"))?;
        self.out.clear();
        Ok(())
    }

    /// Waits for bytes from the server.
    pub(crate) async fn fill(&mut self) -> Result {
        match self.stream.read_buf(&mut self.read).await {
            Ok(0) => Err("the server closed the connection".to_owned()),
            Ok(_) => Ok(()),
            Err(error) => Err(format!("receiving: {error}")),
        }
    }

    /// Calls `on_text` for every complete text message and answers pings.
    pub(crate) fn texts(&mut self, mut on_text: impl FnMut(&[u8]) -> Result) -> Result {
        let mut done = 0;
        while let Some(frame) = first_frame(&self.read[done..])? {
            match frame.opcode {
                OPCODE_TEXT => on_text(frame.payload)?,
                OPCODE_PING => push_frame(&mut self.out, OPCODE_PONG, frame.payload),
                OPCODE_PONG => {}
                opcode => return Err(format!("expected a text frame, received opcode {opcode:#x}")),
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

/// Reads a server's frame once it is complete.
fn first_frame(bytes: &[u8]) -> Result<Option<Frame<'_>>> {
    let [first, second, rest @ ..] = bytes else { return Ok(None) };
    if first & 0x70 != 0 || first & FIN == 0 || second & MASK != 0 {
        return Err("received a frame that is masked, fragmented or of an extension".to_owned());
    }
    let (header, size) = match (second, rest) {
        (126, [a, b, ..]) => (4, u64::from(u16::from_be_bytes([*a, *b]))),
        (127, [a, b, c, d, e, f, g, h, ..]) => (10, u64::from_be_bytes([*a, *b, *c, *d, *e, *f, *g, *h])),
        (126 | 127, _) => return Ok(None),
        (size, _) => (2, u64::from(*size)),
    };
    let length = usize::try_from(size).ok().and_then(|size| size.checked_add(header));
    let length = length.ok_or("received a frame of impossible length")?;
    let payload = bytes.get(header..length);
    Ok(payload.map(|payload| Frame { opcode: first & 0x0f, payload, length }))
}

/// Appends a client's frame. The protocol requires a mask; a mask of zeros leaves the payload as it is.
fn push_frame(out: &mut Vec<u8>, opcode: u8, payload: &[u8]) {
    out.push(FIN | opcode);
    match (u8::try_from(payload.len()), u16::try_from(payload.len())) {
        (Ok(length @ ..=125), _) => out.push(MASK | length),
        (_, Ok(length)) => {
            out.push(MASK | 126);
            out.extend_from_slice(&length.to_be_bytes());
        }
        _ => {
            out.push(MASK | 127);
            out.extend_from_slice(&(payload.len() as u64).to_be_bytes());
        }
    }
    out.extend_from_slice(&[0; 4]);
    out.extend_from_slice(payload);
}

/// Finds `part` in `text`.
pub(crate) fn find(text: &[u8], part: &[u8]) -> Option<usize> {
    text.windows(part.len()).position(|window| window == part)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Returns a server's frame: a client's frame without the mask.
    fn unmasked(payload: &[u8]) -> Vec<u8> {
        let mut frame = Vec::new();
        push_frame(&mut frame, OPCODE_TEXT, payload);
        frame[1] &= !MASK;
        let mask = frame.len() - payload.len() - 4;
        frame.drain(mask..mask + 4);
        frame
    }

    #[test]
    fn frames_of_every_length_round_trip() {
        for length in [0, 1, 125, 126, 65_535, 65_536] {
            let payload = vec![b'x'; length];
            let bytes = unmasked(&payload);
            let frame = first_frame(&bytes).unwrap().unwrap();
            assert_eq!((frame.opcode, frame.payload.len(), frame.length), (OPCODE_TEXT, length, bytes.len()));
            assert!(first_frame(&bytes[..bytes.len() - 1]).unwrap().is_none(), "{length}");
        }
    }

    #[test]
    fn unsupported_frames_are_refused() {
        assert!(first_frame(&[OPCODE_TEXT, 0]).is_err(), "a fragment");
        assert!(first_frame(&[FIN | OPCODE_TEXT, MASK]).is_err(), "masked");
        assert!(first_frame(&[FIN | 0x40 | OPCODE_TEXT, 0]).is_err(), "compressed");
        assert!(
            first_frame(&[FIN | OPCODE_TEXT, 127, 255, 255, 255, 255, 255, 255, 255, 255]).is_err(),
            "endless"
        );
    }
}
