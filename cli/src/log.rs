//! `circles log`: prints a circle's provenance as lines of JSON, and verifies such a log.

use std::io::{BufRead, BufReader, Read as _};

use circles_client::{
    PublicKey,
    provenance::{Head, Verifier},
    types::{Record, RecordHead},
};
use serde::{Deserialize, Serialize, de::DeserializeOwned};

use crate::{
    args::{Args, LogArgs, LogCommand, VerifyArgs},
    circle, connect,
    error::CliError,
    input, render, show,
};

/// Records per call: the most that the server allows.
const RECORDS_PAGE: u64 = 500;

/// Far longer than any record, which takes less than a kilobyte.
const MAX_LINE_BYTES: u64 = 1 << 20;

/// The first line of a log: its circle, and the record that precedes its first record.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Header {
    circle: String,
    after: RecordHead,
}

/// The last line of a log: the head of the chain.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Trailer {
    head: RecordHead,
}

/// A verified log.
#[derive(Debug, PartialEq, Serialize)]
struct LogSummary {
    circle: String,
    after: RecordHead,
    records: u64,
    head: RecordHead,
}

/// `circles log`.
pub(crate) async fn run(args: &Args, command: &LogArgs) -> Result<(), CliError> {
    match &command.command {
        Some(LogCommand::Verify(verify)) => check(args, verify),
        None => print(args, command.after).await,
    }
}

async fn print(args: &Args, after: u64) -> Result<(), CliError> {
    let client = connect(args).await?;
    let circle = client.whoami().await.map_err(CliError::from_call)?.circle.to_string();
    let page = async |after: u64| {
        client.provenance().after(after).limit(RECORDS_PAGE).await.map_err(CliError::from_call)
    };
    let mut current = page(after).await?;
    let before =
        current.records.first().map_or_else(|| current.head.clone(), |first| Head::before(first).into());
    show::json_line(&Header { circle, after: before })?;
    loop {
        current.records.iter().try_for_each(show::json_line)?;
        match current.records.last() {
            Some(last) if last.number < current.head.number => current = page(last.number.get()).await?,
            _ => return show::json_line(&Trailer { head: current.head }),
        }
    }
}

fn check(args: &Args, command: &VerifyArgs) -> Result<(), CliError> {
    let circle = circle(args)?;
    let log = BufReader::new(input::open(&command.file).map_err(CliError::Usage)?);
    let summary = verify(log, circle, command.head.as_deref()).map_err(CliError::Failed)?;
    if command.output.json {
        return show::json(&summary);
    }
    let head = |head: &RecordHead| format!("{} {}", head.number, head.hash);
    let mut fields = vec![("circle", summary.circle), ("records", summary.records.to_string())];
    if summary.after.number.get() > 0 {
        fields.push(("after", head(&summary.after)));
    }
    fields.push(("head", head(&summary.head)));
    show::line(&render::fields(&fields))
}

/// Verifies a log to its end. The error is the first fault, with its line. `expected` is the circle that the log must
/// belong to, and `remembered` the hash of a record that it must contain.
fn verify(
    log: impl BufRead,
    expected: Option<PublicKey>,
    remembered: Option<&str>,
) -> Result<LogSummary, String> {
    let mut lines = lines(log);
    let (header, _) = lines.next().ok_or("the log is empty")?;
    let header = header?;
    let header = header.strip_prefix(input::BYTE_ORDER_MARK).unwrap_or(&header);
    let Header { circle, after } = parse(header, 1, "the first line of a log")?;
    let key: PublicKey = circle.parse().map_err(|error| format!("line 1: {error}"))?;
    if let Some(expected) = expected.filter(|expected| *expected != key) {
        return Err(format!("the log is of circle {circle}, not of {expected}"));
    }
    let before = Head::from(&after);
    if before.number == Head::START.number && before != Head::START {
        return Err("line 1: `after` has number 0 and a hash other than zeros".into());
    }
    let mut verifier = Verifier::after(key.circle_id(), before);
    let mut is_remembered = remembered.is_none_or(|hash| hash == after.hash.as_str());
    let mut records = 0;
    while let Some((line, number)) = lines.next() {
        let line = line?;
        if let Ok(Trailer { head }) = serde_json::from_str(&line) {
            let summary = LogSummary { circle, after, records, head };
            return match (
                Head::from(&summary.head) == verifier.head(),
                is_remembered,
                next_non_blank(&mut lines),
            ) {
                (false, ..) => Err(format!("line {number}: the head is not that of the last record")),
                (_, _, Some(number)) => {
                    Err(format!("line {number}: unexpected text after the end of the log"))
                }
                (_, false, _) => Err("no record has the hash that --head names".into()),
                (true, true, None) => Ok(summary),
            };
        }
        if is_blank(&line) && next_non_blank(&mut lines).is_none() {
            break;
        }
        let record: Record = parse(&line, number, "a record")?;
        verifier.push(&record).map_err(|broken| format!("line {number}: {broken}"))?;
        is_remembered |= remembered.is_some_and(|hash| hash == record.hash.as_str());
        records += 1;
    }
    Err(format!("the log breaks off after {records} records: the line with its head is missing"))
}

