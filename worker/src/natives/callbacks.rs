//! Natives that call the script for each of many values, and end at once when a call fails. Rhai's own go on: its
//! `dedup` takes each error for "not equal", its `drain` and `retain` of maps put all remaining values back first.

use std::mem;

use rhai::{Array, Dynamic, EvalAltResult, FnPtr, Map, Module, NativeCallContext};

use super::{Checked, Natives as _, charge};

pub(crate) fn register(module: &mut Module) {
    module.native("dedup", |context: NativeCallContext, array: &mut Array| {
        dedup(array, |before, item| {
            let equal = context.call_native_fn_raw("==", true, &mut [&mut before.clone(), &mut item.clone()]);
            match equal {
                // Values that cannot be compared are not equal.
                Err(error) if matches!(*error, EvalAltResult::ErrorFunctionNotFound(..)) => {
                    Ok(Dynamic::FALSE)
                }
                equal => equal,
            }
        })
    });
    module.native("dedup", |context: NativeCallContext, array: &mut Array, compare: FnPtr| {
        dedup(array, |before, item| compare.call_raw(&context, None, [before.clone(), item.clone()]))
    });
    for (name, takes) in [("drain", true), ("retain", false)] {
        module.native(name, move |context: NativeCallContext, map: &mut Map, filter: FnPtr| {
            take_out(map, takes, |key, value| {
                let key = Dynamic::from(key.to_owned());
                filter.call_raw_with_extra_args(name, &context, Some(value), [key], [], Some(1))
            })
        });
    }
}

/// Removes each item that is equal to the one kept before it. Fails without a change.
fn dedup(array: &mut Array, mut is_equal: impl FnMut(&Dynamic, &Dynamic) -> Checked<Dynamic>) -> Checked<()> {
    charge(array.len())?;
    let mut kept = Vec::with_capacity(array.len());
    let mut before = None;
    for item in array.iter() {
        let equal = before.map_or(Ok(Dynamic::FALSE), |before| is_equal(before, item))?;
        let keeps = !equal.as_bool().unwrap_or(false);
        kept.push(keeps);
        if keeps {
            before = Some(item);
        }
    }
    let mut kept = kept.into_iter();
    array.retain(|_| kept.next().unwrap_or(true));
    Ok(())
}

/// Takes out the members of a map for which the filter's answer is `takes`. Fails without a change of members.
fn take_out(
    map: &mut Map,
    takes: bool,
    mut filter: impl FnMut(&str, &mut Dynamic) -> Checked<Dynamic>,
) -> Checked<Map> {
    charge(map.len())?;
    let mut taken = Vec::with_capacity(map.len());
    for (key, value) in map.iter_mut() {
        taken.push(filter(key, value)?.as_bool().unwrap_or(false) == takes);
    }
    let (mut out, mut left) = (Map::new(), Map::new());
    for ((key, value), taken) in mem::take(map).into_iter().zip(taken) {
        let side = if taken { &mut out } else { &mut left };
        side.insert(key, value);
    }
    *map = left;
    Ok(out)
}
