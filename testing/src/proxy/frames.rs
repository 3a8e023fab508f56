//! Message boundaries in the Redis protocol.

/// The length of the first message in `bytes`, if all of it is there.
pub(super) fn first(bytes: &[u8]) -> Option<usize> {
    end_of(bytes, 0)
}

fn end_of(bytes: &[u8], at: usize) -> Option<usize> {
    let kind = bytes.get(at)?;
    let line_end = at + bytes[at..].windows(2).position(|pair| pair == b"\r\n")?;
    let after = line_end + 2;
    let count = || std::str::from_utf8(&bytes[at + 1..line_end]).ok()?.parse::<i64>().ok();
    match kind {
        b'$' => match usize::try_from(count()?) {
            Ok(length) => Some(after + length + 2).filter(|end| *end <= bytes.len()),
            // A null string has no content.
            Err(_) => Some(after),
        },
        b'*' => (0..count()?).try_fold(after, |at, _| end_of(bytes, at)),
        _ => Some(after),
    }
}

/// Whether a request begins with one of these words.
pub(super) fn is_one_of(request: &[u8], words: &[&str]) -> bool {
    let mut parts = request.split(|&byte| byte == b'\n').skip(2);
    let word = parts.next().unwrap_or_default().trim_ascii_end();
    words.iter().any(|known| word.eq_ignore_ascii_case(known.as_bytes()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn message_length_needs_the_complete_message() {
        for message in [
            "+OK\r\n",
            "-ERR no\r\n",
            ":7\r\n",
            "$-1\r\n",
            "$0\r\n\r\n",
            "$4\r\na\r\nb\r\n",
            "*0\r\n",
            "*-1\r\n",
            "*2\r\n$1\r\na\r\n*2\r\n:1\r\n$-1\r\n",
        ] {
            let followed = format!("{message}+NEXT\r\n");
            assert_eq!(first(followed.as_bytes()), Some(message.len()), "{message:?}");
            for length in 0..message.len() {
                assert_eq!(first(&message.as_bytes()[..length]), None, "{message:?} {length}");
            }
        }
    }

    #[test]
    fn request_is_recognised_by_its_command() {
        let request = b"*2\r\n$9\r\nsubscribe\r\n$1\r\na\r\n";
        assert!(is_one_of(request, &["PING", "SUBSCRIBE"]));
        assert!(!is_one_of(request, &["SUB", "a"]));
    }
}