/// Returns the number of the next line that is not blank: editors and shells leave blank lines at the end.
fn next_non_blank(lines: impl Iterator<Item = NumberedLine>) -> Option<u64> {
    let is_not_blank = |(line, _): &NumberedLine| line.as_ref().map_or(true, |line| !is_blank(line));
    lines.into_iter().find(is_not_blank).map(|(_, number)| number)
}

fn is_blank(line: &str) -> bool {
    line.trim().is_empty()
}

/// A line, or the reason why it cannot be read, and its number.
type NumberedLine = (Result<String, String>, u64);

/// Reads the lines of a log.
fn lines(mut log: impl BufRead) -> impl Iterator<Item = NumberedLine> {
    (1_u64..).map_while(move |number| {
        let mut line = Vec::new();
        let read = log.by_ref().take(MAX_LINE_BYTES + 1).read_until(b'\n', &mut line);
        let line = match read {
            Ok(0) => return None,
            Ok(_) if line.len() as u64 > MAX_LINE_BYTES => Err(format!("longer than {MAX_LINE_BYTES} bytes")),
            Ok(_) => String::from_utf8(line).map_err(|error| error.utf8_error().to_string()),
            Err(error) => Err(error.to_string()),
        };
        Some((line.map_err(|problem| format!("line {number}: {problem}")), number))
    })
}

