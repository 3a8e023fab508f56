//! `secret(name)`.

use rhai::{ImmutableString, Module};

use super::quoted;
use crate::natives::{Checked, Natives as _, frame, throw};

pub(crate) fn register(natives: &mut Module) {
    natives.native("secret", secret);
}

fn secret(name: &str) -> Checked<ImmutableString> {
    let frame = frame()?;
    let value = frame.circle().secret(&frame.play, name)?;
    value
        .map(ImmutableString::from)
        .ok_or_else(|| throw(format!("this circle has no secret {}", quoted(name))))
}
