//! Lower-case hex, the one spelling of keys, nonces and signatures.

use std::fmt;

const DIGITS: &[u8; 16] = b"0123456789abcdef";

/// Reads lower-case hex of exactly `N` bytes.
pub fn decode<const N: usize>(text: &str) -> Option<[u8; N]> {
    let mut bytes = [0; N];
    if text.len() != 2 * N {
        return None;
    }
    for (byte, pair) in bytes.iter_mut().zip(text.as_bytes().chunks_exact(2)) {
        let &[high, low] = pair else { return None };
        *byte = digit(high)? << 4 | digit(low)?;
    }
    Some(bytes)
}

/// Lower-case hex as a text.
pub fn encode(bytes: &[u8]) -> String {
    let mut text = String::with_capacity(2 * bytes.len());
    // Writing to a text cannot fail.
    let _ = write(bytes, &mut text);
    text
}

/// Writes lower-case hex: a key's length at a time, because formatting byte by byte takes a microsecond for one.
pub fn write(bytes: &[u8], f: &mut impl fmt::Write) -> fmt::Result {
    bytes.chunks(33).try_for_each(|bytes| {
        let mut text = [0; 66];
        for (pair, byte) in text.chunks_exact_mut(2).zip(bytes) {
            pair.copy_from_slice(&[DIGITS[usize::from(byte >> 4)], DIGITS[usize::from(byte & 15)]]);
        }
        f.write_str(str::from_utf8(&text[..2 * bytes.len()]).unwrap_or_default())
    })
}

/// Lower-case digits only: a key, nonce or signature has one spelling.
const fn digit(digit: u8) -> Option<u8> {
    match digit {
        b'0'..=b'9' => Some(digit - b'0'),
        b'a'..=b'f' => Some(digit - b'a' + 10),
        _ => None,
    }
}
