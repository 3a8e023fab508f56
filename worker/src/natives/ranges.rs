//! Inclusive ranges of which the last place comes before the first are empty, as exclusive ones are. Rhai's own take
//! one item there: `[1, 2, 3].extract(2..=1)`.

use std::{mem, ops::RangeInclusive};

use rhai::{Array, Blob, Dynamic, FuncRegistration, ImmutableString, Module, NativeCallContext};

use super::{Checked, Natives as _};

type Inclusive = RangeInclusive<i64>;

/// The first place, and how many there are. Negative places count as 0, as Rhai has it.
fn places(range: &Inclusive) -> (Dynamic, Dynamic) {
    let first = (*range.start()).max(0);
    let last = (*range.end()).clamp(first - 1, i64::MAX - 1);
    (first.into(), (last - first + 1).into())
}

/// Calls Rhai's own native of this name with a place and a length instead of a range.
fn call(
    context: &NativeCallContext,
    name: &str,
    mut this: Dynamic,
    range: &Inclusive,
    more: Option<Dynamic>,
) -> Checked<(Dynamic, Dynamic)> {
    let (mut first, mut length) = places(range);
    let mut more = more;
    let mut args: Vec<&mut Dynamic> = vec![&mut this, &mut first, &mut length];
    args.extend(more.as_mut());
    let result = context.call_native_fn_raw(name, true, &mut args)?;
    Ok((this, result))
}

/// As [`call`], on a value that stays where it is.
fn call_on<T: Clone + Default + Send + Sync + 'static>(
    context: &NativeCallContext,
    name: &str,
    this: &mut T,
    range: &Inclusive,
    more: Option<Dynamic>,
) -> Checked<Dynamic> {
    let (changed, result) = call(context, name, Dynamic::from(mem::take(this)), range, more)?;
    *this = changed.try_cast().unwrap_or_default();
    Ok(result)
}

pub(crate) fn register(module: &mut Module) {
    module.native("sub_string", |context: NativeCallContext, text: ImmutableString, range: Inclusive| {
        call(&context, "sub_string", text.into(), &range, None).map(|(_, part)| part)
    });
    module.native("crop", |context: NativeCallContext, text: &mut ImmutableString, range: Inclusive| {
        call_on(&context, "crop", text, &range, None).map(drop)
    });
    for name in ["drain", "retain"] {
        module.native(name, move |context: NativeCallContext, array: &mut Array, range: Inclusive| {
            call_on(&context, name, array, &range, None)
        });
        module.native(name, move |context: NativeCallContext, blob: &mut Blob, range: Inclusive| {
            call_on(&context, name, blob, &range, None)
        });
    }
    module.native(
        "splice",
        |context: NativeCallContext, array: &mut Array, range: Inclusive, with: Array| {
            call_on(&context, "splice", array, &range, Some(with.into())).map(drop)
        },
    );
    module.native("splice", |context: NativeCallContext, blob: &mut Blob, range: Inclusive, with: Blob| {
        call_on(&context, "splice", blob, &range, Some(Dynamic::from_blob(with))).map(drop)
    });
    pure(module);
    writers(module);
}

/// Those that change nothing, and so can be called on constants.
fn pure(module: &mut Module) {
    FuncRegistration::new("extract").with_purity(true).set_into_module(
        module,
        |context: NativeCallContext, array: &mut Array, range: Inclusive| {
            call_on(&context, "extract", array, &range, None)
        },
    );
    for name in ["extract", "parse_le_int", "parse_be_int", "parse_le_float", "parse_be_float"] {
        FuncRegistration::new(name).with_purity(true).set_into_module(
            module,
            move |context: NativeCallContext, blob: &mut Blob, range: Inclusive| {
                call_on(&context, name, blob, &range, None)
            },
        );
    }
}

fn writers(module: &mut Module) {
    for name in ["write_le", "write_be"] {
        module.native(
            name,
            move |context: NativeCallContext, blob: &mut Blob, range: Inclusive, value: i64| {
                call_on(&context, name, blob, &range, Some(value.into())).map(drop)
            },
        );
        module.native(
            name,
            move |context: NativeCallContext, blob: &mut Blob, range: Inclusive, value: f64| {
                call_on(&context, name, blob, &range, Some(value.into())).map(drop)
            },
        );
    }
    for name in ["write_utf8", "write_ascii"] {
        module.native(
            name,
            move |context: NativeCallContext, blob: &mut Blob, range: Inclusive, text: ImmutableString| {
                call_on(&context, name, blob, &range, Some(text.into())).map(drop)
            },
        );
    }
}
