//! Values as texts, within a bound. Rhai's own natives go on after an error, and print a shared text wherever it
//! stands.

use std::fmt::{self, Write};

use rhai::{Array, Blob, Dynamic, FnPtr, FuncRegistration, ImmutableString, Map, Module};

use super::{Frame, Natives as _};
use crate::play::Stop;

/// Levels that are printed; deeper ones appear as `…`. Results may be as deep.
const PRINT_DEPTH: usize = 100;

/// Both texts of a container are the same: what it holds is always printed as `debug` does.
pub(crate) fn register(module: &mut Module) {
    for name in ["print", "to_string", "debug", "to_debug"] {
        FuncRegistration::new(name).with_purity(true).set_into_module(module, |array: &mut Array| {
            current(|printer| printer.array(array, PRINT_DEPTH))
        });
        FuncRegistration::new(name)
            .with_purity(true)
            .set_into_module(module, |map: &mut Map| current(|printer| printer.map(map, PRINT_DEPTH)));
        FuncRegistration::new(name)
            .with_purity(true)
            .set_into_module(module, |blob: &mut Blob| current(|printer| printer.blob(blob)));
    }
    for name in ["debug", "to_debug"] {
        module.native(name, |text: &str| current(|printer| write!(printer, "{text:?}")));
    }
}

/// A value as `print` shows it; `None` if that takes more than `bytes`.
pub(crate) fn printed(value: &Dynamic, bytes: usize) -> Option<String> {
    let mut printer = Printer { text: String::new(), left: bytes };
    let written = match value.read_lock::<ImmutableString>() {
        Some(text) => printer.write_str(&text),
        None if value.is_unit() => Ok(()),
        None if value.is_char() => write!(printer, "{}", value.flatten_clone()),
        None => printer.value(value, PRINT_DEPTH),
    };
    written.ok().map(|()| printer.text)
}

/// Prints within the memory that the play has left. It cannot fail, since Rhai would then print by itself; the play
/// ends at its next operation.
fn current(print: impl FnOnce(&mut Printer) -> fmt::Result) -> ImmutableString {
    let Some(frame) = Frame::current() else { return ImmutableString::new() };
    let meter = &frame.play.meter;
    // A text that grows is copied, so there are two of it for a moment.
    let mut printer = Printer { text: String::new(), left: meter.available_bytes() / 2 };
    if print(&mut printer).is_err() {
        meter.stop(Stop::Limit("memory_bytes"));
    }
    printer.text.into()
}

struct Printer {
    text: String,
    left: usize,
}

impl Write for Printer {
    fn write_str(&mut self, part: &str) -> fmt::Result {
        self.left = self.left.checked_sub(part.len()).ok_or(fmt::Error)?;
        self.text.push_str(part);
        Ok(())
    }
}

impl Printer {
    fn value(&mut self, value: &Dynamic, depth: usize) -> fmt::Result {
        if let Some(array) = value.read_lock::<Array>() {
            self.array(&array, depth)
        } else if let Some(map) = value.read_lock::<Map>() {
            self.map(&map, depth)
        } else if let Some(blob) = value.read_lock::<Blob>() {
            self.blob(&blob)
        } else if let Some(text) = value.read_lock::<ImmutableString>() {
            write!(self, "{:?}", text.as_str())
        } else if let Some(function) = value.read_lock::<FnPtr>() {
            // Without the values that it captured: it may have captured itself.
            write!(self, "{}", *function)
        } else {
            write!(self, "{:?}", value.flatten_clone())
        }
    }

    fn array(&mut self, array: &Array, depth: usize) -> fmt::Result {
        let Some(depth) = depth.checked_sub(1) else { return self.write_str("…") };
        self.write_str("[")?;
        for (index, item) in array.iter().enumerate() {
            if index > 0 {
                self.write_str(", ")?;
            }
            self.value(item, depth)?;
        }
        self.write_str("]")
    }

    fn map(&mut self, map: &Map, depth: usize) -> fmt::Result {
        let Some(depth) = depth.checked_sub(1) else { return self.write_str("…") };
        self.write_str("#{")?;
        for (index, (name, member)) in map.iter().enumerate() {
            if index > 0 {
                self.write_str(", ")?;
            }
            write!(self, "{:?}: ", name.as_str())?;
            self.value(member, depth)?;
        }
        self.write_str("}")
    }

    /// Prints eight bytes a group, as Rhai does.
    fn blob(&mut self, blob: &Blob) -> fmt::Result {
        self.write_str("[")?;
        for (index, byte) in blob.iter().enumerate() {
            if index > 0 && index % 8 == 0 {
                self.write_str(" ")?;
            }
            write!(self, "{byte:02x}")?;
        }
        self.write_str("]")
    }
}
