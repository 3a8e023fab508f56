//! `circles log`: a circle's provenance as lines of JSON, and whether such lines are sound.

use std::io::{BufRead, BufReader, Read as _};

use circles_client::{
    PublicKey,
    provenance::{Head, Verifier},
    types::{Record, RecordHead},
};
use serde::{Deserialize, Serialize, de::DeserializeOwned};

use crate::{
    args::{Args, Log, LogCommand, Verify},
    circle, connect, play, render, show,
    trouble::Trouble,
};

/// Records that one call brings: the most there may be.
const PAGE: u64 = 500;

/// Bytes of the longest line of a log: a record takes less than a kilobyte.
const MAX_LINE: u64 = 1 << 20;

/// The first line of a log: whose it is, and behind which record it begins.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Header {
    circle: String,
    after: RecordHead,
}

/// The last line of a log.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Trailer {
    head: RecordHead,
}

/// A log that is sound.
#[derive(Debug, PartialEq, Serialize)]
struct Sound {
    circle: String,
    after: RecordHead,
    records: u64,
    head: RecordHead,
}

/// `circles log`.
pub async fn run(args: &Args, log: &Log) -> Result<(), Trouble> {
    match &log.command {
        Some(LogCommand::Verify(command)) => check(args, command),
        None => print(args, log.after).await,
    }
}

async fn print(args: &Args, after: u64) -> Result<(), Trouble> {
    let client = connect(args).await?;
    let circle = client.whoami().await.map_err(Trouble::of_call)?.circle.to_string();
    let page =
        async |after: u64| client.provenance().after(after).limit(PAGE).await.map_err(Trouble::of_call);
    let mut now = page(after).await?;
    let begins = now.records.first().map_or_else(|| now.head.clone(), |first| Head::before(first).into());
    show::json_line(&Header { circle, after: begins })?;
    loop {
        now.records.iter().try_for_each(show::json_line)?;
        match now.records.last() {
            Some(last) if last.number < now.head.number => now = page(last.number.get()).await?,
            _ => return show::json_line(&Trailer { head: now.head }),
        }
    }
}

fn check(args: &Args, command: &Verify) -> Result<(), Trouble> {
    let circle = circle(args)?;
    let log = BufReader::new(play::open(&command.file)?);
    let sound = verify(log, circle, command.head.as_deref()).map_err(Trouble::Failed)?;
    if command.form.json {
        return show::json(&sound);
    }
    let head = |head: &RecordHead| format!("{} {}", head.number, head.hash);
    let mut fields = vec![("circle", sound.circle), ("records", sound.records.to_string())];
    if sound.after.number.get() > 0 {
        fields.push(("behind", head(&sound.after)));
    }
    fields.push(("head", head(&sound.head)));
    show::line(&render::fields(&fields))
}

/// Reads a log to its end; says what is wrong with it first, and on which line.
fn verify(log: impl BufRead, meant: Option<PublicKey>, remembered: Option<&str>) -> Result<Sound, String> {
    let mut lines = lines(log);
    let (header, _) = lines.next().ok_or("the log is empty")?;
    let header = header?;
    let header = header.strip_prefix(play::BYTE_ORDER_MARK).unwrap_or(&header);
    let Header { circle, after } = parse(header, 1, "a log's first line")?;
    let key: PublicKey = circle.parse().map_err(|error| format!("line 1: {error}"))?;
    if let Some(meant) = meant.filter(|meant| *meant != key) {
        return Err(format!("the log is of circle {circle}, not of {meant}"));
    }
    let begins = Head::from(&after);
    if begins.number == Head::START.number && begins != Head::START {
        return Err("line 1: what lies before the first record has a hash".into());
    }
    let mut verifier = Verifier::after(key.circle_id(), begins);
    let mut known = remembered.is_none_or(|hash| hash == after.hash.as_str());
    let mut records = 0;
    while let Some((line, number)) = lines.next() {
        let line = line?;
        if let Ok(Trailer { head }) = serde_json::from_str(&line) {
            let sound = Sound { circle, after, records, head };
            return match (Head::from(&sound.head) == verifier.head(), known, after_blanks(&mut lines)) {
                (false, ..) => Err(format!("line {number}: the head is not the last record")),
                (_, _, Some(number)) => Err(format!("line {number}: the log had ended")),
                (_, false, _) => Err("no record has the hash that --head names".into()),
                (true, true, None) => Ok(sound),
            };
        }
        if is_blank(&line) && after_blanks(&mut lines).is_none() {
            break;
        }
        let record: Record = parse(&line, number, "a record")?;
        verifier.push(&record).map_err(|broken| format!("line {number}: {broken}"))?;
        known |= remembered.is_some_and(|hash| hash == record.hash.as_str());
        records += 1;
    }
    Err(format!("the log breaks off after {records} records, before the line with its head"))
}

/// The number of the next line with anything in it: editors and shells leave blank ones at the end.
fn after_blanks(lines: impl Iterator<Item = Line>) -> Option<u64> {
    let is_something = |(line, _): &Line| line.as_ref().map_or(true, |line| !is_blank(line));
    lines.into_iter().find(is_something).map(|(_, number)| number)
}

fn is_blank(line: &str) -> bool {
    line.trim().is_empty()
}

/// A line, or why it cannot be read, and its number.
type Line = (Result<String, String>, u64);

