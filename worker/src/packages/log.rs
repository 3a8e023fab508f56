//! `log`: lines of the levels that `print` and `debug` do not have.

use circles_store::LogLevel;
use rhai::{Dynamic, Module};

use crate::{
    natives::{Checked, Natives as _, frame, printed},
    play::Stop,
};

pub(crate) fn register(log: &mut Module) {
    // `debug` is a keyword of Rhai, which no namespace can hold.
    for (name, level) in [("info", LogLevel::Info), ("warn", LogLevel::Warn), ("error", LogLevel::Error)] {
        log.native(name, move |value: Dynamic| -> Checked<()> {
            let frame = frame()?;
            let meter = &frame.play.meter;
            let text = printed(&value, frame.play.limits.log_bytes.min(meter.available_bytes()));
            frame.log(level, &text.ok_or_else(|| meter.stop(Stop::Limit("log_bytes")))?);
            Ok(())
        });
    }
}
