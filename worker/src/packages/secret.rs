//! `secret(name)`.

use rhai::{ImmutableString, Module};

use super::{Checked, play, quoted, throw};
use crate::natives::Natives as _;

pub fn register(natives: &mut Module) {
    natives.native("secret", secret);
}

fn secret(name: &str) -> Checked<ImmutableString> {
    let play = play()?;
    play.touches()?;
    let value = play.circle.secret(name).map(ImmutableString::from);
    value.ok_or_else(|| throw(format!("this circle has no secret {}", quoted(name))))
}
