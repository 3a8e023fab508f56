//! Texts that grow in one step.

use rhai::{Array, Dynamic, ImmutableString, Module};

use super::{Checked, Natives as _, charge, missing};

/// Bytes that a piece of a split text takes: a value, and the shared text it points to.
const PIECE: usize = 80;

pub(crate) fn register(module: &mut Module) {
    module.native("pad", |text: &mut ImmutableString, length: i64, with: char| {
        pad(text, length, with.encode_utf8(&mut [0; 4]))
    });
    module.native("pad", pad);
    module.native("replace", replace);
    module.native("replace", |text: &mut ImmutableString, from: &str, to: char| {
        replace(text, from, to.encode_utf8(&mut [0; 4]))
    });
    module.native("replace", |text: &mut ImmutableString, from: char, to: &str| {
        replace(text, from.encode_utf8(&mut [0; 4]), to)
    });
    module.native("replace", |text: &mut ImmutableString, from: char, to: char| {
        replace(text, from.encode_utf8(&mut [0; 4]), to.encode_utf8(&mut [0; 4]))
    });
    splits(module);
    module.native("to_chars", |text: &str| -> Checked<Array> {
        charge(text.len().saturating_mul(size_of::<Dynamic>()))?;
        Ok(text.chars().map(Dynamic::from).collect())
    });
}

fn splits(module: &mut Module) {
    module.native("split", |text: &str| split(text, text.split_whitespace()));
    module.native("split", |text: &str, by: &str| split(text, text.split(by)));
    module.native("split", |text: &str, by: char| split(text, text.split(by)));
    module.native("split", |text: &str, by: &str, most: i64| split(text, text.splitn(pieces(most), by)));
    module.native("split", |text: &str, by: char, most: i64| split(text, text.splitn(pieces(most), by)));
    module.native("split_rev", |text: &str, by: &str| split(text, text.rsplit(by)));
    module.native("split_rev", |text: &str, by: char| split(text, text.rsplit(by)));
    module.native("split_rev", |text: &str, by: &str, most: i64| split(text, text.rsplitn(pieces(most), by)));
    module.native("split_rev", |text: &str, by: char, most: i64| split(text, text.rsplitn(pieces(most), by)));
}

fn pad(text: &mut ImmutableString, length: i64, with: &str) -> Checked<()> {
    let Some(missing) = missing(text.chars().count(), length) else { return Ok(()) };
    let width = with.chars().count();
    if width == 0 {
        return Ok(());
    }
    // Rhai's own also stops at whole copies of a longer text.
    let copies = missing.div_ceil(width);
    charge(copies.saturating_mul(with.len()).saturating_mul(2))?;
    text.make_mut().push_str(&with.repeat(copies));
    Ok(())
}

fn replace(text: &mut ImmutableString, from: &str, to: &str) -> Checked<()> {
    let grown = text.matches(from).count().saturating_mul(to.len());
    charge(text.len().saturating_add(grown))?;
    *text = text.replace(from, to).into();
    Ok(())
}

/// Rhai makes at least one piece.
fn pieces(most: i64) -> usize {
    usize::try_from(most).unwrap_or(0).max(1)
}

fn split<'a>(text: &str, pieces: impl Iterator<Item = &'a str> + Clone) -> Checked<Array> {
    let count = pieces.clone().count();
    charge(count.saturating_mul(PIECE).saturating_add(text.len()))?;
    Ok(pieces.map(|piece| Dynamic::from(ImmutableString::from(piece))).collect())
}