fn parse<T: DeserializeOwned>(line: &str, number: u64, what: &str) -> Result<T, String> {
    serde_json::from_str(line).map_err(|error| format!("line {number}: not {what}: {error}"))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    const CIRCLE: &str = "02c6047f9441ed7d6d3045406e95c07cd85c778e4b8cef3ca7abac09b95c709ee5";
    const OTHER_CIRCLE: &str = "0279be667ef9dcbbac55a06295ce870b07029bfcdb2dce28d959f2815b16f81798";

    /// Returns the lines of a log of `count` records.
    fn log(count: usize) -> Vec<String> {
        let circle: PublicKey = CIRCLE.parse().unwrap();
        let mut head = Head::START;
        let mut lines = vec![json!({ "circle": CIRCLE, "after": RecordHead::from(head) }).to_string()];
        for at in 0..count {
            let zeros = RecordHead::from(Head::START).hash;
            let record = json!({
                "number": 0, "task_id": "019aa4c2-7e00-7a3b-8c4d-5e6f708192a3", "caller": OTHER_CIRCLE,
                "script_sha256": null, "accepted_at": at, "ended_at": at + 1, "outcome": "succeeded",
                "previous": zeros, "hash": zeros,
            });
            let record = head.seal(&circle.circle_id(), serde_json::from_value(record).unwrap());
            head = Head::of(&record);
            lines.push(serde_json::to_string(&record).unwrap());
        }
        lines.push(json!({ "head": RecordHead::from(head) }).to_string());
        lines
    }

    fn verified(lines: &[String]) -> Result<LogSummary, String> {
        verify(lines.join("\n").as_bytes(), None, None)
    }

    fn hash(line: &str) -> String {
        serde_json::from_str::<Record>(line).unwrap().hash.to_string()
    }

    #[test]
    fn printed_log_is_valid() {
        let empty = verified(&log(0)).unwrap();
        assert_eq!((empty.records, Head::from(&empty.head)), (0, Head::START));
        let lines = log(3);
        let summary = verified(&lines).unwrap();
        assert_eq!((summary.records, summary.head.number.get()), (3, 3));
        assert_eq!(summary.head.hash.as_str(), hash(&lines[3]));
    }

    #[test]
    fn first_fault_is_reported_with_its_line() {
        let fault = |change: fn(&mut Vec<String>)| {
            let mut lines = log(3);
            change(&mut lines);
            verified(&lines).unwrap_err()
        };
        let changed = |lines: &mut Vec<String>| lines[2] = lines[2].replace("succeeded", "failed");
        assert_eq!(fault(changed), "line 3: record 2: its hash does not match its content");
        let removed = |lines: &mut Vec<String>| drop(lines.remove(2));
        assert_eq!(fault(removed), "line 3: expected record 2, found record 3");
        let cut = |lines: &mut Vec<String>| drop(lines.remove(3));
        assert_eq!(fault(cut), "line 4: the head is not that of the last record");
        let broken_off = |lines: &mut Vec<String>| drop(lines.pop());
        assert_eq!(
            fault(broken_off),
            "the log breaks off after 3 records: the line with its head is missing"
        );
        assert_eq!(
            fault(|lines| lines.push("{}".into())),
            "line 6: unexpected text after the end of the log"
        );
        let after_a_blank = |lines: &mut Vec<String>| lines.extend([String::new(), "{}".into()]);
        assert_eq!(fault(after_a_blank), "line 7: unexpected text after the end of the log");
        let blank_inside = |lines: &mut Vec<String>| lines.insert(2, String::new());
        assert!(fault(blank_inside).starts_with("line 3: not a record: "));
        let too_long = |lines: &mut Vec<String>| lines[2] = " ".repeat(2 << 20);
        assert_eq!(fault(too_long), "line 3: longer than 1048576 bytes");
        assert!(fault(|lines| lines[2] = "{}".into()).starts_with("line 3: not a record: missing"));
        assert!(fault(|lines| drop(lines.remove(0))).starts_with("line 1: not the first line of a log: "));
        assert_eq!(fault(Vec::clear), "the log is empty");
    }

    #[test]
    fn byte_order_mark_and_blank_lines_are_ignored() {
        let text = log(2).join("\r\n");
        for text in [format!("{text}\n"), format!("{text}\n\n \n"), format!("\u{feff}{text}\r\n\r\n")] {
            assert_eq!(verify(text.as_bytes(), None, None).unwrap().records, 2, "{text:?}");
        }
        let cut = log(2)[..3].join("\n") + "\n\n";
        assert!(verify(cut.as_bytes(), None, None).unwrap_err().contains("breaks off after 2"));
        let binary = [log(2).join("\n").as_bytes(), b"\n\xff\xfe"].concat();
        assert_eq!(
            verify(&*binary, None, None).unwrap_err(),
            "line 5: unexpected text after the end of the log"
        );
    }

    #[test]
    fn log_of_another_circle_is_refused() {
        let of = |circle: &str| verify(log(1).join("\n").as_bytes(), Some(circle.parse().unwrap()), None);
        assert!(of(CIRCLE).is_ok());
        assert!(of(OTHER_CIRCLE).unwrap_err().starts_with("the log is of circle 02c6"));
    }

    #[test]
    fn remembered_head_must_be_in_the_log() {
        let lines = log(3);
        let with = |lines: &[String], head: &str| verify(lines.join("\n").as_bytes(), None, Some(head));
        for record in &lines[1..4] {
            assert!(with(&lines, &hash(record)).is_ok(), "the log may have grown since");
        }
        assert_eq!(with(&log(2), &hash(&lines[3])).unwrap_err(), "no record has the hash that --head names");
    }

    #[test]
    fn log_may_start_after_a_record() {
        let mut lines = log(3);
        let first: Record = serde_json::from_str(&lines[1]).unwrap();
        let header = json!({ "circle": CIRCLE, "after": RecordHead::from(Head::of(&first)) });
        lines.splice(0..2, [header.to_string()]);
        let summary = verify(lines.join("\n").as_bytes(), None, Some(first.hash.as_str())).unwrap();
        assert_eq!((summary.records, summary.after.number.get()), (2, 1));
        lines[0] = header.to_string().replace("\"number\":1", "\"number\":0");
        assert!(verified(&lines).is_err());
    }
}
