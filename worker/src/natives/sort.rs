//! Sorting that stops when its play is stopped, or when the script's comparison fails.

use std::cmp::Ordering;

use rhai::{
    Array, Dynamic, EvalAltResult, FnPtr, FuncRegistration, ImmutableString, Module, NativeCallContext,
    Position,
};

use super::{Checked, Frame, Natives as _, charge};

/// Bytes compared between looks at the clock: well under a millisecond.
const CHECK_EVERY: usize = 1 << 20;

pub(crate) fn register(module: &mut Module) {
    for (name, descending) in [("sort", false), ("sort_desc", true)] {
        module.native(name, move |array: &mut Array| {
            let compare = natural(array, descending)?;
            sort(array, compare)
        });
    }
    for name in ["sort", "sort_by"] {
        module.native(name, |context: NativeCallContext, array: &mut Array, compare: FnPtr| {
            sort(array, by(&context, &compare))
        });
    }
    for (name, descending) in [("order", false), ("order_desc", true)] {
        FuncRegistration::new(name)
            .with_purity(true)
            .set_into_module(module, move |array: &mut Array| ordered(array, natural(array, descending)?));
    }
    for name in ["order", "order_by"] {
        FuncRegistration::new(name).with_purity(true).set_into_module(
            module,
            |context: NativeCallContext, array: &mut Array, compare: FnPtr| {
                ordered(array, by(&context, &compare))
            },
        );
    }
}

fn sort(array: &mut Array, compare: impl FnMut(&Dynamic, &Dynamic) -> Checked<Ordering>) -> Checked<()> {
    let places = places(array, compare)?;
    let mut items = std::mem::take(array);
    array.extend(places.into_iter().filter_map(|place| items.get_mut(place).map(Dynamic::take)));
    Ok(())
}

fn ordered(array: &Array, compare: impl FnMut(&Dynamic, &Dynamic) -> Checked<Ordering>) -> Checked<Array> {
    let places = places(array, compare)?;
    Ok(places.into_iter().filter_map(|place| array.get(place).cloned()).collect())
}

/// The places of the items in order, equal ones as they stood: a merge sort from the bottom up. The standard
/// library's takes no comparison that can fail, and panics at one that is no order; and an array must not be
/// left half sorted by a comparison that fails.
fn places(
    items: &[Dynamic],
    mut compare: impl FnMut(&Dynamic, &Dynamic) -> Checked<Ordering>,
) -> Checked<Vec<usize>> {
    charge(items.len().saturating_mul(2 * size_of::<usize>()))?;
    let mut from: Vec<usize> = (0..items.len()).collect();
    let mut to = Vec::with_capacity(items.len());
    let mut width = 1;
    while width < items.len() {
        for runs in from.chunks(2 * width) {
            let (mut left, mut right) = runs.split_at(width.min(runs.len()));
            while let ([first, left_rest @ ..], [second, right_rest @ ..]) = (left, right) {
                if compare(&items[*first], &items[*second])? == Ordering::Greater {
                    to.push(*second);
                    right = right_rest;
                } else {
                    to.push(*first);
                    left = left_rest;
                }
            }
            to.extend_from_slice(left);
            to.extend_from_slice(right);
        }
        std::mem::swap(&mut from, &mut to);
        to.clear();
        width *= 2;
    }
    Ok(from)
}

/// A comparison by the script: a number below, at or above zero, or whether the left one comes first.
fn by(context: &NativeCallContext, compare: &FnPtr) -> impl FnMut(&Dynamic, &Dynamic) -> Checked<Ordering> {
    |left, right| {
        let order = compare.call_raw(context, None, [left.clone(), right.clone()])?;
        let first = |first| if first { Ordering::Less } else { Ordering::Greater };
        order.as_int().map(|order| order.cmp(&0)).or_else(|_| order.as_bool().map(first)).map_err(|found| {
            EvalAltResult::ErrorMismatchDataType("i64".into(), found.into(), Position::NONE).into()
        })
    }
}

/// The order that values of one type have by themselves.
fn natural(
    array: &[Dynamic],
    descending: bool,
) -> Checked<impl FnMut(&Dynamic, &Dynamic) -> Checked<Ordering> + use<>> {
    let types = array.first().map(Dynamic::type_id);
    if array.iter().any(|item| Some(item.type_id()) != types) {
        return Err(unsortable("elements of different types cannot be sorted".into()));
    }
    if let Some(first) = array.first()
        && natural_order(first, first).is_none()
    {
        return Err(unsortable(format!("elements of {} cannot be sorted", first.type_name())));
    }
    let mut compared = 0;
    Ok(move |left: &Dynamic, right: &Dynamic| {
        let (order, bytes) = natural_order(left, right).unwrap_or((Ordering::Equal, 0));
        compared += bytes + size_of::<Dynamic>();
        if compared > CHECK_EVERY {
            compared = 0;
            Frame::current().map_or(Ok(()), |frame| frame.play.meter.check())?;
        }
        Ok(if descending { order.reverse() } else { order })
    })
}

/// The order, and how many bytes it took to find; `None` if values of this type have none.
fn natural_order(left: &Dynamic, right: &Dynamic) -> Option<(Ordering, usize)> {
    if let (Ok(left), Ok(right)) = (left.as_int(), right.as_int()) {
        return Some((left.cmp(&right), 0));
    }
    if let (Some(left), Some(right)) =
        (left.read_lock::<ImmutableString>(), right.read_lock::<ImmutableString>())
    {
        return Some((left.as_str().cmp(right.as_str()), left.len().min(right.len())));
    }
    if let (Ok(left), Ok(right)) = (left.as_float(), right.as_float()) {
        return Some((left.partial_cmp(&right).unwrap_or(Ordering::Equal), 0));
    }
    if let (Ok(left), Ok(right)) = (left.as_char(), right.as_char()) {
        return Some((left.cmp(&right), 0));
    }
    if let (Ok(left), Ok(right)) = (left.as_bool(), right.as_bool()) {
        return Some((left.cmp(&right), 0));
    }
    (left.is_unit() && right.is_unit()).then_some((Ordering::Equal, 0))
}

fn unsortable(what: String) -> Box<EvalAltResult> {
    EvalAltResult::ErrorFunctionNotFound(what, Position::NONE).into()
}