/// The lines of a log, without their ends.
fn lines(mut log: impl BufRead) -> impl Iterator<Item = Line> {
    (1_u64..).map_while(move |number| {
        let mut line = Vec::new();
        let read = log.by_ref().take(MAX_LINE + 1).read_until(b'\n', &mut line);
        let line = match read {
            Ok(0) => return None,
            Ok(_) if line.len() as u64 > MAX_LINE => Err(format!("longer than {MAX_LINE} bytes")),
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
    const OTHER: &str = "0279be667ef9dcbbac55a06295ce870b07029bfcdb2dce28d959f2815b16f81798";

    /// The lines of a log of so many records.
    fn log(count: usize) -> Vec<String> {
        let circle: PublicKey = CIRCLE.parse().unwrap();
        let mut head = Head::START;
        let mut lines = vec![json!({ "circle": CIRCLE, "after": RecordHead::from(head) }).to_string()];
        for at in 0..count {
            let zeros = RecordHead::from(Head::START).hash;
            let record = json!({
                "number": 0, "task_id": "019aa4c2-7e00-7a3b-8c4d-5e6f708192a3", "caller": OTHER,
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

    fn verified(lines: &[String]) -> Result<Sound, String> {
        verify(lines.join("\n").as_bytes(), None, None)
    }

    fn hash(line: &str) -> String {
        serde_json::from_str::<Record>(line).unwrap().hash.to_string()
    }

    #[test]
    fn a_log_is_sound_as_it_was_printed() {
        let empty = verified(&log(0)).unwrap();
        assert_eq!((empty.records, Head::from(&empty.head)), (0, Head::START));
        let lines = log(3);
        let sound = verified(&lines).unwrap();
        assert_eq!((sound.records, sound.head.number.get()), (3, 3));
        assert_eq!(sound.head.hash.as_str(), hash(&lines[3]));
    }

    #[test]
    fn the_first_thing_that_is_wrong_is_named_with_its_line() {
        let complaint = |change: fn(&mut Vec<String>)| {
            let mut lines = log(3);
            change(&mut lines);
            verified(&lines).unwrap_err()
        };
        let changed = |lines: &mut Vec<String>| lines[2] = lines[2].replace("succeeded", "failed");
        assert_eq!(complaint(changed), "line 3: record 2: its hash is not that of what it says");
        let removed = |lines: &mut Vec<String>| drop(lines.remove(2));
        assert_eq!(complaint(removed), "line 3: record 3 stands where record 2 should");
        let cut = |lines: &mut Vec<String>| drop(lines.remove(3));
        assert_eq!(complaint(cut), "line 4: the head is not the last record");
        let broken_off = |lines: &mut Vec<String>| drop(lines.pop());
        assert_eq!(
            complaint(broken_off),
            "the log breaks off after 3 records, before the line with its head"
        );
        assert_eq!(complaint(|lines| lines.push("{}".into())), "line 6: the log had ended");
        let behind_a_blank = |lines: &mut Vec<String>| lines.extend([String::new(), "{}".into()]);
        assert_eq!(complaint(behind_a_blank), "line 7: the log had ended");
        let blank_inside = |lines: &mut Vec<String>| lines.insert(2, String::new());
        assert!(complaint(blank_inside).starts_with("line 3: not a record: "));
        let endless = |lines: &mut Vec<String>| lines[2] = " ".repeat(2 << 20);
        assert_eq!(complaint(endless), "line 3: longer than 1048576 bytes");
        assert!(complaint(|lines| lines[2] = "{}".into()).starts_with("line 3: not a record: missing"));
        assert!(complaint(|lines| drop(lines.remove(0))).starts_with("line 1: not a log's first line: "));
        assert_eq!(complaint(Vec::clear), "the log is empty");
    }

    #[test]
    fn editors_marks_around_a_log_do_no_harm() {
        let text = log(2).join("\r\n");
        for text in [format!("{text}\n"), format!("{text}\n\n \n"), format!("\u{feff}{text}\r\n\r\n")] {
            assert_eq!(verify(text.as_bytes(), None, None).unwrap().records, 2, "{text:?}");
        }
        let cut = log(2)[..3].join("\n") + "\n\n";
        assert!(verify(cut.as_bytes(), None, None).unwrap_err().contains("breaks off after 2"));
        let binary = [log(2).join("\n").as_bytes(), b"\n\xff\xfe"].concat();
        assert_eq!(verify(&*binary, None, None).unwrap_err(), "line 5: the log had ended");
    }

    #[test]
    fn a_log_is_of_the_circle_that_was_meant() {
        let of = |circle: &str| verify(log(1).join("\n").as_bytes(), Some(circle.parse().unwrap()), None);
        assert!(of(CIRCLE).is_ok());
        assert!(of(OTHER).unwrap_err().starts_with("the log is of circle 02c6"));
    }

    #[test]
    fn a_head_that_was_remembered_is_looked_for() {
        let lines = log(3);
        let with = |lines: &[String], head: &str| verify(lines.join("\n").as_bytes(), None, Some(head));
        for record in &lines[1..4] {
            assert!(with(&lines, &hash(record)).is_ok(), "the log may have grown since");
        }
        assert_eq!(with(&log(2), &hash(&lines[3])).unwrap_err(), "no record has the hash that --head names");
    }

    #[test]
    fn a_log_may_begin_behind_a_record() {
        let mut lines = log(3);
        let first: Record = serde_json::from_str(&lines[1]).unwrap();
        let header = json!({ "circle": CIRCLE, "after": RecordHead::from(Head::of(&first)) });
        lines.splice(0..2, [header.to_string()]);
        let sound = verify(lines.join("\n").as_bytes(), None, Some(first.hash.as_str())).unwrap();
        assert_eq!((sound.records, sound.after.number.get()), (2, 1));
        lines[0] = header.to_string().replace("\"number\":1", "\"number\":0");
        assert!(verified(&lines).is_err());
    }
}
