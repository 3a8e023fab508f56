/// Parses a number of bytes, such as `512MiB`, `2GiB` or `1073741824`. An error names the expected form.
pub fn bytes(text: &str) -> Result<usize, String> {
    const EXPECTED_BYTES: &str = "expected a number of bytes such as 512MiB or 2GiB";
    let digits = text.bytes().take_while(u8::is_ascii_digit).count();
    let (number, unit) = text.split_at(digits);
    let unit: usize = match unit {
        "" | "B" => 1,
        "KiB" => 1 << 10,
        "MiB" => 1 << 20,
        "GiB" => 1 << 30,
        _ => return Err(EXPECTED_BYTES.to_owned()),
    };
    let number: usize = number.parse().map_err(|_| EXPECTED_BYTES.to_owned())?;
    number.checked_mul(unit).ok_or_else(|| EXPECTED_BYTES.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_are_parsed_with_their_unit() {
        for (text, expected) in
            [("0", 0), ("17", 17), ("17B", 17), ("3KiB", 3_072), ("512MiB", 512 << 20), ("2GiB", 2 << 30)]
        {
            assert_eq!(bytes(text), Ok(expected), "{text}");
        }
        for text in ["", "MiB", "1MB", "-1", "1.5GiB", "1 GiB", "99999999999GiB", "99999999999999999999"] {
            assert!(bytes(text).is_err(), "{text}");
        }
    }
}
