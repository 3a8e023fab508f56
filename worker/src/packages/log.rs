//! `log`: lines of the levels that `print` and `debug` do not have.

use circles_store::LogLevel;
use rhai::{Dynamic, Module};

use super::{Checked, play};
use crate::{
    natives::{Natives as _, printed},
    play::Stop,
};

pub fn register(log: &mut Module) {
    // `debug` is a word of Rhai's own, which no namespace can hold.
    for (name, level) in [("info", LogLevel::Info), ("warn", LogLevel::Warn), ("error", LogLevel::Error)] {
        log.native(name, move |value: Dynamic| -> Checked<()> {
            let play = play()?;
            let text = printed(&value, play.limits.log_bytes.min(play.room()));
            play.log(level, &text.ok_or_else(|| play.stop(Stop::Limit("log_bytes")))?);
            Ok(())
        });
    }
}
